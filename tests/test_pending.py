"""A release that a dead helm left pending: cleared when nobody can be alive, and left alone otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipit.claim import Progress
from shipit.errors import Busy
from shipit.events import Warned
from shipit.model import Identity, Ref, Revision
from shipit.pending import recover
from shipit.request import Request
from tests.fakes import NAMESPACE, Fakes, fakes

STORED = Ref("v1", "Secret", NAMESPACE, "sh.helm.release.v1.shop.v2")
REQUEST = Request(
    run="run-1",
    release="shop",
    namespace=NAMESPACE,
    tag="v2",
    chart="chart",
    values=(),
    probe=(),
    workdir=Path(),
    identity=Identity("anna", "laptop"),
    timeout=300,
)


@pytest.fixture
def world() -> Fakes:
    """Revision 1 is deployed, revision 2 pending since now."""
    found = fakes()
    found.helm.revisions = [Revision(1, "deployed"), Revision(2, "pending-upgrade")]
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


def gone(world: Fakes) -> bool:
    world.clock.sleep(1)
    return STORED not in world.cluster.objects


def test_the_upgrade_that_the_lock_s_last_holder_had_begun_is_cleared_at_once(world: Fakes) -> None:
    recover(REQUEST, world.world, Progress("v2", 2, "digest", install=False), world.told)
    assert gone(world)
    (told,) = world.told.of(Warned)
    assert "revision 2 was left pending-upgrade" in told.message
    assert "back to revision 1" in told.message


def test_somebody_s_helm_that_may_be_alive_is_left_alone(world: Fakes) -> None:
    world.clock.sleep(299)
    with pytest.raises(Busy, match=r"pending-upgrade \(revision 2\)"):
        recover(REQUEST, world.world, None, world.told)
    assert not gone(world)


def test_one_older_than_helm_s_timeout_is_cleared(world: Fakes) -> None:
    world.clock.sleep(301)
    recover(REQUEST, world.world, None, world.told)
    assert gone(world)


def test_a_progress_of_another_revision_proves_nothing(world: Fakes) -> None:
    with pytest.raises(Busy):
        recover(REQUEST, world.world, Progress("v9", 7, "digest", install=False), world.told)


def test_a_release_that_is_not_pending_is_not_touched(world: Fakes) -> None:
    world.helm.revisions = [Revision(1, "deployed"), Revision(2, "failed")]
    recover(REQUEST, world.world, None, world.told)
    assert not gone(world)


def test_a_release_that_is_not_stored_in_secrets_is_left_to_a_person(world: Fakes) -> None:
    del world.cluster.objects[STORED]
    world.clock.sleep(1000)
    with pytest.raises(Busy, match="was killed"):
        recover(REQUEST, world.world, None, world.told)
