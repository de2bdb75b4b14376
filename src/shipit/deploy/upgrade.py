"""`helm upgrade` of the frozen chart, or `helm rollback`: the rollout that it causes, and the way back when that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from shipit.deploy.helm_run import HelmOutcome, run_helm
from shipit.deploy.release_state import (
    moved_on,
    newest_number,
    newest_revision,
    see_history,
    starts_over,
)
from shipit.deploy.rollback import roll_back_or_stay, what_next
from shipit.deploy.rollout import Rollout, newest_pods
from shipit.deploy.taken_over import keep_taken_over
from shipit.deploy.timing import ROLLOUT_LOOK_WITHIN, WEBHOOK_PAUSE
from shipit.errors import ApiError, Busy, Headline, HelmFailed, Unknown, UpgradeFailed
from shipit.events import Emit, StepChanged, Warned
from shipit.hints import advice
from shipit.model import HelmProcess, Plan, World
from shipit.plan import ROLLBACK_TO


def upgrade(plan: Plan, world: World, emit: Emit, note: Callable[[Plan], None]) -> Plan:
    """Upgrade the release and, where helm waits for its pods, watch them become ready. Returns the plan as it was
    carried out.

    Where helm failed over nothing but an admission webhook that did not answer, it is run once more, as the next
    revision; `note` hears of that before. Raises UpgradeFailed with the reason in the cluster's words, Unknown when
    what helm made can't be learned, Busy when somebody has moved the release on.
    """
    keep_taken_over(plan, world)
    if plan.handover is not None:
        _hand_over(plan, plan.handover, world, emit)
    outcome, rollout = _run(plan, world, emit)
    if outcome.over_webhooks and (again := _once_more(plan, world)) is not None:
        emit(Warned(f"an admission webhook did not answer helm, which is run once more: {outcome.reason}"))
        world.clock.sleep(WEBHOOK_PAUSE)
        note(again)
        plan = again
        outcome, rollout = _run(plan, world, emit)
    if outcome.code != 0 or outcome.finding is not None:
        raise _failed(plan, rollout, outcome, world, emit)
    _check_made(plan, world, emit)
    return plan


def _once_more(plan: Plan, world: World) -> Plan | None:
    """The same upgrade behind the revision that failed; None unless that is the newest."""
    try:
        newest = newest_revision(world)
    except HelmFailed:
        return None
    if newest is None or newest.number != plan.revision or newest.status != "failed":
        return None
    situation = replace(plan.situation, oldest_accepted_revision=plan.oldest_accepted_revision)
    return replace(plan, revision=newest.number + 1, situation=situation, handover=None)


def _run(plan: Plan, world: World, emit: Emit) -> tuple[HelmOutcome, Rollout | None]:
    emit(StepChanged(plan.operation, "started", f"helm {plan.operation} to {plan.goal}", plan.timeout))
    rollout = Rollout.of_helm(plan, world, emit) if plan.helm_waits else None
    outcome = run_helm(lambda: _start(plan, world), plan, world, emit, rollout)
    if outcome.code == 0 and rollout is not None:
        outcome = replace(outcome, finding=rollout.settle())
    return outcome, rollout


def _start(plan: Plan, world: World) -> HelmProcess:
    """What comes of a chart that brings a revision back is described as Helm describes a rollback: by that it is known
    to be one.
    """
    if plan.helm_rolls_back:
        return world.helm.rollback(plan.back_to, timeout=plan.timeout, wait=plan.helm_waits)
    return world.helm.upgrade(
        plan.chart,
        plan.values,
        timeout=plan.timeout,
        wait=plan.helm_waits,
        description=f"{ROLLBACK_TO}{plan.back_to}" if plan.back_to else f"shipit deploy of {plan.tag}",
        restores=bool(plan.back_to),
    )


def refuse_moved(plan: Plan, world: World, emit: Emit) -> None:
    """The release is as it was when it was rendered. Raises Busy."""
    doing = "rollback" if plan.back_to else "upgrade"
    try:
        newest = newest_number(world)
    except HelmFailed as error:
        raise Unknown(
            f"the {doing} was not started: whether someone else moved the release meanwhile is not known: "
            f"{error.message}",
            hint=plan.again(why=f"continues with the {doing}"),
            states=(plan.ran_before, plan.app_before),
            details=error.details,
        ) from error
    if newest == plan.base_revision:
        return
    message = f"someone else moved the release meanwhile: revision {newest} instead of {plan.base_revision}"
    emit(StepChanged(plan.operation, "failed", message))
    what = f"rollback to revision {plan.back_to}" if plan.back_to else f"upgrade to {plan.tag}"
    raise Busy(
        f"{message}; the {what} was not started",
        hint=starts_over(plan, newest),
        states=(plan.ran_before,),
    )


def _hand_over(plan: Plan, chart: Path, world: World, emit: Emit) -> None:
    """The live manifest once more, without the migration's Job and what else hooks own: Helm could not roll back to it
    otherwise.
    """
    emit(StepChanged("handover", "started", "taking what hooks own out of the live revision", plan.timeout))
    outcome = run_helm(
        lambda: world.helm.upgrade(
            chart, None, timeout=plan.timeout, wait=False, description="shipit handover"
        ),
        plan,
        world,
        emit,
    )
    if outcome.code != 0:
        emit(StepChanged("handover", "failed"))
        raise UpgradeFailed(
            "the handover revision (the live manifest without what hooks own) failed, "
            "the upgrade itself was not started",
            hint=see_history(plan),
            states=(plan.ran_before,),
            details=outcome.said,
        )
    emit(StepChanged("handover", "done"))


def _check_made(plan: Plan, world: World, emit: Emit) -> None:
    """helm ended well: has it made its revision? Raises Unknown."""
    try:
        newest = newest_revision(world)
    except HelmFailed as error:
        raise Unknown(
            f"helm succeeded, but what it made is not known: {error.message}",
            hint=see_history(plan),
            details=error.details,
        ) from error
    if newest is not None and newest.number > plan.revision:
        raise moved_on(plan, newest.number)
    if newest is None or newest.status != "deployed":
        state = f"revision {newest.number} is {newest.status}" if newest else "there is no revision"
        raise Unknown(f"helm succeeded, but {state}", hint=see_history(plan))
    emit(StepChanged(plan.operation, "done", f"revision {newest.number}"))


def _failed(
    plan: Plan, rollout: Rollout | None, outcome: HelmOutcome, world: World, emit: Emit
) -> UpgradeFailed:
    """Say why, from the cluster where the rollout failed, else from helm; then roll back where it is asked for."""
    emit(StepChanged(plan.operation, "failed", outcome.reason))
    logs = rollout.app_logs() if rollout is not None and outcome.finding else ()
    states = roll_back_or_stay(plan, world, emit)
    what = f"rollback to revision {plan.back_to}" if plan.back_to else f"upgrade to {plan.tag}"
    return UpgradeFailed(
        f"the {what} failed: {outcome.reason}",
        hint=what_next(plan, outcome.hint, states) or see_history(plan),
        states=states,
        details=(*logs, *outcome.details),
        headline=Headline(f"{what[0].upper()}{what[1:]} failed", outcome.reason),
    )


def warn_of_moved_tag(plan: Plan, ran: Mapping[str, str], world: World, emit: Emit) -> None:
    """The app's pods should run the image that migrated: what is spelled the same should have the same digest.

    `ran` holds the ID of each image that migrated. Only its digest counts: the node calls an image that it has under
    several names by any of them.
    """
    try:
        with world.cluster.within(ROLLOUT_LOOK_WITHIN):
            pods = [pod for ref in plan.workloads for pod in newest_pods(world.cluster.workload(ref), world)]
    except ApiError:
        return
    for container in (each for pod in pods for each in pod.containers):
        migrated = ran.get(container.image, "").rpartition("@")[2]
        digest = container.image_id.rpartition("@")[2]
        if migrated and digest and migrated != digest:
            emit(
                Warned(
                    f"the tag {plan.tag} was moved: the migration ran {container.image} as {migrated}, "
                    f"the app runs it as {digest}",
                    hint=advice("deploy by digest: --tag TAG@sha256:…"),
                )
            )
            return
