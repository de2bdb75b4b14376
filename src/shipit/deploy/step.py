"""One step around the upgrade: make room, create its object, follow it to an end, and say what became of it."""

from __future__ import annotations

from dataclasses import replace

from shipit.chart import deletes_before_creation
from shipit.deploy.completion import images_of, wait_for_completion
from shipit.deploy.create import create
from shipit.deploy.definitions import LOOK, unserved, wait_until_served
from shipit.deploy.existing import clear, remove, remove_hook, yield_to_others
from shipit.deploy.recognition import find_existing, is_this_deploys
from shipit.deploy.suspend import suspend_unstarted
from shipit.deploy.timing import SETTLED_WITHIN
from shipit.deploy.wait_for import wait_for
from shipit.diagnosis import Observation, diagnose
from shipit.errors import (
    AfterFailed,
    ApiError,
    Busy,
    Headline,
    MigrationFailed,
    MigrationTimedOut,
    ShipitError,
    Unknown,
)
from shipit.events import Emit, JobChanged, MigrationResult, StepChanged, Warned
from shipit.hints import Hint, kubectl, shipit
from shipit.model import (
    Job,
    JobOrPod,
    Plan,
    Step,
    StepResult,
    World,
    as_int,
    as_map,
    get_job_or_pod,
    pods_of,
    spec_of,
    uid_of,
)
from shipit.plan import mask_secrets_taken
from shipit.states import Leftover, ObjectLeft, StepOutcome

BACKOFF_LIMIT = 6
"""Kubernetes' own, of a Job that sets none."""


def run(step: Step, plan: Plan, world: World, emit: Emit, *, keep: bool = False) -> StepResult:
    """Bring one step to its end. Returns only when it succeeded. `keep`: what is there and is not waited for stays.

    Raises MigrationFailed, MigrationTimedOut (AfterFailed for a step after the upgrade), Busy, or Unknown when the
    truth can't be learned.
    """
    try:
        result = _run(step, plan, world, emit) if step.watched else _make(step, plan, world, emit, keep=keep)
    except MigrationFailed as error:
        if step.phase == "before":
            raise
        raise AfterFailed(
            error.message, hint=error.hint, states=error.states, details=error.details
        ) from error
    if not result.outcome.good:
        emit(StepChanged(step.name, "failed", result.reason, result=_reported(step, result)))
        raise _failure(step, plan, result)
    if result.reason and result.outcome is StepOutcome.SUCCEEDED:
        emit(Warned(result.reason, hint=result.hint))
    emit(StepChanged(step.name, "done", result.reason, result=_reported(step, result)))
    return result


def _reported(step: Step, result: StepResult) -> MigrationResult | None:
    if not step.watched:
        return None
    return MigrationResult(step.name, step.ref.name, result.outcome.value, result.duration)


def _run(step: Step, plan: Plan, world: World, emit: Emit) -> StepResult:
    found = clear(step, plan, world, emit)
    if found is None:
        wait_for(step, plan, world, emit)
    mask_secrets_taken(step.manifest, step.ref.namespace, world)
    elapsed = 0.0
    if found is not None:
        elapsed = max(0.0, (world.cluster.now() - found.created).total_seconds())
    attempts = _attempts(step)
    emit(StepChanged(step.name, "started", step.ref.title, step.timeout, elapsed=elapsed, attempts=attempts))
    if found is not None and found.has_succeeded:
        return _accepted(step, found, plan, world, emit)
    if found is None:
        found = _start(step, plan, world)
        emit(JobChanged(step.name, step.ref.name, "created"))
    else:
        emit(JobChanged(step.name, step.ref.name, "attached"))
    return _settle(step, found, wait_for_completion(step, found, world, emit), world, emit)


def _attempts(step: Step) -> int:
    """How many pods may run one after the other, by the manifest; 0 where they run beside each other, or a pod's
    containers start again.
    """
    spec = spec_of(step.manifest)
    pod = step.manifest if step.ref.kind == "Pod" else as_map(spec.get("template"))
    several = any(as_int(spec.get(key)) > 1 for key in ("parallelism", "completions"))
    if several or spec_of(pod).get("restartPolicy") != "Never":
        return 0
    limit = spec.get("backoffLimit", 0 if step.ref.kind == "Pod" else BACKOFF_LIMIT)
    return as_int(limit) + 1


