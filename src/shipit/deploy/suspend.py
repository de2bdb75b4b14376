"""Suspend a Job that never started, so that it can't start by itself later, and prove that it never did."""

from __future__ import annotations

from dataclasses import replace

from shipit.deploy.existing import remove
from shipit.deploy.timing import POLL, PROOF_WITHIN
from shipit.errors import ApiError, Busy, Unknown
from shipit.events import Emit, JobChanged, Warned
from shipit.model import (
    NEVER_STARTED_ANNOTATION,
    RUN_ANNOTATION,
    Job,
    JobOrPod,
    Pod,
    Step,
    StepResult,
    World,
    as_map,
    as_maps,
    metadata_of,
    spec_of,
)
from shipit.states import Leftover


def suspend_unstarted(
    step: Step, found: JobOrPod, result: StepResult, world: World, emit: Emit
) -> StepResult:
    """Suspend the Job and mark it as never started once its pods' last status proves it; a bare Pod is deleted.

    The API lags behind the kubelet: a container may have started at the very moment. Then the result says so, and
    the Job is left suspended and unmarked.
    """
    if isinstance(found, Pod):
        remove(step.name, step.ref, found, world, emit)
        return replace(result, leftover=Leftover.DELETED)
    if _may_have_run(step, found):
        return replace(result, leftover=Leftover.SUSPENDED if found.suspended else Leftover.RUNNING)
    try:
        last = _suspend(step, found, world)
    except ApiError as error:
        emit(Warned(f"Job {found.name} could not be suspended: {error.message}", hint=error.hint))
        return result
    emit(JobChanged(step.name, found.name, "suspended"))
    if last is None or any(pod.ever_started for pod in last):
        reason = f"{result.reason}; a container may have started as the Job was suspended, see its log"
        return replace(result, reason=reason, leftover=Leftover.SUSPENDED)
    mark = {"metadata": {"annotations": {NEVER_STARTED_ANNOTATION: "true"}}}
    try:
        world.cluster.patch(step.ref, mark, uid=found.uid)
    except (Unknown, Busy) as error:
        emit(Warned(f"Job {found.name} could not be marked as never started: {error.message}"))
        return replace(result, leftover=Leftover.SUSPENDED)
    return replace(result, leftover=Leftover.NEVER_STARTED)


def _may_have_run(step: Step, job: Job) -> bool:
    """Whether nothing can prove any more that no container of it ran."""
    return bool((job.suspended and job.started) or job.failed or job.succeeded or _may_hide_a_pod(step, job))


def _may_hide_a_pod(step: Step, job: Job) -> bool:
    """A Job that was attached to may have lost a pod before, which its pod failure policy does not count."""
    attached = job.run != as_map(metadata_of(step.manifest).get("annotations")).get(RUN_ANNOTATION)
    rules = as_maps(as_map(spec_of(step.manifest).get("podFailurePolicy")).get("rules"))
    return attached and any(rule.get("action") == "Ignore" for rule in rules)


def _suspend(step: Step, job: Job, world: World) -> tuple[Pod, ...] | None:
    """The last status of all the Job's pods, once it is suspended and they are gone; None when that isn't known."""
    with world.cluster.departures(job.namespace, f"controller-uid={job.uid}") as departures:
        world.cluster.patch(step.ref, {"spec": {"suspend": True}}, uid=job.uid)
        deadline = world.clock.monotonic() + PROOF_WITHIN
        while world.clock.monotonic() < deadline:
            now = world.cluster.job(job.namespace, job.name)
            if now is None or now.uid != job.uid:
                return None
            if now.condition("Suspended") and not now.active:
                last = departures.wait(deadline - world.clock.monotonic())
                return None if job.active and not last else last  # it had a pod that was never seen
            world.clock.sleep(POLL)
    return None
