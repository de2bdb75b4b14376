"""What the API server answers becomes our types. Pure, and never raises: whatever is missing or odd counts as absent."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

from shipit.model import (
    Condition,
    Container,
    Job,
    Json,
    KubeEvent,
    Pod,
    Termination,
    as_list,
    as_map,
    as_maps,
    as_text,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_int(value: Any, default: int = 0) -> int:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return int(value)
    return default


def as_time(value: Any) -> datetime | None:
    """RFC 3339, in UTC. The epoch means "never": containerd reports it for a process that couldn't be started."""
    try:
        found = datetime.fromisoformat(value)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if found > EPOCH else None


def as_texts(value: Any) -> dict[str, str]:
    return {str(key): as_text(item) for key, item in as_map(value).items()}


def conditions_of(status: Json) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            as_text(each.get("type")),
            as_text(each.get("status")),
            as_text(each.get("reason")),
            as_text(each.get("message")),
        )
        for each in as_maps(status.get("conditions"))
    )


def job_of(body: Json) -> Job:
    meta, spec, status = as_map(body.get("metadata")), as_map(body.get("spec")), as_map(body.get("status"))
    return Job(
        name=as_text(meta.get("name")),
        namespace=as_text(meta.get("namespace")),
        uid=as_text(meta.get("uid")),
        created=as_time(meta.get("creationTimestamp")) or EPOCH,
        labels=as_texts(meta.get("labels")),
        annotations=as_texts(meta.get("annotations")),
        active=as_int(status.get("active")),
        ready=as_int(status.get("ready")),
        succeeded=as_int(status.get("succeeded")),
        failed=as_int(status.get("failed")),
        started=as_time(status.get("startTime")) is not None,
        suspended=spec.get("suspend") is True,
        backoff_limit=as_int(spec.get("backoffLimit"), 6),
        deleting=bool(meta.get("deletionTimestamp")),
        finalizers=_names(meta.get("finalizers")),
        conditions=conditions_of(status),
    )


def pod_of(body: Json) -> Pod:
    meta, spec, status = as_map(body.get("metadata")), as_map(body.get("spec")), as_map(body.get("status"))
    owners = [owner for owner in as_maps(meta.get("ownerReferences")) if owner.get("controller")]
    return Pod(
        name=as_text(meta.get("name")),
        namespace=as_text(meta.get("namespace")),
        uid=as_text(meta.get("uid")),
        phase=as_text(status.get("phase")) or "Pending",
        created=as_time(meta.get("creationTimestamp")) or EPOCH,
        owner_uid=as_text(owners[0].get("uid")) if owners else "",
        node=as_text(spec.get("nodeName")),
        reason=as_text(status.get("reason")),
        message=as_text(status.get("message")),
        deleting=bool(meta.get("deletionTimestamp")),
        finalizers=_names(meta.get("finalizers")),
        labels=as_texts(meta.get("labels")),
        annotations=as_texts(meta.get("annotations")),
        conditions=conditions_of(status),
        containers=tuple(_containers(spec, status)),
    )


def _names(value: Any) -> tuple[str, ...]:
    return tuple(as_text(each) for each in as_list(value))


def _containers(spec: Json, status: Json) -> Iterator[Container]:
    for listed, reported, init in (
        ("initContainers", "initContainerStatuses", True),
        ("containers", "containerStatuses", False),
    ):
        states = {as_text(each.get("name")): each for each in as_maps(status.get(reported))}
        for each in as_maps(spec.get(listed)):
            sidecar = init and each.get("restartPolicy") == "Always"
            yield _container(each, states.get(as_text(each.get("name")), {}), init=init, sidecar=sidecar)


def _container(spec: Json, status: Json, *, init: bool, sidecar: bool) -> Container:
    name, state = _state(as_map(status.get("state")))
    termination = _termination(state) if name == "terminated" else None
    return Container(
        name=as_text(spec.get("name")),
        image=as_text(spec.get("image")),
        image_id=as_text(status.get("imageID")),
        container_id=as_text(status.get("containerID")),
        init=init,
        sidecar=sidecar,
        state=name,
        reason=as_text(state.get("reason")),
        message=as_text(state.get("message")),
        ready=status.get("ready") is True,
        restarts=as_int(status.get("restartCount")),
        started_at=as_time(state.get("startedAt")),
        termination=termination,
        last_termination=_termination(as_map(as_map(status.get("lastState")).get("terminated"))),
    )


def _state(state: Json) -> tuple[Literal["waiting", "running", "terminated"], Json]:
    if "terminated" in state:
        return "terminated", as_map(state["terminated"])
    if "running" in state:
        return "running", as_map(state["running"])
    return "waiting", as_map(state.get("waiting"))


def _termination(ended: Json) -> Termination | None:
    if not ended:
        return None
    return Termination(
        exit_code=as_int(ended.get("exitCode")),
        reason=as_text(ended.get("reason")),
        message=as_text(ended.get("message")),
        signal=as_int(ended.get("signal")),
        started_at=as_time(ended.get("startedAt")),
        finished_at=as_time(ended.get("finishedAt")),
        container_id=as_text(ended.get("containerID")),
    )


def event_of(body: Json) -> KubeEvent:
    """An Event of v1 in either of its two styles: `count` and `lastTimestamp`, or `series` and `eventTime`."""
    series, meta = as_map(body.get("series")), as_map(body.get("metadata"))
    moments = (
        series.get("lastObservedTime"),
        body.get("lastTimestamp"),
        body.get("eventTime"),
        meta.get("creationTimestamp"),
    )
    return KubeEvent(
        reason=as_text(body.get("reason")),
        message=as_text(body.get("message")),
        type=as_text(body.get("type")) or "Normal",
        count=max(1, as_int(series.get("count")), as_int(body.get("count"))),
        last_seen=next((found for each in moments if (found := as_time(each))), None),
    )
