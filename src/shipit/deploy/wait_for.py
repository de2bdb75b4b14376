"""Wait until what a migration's `wait_for` names is ready, and say what is not and why."""

from __future__ import annotations

from shipit.deploy.recognition import find_existing, is_this_deploys
from shipit.deploy.rollout import newest_pods
from shipit.deploy.timing import ROLLOUT_LOOK_EVERY
from shipit.diagnosis import (
    Finding,
    is_absent,
    is_unjudged,
    object_awaited,
    service_awaited,
    workload_awaited,
)
from shipit.errors import MigrationFailed, Refused
from shipit.events import Emit, StepChanged
from shipit.hints import advice, kubectl
from shipit.model import Cluster, Plan, Ref, Step, World, uid_of
from shipit.plan import made_before

SLICES = ("discovery.k8s.io/v1", "EndpointSlice")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
MOST_LOOKED_AT = 3
"""Pods whose Events are read."""


def wait_before_changes(plan: Plan, world: World, emit: Emit) -> None:
    """Wait for all that nothing of this deploy makes before its migration: while it isn't ready nothing is changed.

    Raises Refused when it does not come within the migration's start_timeout.
    """
    for step, made in made_before(plan):
        if (
            step not in plan.to_run
            or step.phase != "before"
            or made.makers
            or _is_taken_up(step, plan, world)
        ):
            continue
        left = _wait([ref for ref in step.wait_for if ref not in made.objects], step, world, emit)
        if left is not None:
            found = _given_up(step, *left, plan)
            raise Refused(found.reason, hint=found.hint)


def wait_for(step: Step, plan: Plan, world: World, emit: Emit) -> None:
    """Wait for what a step needs when its turn has come. Raises MigrationFailed when it does not come in time."""
    left = _wait(list(step.wait_for), step, world, emit)
    if left is not None:
        found = _given_up(step, *left, plan)
        raise MigrationFailed(found.reason, hint=found.hint, states=(plan.app_at(step),))


def _is_taken_up(step: Step, plan: Plan, world: World) -> bool:
    """What runs or has run already waits for nothing."""
    found = find_existing(step, plan, world) if step.wait_for else None
    return found is not None and is_this_deploys(found, step, plan)


def _wait(refs: list[Ref], step: Step, world: World, emit: Emit) -> tuple[Ref, Finding] | None:
    """None once all of them are ready; what is not when the time is up, or when it can't become ready any more."""
    clock = world.clock
    began = clock.monotonic()
    told = ""
    while left := _first_unready(refs, world, clock.monotonic() - began):
        elapsed = clock.monotonic() - began
        reason = left[1].reason
        if left[1].kind == "fatal" or elapsed >= step.start_timeout:
            emit(StepChanged("wait", "failed", reason))
            return left
        if reason != told:
            told = reason
            emit(StepChanged("wait", "started", reason, step.start_timeout, elapsed=elapsed))
        clock.sleep(ROLLOUT_LOOK_EVERY)
    if told:
        emit(StepChanged("wait", "done", ", ".join(ref.title for ref in refs)))
    return None


def _first_unready(refs: list[Ref], world: World, elapsed: float) -> tuple[Ref, Finding] | None:
    for ref in refs:
        finding = _workload(ref, world, elapsed) if ref.kind in WORKLOADS else _object(ref, world.cluster)
        if finding is not None:
            return ref, finding
    return None


def _workload(ref: Ref, world: World, elapsed: float) -> Finding | None:
    """What it still lacks, by its newest pods."""
    workload = world.cluster.workload(ref)
    if workload is None:
        return is_absent(ref)
    pods = newest_pods(workload, world)
    unready = [pod.uid for pod in pods if not pod.ready][:MOST_LOOKED_AT]
    events = {uid: world.cluster.events(ref.namespace, uid) for uid in (*unready, workload.uid)}
    return workload_awaited(workload, pods, events, elapsed)


def _object(ref: Ref, cluster: Cluster) -> Finding | None:
    body = cluster.get(ref)
    if body is None:
        return is_absent(ref)
    if ref.kind == "Service":
        slices = cluster.find(*SLICES, ref.namespace, f"kubernetes.io/service-name={ref.name}")
        return service_awaited(ref, body, slices)
    events = cluster.events(ref.namespace, uid_of(body)) if ref.kind == "Pod" else ()
    return object_awaited(ref, body, events)


def _given_up(step: Step, ref: Ref, found: Finding, plan: Plan) -> Finding:
    """The words for what is not ready, and what to do about it."""
    hint = found.hint or kubectl("describe", ref.kind.lower(), ref.name, namespace=ref.namespace)
    if step.phase == "before" and any(is_unjudged(each.ref) for each in plan.app):
        hint = advice('where something of the chart makes it: first_install = "during" under [migration]')
    if found.kind == "fatal":
        return Finding("fatal", f"what {step.ref.title} waits for can't become ready: {found.reason}", hint)
    late = f"what {step.ref.title} waits for was not ready within {step.start_timeout:g} s"
    return Finding("fatal", f"{late}: {found.reason}", hint)
