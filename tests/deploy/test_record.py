"""What a deploy leaves in the record: how it ended, whatever came in between; a record that can't be written changes nothing."""

from __future__ import annotations

import pytest

from shipit.config import Request
from shipit.deploy.sequence import deploy
from shipit.errors import ApiError, Busy, Interrupted, MigrationFailed, NotAllowed, Refused, Unreachable
from shipit.events import PastDeploy, Warned
from shipit.history import past_deploys, record_ref
from shipit.lock import holder_of, lease_ref
from shipit.model import Json
from tests.deploy.test_sequence import request_, signal_in, world
from tests.fakes import NAMESPACE, Fakes, Script

__all__ = ["request_", "world"]

RECORD = record_ref(NAMESPACE, "shop")


def recorded(world: Fakes) -> tuple[PastDeploy, ...]:
    return past_deploys(world.cluster, NAMESPACE, "shop")


def announced(world: Fakes) -> list[Json]:
    return [body for ref, body in world.cluster.objects.items() if ref.kind == "Event"]


def test_a_deploy_that_went_well_is_recorded_with_its_migration(world: Fakes, request_: Request) -> None:
    deploy(request_, world.world, world.told)
    (past,) = recorded(world)
    assert (past.id, past.who, past.tag, past.outcome, past.revision) == (
        "run-1",
        "anna",
        "v2",
        "deployed",
        2,
    )
    assert [(each.name, each.outcome) for each in past.migrations] == [("migrate", "succeeded")]
    assert past.migrations[0].duration > 0
    assert past.duration > past.migrations[0].duration
    (event,) = announced(world)
    assert (event["type"], event["reason"]) == ("Normal", "Deployed")
    assert event["message"] == "deploy of v2 by anna: deployed, revision 2"
    assert (
        event["involvedObject"]["uid"]
        == world.cluster.objects[lease_ref(NAMESPACE, "shop")]["metadata"]["uid"]
    )


def test_it_is_recorded_before_the_lock_is_given_back(world: Fakes, request_: Request) -> None:
    held: list[str] = []

    def look(call: str) -> ApiError | None:
        if call == f"create {RECORD}":
            held.append(holder_of(world.cluster.objects[lease_ref(NAMESPACE, "shop")]).run)
        return None

    world.cluster.broken = look
    deploy(request_, world.world, world.told)
    assert held == ["run-1"]


def test_a_failed_migration_is_recorded(world: Fakes, request_: Request) -> None:
    world.cluster.scripts["migrate"] = Script(outcome="failed", exit_code=1)
    with pytest.raises(MigrationFailed):
        deploy(request_, world.world, world.told)
    (past,) = recorded(world)
    assert (past.outcome, past.exit_code, past.revision) == ("migration_failed", 4, 0)
    assert [each.outcome for each in past.migrations] == ["failed"]
    assert [(each["type"], each["reason"]) for each in announced(world)] == [("Warning", "MigrationFailed")]


def test_an_interrupted_deploy_is_recorded(world: Fakes, request_: Request) -> None:
    world.cluster.scripts["migrate"] = Script(ends=600)
    signal_in(world, 5, 15)
    with pytest.raises(Interrupted):
        deploy(request_, world.world, world.told)
    assert [(each.outcome, each.exit_code) for each in recorded(world)] == [("interrupted", 143)]


def test_what_was_refused_before_anything_changed_leaves_no_record(world: Fakes, request_: Request) -> None:
    world.cluster.forbidden = {"create jobs"}
    with pytest.raises(Refused):
        deploy(request_, world.world, world.told)
    assert recorded(world) == ()
    assert announced(world) == []


def test_a_record_that_cannot_be_written_is_a_warning_and_not_the_outcome(
    world: Fakes, request_: Request
) -> None:
    world.cluster.broken = lambda call: Unreachable("no answer") if call == f"create {RECORD}" else None
    assert deploy(request_, world.world, world.told).revision == 2
    assert ["could not be recorded: no answer" in each.message for each in world.told.of(Warned)] == [True]


def test_who_may_not_record_is_told_so_beforehand_and_once(world: Fakes, request_: Request) -> None:
    world.cluster.forbidden = {"create configmaps"}
    world.cluster.broken = lambda call: (
        NotAllowed("no", status=403) if call.startswith((f"create {RECORD}", "create Event")) else None
    )
    assert deploy(request_, world.world, world.told).revision == 2
    (warning,) = world.told.of(Warned)
    assert "missing in shipit history: not allowed to create configmaps" in warning.message


def test_who_has_lost_the_lock_writes_nothing_more(world: Fakes, request_: Request) -> None:
    world.cluster.scripts["migrate"] = Script(ends=60)
    ref = lease_ref(NAMESPACE, "shop")

    def stolen() -> None:
        body = world.cluster.objects[ref]
        world.cluster._store(ref, {**body, "spec": {**body["spec"], "holderIdentity": "run-9"}})

    world.clock.later(20, stolen)
    with pytest.raises(Busy):
        deploy(request_, world.world, world.told)
    assert recorded(world) == ()
    assert announced(world) == []


def test_what_the_command_of_on_start_refuses_leaves_no_record(world: Fakes, request_: Request) -> None:
    def refuse() -> None:
        raise Refused("not today")

    with pytest.raises(Refused):
        deploy(request_, world.world, world.told, begins=refuse)
    assert recorded(world) == ()
