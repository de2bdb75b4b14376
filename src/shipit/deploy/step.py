"""One step around the upgrade: make room, create its object, follow it to an end, and say what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shipit.chart import deletes_after, deletes_before_creation
from shipit.deploy.completion import wait_for_completion
from shipit.deploy.existing import clear, remove
from shipit.deploy.suspend import suspend_unstarted
from shipit.errors import (
    AfterFailed,
    AlreadyExists,
    ApiError,
    Busy,
    Forbidden,
    Invalid,
    MigrationFailed,
    MigrationTimedOut,
    NotFound,
    ShipitError,
    Unknown,
)
from shipit.events import Emit, JobChanged, MigrationResult, StepChanged, Warned
from shipit.model import JobOrPod, Plan, Ref, Step, StepResult, World, get_job_or_pod, is_active, pods_of

POLL = 0.2
SETTLED_WITHIN = 5.0
"""Seconds past a step's deadline for the last look at what it leaves, and for its deletion to be seen."""


def run(step: Step, plan: Plan, world: World, emit: Emit, *, keep: bool = False) -> StepResult:
    """Bring one step to its end. Returns only when it succeeded. `keep`: what is there and is not waited for stays.

    Raises MigrationFailed, MigrationTimedOut (AfterFailed for a step after the upgrade), Busy, or Unknown when the
    truth can't be learned.
    """
    emit(
        StepChanged(
            step.name, "started", f"{step.ref.kind} {step.ref.name}", step.timeout if step.watched else None
        )
    )
    try:
        result = _run(step, plan, world, emit) if step.watched else _make(step, plan, world, keep=keep)
        if result.state != "succeeded":
            emit(StepChanged(step.name, "failed", result.reason, result=_result(step, result)))
            raise _blame(step, plan, result)
    except (MigrationFailed, MigrationTimedOut) as error:
        if step.phase == "after":
            raise AfterFailed(error.message, hint=error.hint, details=error.details) from error
        raise
    if result.reason and not result.resumed:
        emit(Warned(result.reason, hint=result.hint))
    emit(StepChanged(step.name, "done", result.reason, result=_result(step, result)))
    return result


def _result(step: Step, result: StepResult) -> MigrationResult | None:
    if not step.watched:
        return None
    outcome = "resumed" if result.resumed else result.state
    return MigrationResult(step.name, step.ref.name, outcome, result.duration)


def _run(step: Step, plan: Plan, world: World, emit: Emit) -> StepResult:
    found = clear(step, plan, world, emit)
    if found is not None:
        step = replace(step, ref=step.ref._replace(name=found.name))
    if found is not None and found.complete:
        emit(JobChanged(step.name, step.ref.name, "complete", succeeded=1))
        return StepResult("succeeded", "already done by an earlier try of this deploy", resumed=True)
    if found is None:
        found = _start(step, plan, world)
        emit(JobChanged(step.name, step.ref.name, "created"))
    else:
        emit(JobChanged(step.name, step.ref.name, "attached"))
    return _settle(step, found, wait_for_completion(step, found, world, emit), world, emit)


def _start(step: Step, plan: Plan, world: World) -> JobOrPod:
    """Create, never apply: of two that try, one succeeds."""
    _create(step, plan, world)
    found = get_job_or_pod(world.cluster, step.ref)
    if found is None or found.run != plan.run:
        raise Unknown(
            f"{step.ref.kind} {step.ref.name} vanished or was replaced right after it was created; {_app(step, plan)}",
            hint=_see(step.ref),
        )
    return found


def _create(step: Step, plan: Plan, world: World) -> None:
    try:
        world.cluster.create(step.manifest)
    except AlreadyExists as error:
        raise Busy(
            f"somebody else made {step.ref.kind} {step.ref.name} meanwhile; {_app(step, plan)}",
            hint="shipit logs",
        ) from error
    except (Forbidden, Invalid, NotFound) as error:
        raise MigrationFailed(
            f"{step.ref.kind} {step.ref.name} could not be created: {error.message}; {_app(step, plan)}",
            hint=error.hint,
            details=error.details,
        ) from error
    except ApiError as error:
        raise Unknown(
            f"whether {step.ref.kind} {step.ref.name} was created is not known: {error.message}; {_app(step, plan)}",
            hint=f"shipit deploy --tag {plan.tag}   (it looks, and goes on with what it finds)",
        ) from error


def _make(step: Step, plan: Plan, world: World, *, keep: bool) -> StepResult:
    """A hook that is no Job or Pod: created, replaced when its delete policy says so, and not waited for."""
    old = world.cluster.get(step.ref)
    if old is not None and keep:
        return StepResult("succeeded", "made by an earlier try of this deploy", resumed=True)
    if old is not None and step.hook is not None and deletes_before_creation(step.hook, succeeded=True):
        uid = old["metadata"]["uid"]
        world.cluster.delete(step.ref, uid=uid)
        deadline = world.clock.monotonic() + step.start_timeout
        while (left := world.cluster.get(step.ref)) is not None and left["metadata"]["uid"] == uid:
            if world.clock.monotonic() >= deadline:
                raise MigrationFailed(
                    f"the old {step.ref} does not go away; {_app(step, plan)}", hint=_see(step.ref)
                )
            world.clock.sleep(POLL)
    _create(step, plan, world)
    return StepResult("succeeded")


