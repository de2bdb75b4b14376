"""A workload of the app whose new pods aren't ready: which pod, why, and whether waiting on can help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from shipit.diagnosis.causes import SIGNALLED, ended, failed_container, loss_of, shortened, taken
from shipit.diagnosis.finding import SETTLE, Finding, clauses, refusal, worst
from shipit.diagnosis.waits import crashed, held_up, unscheduled
from shipit.hints import advice, kubectl
from shipit.model import Condition, Container, KubeEvent, Pod, Workload

CONFIG_TRIES = 3
"""Tries of the kubelet to make a container whose Secret or ConfigMap is missing: about 12 s."""
CONFIG_PATIENCE = 30.0

_REVISION_LABELS = ("pod-template-hash", "controller-revision-hash")

Restarts = Mapping[tuple[str, str], int]
"""Restarts by a pod's UID and a container's name."""
_NONE: Restarts = MappingProxyType({})


def why_not_ready(
    workload: Workload,
    pods: tuple[Pod, ...],
    events: Mapping[str, tuple[KubeEvent, ...]],
    elapsed: float,
    *,
    crashes: int = 0,
    before: Restarts = _NONE,
) -> Finding | None:
    """Why a Deployment, StatefulSet or DaemonSet isn't rolled out; None when it is, or nothing is to be said.

    Nothing is as long as its controller hasn't seen its newest spec: which pods are the newest, and its conditions,
    are then still about the one before.

    `pods` may hold old ones; `events` are by the UIDs of the pods and of the workload, oldest first; `elapsed` are
    the seconds since the rollout began. `crashes`: with how many restarts a container counts as lost, those not
    counted that it had `before` the rollout; with 0 it never does.
    """
    if workload.done or not workload.observed:
        return None
    new = [pod for pod in pods if _is_new(pod, workload) and not (pod.ready or pod.complete or pod.deleting)]
    new.sort(key=lambda pod: pod.phase == "Failed")  # what the kubelet threw out is told when nothing else is
    told = (_unready(pod, events.get(pod.uid, ()), elapsed, crashes, before) for pod in new)
    found = worst(finding for finding in told if finding)
    if found and found.kind == "fatal":
        return found
    return _stuck(workload, found, elapsed) or found or _unmade(pods, workload, events.get(workload.uid, ()))


def overdue(workload: Workload) -> Condition | None:
    """The condition that says that a Deployment got no further within its progressDeadlineSeconds."""
    late = next((c for c in workload.conditions if c.reason == "ProgressDeadlineExceeded"), None)
    return late if late is not None and late.status == "False" else None


def _is_new(pod: Pod, workload: Workload) -> bool:
    hashes = [pod.labels[label] for label in _REVISION_LABELS if label in pod.labels]
    return not workload.pod_hash or not hashes or workload.pod_hash in hashes


def _unready(
    pod: Pod, events: tuple[KubeEvent, ...], elapsed: float, crashes: int, before: Restarts
) -> Finding | None:
    if pod.phase == "Failed":
        failed = failed_container(pod)
        return _on(pod, ended(*failed)) if failed else loss_of(pod)
    if homeless := unscheduled(pod):
        return _on(pod, homeless)
    if outside := taken(pod):
        return outside
    for container in pod.containers:
        crash = _crash(container, events)
        cause = crash or held_up(container, events)
        if cause is None:
            continue
        restarts = container.restarts - before.get((pod.uid, container.name), 0)
        often = crash is not None and 0 < crashes <= restarts
        tries = (
            0 if (pod.uid, container.name) in before else sum(e.count for e in events if e.reason == "Failed")
        )
        lost = (
            often
            or cause.hope == "none"
            or (cause.hope == "little" and _hopeless(container, restarts, tries, elapsed))
        )
        return _on(pod, cause.final if lost else cause)
    return _not_answering(pod, events)


def _crash(container: Container, events: tuple[KubeEvent, ...]) -> Finding | None:
    """A container of an app that ended, whatever its exit code: it should run on."""
    waits = container.state == "waiting" and container.reason in ("CrashLoopBackOff", "RunContainerError")
    end = container.last_termination if waits else container.termination
    if end is None or container.state == "running" or (container.init and not end.exit_code):
        return None
    cause = crashed(container, end)
    killed = [
        event.message for event in events if event.message.startswith(f"Container {container.name} failed ")
    ]
    if not killed or end.exit_code not in SIGNALLED:
        return cause
    hint = advice("check its liveness probe: path, port, timeoutSeconds and failureThreshold")
    return replace(cause, reason=f"{cause.reason}; {shortened(killed[-1])}", hint=hint)


def _hopeless(container: Container, restarts: int, tries: int, elapsed: float) -> bool:
    """What may only be missing for a moment has been missing for long, or was tried often."""
    if container.termination or container.last_termination:
        return restarts > 1
    return elapsed >= SETTLE and (tries >= CONFIG_TRIES or elapsed >= CONFIG_PATIENCE)


def _not_answering(pod: Pod, events: tuple[KubeEvent, ...]) -> Finding | None:
    """Its containers run, or its init containers do, and its probes say no."""
    init = next(
        (each for each in pod.containers if each.init and not each.sidecar and each.state == "running"), None
    )
    if init:
        return Finding("waiting", f"pod {pod.name}: init container {init.name} is still running")
    unhealthy = [event for event in events if event.reason == "Unhealthy"]
    if unhealthy:
        hint = kubectl("logs", pod.name, namespace=pod.namespace, why="shows the pod's log")
        return Finding("waiting", clauses(f"pod {pod.name}", shortened(unhealthy[-1].message)), hint)
    running = [
        each.name for each in pod.containers if each.state == "running" and not each.ready and not each.init
    ]
    return Finding("waiting", f"pod {pod.name}: container {running[0]} isn't ready yet") if running else None


def _stuck(workload: Workload, found: Finding | None, elapsed: float) -> Finding | None:
    """What the workload's own conditions say: no pod can be created, or it took longer than it may."""
    name = workload.ref.title
    if workload.paused:
        hint = kubectl(
            "rollout",
            "resume",
            f"{workload.ref.kind.lower()}/{workload.ref.name}",
            namespace=workload.ref.namespace,
        )
        return Finding("waiting", f"{name} is paused", hint)
    failure = next(
        (c for c in workload.conditions if c.type == "ReplicaFailure" and c.status == "True"), None
    )
    if failure:
        refused, answered = refusal(shortened(failure.message), on=name)
        return refused.final if answered and elapsed >= SETTLE else refused
    late = overdue(workload)
    if late is None:
        return None
    text = clauses(name, late.reason, shortened(late.message))
    return Finding("fatal", f"{text}; {found.reason}", found.hint) if found else Finding("fatal", text)


def _unmade(pods: Iterable[Pod], workload: Workload, events: tuple[KubeEvent, ...]) -> Finding | None:
    """No new pod has anything to say: old ones are still ending, or none could be made.

    Only a Deployment has a condition for that; a StatefulSet's and a DaemonSet's Events may be of an earlier
    rollout, and end nothing.
    """
    leaving = [pod.name for pod in pods if pod.deleting]
    if leaving:
        return Finding("note", f"pod {leaving[0]} is still terminating")
    refused = [event for event in events if event.reason == "FailedCreate"]
    if not refused or any(_is_new(pod, workload) for pod in pods):
        return None
    return refusal(shortened(refused[-1].message), on=workload.ref.title)[0]


def _on(pod: Pod, found: Finding) -> Finding:
    """What is said of one of its containers, with the pod's name in front."""
    return replace(found, reason=clauses(f"pod {pod.name}", found.reason))
