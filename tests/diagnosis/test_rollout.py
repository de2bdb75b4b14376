"""Why the app's pods aren't ready, told about Deployments that were captured from a real Kubernetes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shipit.diagnosis import Finding, why_not_ready
from shipit.model import Condition, KubeEvent, Pod, Ref
from tests.captured import Look, looks


def asked(look: Look, *, elapsed: float | None = None, crashes: int = 3) -> Finding | None:
    assert look.workload
    seconds = look.elapsed if elapsed is None else elapsed
    return why_not_ready(look.workload, look.pods, look.pod_events, seconds, crashes=crashes)


def told(name: str) -> list[tuple[str, str]]:
    """Kind and reason at each look, the pod's name cut out."""
    found: list[tuple[str, str]] = []
    for look in looks(name):
        finding = asked(look)
        reason = finding.reason if finding else ""
        for pod in look.pods:
            reason = reason.replace(f"pod {pod.name}: ", "POD: ")
        found.append((finding.kind if finding else "", reason))
    return found


def test_a_crash_gets_three_restarts() -> None:
    crash = "POD: container app exited with code 1 (Error)"
    assert told("app-crash") == [
        ("waiting", f"{crash}; restarted 1 time"),
        ("waiting", f"{crash}; restarted 1 time"),
        ("waiting", f"{crash}; restarted 2 times"),
        ("fatal", f"{crash}; restarted 3 times"),
    ]


def test_more_patience_can_be_asked_for() -> None:
    for crashes in (6, 0):
        found = asked(looks("app-crash")[-1], crashes=crashes)
        assert found
        assert found.kind == "waiting"


def test_restarts_before_the_rollout_do_not_count() -> None:
    look = looks("app-crash")[-1]
    assert look.workload
    (pod,) = look.pods
    before = {(pod.uid, "app"): 1}
    found = why_not_ready(look.workload, look.pods, look.pod_events, look.elapsed, crashes=3, before=before)
    assert found
    assert (found.kind, "restarted 3 times" in found.reason) == ("waiting", True)


def test_nothing_is_said_before_the_controller_has_seen_the_newest_spec() -> None:
    look = looks("app-crash")[-1]
    assert look.workload
    assert asked(replace(look, workload=replace(look.workload, observed=False))) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("app-oom", "POD: container app ran out of memory (OOMKilled, exit code 137); restarted 3 times"),
        ("app-exit-0", "POD: container app exited with code 0 (Completed); restarted 3 times"),
        ("app-init-fails", "POD: container wait-for-schema exited with code 5 (Error); restarted 3 times"),
        ("app-no-tag", "POD: container app: ImagePullBackOff: registry.sandbox/busybox:nope: not found"),
        ("app-no-secret", 'POD: container app: CreateContainerConfigError: secret "db" not found'),
        (
            "app-bad-command",
            (
                'POD: container app: StartError: exec: "/no/such/program": stat /no/such/program: '
                "no such file or directory; restarted 2 times"
            ),
        ),
        (
            "app-not-alive",
            (
                "POD: container app exited with code 137 (Error, SIGKILL); restarted 3 times; "
                "Container app failed liveness probe, will be restarted"
            ),
        ),
        (
            "app-quota",
            (
                "Deployment app-quota: no pod can be created: "
                "exceeded quota: pods, requested: pods=1, used: pods=0, limited: pods=0"
            ),
        ),
    ],
)
def test_what_cannot_become_ready_ends_the_rollout(name: str, reason: str) -> None:
    assert told(name)[-1] == ("fatal", reason)


@pytest.mark.parametrize("name", ["app-no-tag", "app-no-secret", "app-bad-command", "app-quota"])
def test_but_not_at_first_sight(name: str) -> None:
    assert told(name)[0][0] == "waiting"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("app-too-big", "POD: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu"),
        (
            "app-no-claim",
            'POD: Unschedulable: 0/1 nodes are available: persistentvolumeclaim "data" not found. not found',
        ),
        ("app-not-ready-exec", "POD: Readiness probe failed: schema is too old"),
    ],
)
def test_what_may_yet_become_ready_is_waited_for(name: str, reason: str) -> None:
    assert told(name)[-1] == ("waiting", reason)


