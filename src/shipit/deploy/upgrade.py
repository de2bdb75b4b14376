"""`helm upgrade` of the frozen chart, the rollout that it causes, and the way back when that fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from shipit.deploy.helm_run import HelmOutcome, run_helm
from shipit.deploy.rollout import LOOK_EVERY, LOOK_WITHIN, Rollout, newest_pods
from shipit.errors import (
    AfterFailed,
    ApiError,
    Busy,
    HelmFailed,
    ShipitError,
    Unknown,
    UpgradeFailed,
)
from shipit.events import Emit, StepChanged, Warned
from shipit.model import Plan, Revision, World

LAST_LOOK = 4.0
"""Seconds for the look at the release on the way out."""


def upgrade(plan: Plan, world: World, emit: Emit) -> None:
    """Upgrade the release, and watch its pods become ready.

    Raises UpgradeFailed with the reason in the cluster's words, Unknown when what helm made can't be learned.
    """
    if plan.handover is not None:
        _hand_over(plan, plan.handover, world, emit)
    emit(StepChanged("upgrade", "started", f"helm upgrade to {plan.tag}", plan.timeout))
    rollout = Rollout.of_helm(plan, world, emit)
    end = run_helm(
        lambda: world.helm.upgrade(
            plan.chart,
            plan.values,
            timeout=plan.timeout,
            wait=plan.waits,
            description=f"shipit deploy of {plan.tag}",
        ),
        plan,
        world,
        emit,
        rollout,
    )
    if end.code == 0 and plan.waits:
        end = replace(end, finding=rollout.settle())
    if end.code != 0 or end.finding is not None:
        raise _failed(plan, rollout, end, world, emit)
    _check_made(plan, world, emit)


def newest_revision(world: World, within: float | None = None) -> Revision | None:
    """The newest revision there is, None for none, looked up in so many seconds. Raises HelmFailed."""
    history = world.helm.history(within=within)
    return history[-1] if history else None


def newest_number(world: World, within: float | None = None) -> int:
    """Its number, 0 for none."""
    newest = newest_revision(world, within)
    return newest.number if newest else 0


def refuse_moved(plan: Plan, world: World, emit: Emit) -> None:
    """The release is as it was when it was rendered. Raises Busy."""
    try:
        newest = newest_number(world)
    except HelmFailed as error:
        raise Unknown(
            f"whether the release was moved meanwhile is not known, so the upgrade was not begun: {error.message}; "
            f"{plan.done}; {plan.app_now}",
            hint=f"shipit deploy --tag {plan.tag}   (goes on with the upgrade)",
            details=error.details,
        ) from error
    if newest == plan.live:
        return
    message = f"somebody else moved the release meanwhile: revision {newest} instead of {plan.live}"
    emit(StepChanged("upgrade", "failed", message))
    raise Busy(
        f"{message}; its upgrade to {plan.tag} was not begun; {plan.done}",
        hint=f"shipit deploy --tag {plan.tag}   (begins anew on top of revision {newest}, its migration included)",
    )


def _hand_over(plan: Plan, chart: Path, world: World, emit: Emit) -> None:
    """The live manifest once more, without the migration's Job: Helm could not roll back to it otherwise."""
    emit(
        StepChanged("handover", "started", "taking the migration Job out of the live revision", plan.timeout)
    )
    end = run_helm(
        lambda: world.helm.upgrade(
            chart, (), timeout=plan.timeout, wait=False, description="shipit handover", reuse_values=True
        ),
        plan,
        world,
        emit,
    )
    if end.code != 0:
        emit(StepChanged("handover", "failed"))
        raise UpgradeFailed(
            "the handover revision, the live manifest without the migration Job, failed; the app is as it was, "
            f"{plan.done}",
            hint=plan.look_at_history,
            details=end.said,
        )
    emit(StepChanged("handover", "done"))


def _check_made(plan: Plan, world: World, emit: Emit) -> None:
    """helm ended well: has it made its revision? Raises Unknown."""
    try:
        newest = newest_revision(world)
    except HelmFailed as error:
        raise Unknown(
            f"helm ended well, but what it made is not known: {error.message}",
            hint=plan.look_at_history,
            details=error.details,
        ) from error
    if newest is None or newest.status != "deployed":
        state = f"revision {newest.number} is {newest.status}" if newest else "there is no revision"
        raise Unknown(f"helm ended well, but {state}", hint=plan.look_at_history)
    emit(StepChanged("upgrade", "done", f"revision {newest.number}"))


def _failed(plan: Plan, rollout: Rollout, end: HelmOutcome, world: World, emit: Emit) -> ShipitError:
    """Say why, from the cluster where the rollout failed, else from helm; then roll back where it is asked for."""
    emit(StepChanged("upgrade", "failed", end.reason))
    details = (*(rollout.app_logs() if end.finding else ()), *end.details)
    hint = end.hint or plan.look_at_history
    if plan.rolls_back and plan.back_to and _has_begun(plan, world):
        state = roll_back(plan, plan.back_to, world, emit)
    else:
        state = where_it_stands(plan, world)
    return UpgradeFailed(
        f"the upgrade to {plan.tag} failed: {end.reason}; {state}", hint=hint, details=details
    )


