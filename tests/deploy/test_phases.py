"""What runs once the upgrade is applied: before its pods are waited for, and after; and what is known of it later."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from shipit.config import Request
from shipit.errors import (
    AfterFailed,
    Busy,
    Forbidden,
    HelmFailed,
    Interrupted,
    Unknown,
    Unreachable,
    UpgradeFailed,
)
from shipit.events import RolloutChanged, StepChanged
from shipit.lock import UpgradeRecord, UpgradeState
from shipit.lock.record import lease_ref, record_of
from shipit.model import HelmExit, Hook, Rendered, Revision, SeenRevisions
from tests.deploy.test_rollout import NO_IMAGE, UP, App
from tests.deploy.test_sequence import JOB, again, go, hook, signal_in
from tests.fakes import NAMESPACE, FakeProcess, Fakes, Script, fakes
from tests.releases import a_request, configured

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  template:
    spec:
      containers:
        - name: app
          image: shop:{tag}
"""
POST = ("post-install", "post-upgrade")


def rendered(tag: str, revision: int, *hooks: Hook, job: bool = False) -> Rendered:
    documents = [("app", DEPLOYMENT), *([("migrate", JOB)] if job else [])]
    manifest = "".join(
        f"---\n# Source: shop/templates/{name}.yaml\n{text.format(tag=tag)}" for name, text in documents
    )
    return Rendered(manifest, hooks, revision, install=revision == 1, server_side=True)


@pytest.fixture
def world() -> Fakes:
    """v1 runs; v2 migrates in a post-upgrade hook."""
    found = fakes(rendered("v2", 2, hook("post", POST, "v2")))
    found.helm.revisions = [Revision(1, "deployed")]
    found.helm.manifests[1] = rendered("v1", 1).manifest
    found.cluster.scripts["post"] = Script()
    return found


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return configured(a_request(tmp_path), timeout=60)


@pytest.fixture
def app(world: Fakes) -> App:
    """It is ready; with v2 (helm takes 3 s) its pod is not, until the hook has done its work (3 s more)."""
    made = App(world)
    made.shows({"state": UP})
    world.clock.later(2, lambda: made.shows({"state": UP}, generation=2, ready=False))
    return made


def note(world: Fakes) -> UpgradeRecord:
    found = record_of(world.cluster.get(lease_ref(NAMESPACE, "shop"))).upgrade
    assert found is not None
    return found


def done(world: Fakes) -> list[str]:
    return [each.step for each in world.told.of(StepChanged) if each.state == "done"]


def test_a_post_upgrade_hook_runs_before_the_pods_that_wait_for_it_are_waited_for(
    world: Fakes,
    app: App,
    asked: Request,
) -> None:
    world.clock.later(8, lambda: app.shows({"state": UP}, generation=2))
    assert go(asked, world) == 2
    assert done(world) == ["prepare", "upgrade", "post", "rollout"]
    assert (note(world).state, note(world).seen) == (UpgradeState.SETTLED, SeenRevisions(ready=(1, 2)))


def test_a_step_that_fails_before_the_pods_are_ready_stops_the_deploy_and_nothing_is_rolled_back(
    world: Fakes,
    app: App,
    asked: Request,
) -> None:
    world.cluster.scripts["post"] = Script(outcome="failed", exit_code=1)
    with pytest.raises(AfterFailed) as caught:
        go(configured(asked, rollback_on_failure=True), world)
    assert (
        "the app is upgraded to v2 (revision 2); its rollout was not waited for: Deployment shop 0/1"
        in str(caught.value)
    )
    assert len([each for each in world.told.of(RolloutChanged) if each.name == "shop"]) == 1
    assert [each for each in world.helm.calls if each.startswith("rollback")] == []
    assert note(world).seen == SeenRevisions(ready=(1,), failed=(2,))
    assert not note(world).owed


def test_a_rollout_that_fails_after_the_step_is_a_failed_upgrade(
    world: Fakes, app: App, asked: Request
) -> None:
    world.clock.later(8, lambda: app.shows({"state": NO_IMAGE}, generation=2))
    with pytest.raises(
        UpgradeFailed, match=r"ImagePullBackOff.*the migration is done; revision 2 is deployed, its pods"
    ) as caught:
        go(asked, world)
    assert str(caught.value.hint).startswith("shipit rollback 1")
    assert world.clock.seconds < 20
    assert note(world).seen == SeenRevisions(ready=(1,), failed=(2,))


def test_it_has_the_patience_of_the_release(world: Fakes, app: App, asked: Request) -> None:
    with pytest.raises(
        UpgradeFailed, match="did not become ready within 60 s: pod shop-2: container app isn't ready yet"
    ):
        go(asked, world)
    assert 60 <= world.clock.seconds < 75


