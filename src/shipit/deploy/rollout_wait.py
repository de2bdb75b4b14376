"""The rollout of an upgrade that Helm applied without waiting: shipit waits for it, with the same patience and verdicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shipit.deploy.release_state import check_still_ours
from shipit.deploy.rollback import roll_back_or_stay, what_next
from shipit.deploy.rollout import Rollout
from shipit.deploy.timing import MOVED_LOOK_EVERY, ROLLOUT_LOOK_EVERY
from shipit.diagnosis import Finding
from shipit.errors import Busy, Headline, Unknown, UpgradeFailed
from shipit.events import Emit, StepChanged
from shipit.hints import kubectl
from shipit.model import Plan, World
from shipit.states import RolloutLeft

NAMED = 5
"""How many of the objects that can't be judged are named."""


def wait_for_rollout(plan: Plan, world: World, emit: Emit, rolling_back: Callable[[], None]) -> bool:
    """Wait until all that the rollout waits for is ready, and nothing has crashed lately; false when a workload may not
    be looked at.

    Raises UpgradeFailed, after rolling back where that is asked for, `rolling_back` having noted it; Busy when somebody
    has moved the release on; Unknown when the API server doesn't say how it is.
    """
    rollout = Rollout.of_ours(plan, world, emit)
    emit(StepChanged("rollout", "started", _unjudged(rollout), plan.timeout))
    try:
        ready, finding = _waited(rollout, plan, world)
        check_still_ours(plan, world)
    except (Busy, Unknown) as error:
        emit(StepChanged("rollout", "failed", error.message))
        raise
    if not ready:
        raise _failure(rollout, finding, rolling_back)
    emit(StepChanged("rollout", "done", _unjudged(rollout)))
    return not set(plan.workloads) & set(rollout.unjudged)


def _failure(rollout: Rollout, finding: Finding | None, rolling_back: Callable[[], None]) -> UpgradeFailed:
    """Say why, then roll back where that is asked for. Without a finding its time was up."""
    plan, world, emit = rollout.plan, rollout.world, rollout.emit
    found = finding or rollout.worst()
    reason = found.reason if found else rollout.summary() or "the app crashed and is not ready again"
    emit(StepChanged("rollout", "failed", reason))
    logs = rollout.app_logs()
    ran = (*plan.before, *(step for step in plan.during if step.migration))
    states = roll_back_or_stay(replace(plan, before=ran), world, emit, rolling_back)
    late = "" if finding else f" within {plan.timeout:g} s"
    pods = kubectl("get", "pods", namespace=plan.namespace)
    return UpgradeFailed(
        f"the app of {plan.goal} did not become ready{late}: {reason}",
        hint=what_next(plan, (found.hint if found else pods) or pods, states),
        states=states,
        details=logs,
        headline=Headline(f"Rollout of {plan.goal} failed{late}", reason),
    )


def _waited(rollout: Rollout, plan: Plan, world: World) -> tuple[bool, Finding | None]:
    """Whether all is ready; if not, why it can't be any more, None when its time is up. Raises Busy and Unknown."""
    clock = world.clock
    deadline = clock.monotonic() + plan.timeout
    asked = clock.monotonic()
    while (finding := rollout.look()) is None:
        if rollout.done() and rollout.steady:
            return True, None
        if clock.monotonic() >= deadline and rollout.blind and rollout.worst() is None:
            raise _unknown(rollout)
        if clock.monotonic() >= deadline:
            return False, None
        if clock.monotonic() - asked >= MOVED_LOOK_EVERY:
            asked = clock.monotonic()
            check_still_ours(plan, world)
        clock.sleep(ROLLOUT_LOOK_EVERY)
    return False, finding


def _unknown(rollout: Rollout) -> Unknown:
    plan = rollout.plan
    return Unknown(
        f"whether the app of {plan.goal} is ready is not known: {rollout.blind}",
        hint=plan.again(why="looks again"),
        states=(plan.app_after, RolloutLeft()),
    )


def _unjudged(rollout: Rollout) -> str:
    """What may have to become ready too, and only those who know its kind can tell."""
    named = [ref.title for ref in rollout.unjudged]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return f"not waited for: {', '.join(named[:NAMED])}{more}" if named else ""


def rollout_left(plan: Plan, world: World, emit: Emit) -> RolloutLeft:
    """One look at a rollout that is not waited for, told once."""
    rollout = Rollout.of_ours(plan, world, emit)
    found = rollout.look() or rollout.worst()
    if rollout.done():
        return RolloutLeft(())
    words = filter(None, (rollout.summary(), found.reason if found else ""))
    return RolloutLeft(tuple(words) or None)
