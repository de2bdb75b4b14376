"""A rollout is judged by the pods that this helm made, once it has come to them, and not by a lucky moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipit.model import Json, Plan, Ref
from shipit.rollout import STEADY, UNTOUCHED, Rollout
from tests.fakes import NAMESPACE, START, Fakes, fakes

APP = Ref("apps/v1", "Deployment", NAMESPACE, "shop")
PLAN = Plan(
    release="shop", namespace=NAMESPACE, run="r", tag="v2", revision=2, live=1, install=False, before=(), after=(),
    chart=Path("chart"), values=(), digest="d", app=(), workloads=(APP,), timeout=300,
)  # fmt: skip
NO_IMAGE = {
    "waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "shop:v1": not found'}
}
UP = {"running": {"startedAt": START.isoformat()}}


def crashed(restarts: int) -> Json:
    end = {"exitCode": 3, "reason": "Error", "startedAt": START.isoformat(), "containerID": "containerd://x"}
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off"}
    return {"state": {"waiting": waiting}, "lastState": {"terminated": end}, "restartCount": restarts}


class App:
    """A Deployment of one pod in the fake cluster."""

    def __init__(self, world: Fakes) -> None:
        self._world = world

    def shows(self, container: Json, *, generation: int = 1) -> None:
        """The pod of this generation of the Deployment."""
        ready = "running" in container.get("state", {})
        labels = {"app": "shop"}
        status = {"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1}
        status |= {"readyReplicas": int(ready), "availableReplicas": int(ready)}
        self._world.cluster.objects[APP] = {
            "apiVersion": "apps/v1", "kind": "Deployment", "status": status,
            "metadata": {"name": "shop", "namespace": NAMESPACE, "uid": "d", "generation": generation},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}},
        }  # fmt: skip
        name = f"shop-{generation}"
        self._world.cluster.objects = {
            ref: body for ref, body in self._world.cluster.objects.items() if ref.kind != "Pod"
        }
        self._world.cluster.objects[Ref("v1", "Pod", NAMESPACE, name)] = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": NAMESPACE, "uid": name, "labels": labels, "creationTimestamp": START.isoformat()},
            "spec": {"containers": [{"name": "app", "image": "shop:v1"}]},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": str(ready)}],
                "containerStatuses": [{"name": "app", "image": "shop:v1", "ready": ready, "restartCount": 0, **container}],
            },
        }  # fmt: skip


@pytest.fixture
def world() -> Fakes:
    return fakes()


@pytest.fixture
def app(world: Fakes) -> App:
    return App(world)


def test_what_an_earlier_revision_left_broken_is_no_verdict_on_this_one(world: Fakes, app: App) -> None:
    app.shows({"state": NO_IMAGE})
    rollout = Rollout.of_helm(PLAN, world.world, world.told)
    assert rollout.look() is None
    app.shows({"state": NO_IMAGE}, generation=2)
    finding = rollout.look()
    assert finding is not None
    assert finding.kind == "fatal"
    assert "pod shop-2" in finding.reason


def test_what_helm_leaves_as_it_was_is_judged_after_a_while_or_once_helm_has_ended(
    world: Fakes, app: App
) -> None:
    app.shows({"state": NO_IMAGE})
    rollout, other = (Rollout.of_helm(PLAN, world.world, world.told) for _ in range(2))
    assert rollout.look() is None
    assert other.look() is None
    assert other.closed() is not None
    world.clock.sleep(UNTOUCHED)
    assert rollout.look() is not None


def test_an_app_that_is_ready_for_a_moment_between_two_crashes_is_not_believed(
    world: Fakes, app: App
) -> None:
    rollout = Rollout.of_helm(PLAN, world.world, world.told)
    app.shows(crashed(1))
    assert rollout.look() is None
    app.shows({"state": UP})
    world.clock.later(STEADY / 2, lambda: app.shows(crashed(3)))
    finding = rollout.settle()
    assert finding is not None
    assert "restarted 3 times" in finding.reason


def test_an_app_that_has_got_over_its_crash_is_believed_after_a_while(world: Fakes, app: App) -> None:
    rollout = Rollout.of_helm(PLAN, world.world, world.told)
    app.shows(crashed(1))
    assert rollout.look() is None
    app.shows({"state": UP})
    assert rollout.settle() is None
    assert STEADY <= world.clock.monotonic() < STEADY + 2


def test_an_app_that_never_crashed_costs_no_time(world: Fakes, app: App) -> None:
    rollout = Rollout.of_helm(PLAN, world.world, world.told)
    app.shows({"state": UP})
    assert rollout.settle() is None
    assert world.clock.monotonic() == 0