@pytest.mark.parametrize(
    ("seen", "back"),
    [
        (SeenRevisions(ready=(1, 2), failed=(3,)), 2),
        (SeenRevisions(ready=(2, 3)), 3),
        (SeenRevisions(failed=(3,)), 2),
        (SeenRevisions(failed=(1, 2, 3)), 0),
    ],
)
def test_it_is_rolled_back_to_the_newest_revision_that_was_seen_ready(
    world: Fakes,
    app: App,
    asked: Request,
    seen: SeenRevisions,
    back: int,
) -> None:
    """Revision 3 is what Helm calls deployed; its pods aren't ready now."""
    app.shows({"state": UP}, ready=False)
    world.helm.revisions = [Revision(1, "superseded"), Revision(2, "superseded"), Revision(3, "deployed")]
    world.helm.manifests[3] = rendered("v1", 3).manifest
    world.helm.rendered = rendered("v2", 4, hook("post", POST, "v2"))
    noted(world, UpgradeRecord("v1", 3, "d", install=False, state=UpgradeState.SETTLED, seen=seen))
    world.clock.later(8, lambda: app.shows({"state": NO_IMAGE}, generation=2))
    with pytest.raises(UpgradeFailed):
        go(configured(asked, rollback_on_failure=True), world)
    assert [each for each in world.helm.calls if "rollback" in each] == ([f"rollback {back}"] if back else [])


def noted(world: Fakes, upgrade: UpgradeRecord) -> None:
    """An earlier deploy has left this on the lock."""
    body = {
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {},
        "metadata": {
            "name": "shipit-shop", "namespace": NAMESPACE,
            "annotations": {"shipit/progress": json.dumps({"version": 3, **asdict(upgrade)})},
        },
    }  # fmt: skip
    world.cluster.create(body)


def test_what_was_never_ready_is_not_gone_back_to_though_helm_calls_it_deployed(
    world: Fakes,
    app: App,
    asked: Request,
) -> None:
    with pytest.raises(UpgradeFailed):
        go(asked, world)
    assert [each.status for each in world.helm.revisions] == ["deployed", "deployed"]
    world.helm.revisions = [Revision(1, "superseded"), Revision(2, "deployed")]
    world.helm.rendered = rendered("v3", 3, hook("post", POST, "v3"))
    with pytest.raises(UpgradeFailed, match="rolled back to revision 1"):
        go(configured(again(asked, world, tag="v3"), rollback_on_failure=True), world)


def test_nothing_is_rolled_back_once_somebody_else_has_moved_the_release(
    world: Fakes,
    app: App,
    asked: Request,
) -> None:
    world.clock.later(30, lambda: world.helm.revisions.append(Revision(3, "deployed")))
    with pytest.raises(Busy, match=r"revision 3 instead of 2; v2 was applied as revision 2") as caught:
        go(configured(asked, rollback_on_failure=True), world)
    assert "shipit deploy --tag v2" in str(caught.value.hint)
    assert world.clock.seconds < 45
    assert [each for each in world.helm.calls if each.startswith("rollback")] == []


def test_a_step_does_not_run_on_what_somebody_else_has_made_since(
    world: Fakes, app: App, asked: Request
) -> None:
    world.helm.rendered = rendered("v2", 2, hook("post", POST, "v2"), hook("second", POST, "v2"))
    world.clock.later(4, lambda: world.helm.revisions.append(Revision(3, "deployed")))
    with pytest.raises(Busy, match="v2 was applied as revision 2, someone else moved"):
        go(asked, world)
    assert not [call for call in world.cluster.wrote() if call.endswith("/second")]


def test_a_step_does_not_run_when_it_is_not_known_whether_somebody_moved_the_release(
    world: Fakes,
    app: App,
    asked: Request,
) -> None:
    calm = world.helm.history

    def silent(*, within: float | None = None) -> tuple[Revision, ...]:
        if ("upgrade", "done") in [(each.step, each.state) for each in world.told.of(StepChanged)]:
            raise HelmFailed("dial tcp: i/o timeout")
        return calm()

    world.helm.history = silent  # type: ignore[method-assign]
    with pytest.raises(Unknown, match="someone else moved the release meanwhile is not known"):
        go(asked, world)
    assert note(world).state is UpgradeState.APPLIED
    assert not [call for call in world.cluster.wrote() if call.startswith("create Job")]


@pytest.mark.parametrize("at", [5, 20])
def test_what_was_interrupted_before_it_was_ready_is_finished_by_the_next_deploy(
    world: Fakes,
    app: App,
    asked: Request,
    at: int,
) -> None:
    """In the hook, or while the pods are waited for: the hook runs once, and then they are waited for."""
    signal_in(world, at, 9)
    with pytest.raises(Interrupted, match=r"upgraded to v2 \(revision 2\); its rollout was not waited for"):
        go(asked, world)
    assert (note(world).state, note(world).seen_ready) == (UpgradeState.APPLIED, False)
    world.helm.revisions = [Revision(1, "superseded"), Revision(2, "deployed")]
    world.helm.rendered = rendered("v2", 3, hook("post", POST, "v2"))
    began = world.clock.seconds
    world.clock.later(30, lambda: app.shows({"state": UP}, generation=2))
    assert go(again(asked, world), world) == 2
    assert world.clock.seconds >= began + 30
    assert world.helm.calls.count("upgrade app") == 1
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job")]) == 1
    assert note(world).seen.ready == (1, 2)


