"""Make room for a step: what an earlier try left under its name is accepted, attached to, or deleted by its UID."""

from __future__ import annotations

from shipit.chart import deletes_before_creation
from shipit.deploy.recognition import (
    disowned,
    find_existing,
    is_same,
    is_this_deploys,
    labelled,
    what_differs,
)
from shipit.deploy.timing import GONE_WITHIN, LATE, wait_while
from shipit.errors import ApiError, Busy, Conflict, MigrationFailed, Refused
from shipit.events import Emit, JobChanged, StepChanged
from shipit.hints import advice, kubectl, shipit
from shipit.model import (
    RELEASE_LABEL,
    Job,
    JobOrPod,
    Plan,
    Pod,
    Ref,
    Step,
    World,
    get_job_or_pod,
    is_active,
    pods_of,
    uid_of,
)
from shipit.plan import HOOK_ANNOTATION, other_owner, refuse_anothers
from shipit.states import State


def refuse_what_is_in_the_way(plan: Plan, world: World) -> None:
    """Stop before anything changes over what earlier deploys, or other releases, have left. Raises Refused or Busy."""
    refuse_others(plan, world)
    refuse_running(plan, world)
    refuse_kept(plan, world)


def refuse_others(plan: Plan, world: World) -> None:
    """Stop before anything changes when something of another release is in the way. Raises Refused or Busy."""
    for step in (*plan.prerequisites, *plan.to_run):
        if not step.of_app:
            refuse_anothers(step, plan, world)


def refuse_running(plan: Plan, world: World) -> None:
    """Stop before anything changes when a Job of this release runs that is not this very deploy's. Raises Busy."""
    for found in _of_this_release(plan, world):
        if plan.replace_running:
            continue
        if found.from_a_newer_shipit and not plan.rerun:
            raise Busy(
                f"{found.ref.title} was created by a newer shipit, whose annotations this one can't read",
                hint=advice("upgrade shipit; --rerun goes ahead, and runs the migration again"),
                states=(plan.app_before,),
            )
        if is_active(found) and not any(is_same(found, step, plan) for step in plan.to_run):
            raise _busy(found, plan, world, plan.app_before)


def tell_disowned(plan: Plan, world: World, emit: Emit) -> None:
    """Say which completed migrations are not accepted, and why, as long as what they used is still there."""
    for found in _of_this_release(plan, world):
        _tell_disowned(found, plan, world, emit)


def _tell_disowned(found: JobOrPod, plan: Plan, world: World, emit: Emit) -> None:
    if not found.deleting and (why := disowned(found, plan, world)):
        emit(why)


def refuse_kept(plan: Plan, world: World) -> None:
    """Stop before anything changes when a hook's object exists that its delete policy keeps. Raises Refused."""
    kept = [str(step.ref) for step in plan.to_run if step.hook is not None and _is_kept(step, plan, world)]
    if kept:
        raise Refused(
            f"{', '.join(dict.fromkeys(kept))} exists, and its hook's delete policy keeps it",
            hint=advice("give the hook the delete policy before-hook-creation, or delete the object"),
        )


def _is_kept(step: Step, plan: Plan, world: World) -> bool:
    if (
        step.hook is None
        or step.of_app
        or all(deletes_before_creation(step.hook, succeeded=succeeded) for succeeded in (True, False))
    ):
        return False
    if not step.watched:
        there = world.cluster.get(step.ref) is not None
        return there and not deletes_before_creation(step.hook, succeeded=True)
    found = get_job_or_pod(world.cluster, step.ref)
    if found is None or found.deleting or is_this_deploys(found, step, plan):
        return False
    return found.finished and not deletes_before_creation(step.hook, succeeded=found.has_succeeded)


def _of_this_release(plan: Plan, world: World) -> tuple[JobOrPod, ...]:
    """The Jobs of this release, and whatever has the name of a step; what is another release's is not touched here."""
    found = {each.uid: each for each in labelled(plan, world)}
    for ref in (*(step.ref for step in plan.steps if step.watched), *plan.previous_jobs):
        there = get_job_or_pod(world.cluster, ref)
        if there is not None and other_owner(there.annotations, plan) is None:
            found[there.uid] = there
    return tuple(found.values())


def _busy(found: JobOrPod, plan: Plan, world: World, app: State) -> Busy:
    what = f"of {found.tag} (run {found.run})" if found.tag else "that shipit did not start"
    state = "is suspended" if isinstance(found, Job) and found.suspended else "still runs"
    differs = what_differs(found, plan, world)
    return Busy(
        f"{found.ref.title} {what} {state}, created {found.created:%Y-%m-%d %H:%M:%S} UTC"
        + (f", and is not what would run now: {differs}" if differs else ""),
        hint=shipit(
            "logs", "--follow", why="shows its log; deploy --replace-running deletes it, even while it runs"
        ),
        states=(app,),
    )


