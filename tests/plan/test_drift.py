"""What was changed by hand: of the fields that a manifest sets, and nothing that the cluster adds or writes otherwise."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from shipit.errors import Forbidden
from shipit.events import HandChange
from shipit.model import Json, Ref, Resource
from shipit.plan.drift import by_hand
from tests.fakes import NAMESPACE, Fakes, fakes

DEPLOYMENT: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop", "labels": {"app": "shop"}, "creationTimestamp": None},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {
                "hostNetwork": False,
                "containers": [
                    {
                        "name": "app",
                        "image": "shop:v1",
                        "env": [{"name": "EMPTY", "value": ""}, {"name": "COLOR", "value": "red"}],
                        "ports": [{"containerPort": 80}],
                        "resources": {
                            "limits": {"cpu": "1000m", "memory": "1024Mi"},
                            "requests": {"cpu": 0.5},
                        },
                    }
                ],
            }
        },
    },
}


def as_stored(body: Json) -> Json:
    """As the API server answers: with defaults, an injected container, quantities written its own way."""
    live = copy.deepcopy(body)
    live["metadata"] |= {
        "uid": "1",
        "resourceVersion": "7",
        "annotations": {"deployment.kubernetes.io/revision": "1"},
    }
    live["spec"] |= {"progressDeadlineSeconds": 600}
    live["status"] = {"replicas": 2}
    pod = live["spec"]["template"]["spec"]
    del pod["hostNetwork"]
    app = pod["containers"][0]
    del app["env"][0]["value"]
    app |= {"imagePullPolicy": "Always"}
    app["ports"][0] |= {"protocol": "TCP"}
    app["resources"] = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}
    pod["containers"].insert(0, {"name": "proxy", "image": "mesh:1"})
    return live


def found(world: Fakes, said: Json, live: Json | None) -> list[HandChange]:
    ref = Ref(said["apiVersion"], said["kind"], NAMESPACE, said["metadata"]["name"])
    if live is not None:
        world.cluster.objects[ref] = live
    return list(by_hand(world.cluster, [Resource(ref, said, "x")], NAMESPACE, 3))


def changed(path: str, value: Any) -> Json:
    live = as_stored(DEPLOYMENT)
    *way, last = path.split(".")
    at: Any = live
    for key in way:
        at = at[int(key)] if isinstance(at, list) else at[key]
    at[int(last) if isinstance(at, list) else last] = value
    return live


def test_what_the_cluster_adds_and_writes_otherwise_is_nobodys_change() -> None:
    assert found(fakes(), DEPLOYMENT, as_stored(DEPLOYMENT)) == []


CONTAINER = "spec.template.spec.containers.1"
CASES: dict[str, tuple[str, Any, str, str]] = {
    "scaled": ("spec.replicas", 5, "spec.replicas", "somebody scaled it to 5, revision 3 says 2"),
    "an image": (
        f"{CONTAINER}.image", "shop:hotfix",
        "spec.template.spec.containers[app].image", "somebody set it to shop:hotfix, revision 3 says shop:v1",
    ),
    "a variable": (
        f"{CONTAINER}.env.1.value", "blue",
        "spec.template.spec.containers[app].env[COLOR].value", "somebody set it to blue, revision 3 says red",
    ),
    "a quantity": (
        f"{CONTAINER}.resources.limits.memory", "2Gi",
        "spec.template.spec.containers[app].resources.limits.memory", "somebody set it to 2Gi, revision 3 says 1024Mi",
    ),
    "much": (
        f"{CONTAINER}.image", "x" * 100, "spec.template.spec.containers[app].image", "somebody changed it since revision 3",
    ),
    "a label": ("metadata.labels", {}, "metadata.labels.app", "somebody removed it, or the API server doesn't know it"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_somebody_changed_is_told_by_its_field(case: str) -> None:
    path, value, field, words = CASES[case]
    (told,) = found(fakes(), DEPLOYMENT, changed(path, value))
    assert (told.object, told.field) == ("Deployment shop", field)
    assert words in told.message


def test_an_autoscaler_is_told_as_one() -> None:
    world = fakes()
    world.cluster.objects[Ref("autoscaling/v2", "HorizontalPodAutoscaler", NAMESPACE, "shop-hpa")] = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "shop-hpa", "namespace": NAMESPACE},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "shop"}},
    }
    (told,) = found(world, DEPLOYMENT, changed("spec.replicas", 5))
    assert told.message == "HorizontalPodAutoscaler shop-hpa scaled it to 5, revision 3 says 2"


def test_what_is_gone_is_told_and_what_may_not_be_read_is_left_out() -> None:
    (told,) = found(fakes(), DEPLOYMENT, None)
    assert told == HandChange("Deployment shop", "", "somebody deleted it")
    world = fakes()
    world.cluster.broken = lambda call: (
        Forbidden("no", status=403) if call.startswith("get Deployment") else None
    )
    assert found(world, DEPLOYMENT, None) == []


def test_of_a_secret_only_the_key_is_told() -> None:
    said: Json = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "creds"},
        "stringData": {"password": "hunter2", "user": "anna", "token": "abc"},
    }  # fmt: skip
    live = {**said, "data": {"password": "b3RoZXI=", "user": "YW5uYQ=="}}
    del live["stringData"]
    told = found(fakes(), said, live)
    assert [(each.field, each.message) for each in told] == [
        ("data.password", "somebody changed its value"), ("data.token", "somebody removed it"),
    ]  # fmt: skip