def _accepted(step: Step, found: JobOrPod, plan: Plan, world: World, emit: Emit) -> StepResult:
    """What an earlier try of this deploy has done isn't done again."""
    if isinstance(found, Job) and (doubt := diagnose(Observation(found))):
        emit(Warned(doubt.reason, hint=plan.again("--rerun", why="runs it again all the same")))
    emit(JobChanged(step.name, step.ref.name, found.state, succeeded=1))
    reason = "an earlier attempt of this deploy completed it"
    return StepResult(StepOutcome.RESUMED, reason, images=images_run(found, world))


def images_run(found: JobOrPod, world: World) -> tuple[tuple[str, str], ...]:
    """What a Job of an earlier try ran, by its pods; nothing when they are gone, or the API server doesn't say."""
    try:
        with world.cluster.within(SETTLED_WITHIN):
            return images_of(pods_of(world.cluster, found))
    except ApiError:
        return ()


def images_run_before(plan: Plan, world: World) -> tuple[tuple[str, str], ...]:
    """What ran before an upgrade that an earlier try has applied."""
    there = ((find_existing(step, plan, world), step) for step in plan.before if step.watched)
    ours = (found for found, step in there if found is not None and is_this_deploys(found, step, plan))
    return tuple(image for found in ours for image in images_run(found, world))


def _start(step: Step, plan: Plan, world: World) -> JobOrPod:
    """Create, never apply: of two that try, one succeeds."""
    create(step, plan, world.cluster.create)
    found = get_job_or_pod(world.cluster, step.ref)
    if found is None or found.run != plan.run:
        raise Unknown(
            f"{step.ref.title} vanished or was replaced right after it was created",
            hint=_look(step),
            states=(plan.app_at(step),),
        )
    return found


def _make(step: Step, plan: Plan, world: World, emit: Emit, *, keep: bool) -> StepResult:
    """A hook that is no Job or Pod: created, replaced when its delete policy says so, and not waited for."""
    emit(StepChanged(step.name, "started", step.ref.title))
    if step.of_app:
        return StepResult(StepOutcome.SUCCEEDED, step.remark)
    old = world.cluster.get(step.ref)
    if old is not None and keep:
        uid = uid_of(old)
        return StepResult(StepOutcome.RESUMED, "an earlier attempt of this deploy created it", uid=uid)
    if old is not None and step.hook is not None and deletes_before_creation(step.hook, succeeded=True):
        yield_to_others(step, plan, world)
        remove_hook(step, uid_of(old), plan, world)
    made = create(step, plan, world.cluster.create)
    if left := wait_until_served(step.manifest, world):
        raise MigrationFailed(unserved(left), hint=LOOK, states=(plan.app_at(step),))
    return StepResult(StepOutcome.SUCCEEDED, step.remark, uid=uid_of(made))


def _settle(step: Step, found: JobOrPod, result: StepResult, world: World, emit: Emit) -> StepResult:
    """What has to be done about an object that shipit no longer waits for."""
    if result.leftover is not Leftover.RUNNING:
        return result
    try:
        with world.cluster.within(SETTLED_WITHIN):
            now = get_job_or_pod(world.cluster, step.ref)
            pods = pods_of(world.cluster, now) if now is not None else ()
    except ApiError as error:
        emit(Warned(f"whether {step.ref.title} still runs is not known: {error.message}"))
        return result
    if now is None or now.uid != found.uid:
        return replace(result, leftover=Leftover.DELETED)
    if now.finished:
        return _ended_at_last(step, now, result, emit)
    if not (result.ever_started or any(pod.ever_started for pod in pods)):
        return suspend_unstarted(step, now, result, world, emit)
    if result.outcome is StepOutcome.TIMED_OUT and step.on_timeout == "delete":
        return replace(result, leftover=_delete(step, now, world, emit))
    return result


