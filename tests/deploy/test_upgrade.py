"""An upgrade that fails says why: in the cluster's words where helm waited for the pods, else in helm's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shipit.deploy.release_state import where_it_stands
from shipit.deploy.rollback import roll_back, way_back
from shipit.deploy.rollout_wait import wait_for_rollout
from shipit.deploy.upgrade import upgrade
from shipit.errors import Unreachable, UpgradeFailed
from shipit.events import StepChanged
from shipit.model import HelmExit, Plan, Revision
from shipit.states import AppUntouched, HandoverOnly, NotRolledBack, RollbackFailed, RolledBack
from tests.deploy.test_rollout import NO_IMAGE, PLAN, UP, App, crashed
from tests.fakes import Fakes, fakes

DENIED = 'cannot patch "shop" with kind Ingress: admission webhook "validate" denied the request: host taken'
WEBHOOK_TIMED_OUT = (
    'failed calling webhook "validate": failed to call webhook: Post "https://w": context deadline exceeded'
)
NOT_READY = "resource Deployment/shop/shop not ready. status: InProgress, message: Available: 0/1"
UPGRADE = replace(PLAN, rollback_revision=1)


@pytest.fixture
def world() -> Fakes:
    made = fakes()
    made.helm.revisions = [Revision(1, "deployed")]
    return made


@pytest.fixture
def app(world: Fakes) -> App:
    """It ran; helm makes a pod that isn't ready yet."""
    made = App(world)
    made.shows({"state": UP})
    world.clock.later(0.5, lambda: made.shows({"state": UP}, generation=2, ready=False))
    return made


def failed(world: Fakes, plan: Plan = UPGRADE) -> UpgradeFailed:
    with pytest.raises(UpgradeFailed) as caught:
        upgrade(plan, world.world, world.told, lambda _: None)
    return caught.value


@pytest.mark.parametrize("said", [DENIED, WEBHOOK_TIMED_OUT])
def test_a_refusal_that_helm_met_is_not_hidden_by_a_pod_that_is_not_ready_yet(
    world: Fakes, app: App, said: str
) -> None:
    world.helm.upgrade_ends = HelmExit(1, ("warning: old API", said))
    error = failed(world)
    assert said in error.message
    assert error.details == ("warning: old API",), "what is in the message is not said twice"
    assert [each.message for each in world.told.of(StepChanged) if each.state == "failed"] == [said]


@pytest.mark.parametrize(
    "said",
    [
        ("context deadline exceeded",),
        ("timed out waiting for the condition",),
        ('Get "https://10.0.0.1/apis/apps/v1/namespaces/shop/deployments/shop": context deadline exceeded',),
        ("release shop failed: context deadline exceeded",),
        ("client rate limiter Wait returned an error: context deadline exceeded",),
        (NOT_READY, "context deadline exceeded"),
        (NOT_READY.replace("InProgress", "Failed"),),
    ],
)
def test_a_wait_in_vain_is_explained_by_the_pods_and_helms_words_are_kept(
    world: Fakes, app: App, said: tuple[str, ...]
) -> None:
    world.helm.upgrade_ends = HelmExit(1, said)
    world.cluster.logs["shop-2"] = b"2026-11-25T12:00:01.0Z waiting\n"
    error = failed(world)
    assert "pod shop-2: container app isn't ready yet" in error.message
    assert error.details[-len(said) :] == said


def test_what_helm_left_as_it_was_is_not_why_it_was_refused(world: Fakes) -> None:
    App(world).shows({"state": NO_IMAGE})
    world.helm.upgrade_ends = HelmExit(1, (DENIED,))
    assert DENIED in failed(world).message


def test_a_helm_that_was_stopped_as_it_hung_is_explained_by_the_pods(world: Fakes, app: App) -> None:
    world.helm.upgrade_takes = 10_000
    error = failed(world)
    assert "container app isn't ready yet" in error.message
    assert error.details == ("release shop failed: context canceled",)


def test_a_rollback_that_is_refused_says_so(world: Fakes, app: App) -> None:
    start = world.helm._start
    world.helm._start = lambda ending, then: start(HelmExit(1, (DENIED,)), then)  # type: ignore[method-assign]
    states = roll_back(UPGRADE, 1, world.world, world.told)
    assert states[0] == RollbackFailed(1, DENIED)


@pytest.mark.parametrize("made", [True, False])
def test_only_an_upgrade_that_made_its_revision_is_rolled_back(world: Fakes, app: App, made: bool) -> None:
    world.helm.upgrade_ends = HelmExit(1, (DENIED,))
    if not made:
        world.helm._upgraded = lambda: None  # type: ignore[method-assign]
    error = failed(world, replace(UPGRADE, rollback_on_failure=True))
    assert ("rollback 1" in world.helm.calls) is made
    assert (RolledBack(1) if made else AppUntouched(1)) in error.states


def test_a_fix_of_a_crashing_app_is_not_stopped_over_the_old_pods(world: Fakes) -> None:
    app = App(world)
    app.shows(crashed(12))
    world.helm.upgrade_takes = 10
    world.clock.later(1, app.changes)
    world.clock.later(5, lambda: app.shows({"state": UP}, generation=2))
    upgrade(PLAN, world.world, world.told, lambda _: None)
    assert not world.helm.processes[0].stopped


def test_a_failed_upgrade_ends_soon_after_helm_when_the_api_server_is_silent(world: Fakes, app: App) -> None:
    world.helm.upgrade_ends = HelmExit(1, ("context deadline exceeded",))
    world.helm.upgrade_takes = 60

    def silent(call: str) -> Unreachable | None:
        if world.clock.seconds < 50:
            return None
        world.clock.sleep(world.cluster.patience)
        return Unreachable("no answer")

    world.cluster.broken = silent
    many = tuple(PLAN.workloads[0]._replace(name=f"shop-{number}") for number in range(12))
    failed(world, replace(UPGRADE, workloads=(*PLAN.workloads, *many)))
    assert world.clock.seconds <= 60 + 10


def test_an_app_that_crashed_while_it_waited_for_its_migration_may_yet_become_ready(world: Fakes) -> None:
    app = App(world)
    app.shows(crashed(7))
    app.late()
    world.clock.later(20, lambda: app.shows({"state": UP}))
    wait_for_rollout(PLAN, world.world, world.told, lambda: None)


@pytest.mark.parametrize("status", ["failed", "deployed"])
def test_a_handover_is_nothing_to_go_back_from(world: Fakes, status: str) -> None:
    plan = replace(PLAN, base_revision=1, revision=3, rollback_revision=2, handover=Path("handover"))
    world.helm.revisions.append(Revision(2, status))
    states = where_it_stands(plan, world.world)
    assert states[1:] == (HandoverOnly(2, status),)
    assert not way_back(plan, states)
    world.helm.revisions.append(Revision(3, "failed"))
    states = where_it_stands(plan, world.world)
    assert states[1:] == (NotRolledBack(3, "failed"),)
    assert str(way_back(plan, states)).startswith("shipit rollback 2")
