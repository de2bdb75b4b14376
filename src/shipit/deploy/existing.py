"""Make room for a step: what an earlier try left under its name is accepted, attached to, or deleted by its UID."""

from __future__ import annotations

from shipit.chart import deletes_before_creation
from shipit.errors import ApiError, Busy, Conflict, MigrationFailed, Refused
from shipit.events import Emit, JobChanged, StepChanged
from shipit.model import (
    LATE,
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
)
from shipit.plan import RELEASE_NAME_ANNOTATION

GONE_WITHIN = 300.0
"""Seconds that a deleted object and its pods get to go: twice the patience of a pod that ignores SIGTERM."""
POLL = 0.5
HOOK_ANNOTATION = "helm.sh/hook"
ANOTHER_NAME = "give the migration another name in one of the two charts"


def refuse_running(plan: Plan, world: World) -> None:
    """Stop before anything changes when a Job of this release runs that is not this very deploy's. Raises Busy."""
    ours = {(plan.tag, step.hash) for step in (plan.after if plan.resumes else plan.before)}
    for subject in _subjects(plan, world):
        if is_active(subject) and (subject.tag, subject.hash) not in ours and not plan.replace_running:
            raise _busy(subject, plan)


def refuse_kept(plan: Plan, world: World) -> None:
    """Stop before anything changes when a hook's object exists that its delete policy keeps. Raises Refused."""
    steps = (*(() if plan.resumes else plan.before), *plan.after)
    kept = [str(step.ref) for step in steps if step.hook is not None and _is_kept(step, plan, world)]
    if kept:
        raise Refused(
            f"{', '.join(dict.fromkeys(kept))} exists, and the delete policy of its hook keeps it",
            hint="give the hook the delete policy before-hook-creation, or delete it",
        )


def _is_kept(step: Step, plan: Plan, world: World) -> bool:
    if step.hook is None or (
        deletes_before_creation(step.hook, succeeded=True)
        and deletes_before_creation(step.hook, succeeded=False)
    ):
        return False
    if not step.watched:
        return world.cluster.get(step.ref) is not None and not deletes_before_creation(
            step.hook, succeeded=True
        )
    found = get_job_or_pod(world.cluster, step.ref)
    if found is None or found.deleting or is_this_deploys(found, step, plan):
        return False
    return found.finished and not deletes_before_creation(step.hook, succeeded=found.complete)


def _subjects(plan: Plan, world: World) -> tuple[JobOrPod, ...]:
    """The Jobs of this release, and whatever has the name of a step. Raises Refused for another release's."""
    found = {subject.uid: subject for subject in _labelled(plan, world)}
    for ref in (*(step.ref for step in (*plan.before, *plan.after) if step.watched), *plan.foreign):
        subject = get_job_or_pod(world.cluster, ref)
        if subject is not None:
            found[subject.uid] = _owned(subject, plan)
    return tuple(found.values())


def _owned(subject: JobOrPod, plan: Plan) -> JobOrPod:
    if not _is_this_release_s(subject, plan):
        raise Refused(_anothers(subject), hint=ANOTHER_NAME)
    return subject


def _is_this_release_s(subject: JobOrPod, plan: Plan) -> bool:
    return subject.annotations.get(RELEASE_NAME_ANNOTATION, plan.release) == plan.release


def _anothers(subject: JobOrPod) -> str:
    owner = subject.annotations[RELEASE_NAME_ANNOTATION]
    return f"{_kind(subject)} {subject.name} belongs to the release {owner}"


def _busy(subject: JobOrPod, plan: Plan) -> Busy:
    whose = f"of {subject.tag} (run {subject.run})" if subject.tag else "that shipit did not start"
    state = "is suspended" if isinstance(subject, Job) and subject.suspended else "still runs"
    return Busy(
        f"{_kind(subject)} {subject.name} {whose} {state}, since {subject.created:%Y-%m-%d %H:%M:%S} UTC; "
        f"{plan.app_now}",
        hint=f"shipit logs --follow   (or, to delete it while it runs: "
        f"shipit deploy --tag {plan.tag} --replace-running)",
    )


def clear(step: Step, plan: Plan, world: World, emit: Emit) -> JobOrPod | None:
    """None when there is room for the step, else what this very deploy already made: running or complete.

    Raises Busy for anything else that runs, MigrationFailed when what was there doesn't go.
    """
    found = find_existing(step, plan, world)
    if found is None:
        return None
    if not _is_this_release_s(found, plan):  # made since it was looked for in the beginning
        raise Busy(f"{_anothers(found)}; {plan.app_now}", hint=ANOTHER_NAME)
    if not found.deleting:
        if is_this_deploys(found, step, plan):
            return found
        if is_active(found) and not plan.replace_running:
            raise _busy(found, plan)
        if (
            step.hook is not None
            and found.finished
            and not deletes_before_creation(step.hook, succeeded=found.complete)
        ):
            raise MigrationFailed(
                f"{step.ref.kind} {step.ref.name} exists, and the hook's delete policy keeps it; {plan.app_now}",
                hint=f"kubectl delete {step.ref.kind.lower()} {step.ref.name} -n {step.ref.namespace}   "
                "(or give the hook the delete policy before-hook-creation)",
            )
    remove(step.name, step.ref, found, world, emit)
    return None


