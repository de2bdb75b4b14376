"""What is no workload and yet is waited for, as Helm does: a claim, a Service's address, a Pod; and what can't be judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shipit.diagnosis.causes import shortened
from shipit.diagnosis.finding import Finding, clauses
from shipit.hints import NO_HINT, Hint, advice
from shipit.model import Json, KubeEvent, Ref, as_list, as_map, as_maps, as_text

CONSUMER = "WaitForFirstConsumer"
"""The reason of a claim's Event while no pod uses it: nothing binds it before, and nothing is wrong."""

# API groups of Kubernetes' own that end in .k8s.io; those of others may do so too
_OWN_GROUPS = frozenset(
    f"{name}.k8s.io"
    for name in (
        "admissionregistration", "apiextensions", "apiregistration", "certificates", "coordination", "discovery",
        "events", "flowcontrol.apiserver", "internal.apiserver", "networking", "node", "rbac.authorization",
        "resource", "scheduling", "storage",
    )
)  # fmt: skip

Judge = Callable[[Ref, Json, Sequence[KubeEvent]], Finding | None]


def why_waiting(ref: Ref, body: Json, events: Sequence[KubeEvent]) -> Finding | None:
    """What an object still waits for; None when there is nothing to wait for. `events` are its own, oldest first."""
    return _JUDGES[ref.kind](ref, body, events)


def is_waited_for(ref: Ref, body: Json, *, jobs: bool, services: bool) -> bool:
    """Whether an object, as it is rendered, is one that `why_waiting` judges; `jobs` and `services` where these count."""
    if ref.kind not in _JUDGES or _group(ref) not in ("", "apps", "batch", "apiextensions.k8s.io"):
        return False
    if ref.kind == "Service":
        return services and as_map(body.get("spec")).get("type") == "LoadBalancer"
    return jobs or ref.kind != "Job"


def is_unjudged(ref: Ref) -> bool:
    """An object of a kind that isn't Kubernetes' own: whether it is ready, only its controller's users know."""
    group = _group(ref)
    return "." in group and group not in _OWN_GROUPS


def _group(ref: Ref) -> str:
    return ref.api_version.rpartition("/")[0]


def _waits(ref: Ref, words: str, hint: Hint = NO_HINT) -> Finding:
    return Finding("waiting", f"{ref.title} {words}", hint)


def _claim(ref: Ref, body: Json, events: Sequence[KubeEvent]) -> Finding | None:
    status = as_map(body.get("status"))
    if status.get("phase") == "Bound":
        return None
    told = [event for event in events if event.message]
    why = shortened(told[-1].message) if told else ""
    hint = advice("check its storageClassName, and that something provisions such volumes")
    return _waits(ref, clauses("is not bound", why), hint)


def waits_for_a_consumer(ref: Ref, events: Sequence[KubeEvent]) -> bool:
    """A claim that is bound once a pod uses it, and none does."""
    return ref.kind == "PersistentVolumeClaim" and bool(events) and events[-1].reason == CONSUMER


def _service(ref: Ref, body: Json, events: Sequence[KubeEvent]) -> Finding | None:
    spec, status = as_map(body.get("spec")), as_map(body.get("status"))
    given = as_map(status.get("loadBalancer")).get("ingress") or as_list(spec.get("externalIPs"))
    if spec.get("type") != "LoadBalancer" or given:
        return None
    failed = [event for event in events if event.type == "Warning"]
    why = shortened(failed[-1].message) if failed else ""
    hint = advice(
        "the cluster needs a load balancer for a Service of type LoadBalancer; without one, use another type"
    )
    return _waits(ref, clauses("has no external address", why), hint)


def _pod(ref: Ref, body: Json, events: Sequence[KubeEvent]) -> Finding | None:
    status = as_map(body.get("status"))
    phase = as_text(status.get("phase")) or "Pending"
    ready = any(
        c.get("type") == "Ready" and c.get("status") == "True" for c in as_maps(status.get("conditions"))
    )
    if ready or phase == "Succeeded":
        return None
    failed = [event for event in events if event.type == "Warning"]
    return _waits(ref, clauses(f"is not ready ({phase})", shortened(failed[-1].message) if failed else ""))


def _job(ref: Ref, body: Json, _events: Sequence[KubeEvent]) -> Finding | None:
    found = {
        as_text(c.get("type")): c
        for c in as_maps(as_map(body.get("status")).get("conditions"))
        if c.get("status") == "True"
    }
    if "Complete" in found:
        return None
    if "Failed" not in found:
        return _waits(ref, "has not ended")
    why = clauses(as_text(found["Failed"].get("reason")), shortened(as_text(found["Failed"].get("message"))))
    return Finding("fatal", clauses(f"{ref.title} failed", why))


def _replicas(ref: Ref, body: Json, _events: Sequence[KubeEvent]) -> Finding | None:
    """A ReplicaSet or ReplicationController of the chart's own."""
    wanted, has = as_map(body.get("spec")).get("replicas"), as_map(body.get("status")).get("readyReplicas")
    desired = wanted if isinstance(wanted, int) else 1
    ready = has if isinstance(has, int) else 0
    return None if ready >= desired else _waits(ref, f"has {ready} of {desired} pods ready")


def _definition(ref: Ref, body: Json, _events: Sequence[KubeEvent]) -> Finding | None:
    """A CustomResourceDefinition in a template: its objects can be made once it is established."""
    conditions = as_maps(as_map(body.get("status")).get("conditions"))
    there = any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)
    return None if there else _waits(ref, "is not established")


_JUDGES: dict[str, Judge] = {
    "PersistentVolumeClaim": _claim,
    "Service": _service,
    "Pod": _pod,
    "Job": _job,
    "ReplicaSet": _replicas,
    "ReplicationController": _replicas,
    "CustomResourceDefinition": _definition,
}
