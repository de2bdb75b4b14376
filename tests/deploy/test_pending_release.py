"""A release that a dead helm left pending: cleared when nobody can be alive, and left alone otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from shipit.chart.manifest import digest, split
from shipit.config import ReleaseSpec, Request
from shipit.deploy.pending_release import as_recovered, recover_pending_release
from shipit.errors import Busy
from shipit.events import Warned
from shipit.lock.record import UpgradeRecord, UpgradeState, lease_ref
from shipit.model import Identity, Json, Ref, Revision, Values
from tests.fakes import NAMESPACE, Fakes, Script, fakes
from tests.releases import job

MANIFEST = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: shop
"""
STORED = Ref("v1", "Secret", NAMESPACE, "sh.helm.release.v1.shop.v2")
REQUEST = Request(
    run="run-1",
    namespace=NAMESPACE,
    tag="v2",
    spec=ReleaseSpec(name="shop", chart="chart", timeout=300),
    values=Values(),
    workdir=Path(),
    identity=Identity("anna", "laptop"),
)


@pytest.fixture
def world() -> Fakes:
    """Revision 1 is deployed, revision 2 pending since now."""
    found = fakes()
    found.helm.revisions = [Revision(1, "deployed"), Revision(2, "pending-upgrade")]
    found.helm.manifests[2] = MANIFEST
    found.cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": STORED.name,
                "namespace": NAMESPACE,
                "labels": {"owner": "helm", "name": "shop", "version": "2"},
            },
        }
    )
    return found


def test_a_revision_that_a_config_map_holds_is_cleared_there(world: Fakes) -> None:
    """Never a Secret of the same labels, which another helm's driver has left."""
    world.helm.storage = "ConfigMap"
    secret = world.cluster.objects[STORED]
    world.cluster.create({**secret, "kind": "ConfigMap", "metadata": {**secret["metadata"], "uid": ""}})
    recover_pending_release(REQUEST, world.world, owed(), world.told, dead=True)
    assert not gone(world)
    assert STORED._replace(kind="ConfigMap") not in world.cluster.objects


def owed(*, revision: int = 2, handover: bool = False) -> UpgradeRecord:
    """What the deploy had begun that made the revision."""
    made = digest(split(MANIFEST, NAMESPACE))
    return UpgradeRecord("v2", revision, made, install=False, handover=handover)


def gone(world: Fakes) -> bool:
    world.clock.sleep(1)
    return STORED not in world.cluster.objects


def test_the_upgrade_that_the_lock_s_last_holder_had_begun_is_cleared_at_once(world: Fakes) -> None:
    recover_pending_release(REQUEST, world.world, owed(), world.told, dead=True)
    assert gone(world)
    (told,) = world.told.of(Warned)
    assert "removed revision 2" in told.message
    assert "left pending-upgrade" in told.message
    assert "back at revision 1" in told.message


@pytest.mark.parametrize(
    ("status", "revision", "handover", "cleared"),
    [
        ("pending-upgrade", 3, True, True),
        ("pending-upgrade", 3, False, False),
        ("pending-rollback", 1, False, True),
        ("pending-upgrade", 1, False, False),
        ("pending-upgrade", 7, True, False),
    ],
)
def test_so_is_its_handover_and_its_rollback_and_no_other_revision(
    world: Fakes, status: str, revision: int, handover: bool, cleared: bool
) -> None:
    world.helm.revisions[-1] = Revision(2, status)
    noted = owed(revision=revision, handover=handover)
    if cleared:
        recover_pending_release(REQUEST, world.world, noted, world.told, dead=True)
    else:
        with pytest.raises(Busy):
            recover_pending_release(REQUEST, world.world, noted, world.told, dead=True)
    assert gone(world) == cleared


def test_a_revision_that_holds_something_else_was_made_by_somebody_else(world: Fakes) -> None:
    noted = owed()
    world.helm.manifests[2] = MANIFEST.replace("shop", "another")
    with pytest.raises(Busy):
        recover_pending_release(REQUEST, world.world, noted, world.told, dead=True)
    assert not gone(world)


@pytest.mark.parametrize(("ours", "patience"), [(True, 300), (False, 900)])
def test_a_helm_that_may_be_alive_is_left_alone_until_its_time_is_up(
    world: Fakes, ours: bool, patience: int
) -> None:
    noted = owed() if ours else None
    world.clock.sleep(patience - 1)
    with pytest.raises(Busy, match=r"pending-upgrade \(revision 2\)"):
        recover_pending_release(REQUEST, world.world, noted, world.told, dead=False)
    assert not gone(world)
    world.clock.sleep(2)
    recover_pending_release(REQUEST, world.world, noted, world.told, dead=False)
    assert gone(world)


