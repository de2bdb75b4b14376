"""A rollout is judged by the pods that this helm made, once it has come to them, and not by a lucky moment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shipit.deploy.rollout import Rollout
from shipit.deploy.timing import FORBIDDEN_FOR, ROLLOUT_LOOK_WITHIN, STEADY, UNTOUCHED
from shipit.diagnosis import Finding
from shipit.errors import Forbidden, Unreachable
from shipit.events import RolloutChanged
from shipit.model import (
    HelmVersion,
    Json,
    KubeEvent,
    Plan,
    Ref,
    Resource,
    Revision,
    Situation,
    Start,
    Values,
)
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


INSTALL = replace(
    PLAN, situation=Situation(Start.FRESH, 1, install=True, first_install_owed=True), live_workloads=()
)


@pytest.mark.parametrize(
    ("plan", "given_up"),
    [
        (PLAN, True),
        (replace(PLAN, max_restarts=6), False),
        (replace(PLAN, max_restarts=0), False),
        (replace(PLAN, ready_workloads=frozenset()), False),
        (INSTALL, False),
    ],
)
def test_only_an_app_that_ran_before_is_given_up_for_its_crashes(
    world: Fakes, app: App, plan: Plan, given_up: bool
) -> None:
    app.shows({"state": UP})
    rollout = Rollout.of_helm(plan, world.world, world.told)
    for restarts in range(1, 6):
        app.shows(crashed(restarts), generation=2)
        found = rollout.look()
        assert (found is not None) == (given_up and restarts >= 3)
    assert f"restarted {restarts} times" in world.told.of(RolloutChanged)[-1].reason, "but it is told"


def test_what_is_new_may_exceed_its_progress_deadline(world: Fakes, app: App) -> None:
    """It waits for what the chart brings with it; only the timeout ends that."""
    rollout = Rollout.of_helm(INSTALL, world.world, world.told)
    app.shows({"state": MADE})
    app.late()
    assert rollout.closed() is None
    world.clock.sleep(UNTOUCHED + 1)
    assert rollout.look() is None


def test_what_happened_before_the_last_step_had_run_is_no_verdict(world: Fakes, app: App) -> None:
    app.shows(crashed(12), generation=2)
    app.late()
    rollout = Rollout.of_ours(PLAN, world.world, world.told)
    world.clock.sleep(UNTOUCHED + 1)
    app.shows(crashed(14), generation=2)
    app.late()
    assert rollout.look() is None
    app.shows(crashed(15), generation=2)
    assert rollout.look() is not None


CLAIM = Ref("v1", "PersistentVolumeClaim", NAMESPACE, "shop-store")
DOOR = Ref("v1", "Service", NAMESPACE, "shop-door")
BALANCED: Json = {"spec": {"type": "LoadBalancer"}}


def waiting_for(*refs: Ref, **changes: Any) -> Plan:
    bodies: dict[str, Json] = {"Service": BALANCED}
    resources = tuple(Resource(ref, bodies.get(ref.kind, {}), "t") for ref in refs)
    return replace(PLAN, app=resources, **changes)


def put(world: Fakes, ref: Ref, **body: Any) -> None:
    meta = {"name": ref.name, "namespace": ref.namespace, "uid": ref.name}
    world.cluster.objects[ref] = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": meta, **body}


@pytest.mark.parametrize("major", [3, 4])
def test_a_claim_that_nothing_binds_is_what_helm_waits_for(world: Fakes, app: App, major: int) -> None:
    world.helm.version = HelmVersion(major, 13, 0)
    app.shows({"state": UP})
    rollout = Rollout.of_helm(waiting_for(CLAIM), world.world, world.told)
    assert rollout.look() is None
    put(world, CLAIM, status={"phase": "Pending"})  # by now helm has made it
    world.cluster.kube_events[CLAIM.name] = (KubeEvent("ProvisioningFailed", 'storageclass "x" not found'),)
    assert rollout.look() is None
    found = rollout.worst()
    assert found is not None
    assert found.reason == 'PersistentVolumeClaim shop-store is not bound: storageclass "x" not found'
    assert [each.reason for each in world.told.of(RolloutChanged) if each.name == "shop-store"] == [
        found.reason
    ]
    put(world, CLAIM, status={"phase": "Bound"})
    assert rollout.look() is None
    assert rollout.worst() is None
    assert world.told.of(RolloutChanged)[-1] == RolloutChanged(CLAIM.kind, CLAIM.name, 1, 1)


def test_a_services_address_is_waited_for_by_helm_3_and_by_shipit(world: Fakes, app: App) -> None:
    app.shows({"state": UP})
    put(world, DOOR, **BALANCED)
    plan = waiting_for(DOOR)
    four = Rollout.of_helm(plan, world.world, world.told)
    assert (four.look(), four.worst()) == (None, None)
    ours = Rollout.of_ours(plan, world.world, world.told)
    world.helm.version = HelmVersion(3, 19, 0)
    three = Rollout.of_helm(plan, world.world, world.told)
    for rollout in (ours, three):
        rollout.look()
        assert "Service shop-door has no external address" in (rollout.worst() or finding_missing()).reason
        assert not rollout.done()
    put(world, DOOR, **BALANCED, status={"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}})
    ours.look()
    assert ours.done()


def test_a_claim_that_no_pod_uses_yet_is_bound_later_and_shipit_does_not_wait_for_it(
    world: Fakes, app: App
) -> None:
    app.shows({"state": UP})
    put(world, CLAIM, status={"phase": "Pending"})
    world.cluster.kube_events[CLAIM.name] = (KubeEvent("WaitForFirstConsumer", "waiting for first consumer"),)
    ours = Rollout.of_ours(waiting_for(CLAIM), world.world, world.told)
    ours.look()
    assert ours.done()
    helms = Rollout.of_helm(waiting_for(CLAIM), world.world, world.told)
    helms.look()
    assert helms.worst() is not None, "Helm does wait for it"


def test_the_apps_jobs_are_waited_for_where_that_is_asked_for(world: Fakes, app: App) -> None:
    app.shows({"state": UP})
    job = Ref("batch/v1", "Job", NAMESPACE, "seed")
    put(world, job)
    unasked = Rollout.of_ours(waiting_for(job), world.world, world.told)
    assert (unasked.look(), unasked.done()) == (None, True)
    asked = Rollout.of_ours(waiting_for(job, wait_for_jobs=True), world.world, world.told)
    assert (asked.look(), asked.done()) == (None, False)
    put(
        world,
        job,
        status={"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]},
    )
    assert (asked.look() or finding_missing()).reason == "Job seed failed: BackoffLimitExceeded"


def test_what_may_not_be_looked_at_or_is_of_an_unknown_kind_is_named_and_not_waited_for(
    world: Fakes, app: App
) -> None:
    app.shows({"state": UP})
    put(world, CLAIM, status={"phase": "Pending"})
    mine = Ref("cert-manager.io/v1", "Certificate", NAMESPACE, "shop-tls")
    world.cluster.broken = lambda call: Forbidden("no", status=403) if "Claim" in call else None
    rollout = Rollout.of_ours(waiting_for(CLAIM, mine), world.world, world.told)
    rollout.look()
    assert not rollout.done(), "an API server that has just started may not know its Roles yet"
    world.clock.sleep(FORBIDDEN_FOR)
    rollout.look()
    assert rollout.done()
    assert rollout.unjudged == (mine, CLAIM)


@pytest.mark.parametrize(("major", "done"), [(3, True), (4, False)])
def test_helm_3_does_without_the_pods_that_an_update_may_lack(
    world: Fakes, app: App, major: int, done: bool
) -> None:
    world.helm.version = HelmVersion(major, 19, 0)
    app.shows({"state": UP})
    body = world.cluster.objects[APP]
    body["spec"]["replicas"] = 4
    body["status"] |= {"replicas": 4, "updatedReplicas": 4, "readyReplicas": 3, "availableReplicas": 3}
    rollout = Rollout.of_ours(PLAN, world.world, world.told)
    rollout.look()
    assert rollout.done() is done
    body["status"] |= {"readyReplicas": 2, "availableReplicas": 2}
    rollout.look()
    assert not rollout.done()


def test_a_paused_deployment_is_not_waited_for_and_told_where_helm_does(world: Fakes, app: App) -> None:
    app.shows({"state": UP})
    world.cluster.objects[APP]["spec"]["paused"] = True
    world.cluster.objects[APP]["status"]["updatedReplicas"] = 0
    ours = Rollout.of_ours(PLAN, world.world, world.told)
    assert (ours.look(), ours.done()) == (None, True)
    helms = Rollout.of_helm(PLAN, world.world, world.told)
    helms.closed()
    assert (helms.worst() or finding_missing()).reason == "Deployment shop is paused"