def _settle(step: Step, found: JobOrPod, result: StepResult, world: World, emit: Emit) -> StepResult:
    """What has to be done about an object that shipit no longer waits for."""
    if not result.still_running:
        return result
    try:
        with world.cluster.within(SETTLED_WITHIN):
            subject = get_job_or_pod(world.cluster, step.ref)
            pods = pods_of(world.cluster, subject) if subject is not None else ()
    except ApiError as error:
        emit(Warned(f"how {step.ref.kind} {step.ref.name} goes on is not known: {error.message}"))
        return result
    if subject is None or subject.uid != found.uid:
        return replace(result, still_running=False)
    if subject.finished:
        return _ended_at_last(step, subject, result, emit)
    if not (result.ever_started or any(pod.ever_started for pod in pods)):
        return suspend_unstarted(step, subject, result, world, emit)
    if result.state == "timed_out" and step.on_timeout == "delete":
        try:
            with world.cluster.within(SETTLED_WITHIN):
                remove(step.name, step.ref, subject, world, emit, within=SETTLED_WITHIN)
        except MigrationFailed as error:
            emit(Warned(error.message, hint=error.hint))
            return replace(result, still_running=False, leaving=True)
        except (Busy, Unknown) as error:
            emit(Warned(f"it could not be deleted: {error.message}", hint=error.hint))
            return result
        return replace(result, still_running=False, deleted=True)
    return result


def _ended_at_last(step: Step, subject: JobOrPod, result: StepResult, emit: Emit) -> StepResult:
    """It ended at the very moment in which it was given up: then that is its end."""
    what = f"{step.ref.kind} {step.ref.name}"
    emit(
        Warned(
            f"{what} ended as shipit gave up on it; its last lines may not have been shown",
            hint=f"shipit logs {step.ref.name}" if step.ref.kind == "Job" else "",
        )
    )
    if subject.complete:
        return replace(result, state="succeeded", reason="", hint="", still_running=False)
    return replace(result, state="failed", still_running=False)


def _blame(step: Step, plan: Plan, result: StepResult) -> ShipitError:
    """The error that a result is, with the state that things are in and what to type next."""
    what = f"{step.ref.kind} {step.ref.name}"
    because = f": {result.reason}" if result.reason else ""
    if result.state == "unknown":
        return Unknown(f"{result.reason}; {_app(step, plan)}", hint=result.hint or _see(step.ref))
    if result.never_started:
        state = "no container ever started; it is stopped, and the next deploy replaces it"
    elif result.deleted:
        state = "it was deleted"
    elif result.leaving:
        state = "it is being deleted, and has not ended yet"
    elif result.suspended:
        state = (
            "it is suspended, and whether a container ever ran is not known: --replace-running replaces it"
        )
    elif result.still_running:
        state = "it still runs"
    else:
        state = "it is left for a look"
    look = (
        f"shipit logs {step.ref.name}"
        if step.ref.kind == "Job"
        else f"kubectl logs {step.ref.name} -n {step.ref.namespace}"
    )
    hint = result.hint or f"{look}   (its log)"
    if result.state == "timed_out":
        more = f"shipit logs --follow   (then: shipit deploy --tag {plan.tag}, which picks it up)"
        return MigrationTimedOut(
            f"{what} did not end within {step.timeout:g} s{because}; {state}; {_app(step, plan)}",
            hint=more if result.still_running else hint,
            details=result.details,
        )
    return MigrationFailed(
        f"{what} failed{because}; {state}; {_app(step, plan)}", hint=hint, details=result.details
    )


def _app(step: Step, plan: Plan) -> str:
    return plan.app_now if step.phase == "before" else plan.app_then


def _see(ref: Ref) -> str:
    return f"kubectl get {ref.kind.lower()},pods,events -n {ref.namespace}"


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
                Warned(f"{step.ref} could not be deleted, as its hook's delete policy asks: {error.message}")
            )


def _ended(step: Step, world: World) -> str | None:
    """The UID of what is there of a hook, None when nothing is or it still runs."""
    if step.watched:
        subject = get_job_or_pod(world.cluster, step.ref)
        return None if subject is None or is_active(subject) else subject.uid
    found = world.cluster.get(step.ref)
    return str(found["metadata"]["uid"]) if found is not None else None


def may_still_run(step: Step, world: World) -> bool:
    """Whether a step that was given up may still be running."""
    if not step.watched:
        return False
    try:
        subject = get_job_or_pod(world.cluster, step.ref)
    except ApiError:
        return True
    return subject is not None and is_active(subject)
