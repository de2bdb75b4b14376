"""A Deployment, StatefulSet or DaemonSet becomes a Workload, counted as `kubectl rollout status` counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shipit.cluster.parse import conditions_of
from shipit.model import (
    Json,
    Ref,
    Workload,
    as_int,
    as_list,
    as_map,
    as_maps,
    as_text,
    as_texts,
    metadata_of,
    spec_of,
    uid_of,
)

REVISION = "deployment.kubernetes.io/revision"


def workload_of(ref: Ref, body: Json, pod_hash: str = "") -> Workload:
    """`ready` and `available` count only pods of the newest template: old ones that still serve prove nothing."""
    meta, spec, status = metadata_of(body), spec_of(body), as_map(body.get("status"))
    desired, total, updated, ready, available = _counts(ref.kind, spec, status)
    old = max(0, total - updated)
    return Workload(
        ref=ref,
        desired=desired,
        updated=updated,
        ready=max(0, ready - old),
        available=max(0, available - old),
        observed=as_int(status.get("observedGeneration")) >= as_int(meta.get("generation")),
        selector=selector_of(as_map(spec.get("selector"))),
        pod_hash=pod_hash,
        conditions=conditions_of(status),
        uid=as_text(meta.get("uid")),
        generation=as_int(meta.get("generation")),
        paused=spec.get("paused") is True,
        spare=_spare(ref.kind, spec, desired),
    )


def _counts(kind: str, spec: Json, status: Json) -> tuple[int, int, int, int, int]:
    """Desired, total, updated, ready, available."""
    if kind == "DaemonSet":
        names = (
            "currentNumberScheduled",
            "updatedNumberScheduled",
            "numberReady",
            "numberAvailable",
        )
        desired = as_int(status.get("desiredNumberScheduled"))
    else:
        names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        desired = as_int(spec.get("replicas"), 1)
    total, updated, ready, available = (as_int(status.get(name)) for name in names)
    if _kept(spec):
        # By the chart's own wish pods keep the old template: they are as new as they will be
        updated = max(updated, min(total, updated + _kept(spec)))
    return desired, total, updated, ready, available


def _spare(kind: str, spec: Json, desired: int) -> int:
    """The maxUnavailable of a rolling update, in pods: as Kubernetes rounds it."""
    strategy = as_map(spec.get("strategy" if kind == "Deployment" else "updateStrategy"))
    rolling = as_map(strategy.get("rollingUpdate"))
    if kind == "DaemonSet":
        return _scaled(rolling.get("maxUnavailable"), desired, 1, up=True)
    if kind != "Deployment" or strategy.get("type") == "Recreate":
        return 0
    spare = _scaled(rolling.get("maxUnavailable"), desired, "25%", up=False)
    surge = _scaled(rolling.get("maxSurge"), desired, "25%", up=True)
    return spare if spare or surge else 1


def _scaled(value: Any, total: int, default: int | str, *, up: bool) -> int:
    """An IntOrString: a number, or a share of the total; a null is the default."""
    value = default if value is None else value
    if not (isinstance(value, str) and value.endswith("%") and value[:-1].isdecimal()):
        return as_int(value)
    share = int(value[:-1]) * total
    return -(-share // 100) if up else share // 100


def _kept(spec: Json) -> int:
    """How many pods an update leaves as they are: a partition's, or all of them."""
    strategy = as_map(spec.get("updateStrategy"))
    if strategy.get("type") == "OnDelete":
        return 1 << 31
    return as_int(as_map(strategy.get("rollingUpdate")).get("partition"))


def selector_of(selector: Json) -> str:
    """A LabelSelector in the words of a query string."""
    parts = [f"{key}={value}" for key, value in as_texts(selector.get("matchLabels")).items()]
    for each in as_maps(selector.get("matchExpressions")):
        key, values = as_text(each.get("key")), ",".join(map(as_text, as_list(each.get("values"))))
        match each.get("operator"):
            case "In":
                parts.append(f"{key} in ({values})")
            case "NotIn":
                parts.append(f"{key} notin ({values})")
            case "Exists":
                parts.append(key)
            case "DoesNotExist":
                parts.append(f"!{key}")
    return ",".join(parts)


def newest_hash(deployment: Json, replica_sets: Iterable[Json]) -> str:
    """The pod-template-hash of the ReplicaSet that a Deployment rolls out; "" when it isn't there yet."""
    uid = uid_of(deployment)
    wanted = as_texts(metadata_of(deployment).get("annotations")).get(REVISION, "")
    for each in replica_sets:
        meta = metadata_of(each)
        owners = {as_text(owner.get("uid")) for owner in as_maps(meta.get("ownerReferences"))}
        if uid in owners and wanted and as_texts(meta.get("annotations")).get(REVISION) == wanted:
            return as_texts(meta.get("labels")).get("pod-template-hash", "")
    return ""


def newest_revision(daemon_set: Json, revisions: Iterable[Json]) -> str:
    """The controller-revision-hash of a DaemonSet's newest ControllerRevision; "" when there is none."""
    uid = uid_of(daemon_set)
    best, found = -1, ""
    for each in revisions:
        meta = metadata_of(each)
        owners = {as_text(owner.get("uid")) for owner in as_maps(meta.get("ownerReferences"))}
        if uid in owners and as_int(each.get("revision")) > best:
            best = as_int(each.get("revision"))
            found = as_texts(meta.get("labels")).get("controller-revision-hash", "")
    return found
