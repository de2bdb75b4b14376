"""Follow one Job or Pod to its result: its logs stream while the truth is looked up again and again."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace

from shipit.deploy.timing import FORBIDDEN_FOR, GLANCE, LATE, LOGS_LATE, STEP_LOOK_EVERY
from shipit.diagnosis import SETTLE, Finding, Observation, State, diagnose, outcome_of, why_vanished
from shipit.errors import ApiError, Forbidden, IdentityChanged
from shipit.events import Emit, JobChanged, PodChanged, Warned
from shipit.hints import NO_HINT
from shipit.logs import Follower
from shipit.model import Job, JobOrPod, Pod, Step, StepResult, World, get_job_or_pod, pods_of
from shipit.states import Leftover, StepOutcome


def wait_for_completion(step: Step, found: JobOrPod, world: World, emit: Emit) -> StepResult:
    """Wait until the object has ended, cannot end well any more, or has used up its time.

    Only an observed `Complete` of this very UID is success. Silence of the API server is waited out until the
    step's own timeout, and then `unknown`.
    """
    age = max(0.0, (world.cluster.now() - found.created).total_seconds())
    born = world.clock.monotonic() - age
    watch = Watch(step, found, world, emit)
    with (
        Follower(world.cluster, world.clock, step.name, emit) as logs,
        closing(world.cluster.changes(step.ref.namespace, f"controller-uid={found.uid}")) as changes,
    ):
        result = None
        for now in logs.looks(changes, STEP_LOOK_EVERY, born + step.timeout):
            with world.cluster.within(max(0.0, born + step.timeout - now) + LATE):
                result = watch.look(born)
            logs.watch(watch.pods)
            if result is not None:
                break
        assert result is not None  # noqa: S101 - looks end with a result alone
        left = born + step.timeout + LOGS_LATE - world.clock.monotonic()
        ended = result.leftover is Leftover.ENDED and result.outcome is not StepOutcome.UNKNOWN
        logs.finish(max(LATE, left) if ended else GLANCE)
        last = logs.last_lines()
    return replace(
        result, details=last, duration=world.clock.monotonic() - born, ever_started=watch.ever_started
    )


def images_of(pods: Iterable[Pod]) -> tuple[tuple[str, str], ...]:
    """What their containers ran, in the order of the pods: the image as it is written, and its ID with the digest."""
    return tuple((c.image, c.image_id) for pod in pods for c in pod.containers if not c.init and c.image_id)


class Watch:
    """What is known of one Job or Pod, look by look; tells what changed, once each."""

    def __init__(self, step: Step, found: JobOrPod, world: World, emit: Emit) -> None:
        self._step = step
        self._found = found
        self._cluster = world.cluster
        self._clock = world.clock
        self._emit = emit
        self._told: dict[str, object] = {}
        self._known: dict[str, Pod] = {}
        self._succeeded: set[str] = set()
        self._last = Observation(job=found if isinstance(found, Job) else None)
        self._forbidden: float | None = None
        self.pods: tuple[Pod, ...] = ()

    @property
    def ever_started(self) -> bool:
        """Whether a container of any pod was ever seen to have run, those that are gone included."""
        return any(pod.ever_started for pod in self._known.values())

    def look(self, born: float) -> StepResult | None:
        """Look at the truth. None as long as it may still end well; `born` is when it began, by our clock."""
        elapsed = self._clock.monotonic() - born
        try:
            subject = get_job_or_pod(self._cluster, self._step.ref)
            if subject is None or outcome_of(subject, self._found.uid) == "vanished":
                return self._vanished()
            seen = self._observe(subject, elapsed)
        except ApiError as error:
            return self._silence(error, self._clock.monotonic() - born)
        self._forbidden = None
        self._tell(subject, seen)
        state = outcome_of(seen.job or subject, self._found.uid)
        return _judge(state, diagnose(seen), elapsed, self._step.timeout, seen)

    def _observe(self, subject: JobOrPod, elapsed: float) -> Observation:
        """The object, its pods, and the Events where those don't say enough.

        Every pod is kept as it was last seen: a Job's end takes its pods, and the reason with them.
        """
        pods = pods_of(self._cluster, subject)
        self._known |= {pod.uid: pod for pod in pods}
        self._succeeded |= {pod.uid for pod in pods if pod.complete and not (pod.deleting or pod.disruption)}
        there = {pod.uid for pod in pods}
        about_job = () if pods or subject.finished else self._cluster.events(subject.namespace, subject.uid)
        stuck = [pod for pod in pods if not pod.finished and not pod.ready][-1:]
        self.pods = pods
        self._last = Observation(
            job=subject.having_seen(len(self._succeeded)) if isinstance(subject, Job) else None,
            pods=pods,
            job_events=about_job,
            pod_events={pod.uid: self._cluster.events(pod.namespace, pod.uid) for pod in stuck},
            elapsed=elapsed,
            start_timeout=self._step.start_timeout,
            settle=self._step.start_timeout if self._step.awaits else SETTLE,
            gone=tuple(pod for uid, pod in self._known.items() if uid not in there),
        )
        return self._last

    def _vanished(self) -> StepResult:
        events = self._cluster.events(self._step.ref.namespace, self._found.uid)
        why = why_vanished(replace(self._last, job_events=events))
        what = f"{self._step.ref.title} (UID {self._found.uid}) vanished while shipit was watching it"
        return StepResult(StepOutcome.UNKNOWN, f"{what}: {why.reason}", why.hint)

    def _silence(self, error: ApiError, elapsed: float) -> StepResult | None:
        if isinstance(error, IdentityChanged):
            raise error
        self._once("silence", Warned(f"{error.message}; still trying", error.hint))
        if not isinstance(error, Forbidden):
            self._forbidden = None
        elif self._forbidden is None:
            self._forbidden = elapsed
        believed = self._forbidden is not None and elapsed - self._forbidden >= FORBIDDEN_FOR
        if elapsed < self._step.timeout and not believed:
            return None
        reason = f"what became of {self._step.ref.title} is not known: {error.message}"
        return StepResult(StepOutcome.UNKNOWN, reason, error.hint)

    def _tell(self, subject: JobOrPod, seen: Observation) -> None:
        if isinstance(subject, Job):
            self._once(subject.uid, _job_event(self._step, subject))
        pods = sorted((*seen.gone, *seen.pods), key=lambda pod: pod.created)
        for attempt, pod in enumerate(pods, start=1):
            left = PodChanged(self._step.name, pod.name, "Deleted", attempt)
            self._once(pod.uid, left if pod in seen.gone else _pod_event(self._step, pod, attempt))

    def _once(self, key: str, event: JobChanged | PodChanged | Warned) -> None:
        if self._told.get(key) != event:
            self._told[key] = event
            self._emit(event)


def _judge(
    state: State, finding: Finding | None, elapsed: float, timeout: float, seen: Observation
) -> StepResult | None:
    reason, hint = (finding.reason, finding.hint) if finding else ("", NO_HINT)
    if state == "succeeded":
        return StepResult(StepOutcome.SUCCEEDED, reason, hint, images=images_of(seen.pods))
    if state == "failed":
        return StepResult(StepOutcome.FAILED, reason, hint)
    if finding is not None and finding.kind == "fatal":
        return StepResult(StepOutcome.FAILED, reason, hint, leftover=Leftover.RUNNING)
    if elapsed >= timeout:
        return StepResult(StepOutcome.TIMED_OUT, reason, hint, leftover=Leftover.RUNNING)
    return None


def _job_event(step: Step, job: Job) -> JobChanged:
    failure = job.failure
    return JobChanged(
        step.name,
        job.name,
        job.state,
        job.active,
        job.succeeded,
        job.failed,
        failure.reason if failure else "",
    )


def _pod_event(step: Step, pod: Pod, attempt: int) -> PodChanged:
    waiting = next((c for c in pod.containers if c.state == "waiting" and c.reason), None)
    ended = next((c.termination for c in pod.containers if c.termination and c.termination.exit_code), None)
    placed = pod.condition("PodScheduled")
    if pod.phase == "Pending" and placed is not None and placed.status == "False":
        return PodChanged(step.name, pod.name, placed.reason or "Unschedulable", attempt, placed.message)
    if pod.finished or waiting is None:
        reason = ended.reason if ended and pod.phase == "Failed" else ""
        if pod.disruption and pod.phase == "Failed":
            reason = pod.disruption.reason
        return PodChanged(step.name, pod.name, reason or pod.phase, attempt, pod.message)
    return PodChanged(step.name, pod.name, waiting.reason, attempt, waiting.message)
