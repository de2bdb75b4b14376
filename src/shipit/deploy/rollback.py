"""`helm rollback` to the app of before, and the command that does it by hand."""

from __future__ import annotations

from shipit.deploy.helm_run import run_helm
from shipit.deploy.release_state import where_it_stands
from shipit.deploy.rollout import Rollout
from shipit.events import Emit, StepChanged
from shipit.hints import NO_HINT, Hint, helm
from shipit.model import Plan, World
from shipit.states import NotRolledBack, RollbackFailed, RolledBack, State


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
    return helm(
        "rollback", plan.release, str(plan.rollback_revision), "--no-hooks", namespace=plan.namespace,
        why="returns to the previous app; the database stays as it is",
    )  # fmt: skip