def test_what_was_seen_ready_is_not_waited_for_again(world: Fakes, app: App, asked: Request) -> None:
    waits_first = configured(asked, helm_args=("--wait",))
    world.cluster.scripts["post"] = Script(ends=100)
    world.clock.later(2.5, lambda: app.shows({"state": UP}, generation=2))
    signal_in(world, 30, 9)
    with pytest.raises(Interrupted, match=r"Job post still runs; the app is upgraded to v2 \(revision 2\)$"):
        go(waits_first, world)
    app.shows({"state": UP}, generation=2, ready=False)
    world.helm.revisions = [Revision(1, "superseded"), Revision(2, "deployed")]
    assert go(again(waits_first, world), world) == 2
    assert "rollout" not in done(world)


def test_what_comes_after_waits_for_the_pods_and_a_hanging_rollout_says_so(
    world: Fakes,
    app: App,
    asked: Request,
) -> None:
    world.helm.rendered = rendered("v2", 2, hook("smoke", POST, "v2"))
    world.helm.upgrade_ends = HelmExit(1, ("context deadline exceeded",))
    with pytest.raises(UpgradeFailed) as caught:
        go(configured(asked, helm_args=("--wait",), timeout=20), world)
    assert (
        'smoke would have run once the pods are ready: if they wait for it, phase = "during"'
        in caught.value.hint.why
    )
    assert not [call for call in world.cluster.wrote() if call.startswith("create Job")]


def test_a_first_install_owes_nothing_once_its_hooks_have_run_though_its_pods_never_got_ready(
    world: Fakes,
    asked: Request,
) -> None:
    app = App(world)
    world.helm.revisions = []
    world.helm.rendered = rendered("v1", 1, hook("post", ("post-install",), "v1"))
    world.clock.later(2, lambda: app.shows({"state": UP}, ready=False))
    with pytest.raises(
        UpgradeFailed, match="revision 1 is deployed, its pods are not ready, and was not rolled back"
    ):
        go(configured(again(asked, world, tag="v1"), rollback_on_failure=True), world)
    assert not note(world).first_install_owed
    app.shows({"state": UP})
    world.helm.rendered = rendered("v2", 2, hook("post", ("post-install",), "v2"))
    assert go(asked, world) == 2
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job")]) == 1


def test_a_handover_is_as_ready_as_what_it_repeats(
    world: Fakes,
    app: App,
    asked: Request,
    tmp_path: Path,
) -> None:
    """Bare Helm's revision lists the migration's Job: the handover's is as ready, and lists none."""
    app.shows({"state": UP})
    world.helm.manifests[1] = rendered("v1", 1, job=True).manifest
    world.helm.rendered = rendered("v2", 2, job=True)
    world.cluster.scripts["migrate"] = Script()
    world.clock.due.clear()
    assert go(asked, world) == 3
    assert note(world).seen == SeenRevisions(ready=(1, 2, 3))


def test_what_was_being_rolled_back_is_not_finished_by_the_next_deploy(
    world: Fakes, app: App, asked: Request
) -> None:
    """Helm still calls it deployed, and what runs may be the app of before."""

    def rollback(revision: int, *, timeout: float, wait: bool = True) -> FakeProcess:
        signal_in(world, 5, 9)
        process = world.helm._start(HelmExit(0), lambda: None)
        process.ends_at += 1000
        process.at_a_stop = lambda: None
        return process

    world.helm.rollback = rollback  # type: ignore[method-assign]
    world.clock.later(8, lambda: app.shows({"state": NO_IMAGE}, generation=2))
    with pytest.raises(Interrupted):
        go(configured(asked, rollback_on_failure=True), world)
    assert (note(world).state, note(world).given_up) == (UpgradeState.INTERRUPTED, True)
    world.helm.rendered = rendered("v2", 3, hook("post", POST, "v2"))
    world.clock.later(3, lambda: app.shows({"state": UP}, generation=3))
    assert go(again(asked, world), world) == 3
    assert world.helm.calls.count("upgrade app") == 2


def test_an_api_server_that_says_nothing_of_the_pods_is_no_failure_of_theirs(
    world: Fakes, app: App, asked: Request
) -> None:
    def silent(call: str) -> Unreachable | None:
        return (
            Unreachable("the API server is gone")
            if "Deployment" in call and world.clock.seconds > 6
            else None
        )

    world.cluster.broken = silent
    with pytest.raises(
        Unknown, match="ready is not known: the API server is gone; the app is upgraded to v2"
    ):
        go(configured(asked, rollback_on_failure=True), world)
    assert note(world).owed, "the next deploy looks again"


def test_workloads_that_may_not_be_looked_at_are_not_waited_for(
    world: Fakes, app: App, asked: Request
) -> None:
    world.cluster.broken = lambda call: (
        Forbidden("no", status=403) if call.startswith("get Deployment") and world.clock.seconds > 4 else None
    )
    assert go(asked, world) == 2
    assert world.clock.seconds < 60
    assert world.told.of(StepChanged)[-1].message == "not waited for: Deployment shop"
    assert note(world).seen.ready == (1,), "nobody has seen the new ones"
