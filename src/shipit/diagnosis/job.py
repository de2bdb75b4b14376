"""A Job or a bare Pod that runs to an end: what to say about it, and whether waiting on can help."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from shipit.diagnosis.causes import ended, failure_of, shortened, taken
from shipit.diagnosis.finding import REPEATED, SETTLE, Finding, Observation, clauses, refusal, worst
from shipit.diagnosis.waits import held_up, unscheduled
from shipit.hints import advice
from shipit.model import Condition, Job, KubeEvent, Pod

State = Literal["running", "succeeded", "failed", "vanished"]

UNLIMITED = 2**31 - 1
"""The backoffLimit of a Job that has one for each index instead."""
LAST_TRY_ENDS = 30.0
"""Seconds that the other containers of a pod get to end after the one that failed, when no pod follows."""


def outcome_of(found: Job | Pod | None, uid: str) -> State:
    """What became of the object with that UID. Only a Job's `Complete` or `Failed`, only a Pod's phase, count.

    A Job that failed in name only has succeeded. `SuccessCriteriaMet`, `FailureTarget` and the counts in a Job's status come earlier and may not come true.
    """
    if found is None or found.uid != uid:
        return "vanished"
    if not found.finished:
        return "running"
    return "succeeded" if found.has_succeeded else "failed"


def diagnose(seen: Observation) -> Finding | None:
    """What to say about a Job or a bare Pod; None when all is as it should be."""
    job = seen.job
    if job is None:
        return _bare_pod(seen)
    if job.failed_in_name_only:
        return _in_name_only(job)
    if job.failure:
        return _failed(job.failure, seen)
    if job.complete:
        return _interrupted(_by_age(seen), job.failed) or _flaw(seen.pods)
    ending = job.condition("FailureTarget")
    if ending:
        return Finding("waiting", f"the Job is ending: {_failed(ending, seen).reason}")
    if job.deleting:
        held = f", waiting for its finalizers: {', '.join(job.finalizers)}" if job.finalizers else ""
        return Finding("waiting", f"the Job is being deleted{held}")
    if job.suspended:
        hint = advice("find out what set its spec.suspend: a queue such as Kueue does")
        return _late(seen, Finding("waiting", "the Job is suspended, it starts no pods", hint))
    alive = [pod for pod in seen.pods if not pod.finished and not pod.deleting]
    if alive:
        return worst(finding for pod in alive if (finding := _alive(pod, seen)))
    return _without_pod(job, seen)


def why_vanished(seen: Observation) -> Finding:
    """What is known of a Job or Pod that is no longer there: never a verdict, only what to look at.

    `seen` is the last look that found it; `job_events` may be newer, they outlive the Job.
    """
    told = next(
        (event for event in seen.job_events if event.reason in ("Completed", "BackoffLimitExceeded")), None
    )
    if told is not None:
        hint = advice("its ttlSecondsAfterFinished is too short: remove it, or set it to some minutes")
        return Finding("note", f"its last Event says {clauses(told.reason, shortened(told.message))}", hint)
    last = next((found for pod in reversed((*seen.gone, *seen.pods)) if (found := taken(pod))), None)
    hint = advice("the API server's audit log shows who deleted it")
    return Finding("note", last.reason if last else "it was deleted", hint)


def _bare_pod(seen: Observation) -> Finding | None:
    if not seen.pods:
        return None
    pod = seen.pods[-1]
    if pod.complete:
        return _interrupted((pod,)) or _flaw((pod,))
    if pod.finished:
        return failure_of(pod).final
    return Finding("waiting", f"pod {pod.name} is being deleted") if pod.deleting else _alive(pod, seen)


def _failed(condition: Condition, seen: Observation) -> Finding:
    """Why the Job failed: the Job mostly says `BackoffLimitExceeded`, the cause is on its last pod."""
    told = clauses(condition.reason, shortened(condition.message))
    pods = _by_age(seen)
    if condition.reason == "DeadlineExceeded":
        held = next((found for pod in reversed(pods) if (found := _first_wait(pod, seen))), None)
        if held:
            return Finding("fatal", f"{told}; {held.reason}", held.hint)
        hint = advice("raise the Job's activeDeadlineSeconds, or make the migration faster")
        return Finding("fatal", told, hint)
    broken = [pod for pod in pods if pod.phase == "Failed" or pod.deleting or _ended_badly(pod)]
    if not broken:
        return Finding("fatal", f"{told}; its pods are gone, and their logs with them")
    cause = failure_of(broken[-1])
    if condition.reason != "BackoffLimitExceeded":
        return Finding("fatal", f"{told}; {cause.reason}", cause.hint)
    tries = f"; it was the last of {len(broken)} pods" if len(broken) > 1 else ""
    return Finding("fatal", f"{cause.reason}{tries}", cause.hint)


def _in_name_only(job: Job) -> Finding:
    """The Job failed, but not its migration."""
    told = clauses(job.failure.reason, shortened(job.failure.message)) if job.failure else ""
    pods = "its pod" if job.wanted == 1 else f"all {job.wanted} of its pods"
    text = f"Job {job.name} is Failed ({told}), but {pods} had succeeded: it has migrated"
    return Finding("note", text, advice("raise the Job's activeDeadlineSeconds, so that this can't be close"))


def _alive(pod: Pod, seen: Observation) -> Finding | None:
    """A pod that is neither finished nor being deleted."""
    age = seen.elapsed - (_seconds(seen.job.created, pod.created) if seen.job else 0.0)
    cause = _first_wait(pod, seen)
    if cause and (cause.hope == "none" or (cause.hope == "little" and age >= seen.settle)):
        return cause.final
    if not pod.ever_started and age >= seen.start_timeout:
        return _not_started(cause, seen)
    return cause or taken(pod) or _half_ended(pod, seen, age)


def _first_wait(pod: Pod, seen: Observation) -> Finding | None:
    events = seen.pod_events.get(pod.uid, ())
    waits = (held_up(container, events) for container in pod.containers)
    return unscheduled(pod) or next((found for found in waits if found), None)


def _half_ended(pod: Pod, seen: Observation, age: float) -> Finding | None:
    """Some of the pod's containers have ended, others still run."""
    own = [container for container in pod.containers if not container.init]
    running = ", ".join(container.name for container in own if container.state == "running")
    over = [(each, each.termination) for each in own if each.state == "terminated" and each.termination]
    if not running or not over:
        return None
    bad = next(((each, end) for each, end in over if end.exit_code), None)
    if bad is None:
        names = ", ".join(container.name for container, _ in over)
        text = f"container {names} has exited, but {running} is still running and keeps the pod alive"
        sidecar = f"make {running} a native sidecar (an init container with restartPolicy: Always)"
        return Finding("waiting", text, advice(f"{sidecar}, or let it exit when {names} does"))
    cause = ended(*bad)
    no_more = seen.job is None or seen.job.failed >= seen.job.backoff_limit
    since = age - _seconds(pod.created, bad[1].finished_at)
    text = f"{cause.reason}, but {running} is still running and keeps the pod alive"
    return Finding("fatal" if no_more and since >= LAST_TRY_ENDS else "waiting", text, cause.hint)


