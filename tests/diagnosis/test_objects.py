"""What is no workload and is waited for all the same, and of which nothing can be said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.diagnosis import is_unjudged, is_waited_for, why_waiting
from shipit.model import Json, KubeEvent, Ref

BOUND: Json = {"status": {"phase": "Bound"}}
ESTABLISHED: Json = {"status": {"conditions": [{"type": "Established", "status": "True"}]}}
READY: Json = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
BALANCED: Json = {"spec": {"type": "LoadBalancer"}}
KINDS = (
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Service"),
    ("v1", "Pod"),
    ("v1", "ReplicationController"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "status", "ingress"]), inner)
    ),
    max_leaves=10,
)


def ref(kind: str) -> Ref:
    return Ref({kind: version for version, kind in KINDS}[kind], kind, "shop", "it")


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("PersistentVolumeClaim", {}, "PersistentVolumeClaim it is not bound"),
        ("PersistentVolumeClaim", BOUND, ""),
        ("Service", BALANCED, "Service it has no external address"),
        ("Service", {"spec": {"type": "LoadBalancer", "externalIPs": ["1.2.3.4"]}}, ""),
        ("Service", {**BALANCED, "status": {"loadBalancer": {"ingress": [{"hostname": "x"}]}}}, ""),
        ("Service", {"spec": {"type": "ClusterIP"}}, ""),
        ("Pod", {"status": {"phase": "Running"}}, "Pod it is not ready (Running)"),
        ("Pod", {"status": {"phase": "Succeeded"}}, ""),
        ("Pod", READY, ""),
        ("ReplicaSet", {"spec": {"replicas": 2}, "status": {"readyReplicas": 1}}, "ReplicaSet it has 1 of 2 pods ready"),
        ("ReplicaSet", {"spec": {"replicas": 0}}, ""),
        ("Job", {}, "Job it has not ended"),
        ("Job", {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}, ""),
        ("CustomResourceDefinition", {}, "CustomResourceDefinition it is not established"),
        ("CustomResourceDefinition", ESTABLISHED, ""),
    ],
)  # fmt: skip
def test_what_it_waits_for_is_said(kind: str, body: Json, reason: str) -> None:
    found = why_waiting(ref(kind), body, ())
    assert (found.reason if found else "") == reason


def test_the_controllers_own_words_are_given() -> None:
    events = (KubeEvent("Sync", "once"), KubeEvent("SyncFailed", "quota: no more addresses.", type="Warning"))
    found = why_waiting(ref("Service"), BALANCED, events)
    assert found is not None
    assert found.reason == "Service it has no external address: quota: no more addresses"


@given(kind=st.sampled_from([kind for _, kind in KINDS]), spec=ODD, status=ODD)
def test_no_field_is_too_odd(kind: str, spec: object, status: object) -> None:
    why_waiting(ref(kind), {"spec": spec, "status": status}, ())
    is_waited_for(ref(kind), {"spec": spec}, jobs=True, services=True)


@pytest.mark.parametrize(
    ("api_version", "unjudged"),
    [
        ("v1", False),
        ("apps/v1", False),
        ("networking.k8s.io/v1", False),
        ("rbac.authorization.k8s.io/v1", False),
        ("gateway.networking.k8s.io/v1", True),
        ("monitoring.coreos.com/v1", True),
    ],
)
def test_kinds_of_others_are_not_judged(api_version: str, unjudged: bool) -> None:
    assert is_unjudged(Ref(api_version, "Any", "shop", "it")) is unjudged
