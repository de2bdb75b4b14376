"""Where the release stands: its newest revision, and what that says of the app."""

from __future__ import annotations

from shipit.deploy.timing import LAST_LOOK
from shipit.errors import Busy, HelmFailed, ShipitError, Unknown
from shipit.hints import Hint, helm
from shipit.model import Plan, Revision, World
from shipit.states import (
    AppMovedOn,
    AppUnknown,
    AppUntouchedByUs,
    HandoverOnly,
    NotRolledBack,
    RevisionPending,
    RollbackLeft,
    State,
)


def newest_revision(world: World, within: float | None = None) -> Revision | None:
    """The newest revision there is, None for none, looked up in so many seconds. Raises HelmFailed."""
    history = world.helm.history(within=within)
    return history[-1] if history else None


def newest_number(world: World, within: float | None = None) -> int:
    """Its number, 0 for none."""
    newest = newest_revision(world, within)
    return newest.number if newest else 0


def see_history(plan: Plan) -> Hint:
    return helm("history", plan.release, namespace=plan.namespace)


def where_it_stands(plan: Plan, world: World) -> tuple[State, ...]:
    """The state of things once an upgrade may have begun. Never raises."""
    try:
        newest = newest_revision(world, LAST_LOOK)
    except ShipitError as error:
        return (plan.ran_before, AppUnknown(error.message))
    if newest is None or newest.number <= plan.base_revision:
        return (plan.ran_before, plan.app_before)
    if newest.pending:
        return (plan.ran_before, RevisionPending(newest.number, newest.status, plan.timeout))
    if newest.number > plan.revision and not _is_our_rollback(newest, plan):
        return (plan.ran_before, AppMovedOn(plan.goal, plan.revision, newest.number))
    if plan.handover is not None and newest.number < plan.revision:
        return (plan.ran_before, HandoverOnly(newest.number, newest.status))
    if plan.back_to:
        return (plan.ran_before, RollbackLeft(plan.back_to, newest.number, newest.status))
    return (plan.ran_before, NotRolledBack(newest.number, newest.status))


def _is_our_rollback(newest: Revision, plan: Plan) -> bool:
    """The revision that follows a failed upgrade where shipit rolls back, by Helm's own words for what made it."""
    ours = plan.rolls_back and newest.number == plan.revision + 1
    return ours and newest.description.startswith("Rollback")


def starts_over(plan: Plan, newest: int) -> Hint:
    """The same command, once somebody else has made the revision `newest`."""
    why = "" if plan.back_to else ", migration included"
    return plan.again(why=f"starts over on top of revision {newest}{why}")


def moved_on(plan: Plan, newest: int) -> Busy:
    """Somebody has made a revision since ours was applied."""
    return Busy(
        f"someone else moved the release meanwhile: revision {newest} instead of {plan.revision}",
        hint=starts_over(plan, newest),
        states=(AppMovedOn(plan.goal, plan.revision, newest),),
    )


def check_still_ours(plan: Plan, world: World, *, certain: bool = False) -> None:
    """The revision that was applied is the newest. Raises Busy, and Unknown when it must be `certain` and isn't."""
    try:
        newest = newest_number(world, None if certain else LAST_LOOK)
    except HelmFailed as error:
        if not certain:
            return
        raise Unknown(
            f"whether someone else moved the release meanwhile is not known: {error.message}",
            hint=plan.again(why=f"continues with what comes after the {plan.operation}"),
            states=(plan.app_after,),
            details=error.details,
        ) from error
    if newest > plan.revision:
        raise moved_on(plan, newest)


def untouched(plan: Plan, world: World) -> State:
    """The state of the app when no upgrade was started, but somebody else may have moved it. Never raises."""
    try:
        newest = newest_number(world, LAST_LOOK)
    except ShipitError:
        return AppUntouchedByUs()
    return plan.app_before if newest == plan.base_revision else AppUntouchedByUs(newest)