def _without_pod(job: Job, seen: Observation) -> Finding | None:
    """No pod lives: none could be made, or the Job is between two tries, or about to end."""
    refused = [event for event in seen.job_events if event.reason == "FailedCreate"]
    if refused and not any(pod.created > (refused[-1].last_seen or pod.created) for pod in seen.pods):
        return _refused(refused, seen)
    pods = _by_age(seen)
    if not pods:
        return _late(seen, Finding("waiting", "the Job has no pod yet")) if seen.elapsed >= SETTLE else None
    broken = [pod for pod in pods if pod.phase == "Failed"]
    if not broken:
        return taken(pods[-1])
    cause = failure_of(broken[-1])
    if len(broken) >= REPEATED and all(failure_of(pod).hope != "some" for pod in broken[-REPEATED:]):
        return cause.final
    most = f" of at most {job.backoff_limit + 1}" if job.backoff_limit < UNLIMITED else ""
    return Finding("waiting", f"{cause.reason}; pod {len(broken)}{most} failed", cause.hint)


def _refused(events: list[KubeEvent], seen: Observation) -> Finding:
    """The API server lets the Job make no pod: a quota, an admission rule, an account that isn't there."""
    cause, answered = refusal(shortened(events[-1].message))
    if answered and seen.elapsed >= seen.settle and sum(event.count for event in events) >= REPEATED:
        return cause.final
    return _late(seen, cause)


def _late(seen: Observation, cause: Finding) -> Finding:
    """Waiting, until `start_timeout` is over."""
    return cause if seen.elapsed < seen.start_timeout else _not_started(cause, seen)


def _not_started(cause: Finding | None, seen: Observation) -> Finding:
    text = f"no container has started within {seen.start_timeout:g} s"
    return Finding("fatal", f"{text}: {cause.reason}", cause.hint) if cause else Finding("fatal", text)


def _interrupted(pods: Sequence[Pod], failed: int = 0) -> Finding | None:
    """A success with a doubt: a program that is told to end in the middle of its work may exit with 0, and its Job is
    Complete then (measured, with either podReplacementPolicy). Those that count as `failed` have been replaced.
    """
    stopped = [pod for pod in pods if pod.disruption or (pod.deleting and not pod.complete)]
    told = taken(stopped[-1]) if len(stopped) > failed else None
    if told is None:
        return None
    text = f"{told.reason}; it exited with code 0 all the same"
    return Finding("note", text, advice("check that the migration did all of its work before it was ended"))


def _flaw(pods: Iterable[Pod]) -> Finding | None:
    """A success with a doubt: the kernel killed a child of a container that then exited with 0."""
    for container in (each for pod in pods for each in pod.containers):
        end = container.termination
        if end and end.exit_code == 0 and end.reason == "OOMKilled":
            text = f"container {container.name} exited with code 0, but a process in it ran out of memory (OOMKilled)"
            hint = advice("check that the migration did all of its work, and raise resources.limits.memory")
            return Finding("note", text, hint)
    return None


def _by_age(seen: Observation) -> list[Pod]:
    """Every pod there was, oldest first."""
    return sorted((*seen.gone, *seen.pods), key=lambda pod: pod.created)


def _ended_badly(pod: Pod) -> bool:
    return any(
        each.termination and each.termination.exit_code and not each.sidecar for each in pod.containers
    )


def _seconds(start: datetime, end: datetime | None) -> float:
    return max(0.0, (end - start).total_seconds()) if end else 0.0
