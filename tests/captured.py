"""Looks at real Jobs, pods and Events of Kubernetes 1.34, as they were captured: tests/data/diagnosis/*.json.

Each file holds the looks at one object in the order in which they were taken, less what no diagnosis reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shipit.diagnosis import Finding, Observation, diagnose
from shipit.model import Condition, Container, Job, KubeEvent, Pod, Ref, Termination, Workload

DATA = Path(__file__).parent / "data" / "diagnosis"


@dataclass(frozen=True)
class Look:
    """One look, `elapsed` seconds after the objects were created. Either `job` or `workload` may be None."""

    elapsed: float
    job: Job | None
    workload: Workload | None
    pods: tuple[Pod, ...]
    events: tuple[KubeEvent, ...]
    pod_events: dict[str, tuple[KubeEvent, ...]]


def looks(name: str) -> list[Look]:
    return [_look(raw) for raw in json.loads((DATA / f"{name}.json").read_text("utf-8"))]


def observation(look: Look, *, elapsed: float | None = None, gone: tuple[Pod, ...] = ()) -> Observation:
    return Observation(
        job=look.job,
        pods=look.pods,
        job_events=look.events,
        pod_events=look.pod_events,
        elapsed=look.elapsed if elapsed is None else elapsed,
        start_timeout=300.0,
        gone=gone,
    )


def watched(name: str) -> Iterator[Finding | None]:
    """The findings of each look, with the pods remembered that went away."""
    seen: dict[str, Pod] = {}
    for look in looks(name):
        seen |= {pod.uid: pod for pod in look.pods}
        now = {pod.uid for pod in look.pods}
        yield diagnose(observation(look, gone=tuple(pod for uid, pod in seen.items() if uid not in now)))


def told(name: str) -> list[tuple[str, str]]:
    return [(found.kind, found.reason) if found else ("", "") for found in watched(name)]


def _look(raw: dict[str, Any]) -> Look:
    found = raw["object"]
    return Look(
        elapsed=raw["elapsed"],
        job=_job(found) if found and found["kind"] == "Job" else None,
        workload=_workload(found) if found and found["kind"] == "Deployment" else None,
        pods=tuple(_pod(pod) for pod in raw["pods"]),
        events=tuple(_event(event) for event in raw["events"]),
        pod_events={
            uid: tuple(_event(event) for event in events) for uid, events in raw["pod_events"].items()
        },
    )


def _job(raw: dict[str, Any]) -> Job:
    meta, spec, status = raw["metadata"], raw["spec"], raw["status"]
    return Job(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        created=_time(meta["creationTimestamp"]),
        active=status.get("active", 0),
        succeeded=status.get("succeeded", 0),
        failed=status.get("failed", 0),
        suspended=spec.get("suspend", False),
        backoff_limit=spec["backoffLimit"],
        deleting="deletionTimestamp" in meta,
        conditions=_conditions(status),
    )


def _workload(raw: dict[str, Any]) -> Workload:
    meta, status = raw["metadata"], raw["status"]
    return Workload(
        ref=Ref("apps/v1", raw["kind"], meta["namespace"], meta["name"]),
        desired=raw["spec"].get("replicas", 1),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        observed=True,
        selector=f"app={meta['name']}",
        conditions=_conditions(status),
    )


def _pod(raw: dict[str, Any]) -> Pod:
    meta, spec, status = raw["metadata"], raw["spec"], raw["status"]
    init = [
        _container(each, status.get("initContainerStatuses", []), init=True)
        for each in spec.get("initContainers", [])
    ]
    own = [_container(each, status.get("containerStatuses", []), init=False) for each in spec["containers"]]
    return Pod(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        phase=status["phase"],
        created=_time(meta["creationTimestamp"]),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        deleting="deletionTimestamp" in meta,
        labels=meta.get("labels", {}),
        conditions=_conditions(status),
        containers=(*init, *own),
    )


def _container(spec: dict[str, Any], statuses: list[dict[str, Any]], *, init: bool) -> Container:
    status = next((each for each in statuses if each["name"] == spec["name"]), {})
    ((state, detail),) = status.get("state", {"waiting": {}}).items()
    return Container(
        name=spec["name"],
        image=spec["image"],
        container_id=status.get("containerID", ""),
        init=init,
        sidecar=init and spec.get("restartPolicy") == "Always",
        state=state,
        reason=detail.get("reason", ""),
        message=detail.get("message", ""),
        ready=status.get("ready", False),
        restarts=status.get("restartCount", 0),
        started_at=_started(detail.get("startedAt")),
        termination=_termination(detail) if state == "terminated" else None,
        last_termination=_termination(status.get("lastState", {}).get("terminated")),
    )


def _termination(raw: dict[str, Any] | None) -> Termination | None:
    if raw is None:
        return None
    return Termination(
        exit_code=raw["exitCode"],
        reason=raw.get("reason", ""),
        message=raw.get("message", ""),
        signal=raw.get("signal", 0),
        started_at=_started(raw.get("startedAt")),
        finished_at=_started(raw.get("finishedAt")),
        container_id=raw.get("containerID", ""),
    )


def _conditions(status: dict[str, Any]) -> tuple[Condition, ...]:
    return tuple(Condition(**each) for each in status.get("conditions", []))


def _event(raw: dict[str, Any]) -> KubeEvent:
    seen = raw.get("lastTimestamp")
    return KubeEvent(
        raw["reason"], raw["message"], raw["type"], raw.get("count", 1), _time(seen) if seen else None
    )


def _started(text: str | None) -> datetime | None:
    """The kubelet writes the epoch for what never started."""
    return None if text is None or text.startswith("1970-") else _time(text)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
