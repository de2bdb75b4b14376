"""How a release is, to who only looks: and to who may hardly look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shipit.errors import Forbidden, HelmFailed, Unreachable
from shipit.events import PastDeploy
from shipit.history import add
from shipit.lock import LockRecord, UpgradeRecord, UpgradeState, lease_ref
from shipit.lock.record import with_holder
from shipit.model import Identity, Revision
from shipit.plan.status import status_of
from tests.fakes import NAMESPACE, Fakes, fakes

DEPLOYMENT = """\
---
# Source: shop/templates/app.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec: {replicas: 2}
"""
PAST = PastDeploy("run-1", "deploy", "2026-11-25T12:00:00Z", "anna", "laptop", "v1", "deployed", 0, 1, 14.2)
NOTED = UpgradeRecord("v1", 1, "digest", install=False, state=UpgradeState.SETTLED)


@pytest.fixture
def world() -> Fakes:
    found = fakes()
    found.helm.revisions = [Revision(1, "deployed", description="shipit deploy of v1")]
    found.helm.manifests[1] = DEPLOYMENT
    found.cluster.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shop", "namespace": NAMESPACE, "generation": 1},
            "spec": {"replicas": 5, "selector": {"matchLabels": {"app": "shop"}}},
            "status": {"replicas": 5, "readyReplicas": 3, "updatedReplicas": 4, "observedGeneration": 1},
        }
    )
    add(found.cluster, NAMESPACE, "shop", PAST)
    return found


def noted(world: Fakes, upgrade: UpgradeRecord, run: str = "") -> None:
    ref = lease_ref(NAMESPACE, "shop")
    bare = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": NAMESPACE},
    }
    record = LockRecord(run, "v1", Identity("anna", "laptop"), upgrade=upgrade)
    world.cluster.create(with_holder(bare, record, world.cluster.now(), acquire=True))


def test_it_says_what_is_live_how_the_rollout_is_and_what_somebody_changed(world: Fakes) -> None:
    noted(world, NOTED)
    seen = status_of("shop", NAMESPACE, world.world)
    assert (seen.revision, seen.helm_status, seen.tag, seen.last_deploy) == (1, "deployed", "v1", PAST)
    (workload,) = seen.rollout
    assert (workload.object, workload.ready, workload.updated, workload.desired) == (
        "Deployment shop",
        2,
        4,
        5,
    )
    assert [each.message for each in seen.by_hand] == ["somebody scaled it to 5, revision 1 says 2"]
    assert (seen.lock, seen.frozen, seen.running, seen.owed, seen.unknown) == ("", "", (), (), ())
    assert not [call for call in world.cluster.wrote() if not call.startswith("create ")], "it only looks"


def test_it_says_what_the_next_deploy_has_to_finish(world: Fakes) -> None:
    noted(world, replace(NOTED, state=UpgradeState.APPLIED, first_install_owed=True))
    owed = status_of("shop", NAMESPACE, world.world).owed
    assert [each.partition(":")[0] for each in owed] == [
        "what comes after the upgrade to v1, revision 1", "what runs after the first install",
    ]  # fmt: skip


def test_a_deploy_that_is_under_way_owes_nothing_yet_and_one_that_died_is_told_so(world: Fakes) -> None:
    noted(world, replace(NOTED, state=UpgradeState.BEGUN), run="run-2")
    seen = status_of("shop", NAMESPACE, world.world)
    assert seen.lock.startswith("anna deploys v1 from laptop")
    assert (seen.owed, "not been heard of" in seen.lock) == ((), False)
    world.clock.sleep(120)
    assert "not been heard of" in status_of("shop", NAMESPACE, world.world).lock


def test_nothing_is_installed() -> None:
    seen = status_of("shop", NAMESPACE, fakes().world)
    assert (seen.revision, seen.helm_status, seen.last_deploy, seen.unknown) == (0, "", None, ())


def test_what_may_not_be_read_is_said_and_the_rest_shown(
    world: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden() -> None:
        raise HelmFailed("secrets is forbidden", reason="forbidden")

    monkeypatch.setattr(world.helm, "history", forbidden)
    world.cluster.broken = lambda call: Forbidden("not allowed") if "Lease" in call else None
    seen = status_of("shop", NAMESPACE, world.world)
    assert seen.unknown == ("Helm's revisions: not allowed to read them", "the lock: not allowed")
    assert seen.last_deploy == PAST


def test_an_api_server_that_is_gone_is_no_status(world: Fakes) -> None:
    world.cluster.broken = lambda call: Unreachable("no answer")
    with pytest.raises(Unreachable):
        status_of("shop", NAMESPACE, world.world)
