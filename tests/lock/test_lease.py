"""The lock of a release: taken, kept, lost, taken over, given back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from shipit.errors import Busy, Forbidden, Refused, ShipitError, Stopped, Unknown, Unreachable, Usage
from shipit.events import StepChanged, Warned
from shipit.lock import lease as holding
from shipit.lock import take as lock
from shipit.lock.fencing import fenced
from shipit.lock.lease import Lease
from shipit.lock.record import (
    HELM_ENDS,
    LEASE_DURATION,
    LockRecord,
    UpgradeRecord,
    UpgradeState,
    holder_of,
    lease_ref,
    record_of,
)
from shipit.model import Identity, Json, Ref, SeenRevisions, slow_digest
from tests.fakes import NAMESPACE, Fakes, fakes

REF = lease_ref(NAMESPACE, "shop")
ANNA = LockRecord("run-a", "v41", Identity("anna", "laptop", "hotfix"))
BERT = LockRecord("run-b", "v42", Identity("bert", "runner"))


def take(world: Fakes, record: LockRecord, wait: float = 0.0) -> Lease:
    return lock.take(world.world, REF, record, world.told, wait=wait)


def renewing(world: Fakes, lease: Lease, until: float) -> None:
    """Renew as the thread of a living holder would."""

    def renew() -> None:
        lease._renew()
        if world.clock.seconds < until:
            world.clock.later(holding.RENEWAL, renew)

    world.clock.later(holding.RENEWAL, renew)


def test_the_lock_says_who_from_where_which_tag_and_since_when() -> None:
    world = fakes()
    take(world, ANNA)
    holder = record_of(world.cluster.get(REF))
    assert str(holder).startswith("anna deploys v41 from laptop since 2026-11-25 12:00:00 UTC")
    assert str(holder).endswith("(hotfix)")


def test_the_lease_carries_the_release_s_label_one_of_an_older_shipit_from_its_next_holder_on() -> None:
    world = fakes()
    take(world, ANNA).end()
    assert world.cluster.objects[REF]["metadata"].pop("labels") == {"shipit/release": "shop"}
    take(world, BERT)
    assert world.cluster.objects[REF]["metadata"]["labels"] == {"shipit/release": "shop"}


def test_a_living_holder_is_recognised_by_its_renewals_and_left_alone() -> None:
    world = fakes()
    renewing(world, take(world, ANNA), until=100)
    with pytest.raises(Busy, match=r"anna deploys v41 from laptop"):
        take(world, BERT)
    assert world.clock.seconds <= 2 * holding.RENEWAL + 2 * lock.POLL


def test_a_renewal_that_was_under_way_when_its_holder_died_does_not_make_it_alive() -> None:
    world = fakes()
    held = take(world, ANNA)
    world.clock.later(2, lambda: held.note(None))
    take(world, BERT)
    assert 2 + LEASE_DURATION <= world.clock.seconds < 2 + LEASE_DURATION + 2


def test_a_dead_holder_is_taken_over_without_a_person_whatever_its_clock_said() -> None:
    world = fakes()
    take(world, ANNA)
    body = world.cluster.objects[REF]
    body["spec"]["renewTime"] = "2099-01-01T00:00:00.000000Z"
    lease = take(world, BERT)
    lease.prove()
    assert LEASE_DURATION <= world.clock.seconds < LEASE_DURATION + 2
    assert "anna" in world.told.of(Warned)[0].message


def test_waiting_for_the_lock_names_the_holder_at_once_and_takes_it_when_it_is_given_back() -> None:
    world = fakes()
    held = take(world, ANNA)
    renewing(world, held, until=57)
    world.clock.later(60, held.end)
    take(world, BERT, wait=600)
    told = world.told.of(StepChanged)
    assert [event.message.partition("; ")[2] for event in told] == [
        "checking that it is alive",
        "waiting for it to end",
    ]
    assert all("anna deploys" in event.message for event in told)
    assert told[1].timeout is not None
    assert 590 < told[1].timeout < 600
    assert world.clock.seconds == pytest.approx(60, abs=2)


def test_waiting_for_the_lock_ends() -> None:
    world = fakes()
    renewing(world, take(world, ANNA), until=200)
    with pytest.raises(Busy):
        take(world, BERT, wait=30)
    assert 30 <= world.clock.seconds < 35


def test_a_holder_that_slept_past_its_lease_stops_before_its_next_change() -> None:
    world = fakes()
    held = take(world, ANNA)
    take(world, BERT)
    as_anna = fenced(world.world, held)
    with pytest.raises(Busy, match="lost: bert"):
        as_anna.cluster.create(
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "m", "namespace": "shop"}}
        )
    with pytest.raises(Busy):
        as_anna.helm.rollback(1, timeout=10)
    assert Ref("batch/v1", "Job", "shop", "m") not in world.cluster.objects


def test_a_holder_that_slept_and_lost_nothing_goes_on() -> None:
    world = fakes()
    held = take(world, ANNA)
    world.clock.sleep(3600)
    held.prove()


def test_a_lock_that_cannot_be_proven_stops_the_next_change() -> None:
    world = fakes()
    held = take(world, ANNA)
    world.clock.sleep(holding.PROVEN_FOR + 1)
    world.cluster.broken = lambda call: Unreachable("no answer") if call.startswith("replace") else None
    with pytest.raises(Unknown, match="could not be renewed"):
        held.prove()


def test_renewals_go_on_after_one_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "RENEWAL", 0.0)
    world = fakes()
    held = take(world, ANNA)
    waited: list[float] = []

    def silent_once(call: str) -> Unreachable | None:
        waited.append(world.cluster.patience)
        return Unreachable("no answer") if len(waited) == 1 else None

    world.cluster.broken = silent_once
    held.at_renewal(held._ended.set)
    held.keep()
    assert waited == [holding.RENEWED_WITHIN, holding.RENEWED_WITHIN]


def test_renewals_go_on_after_one_that_failed_in_an_unheard_of_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "RENEWAL", 0.0)
    world = fakes()
    held = take(world, ANNA)
    errors: list[ShipitError] = [Refused("the kubeconfig can't be used"), Usage("no context here")]

    def odd(_: str) -> None:
        if errors:
            raise errors.pop()

    world.cluster.broken = odd
    held.at_renewal(held._ended.set)
    held.keep()
    assert errors == []


def test_a_renewal_whose_answer_was_lost_is_no_loss_of_the_lock() -> None:
    world = fakes()
    held = take(world, ANNA)
    body = world.cluster.objects[REF]
    body["metadata"]["resourceVersion"] = "999"
    world.clock.sleep(holding.PROVEN_FOR + 1)
    held.prove()


def test_a_broken_lock_is_noticed_and_breaking_it_is_compare_and_swap() -> None:
    world = fakes()
    held = take(world, ANNA)
    lock.unlock(world.cluster, REF, ANNA)
    assert not record_of(world.cluster.get(REF)).run
    world.clock.sleep(holding.PROVEN_FOR + 1)
    with pytest.raises(Busy, match="broken"):
        held.prove()
    take(world, BERT)
    with pytest.raises(Busy, match="changed hands"):
        lock.unlock(world.cluster, REF, ANNA)


def test_what_a_dead_deploy_owes_is_handed_on_until_somebody_clears_it() -> None:
    world = fakes()
    owed = UpgradeRecord("v41", 5, "digest", install=False)
    take(world, ANNA).note(owed)
    second = take(world, BERT)
    assert second.found == owed
    second._renew()
    second.end()
    third = take(world, ANNA)
    assert third.found == owed
    third.note(None)
    third.end()
    assert take(world, BERT).found is None


def test_the_lock_is_given_back_on_every_way_out() -> None:
    world = fakes()
    with pytest.raises(RuntimeError), lock.held(world.world, REF, ANNA, world.told):
        raise RuntimeError
    assert not record_of(world.cluster.get(REF)).run


def test_one_that_is_left_in_a_hurry_is_kept_for_its_helm_may_still_end() -> None:
    world = fakes()
    with pytest.raises(Stopped), lock.held(world.world, REF, ANNA, world.told):
        raise Stopped(15, again=True)
    assert record_of(world.cluster.get(REF)).run == ANNA.run
    assert take(world, BERT).taken_over


def test_of_two_that_take_a_free_lock_one_gets_it() -> None:
    world = fakes()
    stale = lock._read(world.cluster, REF)
    assert lock._try_take(world.world, stale, ANNA, record_of(stale)) is not None
    assert lock._try_take(world.world, stale, BERT, record_of(stale)) is None


def test_a_namespace_that_is_not_there_is_a_refusal() -> None:
    world = fakes()
    from shipit.errors import NotFound

    world.cluster.broken = lambda call: (
        NotFound("no namespace", status=404) if call.startswith("create") else None
    )
    with pytest.raises(Refused, match="namespace shop does not exist"):
        take(world, ANNA)


def noted(text: str) -> Json:
    meta = {"name": "shipit-shop", "namespace": NAMESPACE, "annotations": {"shipit/progress": text}}
    return {"metadata": meta}


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"tag": 1}', "null", '{"version": 2, "a": 1}', '{"version": 2, "state": "x"}']
)
def test_a_note_that_cannot_be_read_is_never_taken_for_nothing_owed(text: str) -> None:
    with pytest.raises(Busy, match="Lease shipit-shop can't be read") as caught:
        record_of(noted(text))
    assert str(caught.value.hint) == "kubectl annotate lease shipit-shop shipit/progress- -n shop"


def test_a_note_of_a_newer_shipit_stops_the_deploy_before_it_takes_the_lock() -> None:
    world = fakes()
    take(world, ANNA).end()
    world.cluster.objects[REF]["metadata"]["annotations"]["shipit/progress"] = '{"version": 6, "later": true}'
    with pytest.raises(Busy, match=r"newer shipit \(format 6"):
        take(world, BERT)
    assert not holder_of(world.cluster.get(REF)).run


@pytest.mark.parametrize(
    ("flags", "state"),
    [
        ({}, UpgradeState.BEGUN),
        ({"stranded": True}, UpgradeState.INTERRUPTED),
        ({"made": True}, UpgradeState.APPLIED),
        ({"made": True, "over": True}, UpgradeState.SETTLED),
        ({"over": True, "stranded": True}, UpgradeState.SETTLED),
    ],
)
def test_a_note_of_the_first_form_is_still_understood(flags: Json, state: UpgradeState) -> None:
    first = {
        "tag": "v1",
        "revision": 4,
        "digest": "d",
        "install": True,
        "counts_from": 3,
        "owes_install": True,
    }
    found = record_of(noted(json.dumps(first | flags))).upgrade
    assert found == UpgradeRecord(
        "v1", 4, "d", True, state, oldest_accepted_revision=3, first_install_owed=True
    )


def test_a_note_says_what_the_upgrade_was_made_from_and_only_its_run_s_salt_finds_it() -> None:
    owed = UpgradeRecord("v1", 4, "d", True, run="run-1", inputs=slow_digest("inputs", "run-1"))
    world = fakes()
    lease = take(world, ANNA)
    lease.note(owed)
    found = record_of(world.cluster.get(REF)).upgrade
    assert found == owed
    assert found.is_made_from("inputs")
    assert not found.is_made_from("others")
    assert not replace(found, run="run-2").is_made_from("inputs")


def test_a_note_of_the_second_form_does_not_say_what_it_was_made_from_and_has_seen_nothing() -> None:
    second = {"version": 2, "tag": "v1", "revision": 4, "digest": "d", "install": True, "state": "applied"}
    found = record_of(noted(json.dumps(second))).upgrade
    assert found == UpgradeRecord("v1", 4, "d", True, UpgradeState.APPLIED)
    assert not found.is_made_from("")
    assert not found.seen_ready


def test_what_was_seen_of_revisions_outlives_the_holder() -> None:
    world = fakes()
    seen = SeenRevisions(ready=(2, 5), failed=(3,))
    first = take(world, ANNA)
    first.note(UpgradeRecord("v1", 5, "d", install=False, seen=seen))
    first.end()
    found = take(world, BERT).found
    assert found is not None
    assert (found.seen, found.seen_ready) == (seen, True)
    assert seen.with_ready(0, 7).with_failed(9).before(7) == seen, "0 is no revision"
    assert seen.with_ready(*range(10, 100)).ready == tuple(range(60, 100)), "Helm keeps no more either"


def test_a_lease_that_may_not_be_touched_is_a_refusal() -> None:
    world = fakes()
    world.cluster.broken = lambda call: (
        Forbidden("may not get leases", status=403) if "Lease" in call else None
    )
    with pytest.raises(Refused, match="may not get leases"), lock.held(world.world, REF, ANNA, world.told):
        pass


def test_only_a_helm_that_is_certainly_gone_counts_as_dead() -> None:
    world = fakes()
    owed = UpgradeRecord("v41", 5, "digest", install=False)
    first = take(world, ANNA)
    first.note(owed)
    first.end()
    second = take(world, BERT)
    assert second.found == owed
    assert not second.helm_is_gone, "it gave the lock back: nothing says that its helm, or another, is gone"
    second.note(replace(owed, state=UpgradeState.INTERRUPTED))
    second.end()
    third = take(world, ANNA)
    assert third.helm_is_gone, "it saw its helm end, and the revision pending"
    third.note(owed)
    began = world.clock.seconds
    assert take(world, BERT).helm_is_gone, "it died with the lock, and its helm with it"
    assert world.clock.seconds - began >= LEASE_DURATION + HELM_ENDS, "which takes its time"
