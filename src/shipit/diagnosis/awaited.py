"""What a migration waits for before it starts, and why that isn't ready: a workload, a Service, a Job or Pod, data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from shipit.diagnosis.finding import Finding, clauses
from shipit.diagnosis.objects import why_waiting
from shipit.diagnosis.rollout import why_not_ready
from shipit.model import Json, KubeEvent, Pod, Ref, Workload, as_map, as_maps, spec_of


def is_absent(ref: Ref) -> Finding:
    return Finding("waiting", f"{ref.title} does not exist")


def workload_awaited(
    workload: Workload, pods: tuple[Pod, ...], events: Mapping[str, tuple[KubeEvent, ...]], elapsed: float
) -> Finding | None:
    """None once all its pods are ready, of which there is one at least; see `why_not_ready`."""
    title = workload.ref.title
    if not workload.desired:
        return Finding("waiting", f"{title} wants no pods")
    if workload.done:
        return None
    why = why_not_ready(workload, pods, events, elapsed)
    if why is None:
        return Finding("waiting", f"{title}: {workload.ready} of {workload.desired} pods are ready")
    return why if why.reason.startswith(title) else replace(why, reason=clauses(title, why.reason))


def service_awaited(ref: Ref, body: Json, slices: Iterable[Json]) -> Finding | None:
    """None once one of its endpoints is ready; one that says nothing of that counts as ready, as Kubernetes has it."""
    if spec_of(body).get("type") == "ExternalName":
        return None
    endpoints = [each for one in slices for each in as_maps(one.get("endpoints"))]
    if any(as_map(each.get("conditions")).get("ready") is not False for each in endpoints):
        return None
    found = f"none of its {len(endpoints)} endpoints is ready" if endpoints else "it has no endpoints"
    return Finding("waiting", f"{ref.title}: {found}")


def object_awaited(ref: Ref, body: Json, events: Sequence[KubeEvent]) -> Finding | None:
    """A Pod that is ready, a Job that is complete, a Secret or ConfigMap that is there."""
    return why_waiting(ref, body, events) if ref.kind in ("Job", "Pod") else None
