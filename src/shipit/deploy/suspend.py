"""Give up a Job or Pod that never started, so that it can't start by itself later, and prove that it never did."""

from __future__ import annotations

from dataclasses import replace

from shipit.deploy.existing import remove
from shipit.errors import ApiError, Busy, Unknown
from shipit.events import Emit, JobChanged, Warned
from shipit.model import NEVER_STARTED_ANNOTATION, RUN_ANNOTATION, Job, JobOrPod, Pod, Step, StepResult, World

PROOF_WITHIN = 60.0
"""Seconds that the pods of a suspended Job get to go, their last status telling whether a container ever ran."""


def suspend_unstarted(
    step: Step, subject: JobOrPod, result: StepResult, world: World, emit: Emit
) -> StepResult:
    """Suspend the Job and mark it as never started once its pods' last status proves it; a bare Pod is deleted.

    The API lags behind the kubelet: a container may have started at the very moment. Then the result says so, and
    the Job is left suspended and unmarked.
    """
    if isinstance(subject, Pod):
        remove(step.name, step.ref, subject, world, emit)
        return replace(result, still_running=False, deleted=True)
    if (
        (subject.suspended and subject.started)
        or subject.failed
        or subject.succeeded
        or _may_hide_a_pod(step, subject)
    ):
        return replace(result, suspended=subject.suspended)  # it may have run: nothing can prove the contrary
    try:
        last = _suspend(step, subject, world)
    except ApiError as error:
        emit(Warned(f"Job {subject.name} could not be suspended: {error.message}", hint=error.hint))
        return result
    emit(JobChanged(step.name, subject.name, "suspended"))
    if last is None or any(pod.ever_started for pod in last):
        return replace(
            result,
            reason=f"{result.reason}; a container may have started as the Job was suspended: look at its logs",
            suspended=True,
        )
    mark = {"metadata": {"annotations": {NEVER_STARTED_ANNOTATION: "true"}}}
    try:
        world.cluster.patch(step.ref, mark, uid=subject.uid)
    except (Unknown, Busy) as error:
        emit(Warned(f"Job {subject.name} could not be marked as never started: {error.message}"))
        return replace(result, suspended=True)
    return replace(result, never_started=True, still_running=False)


def _may_hide_a_pod(step: Step, job: Job) -> bool:
    """A Job that was attached to may have lost a pod before, which its pod failure policy does not count."""
    attached = job.run != step.manifest["metadata"].get("annotations", {}).get(RUN_ANNOTATION)
    rules = (step.manifest.get("spec", {}).get("podFailurePolicy") or {}).get("rules") or []
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
            world.clock.sleep(0.2)
    return None
