"""What the API server answers becomes our types. Pure, and never raises: whatever is missing or odd counts as absent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from shipit.model import (
    EPOCH,
    Condition,
    Container,
    Job,
    Json,
    KubeEvent,
    Pod,
    Termination,
    as_int,
    as_list,
    as_map,
    as_maps,
    as_text,
    as_texts,
    as_time,
    metadata_of,
    spec_of,
)


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
    meta, spec, status = metadata_of(body), spec_of(body), as_map(body.get("status"))
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
        terminating=as_int(status.get("terminating")),
        wanted=_wanted(spec),
        started=as_time(status.get("startTime")) is not None,
        suspended=spec.get("suspend") is True,
        backoff_limit=as_int(spec.get("backoffLimit"), 6),
        deleting=bool(meta.get("deletionTimestamp")),
        finalizers=_names(meta.get("finalizers")),
        conditions=conditions_of(status),
    )


def _wanted(spec: Json) -> int:
    """How many pods have to succeed: without `completions` any of those that run at once may be the one that counts,
    and all of them is what leaves no doubt.
    """
    return max(1, as_int(spec.get("completions"), as_int(spec.get("parallelism"), 1)))


def pod_of(body: Json) -> Pod:
    meta, spec, status = metadata_of(body), spec_of(body), as_map(body.get("status"))
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
    if state.get("terminated") is not None:
        return "terminated", as_map(state["terminated"])
    if state.get("running") is not None:
        return "running", as_map(state["running"])
    return "waiting", as_map(state.get("waiting"))


def _termination(ended: Json) -> Termination | None:
    """None without an exit code: a success is never guessed."""
    if ended.get("exitCode") is None:
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