def _has_begun(plan: Plan, world: World) -> bool:
    """Whether helm made its revision, before which there is nothing to go back from; yes when that is not known."""
    try:
        return newest_number(world, LAST_LOOK) >= plan.revision
    except HelmFailed:
        return True


def where_it_stands(plan: Plan, world: World) -> str:
    """The state of the release once an upgrade may have begun, in words. Never raises."""
    try:
        newest = newest_revision(world, LAST_LOOK)
    except ShipitError as error:
        return f"{plan.done}, the state of the release is not known ({error.message})"
    if newest is None or newest.number <= plan.live:
        return f"{plan.done}, {plan.app_now}"
    if newest.pending:
        return (
            f"{plan.done}, revision {newest.number} is left {newest.status}: the next deploy clears it, "
            f"once it is {plan.timeout:g} s old at the latest"
        )
    if plan.handover is not None and newest.number < plan.revision:
        return f"{plan.done}, the handover revision {newest.number} is {newest.status}, the app is as it was"
    back = (
        f"   (back to the app of before: helm rollback {plan.release} {plan.back_to} -n {plan.namespace} --no-hooks)"
        if plan.back_to and plan.back_to != newest.number
        else ""
    )
    return f"{plan.done}, revision {newest.number} is {newest.status} and was not rolled back{back}"


def untouched(plan: Plan, world: World) -> str:
    """The state of the release when no upgrade was begun, but somebody else may have the lock. Never raises."""
    try:
        newest = newest_number(world, LAST_LOOK)
    except ShipitError:
        return "this deploy did not touch the app"
    if newest == plan.live:
        return plan.app_now
    return f"this deploy did not touch the app, which somebody else brought to revision {newest}"


def roll_back(plan: Plan, revision: int, world: World, emit: Emit) -> str:
    """`helm rollback`, watched; what it came to, in words. The schema stays where the migration brought it."""
    emit(StepChanged("rollback", "started", f"helm rollback to revision {revision}", plan.timeout))
    rollout = Rollout.of_helm(plan, world, emit)
    end = run_helm(lambda: world.helm.rollback(revision, timeout=plan.timeout), plan, world, emit, rollout)
    if end.code == 0:
        emit(StepChanged("rollback", "done", f"the app of revision {revision} runs again"))
        return f"the app was rolled back to revision {revision}; {plan.done}, and stays so"
    emit(StepChanged("rollback", "failed", end.reason))
    return f"and the rollback to revision {revision} failed as well ({end.reason}); {where_it_stands(plan, world)}"


def await_rollout(plan: Plan, world: World, emit: Emit) -> None:
    """Wait until the app's pods are ready, when Helm was told not to. Raises AfterFailed.

    That they crashed while they waited for the migration is no verdict.
    """
    emit(StepChanged("rollout", "started", timeout=plan.timeout))
    rollout = Rollout.of_helm(plan, world, emit)
    deadline = world.clock.monotonic() + plan.timeout
    while True:
        finding = rollout.closed()
        if finding is None and rollout.done():
            break
        late = world.clock.monotonic() >= deadline
        if finding is not None or late:
            reason = finding.reason if finding else rollout.summary()
            emit(StepChanged("rollout", "failed", reason))
            raise AfterFailed(
                f"the app of revision {plan.revision} is installed and its migrations are done, "
                f"but it did not become ready within {plan.timeout:g} s: {reason}",
                hint=(finding.hint if finding else "") or f"kubectl get pods -n {plan.namespace}",
                details=rollout.app_logs(),
            )
        world.clock.sleep(LOOK_EVERY)
    emit(StepChanged("rollout", "done"))


def warn_of_moved_tag(plan: Plan, ran: Mapping[str, str], world: World, emit: Emit) -> None:
    """The app's pods should run the image that migrated: what is spelled the same should have the same digest.

    `ran` holds the ID of each image that migrated. Only its digest counts: the node calls an image that it has under
    several names by any of them.
    """
    try:
        with world.cluster.within(LOOK_WITHIN):
            pods = [pod for ref in plan.workloads for pod in newest_pods(world.cluster.workload(ref), world)]
    except ApiError:
        return
    for container in (c for pod in pods for c in pod.containers):
        migrated, digest = (
            ran.get(container.image, "").rpartition("@")[2],
            container.image_id.rpartition("@")[2],
        )
        if migrated and digest and migrated != digest:
            emit(
                Warned(
                    f"the tag {plan.tag} was moved: the migration ran {container.image} as {migrated}, "
                    f"the app runs it as {digest}",
                    hint="deploy by digest: --tag TAG@sha256:…",
                )
            )
            return
