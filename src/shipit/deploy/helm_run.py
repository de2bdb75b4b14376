"""A helm that changes the app: run to its end while the rollout is watched, and why it failed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from shipit.deploy.rollout import Rollout
from shipit.deploy.timing import HELM_SLACK, ROLLOUT_LOOK_EVERY
from shipit.diagnosis import Finding
from shipit.errors import HelmFailed, Stopped
from shipit.events import Emit, Warned
from shipit.hints import NO_HINT, Hint
from shipit.model import HelmExit, HelmProcess, Plan, World

# A webhook that does not answer in time also ends in "context deadline exceeded", but behind other words;
# Helm 3.13 passes on the words of the request that was under way
_TIMED_OUT = re.compile(
    r"(?:release \S+ failed: )?(?:(?:Get \S+: )?context deadline exceeded$|timed out waiting for the condition$"
    r"|client rate limiter Wait returned an error: |resource \S+ not ready\. status: )"
)

_NOT_CALLED = re.compile(r"failed calling webhook|failed to call webhook")


@dataclass(frozen=True, slots=True)
class HelmOutcome:
    """How helm ended. `finding` is what the cluster says about it, None when helm's own words say why it failed."""

    code: int
    said: tuple[str, ...] = ()
    finding: Finding | None = None

    @property
    def reason(self) -> str:
        """Why it failed: in the cluster's words, else in helm's last ones."""
        if self.finding is not None:
            return self.finding.reason
        return self.said[-1] if self.said else f"helm ended with {self.code}"

    @property
    def over_webhooks(self) -> bool:
        """Whether it failed over nothing but admission webhooks that did not answer: helm joins its errors with &&."""
        if self.code == 0 or self.finding is not None or not self.said:
            return False
        return all(map(_NOT_CALLED.search, self.said[-1].split(" && ")))

    @property
    def hint(self) -> Hint:
        return self.finding.hint if self.finding else NO_HINT

    @property
    def details(self) -> tuple[str, ...]:
        """What helm said beyond the reason."""
        return tuple(line for line in self.said if line != self.reason)


def run_helm(
    start: Callable[[], HelmProcess], plan: Plan, world: World, emit: Emit, rollout: Rollout | None = None
) -> HelmOutcome:
    """Run helm to its end, watching the rollout while it waits; one that can't be started has ended as well.

    It is stopped when the rollout can't succeed, when it hangs, and on whatever ends the deploy meanwhile.
    """
    try:
        process = start()
    except HelmFailed as error:
        return HelmOutcome(1, (error.message, *error.details))
    try:
        end, stopped = _watched(process, plan, world, rollout)
    except BaseException as cause:
        try:
            if isinstance(cause, Stopped):
                emit(Warned("interrupted: stopping helm, which first marks its revision as failed"))
        finally:
            process.stop()
        raise
    found = _culprit(rollout, end, stopped=stopped) if rollout and end.code else None
    return HelmOutcome(end.code, end.stderr, found)


def _watched(
    process: HelmProcess, plan: Plan, world: World, rollout: Rollout | None
) -> tuple[HelmExit, bool]:
    """How helm ended, and whether it had to be stopped."""
    deadline = world.clock.monotonic() + plan.timeout + HELM_SLACK
    while (end := process.wait(ROLLOUT_LOOK_EVERY)) is None:
        found = rollout.look() if rollout else None
        if found is not None or world.clock.monotonic() >= deadline:
            return process.stop(), True
    return end, False


def _culprit(rollout: Rollout, end: HelmExit, *, stopped: bool) -> Finding | None:
    """What the cluster says about a helm that failed.

    One that ended by itself while it did not wait for the pods, over a refusal of the API server say, did not fail
    over a pod that isn't ready yet, nor over a workload that it left as it was.
    """
    if stopped or any(_TIMED_OUT.match(line) for line in end.stderr):
        return rollout.worst() or rollout.worst_now()
    return rollout.look()
