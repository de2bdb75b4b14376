"""What a diagnosis is made from, and what it comes to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from shipit.hints import NO_HINT, Hint, advice
from shipit.model import Job, KubeEvent, Pod

SETTLE = 10.0
"""Seconds that a Secret, an account or an admission webhook gets to come up before its absence is believed."""
REPEATED = 2

# The API server could not ask, or could not store: not an answer about the pod
_PASSING = re.compile(
    r"(?i)failed calling webhook|timeout|timed out|connection refused|deadline exceeded|etcdserver|try again"
    r"|too ?many ?requests|the object has been modified|no endpoints available"
)

# Every try has another name, which would make of one refusal many
_WRAPPERS = re.compile(
    r"^(?:\(combined from similar events\): )?(?:Error creating: |create Pod \S+ in StatefulSet \S+ failed error: )?"
    r'(?:pods "[^"]*" is forbidden: )?'
)


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen at one look. `elapsed` and `start_timeout` are seconds, the first since the object's creation.

    `settle` are the seconds that what it references gets to come up. `job` is None for a bare Pod, which is then the only one of `pods`. `gone` are pods seen earlier that are no
    longer there, as they were last seen: a Job's end takes its pods, and the reason with them. `pod_events` are by
    the pods' UIDs; all events oldest first.
    """

    job: Job | None
    pods: tuple[Pod, ...] = ()
    job_events: tuple[KubeEvent, ...] = ()
    pod_events: Mapping[str, tuple[KubeEvent, ...]] = field(default_factory=dict)
    elapsed: float = 0.0
    start_timeout: float = 300.0
    settle: float = SETTLE
    gone: tuple[Pod, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """`fatal`: it can't succeed any more, or it failed; `waiting`: for what; `note`: worth telling, no trouble yet.

    `reason` is a sentence in the cluster's own words, without a full stop; `hint` what to do about it. `hope` of
    getting over it without a person: none; little, only if something is still being created; some.
    """

    kind: Literal["fatal", "waiting", "note"]
    reason: str
    hint: Hint = NO_HINT
    hope: Literal["none", "little", "some"] = "some"

    @property
    def final(self) -> Finding:
        """The same once it is given up."""
        return replace(self, kind="fatal")


def clauses(*parts: str) -> str:
    """The parts that say something, each introducing the next: `pod shop-1: Evicted: The node was low on memory`."""
    return ": ".join(part for part in parts if part)


def worst(found: Iterable[Finding]) -> Finding | None:
    """The first that is fatal, else the first."""
    every = list(found)
    return next((finding for finding in every if finding.kind == "fatal"), every[0] if every else None)


def refusal(words: str, on: str = "") -> tuple[Finding, bool]:
    """A pod that the API server won't create, and whether that is an answer: a webhook that is down gives none.

    `on` is what the pod would belong to, to be named in front.
    """
    words = _WRAPPERS.sub("", words)
    found = Finding("waiting", clauses(on, "no pod can be created", words), advice(_refusal_advice(words)))
    return found, not _PASSING.search(words)


def _refusal_advice(words: str) -> str:
    if "exceeded quota" in words or "LimitRange" in words:
        return "raise the quota, or lower the pod's requests"
    if "violates PodSecurity" in words:
        return "set the securityContext that the namespace's Pod Security level requires"
    if "service account" in words or "serviceaccount" in words:
        return "create the ServiceAccount before the deploy, or name one that exists"
    return "check what the admission policy or webhook requires"