def test_a_running_init_container_is_named() -> None:
    assert told("app-init-fails")[0] == ("waiting", "POD: init container wait-for-schema is still running")


def test_a_progress_deadline_comes_with_the_pods_own_reason() -> None:
    first, last = told("app-not-ready")
    refused = 'Readiness probe failed: Get "http://10.201.128.58:8080/healthz": dial tcp'
    assert first[0] == "waiting"
    assert first[1].startswith(f"POD: {refused}")
    assert last[0] == "fatal"
    assert last[1].startswith("Deployment app-not-ready: ProgressDeadlineExceeded: ReplicaSet ")
    assert f"has timed out progressing; POD: {refused}" in last[1]


def test_a_registry_that_cannot_be_reached_is_waited_for() -> None:
    look = looks("app-no-tag")[-1]
    (pod,) = look.pods
    blip = replace(pod.containers[0], message="ErrImagePull: dial tcp 10.0.0.1:443: i/o timeout", restarts=9)
    found = asked(replace(look, pods=(replace(pod, containers=(blip,)),)))
    assert found
    assert found.kind == "waiting"


def test_a_rolled_out_workload_is_nothing_to_speak_of() -> None:
    assert told("app-ready")[-1] == ("", "")


def test_old_pods_are_not_asked() -> None:
    look = looks("app-crash")[-1]
    assert look.workload
    other = replace(look, workload=replace(look.workload, pod_hash="another"))
    assert asked(other) is None
    same = replace(look, workload=replace(look.workload, pod_hash=look.pods[0].labels["pod-template-hash"]))
    assert asked(same)


def test_a_pod_that_runs_without_being_ready_is_named_even_without_events() -> None:
    look = looks("app-not-ready-exec")[-1]
    found = asked(replace(look, pod_events={}))
    assert found == Finding("waiting", f"pod {look.pods[0].name}: container app isn't ready yet")


def test_what_the_node_threw_out_is_told_when_nothing_else_is() -> None:
    look = looks("app-ready")[0]
    (pod,) = look.pods
    out: Pod = replace(
        pod, phase="Failed", reason="OutOfcpu", message="Node didn't have enough resource: cpu"
    )
    assert asked(replace(look, pods=(out,))) == Finding(
        "waiting", f"pod {pod.name}: OutOfcpu: Node didn't have enough resource: cpu"
    )


def test_old_pods_that_are_still_ending_are_told() -> None:
    look = looks("app-ready")[0]
    assert look.workload
    (pod,) = look.pods
    almost = replace(look, pods=(replace(pod, deleting=True),))
    assert asked(almost) == Finding("note", f"pod {pod.name} is still terminating")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "StatefulSet",
            'create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: exceeded quota: pods',
        ),
        ("DaemonSet", 'Error creating: pods "db-4x2" is forbidden: exceeded quota: pods'),
        (
            "DaemonSet",
            '(combined from similar events): Error creating: pods "db-1" is forbidden: exceeded quota: pods',
        ),
    ],
)
def test_a_stateful_set_that_may_make_no_pod_says_so_in_its_events(kind: str, message: str) -> None:
    look = looks("app-ready")[0]
    assert look.workload
    ref = Ref("apps/v1", kind, "shop", "db")
    workload = replace(look.workload, ref=ref, uid="w")
    events = {"w": (KubeEvent("FailedCreate", message, "Warning", count=12),)}
    found = why_not_ready(workload, (), events, 60.0)
    assert found
    assert (found.kind, found.reason) == (
        "waiting",
        f"{kind} db: no pod can be created: exceeded quota: pods",
    )
    assert why_not_ready(workload, look.pods, events, 60.0) is None


def test_a_webhook_that_is_down_is_no_answer() -> None:
    look = looks("app-quota")[-1]
    assert look.workload
    words = 'Internal error occurred: failed calling webhook "x": connection refused'
    down = replace(look.workload, conditions=(Condition("ReplicaFailure", "True", "FailedCreate", words),))
    found = asked(replace(look, workload=down), elapsed=100.0)
    assert found
    assert found.kind == "waiting"
