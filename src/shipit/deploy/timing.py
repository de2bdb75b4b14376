"""How often a deploy looks, how long it waits and how late it may be: all in seconds.

A deploy ends by its own deadline plus ten seconds, however the API server behaves: what comes past a deadline
(LATE, LOGS_LATE, SETTLED_WITHIN, LAST_LOOK) is bounded by these numbers together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shipit.model import Clock

POLL = 0.2
"""Between two looks at something that is about to go."""
STEP_LOOK_EVERY = 5.0
"""Between looks at the truth of a running step when the watch says nothing."""
GLANCE = 0.2
"""Between looks at the logs."""
ROLLOUT_LOOK_EVERY = 1.0
ROLLOUT_LOOK_WITHIN = 3.0
"""What one look at the rollout may take: helm, and the lock that it runs under, are looked at in between."""

MOVED_LOOK_EVERY = 10.0
"""Between looks, while shipit waits for a rollout, at whether somebody has moved the release on."""

GONE_WITHIN = 300.0
"""What a deleted object and its pods get to go: twice the patience of a pod that ignores SIGTERM."""
PROOF_WITHIN = 60.0
"""What the pods of a suspended Job get to go, their last status telling whether a container ever ran."""
HELM_SLACK = 30.0
"""What helm gets beyond its own timeout, which counts each operation, before it is stopped."""
WEBHOOK_PAUSE = 5.0
"""Before helm is run once more, when an admission webhook did not answer it."""
FORBIDDEN_FOR = 30.0
"""After which a 403 is believed: an API server that has just started may not know its Roles yet."""
STEADY = 10.0
"""Without another crash, after which an app that has crashed in its rollout is believed to run."""
UNTOUCHED = 60.0
"""In which a workload's old state is no verdict: helm may yet change it, its controller may yet say better."""

LATE = 3.0
"""Past its deadline, what a last look may take when the API server is silent."""
LOGS_LATE = 5.0
"""Past a step's timeout, what the last log lines may take to arrive once the Job has ended."""
SETTLED_WITHIN = 5.0
"""Past a step's deadline, for the last look at what it leaves, and for its deletion to be seen."""
LAST_LOOK = 4.0
"""For one look at what is left, on the way out."""
RECORD_WITHIN = 2.0
"""For the record of a deploy, on the way out."""

_T = TypeVar("_T")


def wait_while(clock: Clock, deadline: float, probe: Callable[[], _T | None]) -> _T | None:
    """Ask what is still in the way until nothing is (None), or what is at the `deadline`, in monotonic seconds."""
    while (left := probe()) is not None and clock.monotonic() < deadline:
        clock.sleep(POLL)
    return left
