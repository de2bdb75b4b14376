"""Objects of the API become ours, whatever they look like."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipit.cluster.parse import as_time, event_of, job_of, pod_of
from shipit.cluster.workloads import newest_hash, newest_revision, selector_of, workload_of
from shipit.cluster.writes import _covers
from shipit.model import Json, Ref, Termination

MOMENT = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)

KEYS = st.sampled_from(
    [
        "metadata",
        "spec",
        "status",
        "name",
        "namespace",
        "uid",
        "labels",
        "annotations",
        "creationTimestamp",
        "deletionTimestamp",
        "finalizers",
        "ownerReferences",
        "controller",
        "conditions",
        "type",
        "containers",
        "initContainers",
        "containerStatuses",
        "initContainerStatuses",
        "state",
        "lastState",
        "running",
        "waiting",
        "terminated",
        "exitCode",
        "startedAt",
        "finishedAt",
        "restartCount",
        "restartPolicy",
        "backoffLimit",
        "active",
        "items",
        "series",
        "count",
        "lastTimestamp",
        "eventTime",
        "selector",
        "matchLabels",
        "matchExpressions",
        "key",
        "operator",
        "values",
        "replicas",
        "updateStrategy",
        "rollingUpdate",
        "partition",
        "revision",
        "generation",
        "observedGeneration",
    ]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("2026-03-01T12:00:01Z")
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=40,
)
ODD = st.dictionaries(KEYS, VALUES, max_size=6)


@settings(max_examples=300, deadline=None)
@given(body=ODD)
def test_nothing_that_is_json_is_too_odd(body: dict[str, object]) -> None:
    job_of(body)
    event_of(body)
    selector_of(body)
    newest_hash(body, [body])
    newest_revision(body, [body])
    for container in pod_of(body).containers:
        assert container.state in ("waiting", "running", "terminated")
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        workload_of(Ref("apps/v1", kind, "shop", "web"), body)


@pytest.mark.parametrize(
    ("kind", "spec", "spare"),
    [
        ("Deployment", {"replicas": 1}, 0),
        ("Deployment", {"replicas": 7}, 1),
        ("Deployment", {"replicas": 7, "strategy": {"rollingUpdate": {"maxUnavailable": 2}}}, 2),
        (
            "Deployment",
            {"replicas": 3, "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            1,
        ),
        ("Deployment", {"replicas": 7, "strategy": {"type": "Recreate"}}, 0),
        ("DaemonSet", {}, 1),
        ("DaemonSet", {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "30%"}}}, 2),
        ("StatefulSet", {"replicas": 7}, 0),
    ],
)
def test_what_an_update_may_lack_is_counted_as_kubernetes_rounds(kind: str, spec: Json, spare: int) -> None:
    body = {"spec": spec, "status": {"desiredNumberScheduled": 5}}
    assert workload_of(Ref("apps/v1", kind, "shop", "web"), body).spare == spare


@pytest.mark.parametrize(
    ("desired", "available", "enough"), [(0, 0, True), (1, 0, False), (5, 3, True), (5, 2, False)]
)
def test_enough_is_never_none(desired: int, available: int, enough: bool) -> None:
    body = {
        "spec": {"replicas": desired, "strategy": {"rollingUpdate": {"maxUnavailable": 2}}},
        "status": {"replicas": desired, "updatedReplicas": desired, "availableReplicas": available},
    }
    assert workload_of(Ref("apps/v1", "Deployment", "shop", "web"), body).enough is enough


def test_a_job() -> None:
    job = job_of(
        {
            "metadata": {
                "name": "migrate",
                "namespace": "shop",
                "uid": "u1",
                "creationTimestamp": "2026-03-01T12:00:01Z",
                "deletionTimestamp": "2026-03-01T12:00:09Z",
                "finalizers": ["foregroundDeletion"],
                "annotations": {"shipit/run": "r1", "shipit/never-started": "true"},
            },
            "spec": {"suspend": True, "backoffLimit": 0},
            "status": {
                "failed": 1,
                "conditions": [{"type": "Failed", "status": "True", "reason": "Deadline"}],
            },
        }
    )
    assert (job.name, job.uid, job.run, job.created, job.backoff_limit) == ("migrate", "u1", "r1", MOMENT, 0)
    assert job.suspended
    assert job.deleting
    assert job.finished
    assert job.never_started
    assert job.failure is not None
    assert job.failure.reason == "Deadline"


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({}, 1),
        ({"completions": 3, "parallelism": 2}, 3),
        ({"completions": None, "parallelism": 2}, 2),
        ({"parallelism": None}, 1),
        ({"completions": 0}, 1),
        ({"completions": 1, "parallelism": 5}, 1),
    ],
)
def test_how_many_pods_a_job_wants_to_succeed(spec: dict[str, object], wanted: int) -> None:
    assert job_of({"spec": spec}).wanted == wanted


def test_a_pods_containers_are_its_specs_with_what_is_known_of_them_init_containers_first() -> None:
    pod = pod_of(
        {
            "metadata": {
                "name": "migrate-1",
                "ownerReferences": [{"uid": "no"}, {"uid": "u1", "controller": True}],
            },
            "spec": {
                "containers": [{"name": "m", "image": "app:v2"}, {"name": "unseen"}],
                "initContainers": [{"name": "wait"}, {"name": "proxy", "restartPolicy": "Always"}],
            },
            "status": {
                "phase": "Running",
                "initContainerStatuses": [
                    {
                        "name": "wait",
                        "containerID": "containerd://0",
                        "state": {"terminated": {"exitCode": 0, "startedAt": "2026-03-01T12:00:01Z"}},
                    },
                ],
                "containerStatuses": [
                    {
                        "name": "m",
                        "imageID": "app@sha256:1",
                        "containerID": "containerd://1",
                        "restartCount": 2,
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                        "lastState": {
                            "terminated": {
                                "exitCode": 1,
                                "startedAt": "2026-03-01T12:00:01Z",
                                "containerID": "containerd://1",
                            }
                        },
                    }
                ],
            },
        }
    )
    wait, proxy, main, unseen = pod.containers
    assert pod.owner_uid == "u1"
    assert (wait.name, wait.init, wait.sidecar, wait.state) == ("wait", True, False, "terminated")
    assert (proxy.name, proxy.init, proxy.sidecar, proxy.ever_started) == ("proxy", True, True, False)
    assert (main.image, main.image_id, main.restarts, main.reason) == (
        "app:v2",
        "app@sha256:1",
        2,
        "CrashLoopBackOff",
    )
    assert main.last_termination == Termination(1, started_at=MOMENT, container_id="containerd://1")
    assert main.ever_started
    assert (unseen.state, unseen.reason, unseen.ever_started) == ("waiting", "", False)


@pytest.mark.parametrize("started", [None, "1970-01-01T00:00:00Z", "", 5])
def test_a_container_that_could_not_be_started_never_ran(started: object) -> None:
    ended = {"exitCode": 128, "reason": "StartError", "startedAt": started, "containerID": "containerd://1"}
    status = {"name": "m", "containerID": "containerd://1", "state": {"terminated": ended}}
    pod = pod_of({"spec": {"containers": [{"name": "m"}]}, "status": {"containerStatuses": [status]}})
    assert not pod.ever_started


def test_moments_are_in_utc() -> None:
    assert as_time("2026-03-01T14:00:01+02:00") == MOMENT
    assert as_time("2026-03-01T12:00:01.123456789Z") == MOMENT.replace(microsecond=123456)
    assert as_time("yesterday") is None


@pytest.mark.parametrize(
    ("found", "sent", "covered"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1}]}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({}, {"a": {}, "b": [], "c": ""}, True),
        ({}, {"a": None}, True),
        ({"metadata": {"resourceVersion": "2"}}, {"metadata": {"resourceVersion": "1"}}, True),
        (None, {"a": 1}, False),
    ],
)
def test_what_was_sent_is_there(found: object, sent: object, *, covered: bool) -> None:
    assert _covers(found, sent) is covered