def clear(step: Step, plan: Plan, world: World, emit: Emit) -> JobOrPod | None:
    """None when there is room for the step, else what this very deploy already made: running or complete.

    Raises Busy for anything else that runs, MigrationFailed when what was there doesn't go.
    """
    found = find_existing(step, plan, world)
    if found is None:
        return None
    yield_to_others(step, plan, world)
    if not found.deleting:
        if is_this_deploys(found, step, plan):
            return found
        if is_active(found) and not plan.replace_running:
            raise _busy(found, plan, world, plan.app_at(step))
        if _is_kept(step, plan, world):
            raise MigrationFailed(
                f"{step.ref.title} exists, and its hook's delete policy keeps it",
                hint=kubectl(
                    "delete", step.ref.kind.lower(), step.ref.name, namespace=step.ref.namespace,
                    why="or give the hook the delete policy before-hook-creation",
                ),
                states=(plan.app_at(step),),
            )  # fmt: skip
    remove("clear", step.ref, found, world, emit)
    return None


def yield_to_others(step: Step, plan: Plan, world: World) -> None:
    """What another release has made since it was looked for in the beginning stays. Raises Busy."""
    try:
        refuse_anothers(step, plan, world)
    except Refused as error:
        states = (plan.app_at(step),)
        raise Busy(error.message, hint=error.hint, states=states, details=error.details) from error


def clear_stale(plan: Plan, world: World, emit: Emit, *, anew: bool) -> None:
    """Delete what earlier deploys left: finished Jobs, and with `--replace-running` everything that still runs.

    `anew`: the release was uninstalled and its revisions count anew: then all finished Jobs go, for none of them says
    anything about this release.
    """
    for found in _of_this_release(plan, world):
        _tell_disowned(found, plan, world, emit)
        if _goes(found, plan, anew=anew):
            remove("clear", found.ref, found, world, emit)


def gives_way(plan: Plan, world: World, *, anew: bool) -> tuple[JobOrPod, ...]:
    """What of earlier deploys this one deletes: what is stale, and what has a step's name and is not its own."""
    names = {step.ref.name for step in plan.to_run if step.watched and not step.of_app}
    return tuple(
        found
        for found in _of_this_release(plan, world)
        if _goes(found, plan, anew=anew)
        or (
            found.name in names
            and not is_active(found)
            and not any(is_this_deploys(found, step, plan) for step in plan.steps)
        )
    )


def _goes(found: JobOrPod, plan: Plan, *, anew: bool) -> bool:
    """Whether it is deleted before anything runs."""
    return plan.replace_running if is_active(found) else _is_stale(found, plan, anew=anew)


def _is_stale(found: JobOrPod, plan: Plan, *, anew: bool) -> bool:
    """A finished Job of shipit's, but for a hook, one that this deploy accepts, one whose name a step will take, and one
    that failed where no migration is to run: it is kept for inspection.
    """
    if RELEASE_LABEL not in found.labels or (plan.skipped and not found.has_succeeded):
        return False
    kept = HOOK_ANNOTATION in found.annotations or any(
        found.name == step.ref.name or is_this_deploys(found, step, plan) for step in plan.steps
    )
    return anew or not kept


def remove(
    name: str, ref: Ref, found: JobOrPod, world: World, emit: Emit, *, within: float = GONE_WITHIN
) -> None:
    """Delete a Job or Pod by its UID, in the foreground, and wait so many seconds until it and its pods are gone."""
    emit(StepChanged("clear", "started", f"deleting {ref.title}", timeout=within))
    if not found.deleting:
        try:
            world.cluster.delete(ref, uid=found.uid)
        except Conflict as error:
            raise Busy(f"someone else replaced {ref.title} meanwhile", hint=shipit("logs")) from error
    emit(JobChanged(name, ref.name, "deleting"))
    deadline = world.clock.monotonic() + within
    rest = wait_while(world.clock, deadline, lambda: _rest(world, ref, found, deadline))
    if rest is not None:
        raise MigrationFailed(
            f"{ref.title} is still there {within:g} s after its deletion: {rest}",
            hint=kubectl("get", ref.kind.lower(), ref.name, "-o", "yaml", namespace=ref.namespace),
        )
    emit(JobChanged(name, ref.name, "deleted"))
    emit(StepChanged("clear", "done", f"deleted {ref.title}"))


def remove_hook(step: Step, uid: str, plan: Plan, world: World) -> None:
    """Delete what a hook made, by its UID, and wait until it is gone. Raises MigrationFailed when it stays."""

    def there() -> bool | None:
        left = world.cluster.get(step.ref)
        return True if left is not None and uid_of(left) == uid else None

    world.cluster.delete(step.ref, uid=uid)
    if wait_while(world.clock, world.clock.monotonic() + step.start_timeout, there):
        raise MigrationFailed(
            f"the old {step.ref} is still there {step.start_timeout:g} s after its deletion",
            hint=kubectl(
                "get", step.ref.kind.lower(), step.ref.name, "-o", "yaml", namespace=step.ref.namespace
            ),
            states=(plan.app_at(step),),
        )


def _rest(world: World, ref: Ref, found: JobOrPod, deadline: float) -> str | None:
    """What is still there of it, in words; None when nothing is. Silence of the API server is not absence."""
    try:
        with world.cluster.within(max(0.0, deadline - world.clock.monotonic()) + LATE):
            now = get_job_or_pod(world.cluster, ref)
            if now is not None and now.uid == found.uid:
                held = f", held by finalizers {', '.join(now.finalizers)}" if now.finalizers else ""
                return f"it is being deleted{held}"
            left = () if isinstance(found, Pod) else pods_of(world.cluster, found)
    except ApiError as error:
        return error.message
    return f"its pod {left[0].name} has not ended" if left else None
