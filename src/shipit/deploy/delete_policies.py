"""What becomes of hooks at the end of their event, by their delete policies."""

from __future__ import annotations

from collections.abc import Sequence

from shipit.chart import deletes_after
from shipit.errors import ApiError, Busy, Unknown
from shipit.events import Emit, Warned
from shipit.model import Step, World, get_job_or_pod, is_active, uid_of


def apply_delete_policies(steps: Sequence[Step], *, succeeded: bool, world: World, emit: Emit) -> None:
    """Delete hooks by their delete policies, by the UID of what is there; a Job that still runs is left alone."""
    for step in steps:
        if step.hook is None or not deletes_after(step.hook, succeeded=succeeded):
            continue
        try:
            if (uid := _ended(step, world)) is not None:
                world.cluster.delete(step.ref, uid=uid)
        except (Unknown, Busy) as error:
            emit(
                Warned(f"{step.ref} could not be deleted, as its hook's delete policy says: {error.message}")
            )


def _ended(step: Step, world: World) -> str | None:
    """The UID of what is there of a hook, None when nothing is or it still runs."""
    if step.watched:
        found = get_job_or_pod(world.cluster, step.ref)
        return None if found is None or is_active(found) else found.uid
    body = world.cluster.get(step.ref)
    return uid_of(body) or None


def may_still_run(step: Step, world: World) -> bool:
    """Whether a step that was given up may still be running."""
    if not step.watched:
        return False
    try:
        found = get_job_or_pod(world.cluster, step.ref)
    except ApiError:
        return True
    return found is not None and is_active(found)
