"""One step around the upgrade: make room, create its object, follow it to an end, and say what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

from shipit.clear import Subject, clear, pods_of, read, remove, runs
from shipit.diagnosis import Finding, Observation, diagnose
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
from shipit.events import Emit, JobChanged, MigrationResult, PodChanged, StepChanged, Warned
from shipit.follow import Follower
from shipit.giveup import give_up
from shipit.hooks import deletes_after, deletes_before
from shipit.model import Job, KubeEvent, Plan, Pod, Ref, Step, Verdict
from shipit.world import World

LOOK_EVERY = 5.0
"""Seconds between looks at the truth when the watch says nothing."""
GLANCE = 0.2
"""Seconds between looks at the logs."""
LOGS_WITHIN = 60.0
"""Seconds that the last log lines may take to arrive once the Job has ended, as long as they keep coming."""
BATCH = 10_000


def run(step: Step, plan: Plan, world: World, emit: Emit) -> Verdict:
    """Bring one step to its end. Returns only when it succeeded.

    Raises MigrationFailed, MigrationTimedOut (AfterFailed for a step after the upgrade), Busy, or Unknown when the
    truth can't be learned.
    """
    emit(
        StepChanged(
            step.name, "started", f"{step.ref.kind} {step.ref.name}", step.timeout if step.watched else None
        )
    )
    try:
        verdict = _run(step, plan, world, emit) if step.watched else _make(step, plan, world)
        if verdict.state != "succeeded":
            emit(StepChanged(step.name, "failed", verdict.reason, result=_result(step, verdict)))
            raise _blame(step, plan, verdict)
    except (MigrationFailed, MigrationTimedOut) as error:
        if step.phase == "after":
            raise AfterFailed(error.message, hint=error.hint, details=error.details) from error
        raise
    emit(StepChanged(step.name, "done", verdict.reason, result=_result(step, verdict)))
    return verdict


def _result(step: Step, verdict: Verdict) -> MigrationResult | None:
    if not step.watched:
        return None
    outcome = "resumed" if verdict.resumed else verdict.state
    return MigrationResult(step.name, step.ref.name, outcome, verdict.duration)


def _run(step: Step, plan: Plan, world: World, emit: Emit) -> Verdict:
    found = clear(step, plan, world, emit)
    if found is not None:
        step = replace(step, ref=step.ref._replace(name=found.name))
    if found is not None and found.complete:
        emit(JobChanged(step.name, step.ref.name, "complete", succeeded=1))
        return Verdict("succeeded", "already done by an earlier try of this deploy", resumed=True)
    if found is None:
        found = _start(step, plan, world)
        emit(JobChanged(step.name, step.ref.name, "created"))
    else:
        emit(JobChanged(step.name, step.ref.name, "attached"))
    return _follow(step, found, world, emit)


def _start(step: Step, plan: Plan, world: World) -> Subject:
    """Create, never apply: of two that try, one succeeds."""
    _create(step, plan, world)
    found = read(world.cluster, step.ref)
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


def _make(step: Step, plan: Plan, world: World) -> Verdict:
    """A hook that is no Job or Pod: created, replaced when its delete policy says so, and not waited for."""
    old = world.cluster.get(step.ref)
    if old is not None and step.hook is not None and deletes_before(step.hook):
        uid = old["metadata"]["uid"]
        world.cluster.delete(step.ref, uid=uid)
        deadline = world.clock.monotonic() + step.start_timeout
        while (left := world.cluster.get(step.ref)) is not None and left["metadata"]["uid"] == uid:
            if world.clock.monotonic() >= deadline:
                raise MigrationFailed(
                    f"the old {step.ref} does not go away; {_app(step, plan)}", hint=_see(step.ref)
                )
            world.clock.sleep(GLANCE)
    _create(step, plan, world)
    return Verdict("succeeded")


@dataclass(frozen=True, slots=True)
class _Sight:
    """What was seen at one look."""

    subject: Subject | None
    pods: tuple[Pod, ...] = ()
    events: tuple[KubeEvent, ...] = ()
    pod_events: Mapping[str, tuple[KubeEvent, ...]] = field(default_factory=dict)
    gone: tuple[Pod, ...] = ()


def _follow(step: Step, found: Subject, world: World, emit: Emit) -> Verdict:
    """Stream the logs of every pod while the object runs, until it has ended or cannot end well."""
    age = max(0.0, (world.cluster.now() - found.created).total_seconds())
    born = world.clock.monotonic() - age
    selector = f"controller-uid={found.uid}"
    telling = _Telling(step, emit)
    with (
        Follower(world.cluster, world.clock, step.name, emit) as logs,
        closing(world.cluster.changes(step.ref.namespace, selector)) as changes,
    ):
        looked, changed = -LOOK_EVERY, True
        known: dict[str, Pod] = {}
        while True:
            now = world.clock.monotonic()
            if changed or now - looked >= LOOK_EVERY:
                looked = now
                try:
                    sight = _look(step, found, known, world)
                    telling.tell(sight)
                    logs.watch(sight.pods)
                    verdict = _judge(step, found, sight, now - born)
                except ApiError as error:
                    verdict = _judge_silence(step, error, now - born, telling)
                if verdict is not None:
                    break
            logs.pass_on()
            changed = changes.wait(min(GLANCE, max(0.01, born + step.timeout - now)))
        if verdict.state != "unknown":
            logs.finish(LOGS_WITHIN if verdict.state != "timed_out" else 1.0)
        last = logs.last_lines()
    verdict = replace(verdict, details=verdict.details or last, duration=world.clock.monotonic() - born)
    return _settle(step, found, verdict, world, emit)


def _look(step: Step, found: Subject, known: dict[str, Pod], world: World) -> _Sight:
    """Look at the truth: the object by its UID, its pods, and the Events where pods don't say enough.

    `known` keeps every pod as it was last seen: a Job's end takes its pods, and the reason with them.
    """
    subject = read(world.cluster, step.ref)
    if subject is None or subject.uid != found.uid:
        return _Sight(None)
    pods = pods_of(world.cluster, subject)
    known |= {pod.uid: pod for pod in pods}
    there = {pod.uid for pod in pods}
    gone = tuple(pod for uid, pod in known.items() if uid not in there)
    events = () if pods or subject.finished else world.cluster.events(step.ref.namespace, subject.uid)
    stuck = [pod for pod in pods if not pod.finished and not pod.ready]
    pod_events = {pod.uid: world.cluster.events(pod.namespace, pod.uid) for pod in stuck[-1:]}
    return _Sight(subject, pods, events, pod_events, gone)


def _judge(step: Step, found: Subject, sight: _Sight, elapsed: float) -> Verdict | None:
    """None as long as it may still end well."""
    if sight.subject is None:
        return Verdict("unknown", f"{step.ref.kind} {step.ref.name} (UID {found.uid}) vanished while it ran")
    finding = _diagnosis(step, sight, elapsed)
    if sight.subject.complete:
        images = tuple(c.image_id for pod in sight.pods for c in pod.containers if not c.init and c.image_id)
        return Verdict("succeeded", finding.reason if finding else "", images=images)
    if sight.subject.finished:
        reason = finding.reason if finding else "it failed"
        return Verdict("failed", reason, finding.hint if finding else "")
    if finding is not None and finding.kind == "fatal":
        return Verdict("failed", finding.reason, finding.hint, still_running=True)
    if elapsed >= step.timeout:
        reason = finding.reason if finding else ""
        return Verdict("timed_out", reason, finding.hint if finding else "", still_running=True)
    return None


def _diagnosis(step: Step, sight: _Sight, elapsed: float) -> Finding | None:
    return diagnose(
        Observation(
            job=sight.subject if isinstance(sight.subject, Job) else None,
            pods=sight.pods,
            job_events=sight.events,
            pod_events=sight.pod_events,
            elapsed=elapsed,
            start_timeout=step.start_timeout,
            gone=sight.gone,
        )
    )


def _judge_silence(step: Step, error: ApiError, elapsed: float, telling: _Telling) -> Verdict | None:
    """The API server doesn't answer: go on until the step's own deadline, then say that nothing is known."""
    telling.silent(error)
    if elapsed < step.timeout and not isinstance(error, Forbidden):
        return None
    return Verdict(
        "unknown", f"what became of {step.ref.kind} {step.ref.name} is not known: {error.message}", error.hint
    )


def _settle(step: Step, found: Subject, verdict: Verdict, world: World, emit: Emit) -> Verdict:
    """What has to be done about an object that shipit no longer waits for."""
    if not verdict.still_running:
        return verdict
    subject = read(world.cluster, step.ref)
    if subject is None or subject.uid != found.uid:
        return replace(verdict, still_running=False)
    if not any(pod.ever_started for pod in pods_of(world.cluster, subject)):
        return give_up(step, subject, verdict, world, emit)
    if verdict.state == "timed_out" and step.on_timeout == "delete":
        remove(step.name, step.ref, subject, world, emit)
        return replace(verdict, still_running=False, deleted=True)
    return verdict


def _blame(step: Step, plan: Plan, verdict: Verdict) -> ShipitError:
    """The error that a verdict is, with the state that things are in and what to type next."""
    what = f"{step.ref.kind} {step.ref.name}"
    because = f": {verdict.reason}" if verdict.reason else ""
    if verdict.state == "unknown":
        return Unknown(f"{verdict.reason}; {_app(step, plan)}", hint=verdict.hint or _see(step.ref))
    if verdict.never_started:
        state = "no container ever started; it is stopped, and the next deploy replaces it"
    elif verdict.deleted:
        state = "it was deleted"
    elif verdict.still_running:
        state = "it still runs"
    else:
        state = "it is left for a look"
    hint = verdict.hint or f"kubectl describe {step.ref.kind.lower()} {step.ref.name} -n {step.ref.namespace}"
    if verdict.state == "timed_out":
        more = f"shipit logs --follow   (then: shipit deploy --tag {plan.tag}, which picks it up)"
        return MigrationTimedOut(
            f"{what} did not end within {step.timeout:g} s{because}; {state}; {_app(step, plan)}",
            hint=more if verdict.still_running else hint,
            details=verdict.details,
        )
    return MigrationFailed(
        f"{what} failed{because}; {state}; {_app(step, plan)}", hint=hint, details=verdict.details
    )


def _app(step: Step, plan: Plan) -> str:
    return (
        plan.app_now
        if step.phase == "before"
        else f"the app is upgraded to {plan.tag} (revision {plan.revision})"
    )


def _see(ref: Ref) -> str:
    return f"kubectl get {ref.kind.lower()},pods,events -n {ref.namespace}"


class _Telling:
    """Tells what changed between two looks, once each."""

    def __init__(self, step: Step, emit: Emit) -> None:
        self._step = step
        self._emit = emit
        self._told: dict[str, object] = {}

    def tell(self, sight: _Sight) -> None:
        if isinstance(sight.subject, Job):
            self._once(sight.subject.uid, _job_event(self._step, sight.subject))
        pods = sorted((*sight.gone, *sight.pods), key=lambda pod: pod.created)
        for attempt, pod in enumerate(pods, start=1):
            left = PodChanged(self._step.name, pod.name, "Deleted", attempt)
            self._once(pod.uid, left if pod in sight.gone else _pod_event(self._step, pod, attempt))

    def silent(self, error: ApiError) -> None:
        self._once("silence", Warned(f"{error.message}; still trying", error.hint))

    def _once(self, key: str, event: JobChanged | PodChanged | Warned) -> None:
        if self._told.get(key) != event:
            self._told[key] = event
            self._emit(event)


def _job_event(step: Step, job: Job) -> JobChanged:
    failure = job.failure
    state = (
        "complete" if job.complete else "failed" if failure else "suspended" if job.suspended else "running"
    )
    return JobChanged(
        step.name, job.name, state, job.active, job.succeeded, job.failed, failure.reason if failure else ""
    )


def _pod_event(step: Step, pod: Pod, attempt: int) -> PodChanged:
    waiting = next((c for c in pod.containers if c.state == "waiting" and c.reason), None)
    ended = next((c.termination for c in pod.containers if c.termination and c.termination.exit_code), None)
    if pod.finished or waiting is None:
        reason = ended.reason if ended and pod.phase == "Failed" else ""
        return PodChanged(step.name, pod.name, reason or pod.phase, attempt, pod.message)
    return PodChanged(step.name, pod.name, waiting.reason, attempt, waiting.message)


def sweep(steps: tuple[Step, ...], *, succeeded: bool, world: World, emit: Emit) -> None:
    """Delete hooks by their delete policies, by the UID of what is there; a Job that still runs is left alone."""
    for step in steps:
        if step.hook is None or not deletes_after(step.hook, succeeded=succeeded):
            continue
        try:
            if step.watched and ((subject := read(world.cluster, step.ref)) is None or runs(subject)):
                continue
            found = world.cluster.get(step.ref)
            if found is not None:
                world.cluster.delete(step.ref, uid=found["metadata"]["uid"])
        except ApiError as error:
            emit(
                Warned(f"{step.ref} could not be deleted, as its hook's delete policy asks: {error.message}")
            )
