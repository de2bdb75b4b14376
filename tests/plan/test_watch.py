"""Another terminal's view of a deploy: its log, its end, and what is said when that can't be known."""

from __future__ import annotations

import pytest

from shipit.errors import Unknown
from shipit.events import LogLine, PastDeploy, StepChanged
from shipit.history import add
from shipit.lock import SEEMS_DEAD, LockRecord, lease_ref
from shipit.lock.record import with_holder, without_holder
from shipit.model import RELEASE_LABEL, RUN_ANNOTATION, TAG_ANNOTATION, Identity
from shipit.plan.watch import Watch
from tests.fakes import NAMESPACE, Fakes, Script, fakes

ANNA = LockRecord("run-1", "v1", Identity("anna", "laptop"))
PAST = PastDeploy(
    "run-1", "deploy", "2026-11-25T12:00:00Z", "anna", "laptop", "v1", "migration_failed", 4, 0, 9.0
)
REF = lease_ref(NAMESPACE, "shop")


@pytest.fixture
def world() -> Fakes:
    """A deploy in its migration."""
    found = fakes()
    bare = {
        "apiVersion": REF.api_version,
        "kind": REF.kind,
        "metadata": {"name": REF.name, "namespace": NAMESPACE},
    }
    found.cluster.create(with_holder(bare, ANNA, found.cluster.now(), acquire=True))
    found.cluster.scripts["migrate"] = Script(
        log=b"2026-11-25T12:00:01.0Z adding a column\n", outcome="failed"
    )
    notes = {RUN_ANNOTATION: "run-1", TAG_ANNOTATION: "v1"}
    meta = {
        "name": "migrate",
        "namespace": NAMESPACE,
        "labels": {RELEASE_LABEL: "shop"},
        "annotations": notes,
    }
    found.cluster.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {}})
    return found


def watching(world: Fakes) -> Watch:
    return Watch("shop", NAMESPACE, world.cluster, world.clock, world.mask, world.told)


def ends(world: Fakes, *, recorded: bool = True) -> None:
    if recorded:
        add(world.cluster, NAMESPACE, "shop", PAST)
    world.cluster._store(REF, without_holder(world.cluster.objects[REF]))


def test_it_shows_the_log_and_ends_as_the_deploy_was_recorded(world: Fakes) -> None:
    world.clock.later(9, lambda: ends(world))
    assert watching(world).to_the_end() == PAST
    assert [each.line for each in world.told.of(LogLine)] == ["adding a column"]
    assert [each.state for each in world.told.of(StepChanged)] == ["started", "failed"]
    assert not [call for call in world.cluster.wrote() if not call.startswith("create ")], "it only looks"


def test_nobody_deploys() -> None:
    assert watching(fakes()).holder.run == ""


def test_a_deploy_that_left_no_record_is_not_guessed_at(world: Fakes) -> None:
    world.clock.later(9, lambda: ends(world, recorded=False))
    with pytest.raises(Unknown, match="how is not recorded"):
        watching(world).to_the_end()


def test_a_deploy_that_died_is_told_so(world: Fakes) -> None:
    with pytest.raises(Unknown, match="seems to have died"):
        watching(world).to_the_end()
    assert SEEMS_DEAD <= world.clock.seconds < SEEMS_DEAD + 10
