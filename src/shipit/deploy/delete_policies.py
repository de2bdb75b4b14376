"""What becomes of hooks at the end of their event, by their delete policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from shipit.chart import deletes_after
from shipit.deploy.existing import remove_hook
from shipit.errors import ApiError, Busy, Conflict, Unknown
from shipit.events import Emit, Warned
from shipit.model import RELEASE_LABEL, JobOrPod, Plan, Ref, Step, World, get_job_or_pod, is_active, uid_of
from shipit.plan import COPIED, copy_of, is_copy


def apply_delete_policies(
    steps: Sequence[Step], made: Mapping[Ref, str], *, succeeded: bool, world: World, emit: Emit
) -> None:
    """Delete hooks by their delete policies, where what is there is what they made; a Job that still runs is left.

    `made` holds the UIDs of what is no Job or Pod: what has come in its place since is another's, the app's perhaps.
    """
    going = [
        step for step in steps if step.hook is not None and deletes_after(step.hook, succeeded=succeeded)
    ]
    _delete_made(going, made, world, emit)


def make_way(steps: Sequence[Step], made: Mapping[Ref, str], plan: Plan, world: World) -> None:
    """Delete what hooks made under the name of an object that the app brings, and wait until it is gone: Helm could
    not create its own, or would change one that is on its way out. Raises MigrationFailed when it stays.
    """
    brought = {resource.ref.identity for resource in plan.app}
    for step in steps:
        if step.ref.identity in brought and (uid := _ended(step, made, world)):
            with suppress(Conflict):  # another one is there by now
                remove_hook(step, uid, plan, world)


def delete_old_copies(plan: Plan, world: World, emit: Emit) -> None:
    """Delete the copies that an earlier deploy gave its migration and could not take away, for that still ran."""
    taken = {step.ref for step in plan.steps}
    mine = dict.fromkeys(step.ref for step in plan.steps if step.ref.kind in COPIED)
    for ref in (copy_of(each) for each in mine):
        try:
            found = None if ref in taken else world.cluster.get(ref)
            if found is not None and is_copy(found, plan.release):
                world.cluster.delete(ref, uid=uid_of(found))
        except (Unknown, Busy) as error:
            emit(
                Warned(f"{ref}, which an earlier migration was given, could not be deleted: {error.message}")
            )


def _delete_made(steps: Sequence[Step], made: Mapping[Ref, str], world: World, emit: Emit) -> None:
    for step in steps:
        try:
            if uid := _ended(step, made, world):
                world.cluster.delete(step.ref, uid=uid)
        except (Unknown, Busy) as error:
            emit(
                Warned(f"{step.ref} could not be deleted, as its hook's delete policy says: {error.message}")
            )


def _ended(step: Step, made: Mapping[Ref, str], world: World) -> str:
    """The UID of what a step made, "" when it isn't there any more or still runs."""
    if not step.watched:
        return made.get(step.ref, "")
    found = get_job_or_pod(world.cluster, step.ref)
    if found is None or is_active(found) or not _is_ours(found, step):
        return ""
    return found.uid


def _is_ours(found: JobOrPod, step: Step) -> bool:
    """Whether a deploy of this release made it: what Helm makes of the app's manifest doesn't carry that label."""
    labels = step.manifest["metadata"].get("labels") or {}
    return found.labels.get(RELEASE_LABEL) == labels.get(RELEASE_LABEL)


def may_still_run(step: Step, world: World) -> bool:
    """Whether a step that was given up may still be running."""
    if not step.watched:
        return False
    try:
        found = get_job_or_pod(world.cluster, step.ref)
    except ApiError:
        return True
    return found is not None and is_active(found)
