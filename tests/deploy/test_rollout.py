"""A rollout is judged by the pods that this helm made, once it has come to them, and not by a lucky moment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shipit.deploy.rollout import Rollout
from shipit.deploy.timing import ROLLOUT_LOOK_WITHIN, STEADY, UNTOUCHED
from shipit.diagnosis import Finding
from shipit.errors import Unreachable
from shipit.model import Json, Plan, Ref, Revision, Situation, Start, Values
from tests.fakes import NAMESPACE, START, Fakes, fakes

APP = Ref("apps/v1", "Deployment", NAMESPACE, "shop")
PLAN = Plan(
    release="shop", namespace=NAMESPACE, run="r", tag="v2", before=(), after=(),
    situation=Situation(Start.FRESH, 2, install=False, first_install_owed=False), revision=2, base_revision=1,
    chart=Path("chart"), values=Values(), digest="d", app=(), workloads=(APP,), timeout=300,
    max_restarts=3, history=(Revision(1, "deployed"),), live_workloads=(APP,), ready_workloads=frozenset({APP}),
)  # fmt: skip
NO_IMAGE = {
    "waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "shop:v1": not found'}
}
MADE = {"waiting": {"reason": "ContainerCreating"}}
LATE = {
    "type": "Progressing",
    "status": "False",
    "reason": "ProgressDeadlineExceeded",
    "message": "timed out",
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

    def shows(self, container: Json, *, generation: int = 1, ready: bool = True) -> None:
        """The pod of this generation of the Deployment: ready when it runs, unless its probe says no."""
        ready = ready and "running" in container.get("state", {})
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

    def changes(self) -> None:
        """Helm changes the Deployment; its controller has not seen that yet."""
        self._world.cluster.objects[APP]["metadata"]["generation"] += 1

    def late(self) -> None:
        """The Deployment has got no further within its progressDeadlineSeconds."""
        self._world.cluster.objects[APP]["status"]["conditions"] = [LATE]


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


def test_old_pods_are_no_verdict_until_their_controller_has_seen_what_helm_changed(
    world: Fakes, app: App
) -> None:
    app.shows(crashed(12))
    app.late()
    rollout = Rollout.of_helm(PLAN, world.world, world.told)
    assert rollout.look() is None
    app.changes()
    assert rollout.look() is None
    assert rollout.closed() is None
    assert rollout.worst() is None


def test_a_progress_deadline_that_was_exceeded_before_helm_came_is_no_verdict(world: Fakes, app: App) -> None:
    app.shows({"state": MADE})
    app.late()
    rollout = Rollout.of_helm(PLAN, world.world, world.told)
    app.shows({"state": MADE}, generation=2)
    app.late()
    assert rollout.look() is None, "its controller takes it back once the new pods get somewhere"
    app.shows({"state": MADE}, generation=2)
    assert rollout.look() is None
    app.late()
    finding = rollout.look()
    assert finding is not None
    assert "ProgressDeadlineExceeded" in finding.reason


def test_a_progress_deadline_that_is_not_taken_back_is_believed_after_a_while(world: Fakes, app: App) -> None:
    app.shows({"state": MADE})
    app.late()
    rollout = Rollout.of_helm(PLAN, world.world, world.told)
    assert rollout.look() is None
    world.clock.sleep(UNTOUCHED)
    assert rollout.look() is not None


def test_the_restarts_of_an_app_before_the_rollout_do_not_count(world: Fakes, app: App) -> None:
    app.shows({"state": UP, "restartCount": 40})
    rollout = Rollout.of_helm(PLAN, world.world, world.told)
    assert rollout.look() is None
    world.clock.sleep(UNTOUCHED + 1)
    app.shows(crashed(41))
    assert rollout.look() is None
    assert "restarted 41 times" in (rollout.worst() or finding_missing()).reason
    app.shows(crashed(43))
    assert rollout.look() is not None


def finding_missing() -> Finding:
    raise AssertionError


def test_a_look_at_an_api_server_that_does_not_answer_is_short(world: Fakes, app: App) -> None:
    many = tuple(APP._replace(name=f"shop-{number}") for number in range(12))

    def silent(call: str) -> Unreachable:
        world.clock.sleep(world.cluster.patience)
        return Unreachable("no answer")

    world.cluster.broken = silent
    rollout = Rollout.of_helm(replace(PLAN, workloads=many), world.world, world.told)
    assert world.clock.monotonic() <= ROLLOUT_LOOK_WITHIN
    world.clock.seconds = 0
    assert rollout.look() is None
    assert world.clock.monotonic() <= ROLLOUT_LOOK_WITHIN


def test_what_was_wrong_stays_known_when_the_api_server_falls_silent(world: Fakes, app: App) -> None:
    rollout = Rollout.of_helm(PLAN, world.world, world.told)
    app.shows({"state": MADE}, generation=2)
    app.late()
    assert rollout.closed() is not None
    world.cluster.broken = lambda call: Unreachable("no answer") if call.startswith("events") else None
    assert rollout.look() is None
    assert rollout.worst() is not None


def test_what_a_look_had_no_time_for_is_looked_at_first_the_next_time(world: Fakes, app: App) -> None:
    app.shows({"state": NO_IMAGE}, generation=2)
    slow = tuple(APP._replace(name=f"slow-{number}") for number in range(3))
    rollout = Rollout(replace(PLAN, workloads=(*slow, APP)), world.world, world.told)

    def dripping(call: str) -> None:
        if "slow" in call:
            world.clock.sleep(ROLLOUT_LOOK_WITHIN / 2)

    world.cluster.broken = dripping
    assert rollout.closed() is None
    assert rollout.look() is not None