def _under_another_name(step: Step, plan: Plan, world: World) -> JobOrPod | None:
    """The same Job of an earlier try of this deploy, where the chart gives it a new name with every rendering."""
    names = {other.ref.name for other in (*plan.before, *plan.after)}
    return next(
        (
            found
            for found in _labelled(plan, world)
            if _ref(found).kind == step.ref.kind
            and found.name not in names
            and is_this_deploys(found, step, plan)
        ),
        None,
    )


def find_existing(step: Step, plan: Plan, world: World) -> JobOrPod | None:
    """What there is of a step now: under its name, or under the one that an earlier try of this deploy gave it."""
    return get_job_or_pod(world.cluster, step.ref) or _under_another_name(step, plan, world)


def _labelled(plan: Plan, world: World) -> tuple[JobOrPod, ...]:
    """The Jobs and bare Pods that shipit has made for this release."""
    selector = f"{RELEASE_LABEL}={plan.release}"
    pods = (pod for pod in world.cluster.pods(plan.namespace, selector) if not pod.owner_uid)
    return (*world.cluster.jobs(plan.namespace, selector), *pods)


def clear_stale(plan: Plan, world: World, emit: Emit, *, anew: bool) -> None:
    """Delete what earlier deploys left: finished Jobs, but those that this one accepts, or that are hooks, and
    those whose name a step will take. With `--replace-running` also everything that still runs, before any step does.

    `anew`: the release was uninstalled and its revisions count anew: then all finished Jobs go, for none of them says
    anything about this release.
    """
    steps = (*plan.before, *plan.after)
    for subject in _subjects(plan, world):
        if is_active(subject):
            stale = plan.replace_running
        else:
            stale = RELEASE_LABEL in subject.labels and (
                anew
                or not (
                    HOOK_ANNOTATION in subject.annotations
                    or any(
                        subject.name == step.ref.name or is_this_deploys(subject, step, plan)
                        for step in steps
                    )
                )
            )
        if stale:
            remove("clear", _ref(subject), subject, world, emit)


def is_this_deploys(found: JobOrPod, step: Step, plan: Plan) -> bool:
    """This very deploy's: same tag, same rendered object; done with and not yet followed by its upgrade, or running."""
    if (found.tag, found.hash) != (plan.tag, step.hash):
        return False
    if is_active(found):
        return not plan.replace_running
    return found.complete and plan.counts_from <= found.revision <= plan.revision and not plan.rerun


def remove(
    name: str, ref: Ref, found: JobOrPod, world: World, emit: Emit, *, within: float = GONE_WITHIN
) -> None:
    """Delete a Job or Pod by its UID, in the foreground, and wait so many seconds until it and its pods are gone."""
    emit(StepChanged("clear", "started", f"deleting {ref.kind} {ref.name}", timeout=within))
    if not found.deleting:
        try:
            world.cluster.delete(ref, uid=found.uid)
        except Conflict as error:
            raise Busy(
                f"{ref.kind} {ref.name} was replaced by somebody else meanwhile", hint="shipit logs"
            ) from error
    emit(JobChanged(name, ref.name, "deleting"))
    deadline = world.clock.monotonic() + within
    while (rest := _rest(world, ref, found, deadline)) is not None:
        if world.clock.monotonic() >= deadline:
            raise MigrationFailed(f"{ref.kind} {ref.name} does not go away: {rest}", hint=_look(ref))
        world.clock.sleep(POLL)
    emit(JobChanged(name, ref.name, "deleted"))
    emit(StepChanged("clear", "done", f"{ref.kind} {ref.name} is gone"))


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
    return f"its pod {left[0].name} still ends" if left else None


def _look(ref: Ref) -> str:
    return f"kubectl get {ref.kind.lower()} {ref.name} -n {ref.namespace} -o yaml"


def _ref(subject: JobOrPod) -> Ref:
    if isinstance(subject, Pod):
        return Ref("v1", "Pod", subject.namespace, subject.name)
    return Ref("batch/v1", "Job", subject.namespace, subject.name)


def _kind(subject: JobOrPod) -> str:
    return "Pod" if isinstance(subject, Pod) else "Job"