def _delete(step: Step, found: JobOrPod, world: World, emit: Emit) -> Leftover:
    """Delete what ran past its timeout, as `on_timeout` asks; what is left of it then."""
    try:
        with world.cluster.within(SETTLED_WITHIN):
            remove(step.name, step.ref, found, world, emit, within=SETTLED_WITHIN)
    except MigrationFailed as error:
        emit(Warned(error.message, hint=error.hint))
        return Leftover.DELETING
    except (Busy, Unknown) as error:
        emit(Warned(f"{step.ref.title} could not be deleted: {error.message}", hint=error.hint))
        return Leftover.RUNNING
    return Leftover.DELETED


def _ended_at_last(step: Step, found: JobOrPod, result: StepResult, emit: Emit) -> StepResult:
    """It ended at the very moment in which it was given up: then that is its end."""
    emit(
        Warned(
            f"{step.ref.title} ended just as shipit gave up on it; its last lines may be missing here",
            hint=_log(step),
        )
    )
    if found.has_succeeded:
        return StepResult(
            StepOutcome.SUCCEEDED, details=result.details, duration=result.duration, images=result.images
        )
    return replace(result, outcome=StepOutcome.FAILED, leftover=Leftover.ENDED)


def _failure(step: Step, plan: Plan, result: StepResult) -> ShipitError:
    """The error that a result is, with the state that things are in and what to type next."""
    app = plan.app_at(step)
    if result.outcome is StepOutcome.UNKNOWN:
        return Unknown(result.reason, hint=result.hint or _look(step), states=(app,))
    because = f": {result.reason}" if result.reason else ""
    states = (ObjectLeft(step.ref.title, result.leftover), app)
    hint = _next(step, plan, result)
    timed_out = result.outcome is StepOutcome.TIMED_OUT
    message = f"{step.ref.title} " + (f"did not end within {step.timeout:g} s" if timed_out else "failed")
    kind = AfterFailed if step.phase != "before" else MigrationTimedOut if timed_out else MigrationFailed
    headline = _headline(step, plan, result)
    return kind(f"{message}{because}", hint=hint, states=states, details=result.details, headline=headline)


def _headline(step: Step, plan: Plan, result: StepResult) -> Headline:
    noun = "Test" if step.test else "Migration" if step.migration else "Hook"
    alone = sum(each.migration for each in plan.steps) == 1 and step.migration
    what = f"{noun} of {plan.goal}" if alone else f"{noun} {step.name} of {plan.goal}"
    if result.outcome is StepOutcome.TIMED_OUT:
        late = f"did not end within {step.timeout:g} s"
        return Headline(
            f"{what} timed out",
            f"{late}: {result.reason}" if result.reason else late,
            _database(step, plan, result),
        )
    return Headline(f"{what} failed", result.reason, _database(step, plan, result))


def _database(step: Step, plan: Plan, result: StepResult) -> str:
    """How a migration that has not succeeded leaves the database, as far as its Job tells."""
    if not step.migration:
        return ""
    match result.leftover:
        case Leftover.NEVER_STARTED:
            return f"unchanged: {plan.tag}'s migration never started"
        case Leftover.RUNNING | Leftover.DELETING:
            return f"{plan.tag}'s migration is still running"
        case _:
            return f"{plan.tag}'s migration did not complete"


def _next(step: Step, plan: Plan, result: StepResult) -> Hint:
    """What to type next: where it still runs, wait for it; else what the reason asks for, or its log."""
    if result.leftover is Leftover.RUNNING and result.outcome is StepOutcome.TIMED_OUT:
        why = f"waits until it has ended; then {'roll back' if plan.back_to else f'deploy {plan.tag}'} again to continue"
        return shipit("logs", step.ref.name, "--follow", why=why)
    if result.leftover is Leftover.SUSPENDED:
        return plan.again("--replace-running", why="deletes it and runs it again")
    return result.hint or _log(step)


def _log(step: Step) -> Hint:
    return shipit("logs", step.ref.name, why="shows its whole log")


def _look(step: Step) -> Hint:
    return kubectl("get", f"{step.ref.kind.lower()},pods,events", namespace=step.ref.namespace)
