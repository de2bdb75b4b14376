"""The way back when an upgrade fails: to which revision, `helm rollback` to it, and the command that does it by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shipit.deploy.helm_run import run_helm
from shipit.deploy.release_state import newest_number, where_it_stands
from shipit.deploy.rollout import Rollout
from shipit.deploy.timing import LAST_LOOK
from shipit.errors import HelmFailed
from shipit.events import Emit, StepChanged
from shipit.hints import NO_HINT, Hint, shipit
from shipit.model import Plan, SeenRevisions, World
from shipit.plan import newest_good
from shipit.states import NotRolledBack, RollbackFailed, RolledBack, State


def rollback_revision(plan: Plan, seen: SeenRevisions) -> int:
    """The revision to go back to when the upgrade fails, 0 for none."""
    if plan.situation.install or plan.back_to:
        return 0
    if plan.handover is not None:
        return plan.rollback_revision  # those before it list the migration's Job
    return newest_good(plan.history, plan.revision, seen)


def roll_back_or_stay(
    plan: Plan, world: World, emit: Emit, about_to: Callable[[], None] = lambda: None
) -> tuple[State, ...]:
    """Roll back where that is asked for and there is something to go back from and to; the states that things are in.

    `about_to` is called before the rollback, which doesn't come where it raises.
    """
    if plan.rolls_back and plan.rollback_revision and _is_newest(plan, world):
        about_to()
        return roll_back(plan, plan.rollback_revision, world, emit)
    return where_it_stands(plan, world)


def _is_newest(plan: Plan, world: World) -> bool:
    """Whether helm made its revision, and nobody another one since; no when that is not known."""
    try:
        return newest_number(world, LAST_LOOK) == plan.revision
    except HelmFailed:
        return False


def roll_back(plan: Plan, revision: int, world: World, emit: Emit) -> tuple[State, ...]:
    """`helm rollback`, watched; what it came to. The schema stays where the migration brought it."""
    emit(StepChanged("rollback", "started", f"helm rollback to revision {revision}", plan.timeout))
    rollout = Rollout.of_helm(plan, world, emit)
    outcome = run_helm(
        lambda: world.helm.rollback(revision, timeout=plan.timeout), plan, world, emit, rollout
    )
    if outcome.code == 0:
        emit(StepChanged("rollback", "done", f"the app of revision {revision} is running again"))
        return (RolledBack(revision), plan.ran_before)
    emit(StepChanged("rollback", "failed", outcome.reason))
    return (RollbackFailed(revision, outcome.reason), *where_it_stands(plan, world))


def way_back(plan: Plan, states: tuple[State, ...]) -> Hint:
    """How to get back to the app of before, where its failed revision stands and there is one to go back to."""
    failed = next((state for state in states if isinstance(state, NotRolledBack)), None)
    if failed is None or plan.rollback_revision in (0, failed.revision):
        return NO_HINT
    return shipit(
        *("rollback", str(plan.rollback_revision)),
        why="applies the manifest of that revision again; the database stays as it is",
    )


def what_next(plan: Plan, hint: Hint, states: tuple[State, ...]) -> Hint:
    """The way back to the previous app where there is one, for the app's last words are shown already; beside it what
    the reason asks for, and that what was still to run may be what the pods wait for.
    """
    next_one = way_back(plan, states) or hint
    advice_too = hint.why if next_one is not hint and hint.command is None else ""
    why = "; ".join(filter(None, (next_one.why, advice_too, _still_to_run(plan))))
    return replace(next_one, why=why)


def _still_to_run(plan: Plan) -> str:
    names = ", ".join(step.name for step in plan.after if step.watched and not step.test)
    if not names:
        return ""
    return (
        f'{names} would have run once the pods are ready: if they wait for it, phase = "during" under [migration] '
        "(and no --wait in helm_args) runs it before"
    )