def test_a_helm_whose_hook_runs_is_alive_however_old_its_revision_is(world: Fakes) -> None:
    world.helm.hooked = json.dumps(job("migrate"))
    world.cluster.scripts["migrate"] = Script(ends=7200)
    world.cluster.create({**job("migrate"), "metadata": {"name": "migrate", "namespace": NAMESPACE}})
    world.clock.sleep(3600)
    with pytest.raises(Busy, match="its hook Job migrate is running"):
        recover_pending_release(REQUEST, world.world, None, world.told, dead=False)
    assert not gone(world)


def test_one_that_ends_at_that_moment_is_not_removed(world: Fakes) -> None:
    stored = world.cluster.objects[STORED]
    find = world.cluster.find

    def found_then_changed(*asked: str) -> tuple[Json, ...]:
        seen = find(*asked)
        world.cluster.patch(
            STORED, {"metadata": {"labels": {"status": "deployed"}}}, uid=stored["metadata"]["uid"]
        )
        return seen

    world.cluster.find = found_then_changed  # type: ignore[assignment,method-assign]
    with pytest.raises(Busy, match="someone else is changing the release"):
        recover_pending_release(REQUEST, world.world, owed(), world.told, dead=True)
    assert not gone(world)


def test_a_release_that_is_not_pending_is_not_touched(world: Fakes) -> None:
    world.helm.revisions = [Revision(1, "deployed"), Revision(2, "failed")]
    recover_pending_release(REQUEST, world.world, None, world.told, dead=False)
    assert not gone(world)


def test_a_release_that_is_not_stored_in_secrets_is_left_to_a_person(world: Fakes) -> None:
    del world.cluster.objects[STORED]
    world.clock.sleep(1000)
    with pytest.raises(Busy, match="was killed"):
        recover_pending_release(REQUEST, world.world, None, world.told, dead=False)


def leave_the_lock(world: Fakes) -> None:
    """Somebody holds it who renews it no more."""
    world.cluster.create(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": lease_ref(NAMESPACE, "shop").name, "namespace": NAMESPACE},
            "spec": {"holderIdentity": "run-0", "leaseDurationSeconds": 15},
        }
    )


def test_a_plan_sees_the_release_as_a_deploy_would_leave_it_and_changes_nothing(world: Fakes) -> None:
    leave_the_lock(world)
    began = world.clock.seconds
    seen = as_recovered(REQUEST, world.world, owed(), world.told)
    assert world.clock.seconds - began >= 15, "until the holder of the lock is certainly dead"
    assert [each.number for each in seen.helm.history()] == [1]
    assert [each.number for each in world.helm.history()] == [1, 2]
    assert not gone(world)
    (told,) = world.told.of(Warned)
    assert told.message == (
        "a helm that died has left revision 2 pending-upgrade: a deploy removes that revision first, and this plan is "
        "made as if it were gone"
    )


def test_a_plan_needs_no_wait_where_the_holder_of_the_lock_saw_its_helm_end(world: Fakes) -> None:
    noted = replace(owed(), state=UpgradeState.INTERRUPTED)
    assert len(as_recovered(REQUEST, world.world, noted, world.told).helm.history()) == 1
    with pytest.raises(Busy, match="helm is working on it, or was killed"):
        as_recovered(REQUEST, world.world, owed(), world.told)


def test_a_plan_refuses_while_the_lock_is_renewed(world: Fakes) -> None:
    leave_the_lock(world)
    get, ref = world.cluster.get, lease_ref(NAMESPACE, "shop")

    def renewed(asked: Ref) -> Json | None:
        if asked == ref:
            body = world.cluster.objects[ref]
            world.cluster.patch(ref, {"spec": {"x": str(world.clock.seconds)}}, uid=body["metadata"]["uid"])
        return get(asked)

    world.cluster.get = renewed  # type: ignore[assignment,method-assign]
    with pytest.raises(Busy, match="another deploy holds the lock"):
        as_recovered(REQUEST, world.world, owed(), world.told)


def test_a_release_that_is_not_pending_is_seen_as_it_is(world: Fakes) -> None:
    world.helm.revisions = [Revision(1, "deployed"), Revision(2, "failed")]
    assert as_recovered(REQUEST, world.world, None, world.told).helm is world.helm
