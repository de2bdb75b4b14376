"""A freeze: judged at once by the API server's clock, kept through renewals, lifted by whoever says so."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from shipit.errors import Busy, Conflict
from shipit.lock.freeze import NOTE, Freeze, freeze_of, is_noted, with_freeze
from shipit.lock.record import LockRecord, holder_of, lease_ref, record_of
from shipit.lock.take import set_freeze, take
from shipit.model import Identity
from tests.fakes import NAMESPACE, START, Fakes, fakes

REF = lease_ref(NAMESPACE, "shop")
BERT = LockRecord("run-b", "v42", Identity("bert", "runner"))
SALE = Freeze("anna", "laptop", "the sale", START, START + timedelta(hours=2))


@pytest.fixture
def world() -> Fakes:
    return fakes()


def test_a_deploy_ends_at_once_and_says_who_froze_it_why_and_until_when(world: Fakes) -> None:
    set_freeze(world.cluster, REF, SALE)
    with pytest.raises(Busy) as refused:
        take(world.world, REF, BERT, world.told, wait=600)
    assert world.clock.seconds == 0
    assert refused.value.message == (
        "the release is frozen by anna from laptop since 2026-11-25 12:00 UTC, until 2026-11-25 14:00 UTC: the sale"
    )
    assert str(refused.value.hint) == "shipit unlock"
    assert not holder_of(world.cluster.get(REF)).run


def test_it_is_over_by_itself(world: Fakes) -> None:
    set_freeze(world.cluster, REF, SALE)
    world.clock.sleep(2 * 3600 + 1)
    assert take(world.world, REF, BERT, world.told, wait=0)


def test_one_without_an_end_stays_until_it_is_lifted(world: Fakes) -> None:
    set_freeze(world.cluster, REF, Freeze("anna", "laptop", "audit", START))
    world.clock.sleep(10_000_000)
    with pytest.raises(Busy, match="until it is lifted: audit"):
        take(world.world, REF, BERT, world.told, wait=0)
    set_freeze(world.cluster, REF, None)
    assert not is_noted(world.cluster.get(REF))
    assert take(world.world, REF, BERT, world.told, wait=0)


def test_a_deploy_that_is_under_way_goes_on_and_keeps_the_freeze(world: Fakes) -> None:
    lease = take(world.world, REF, BERT, world.told, wait=0)
    set_freeze(world.cluster, REF, SALE)
    lease.note(None)
    lease.end()
    assert freeze_of(world.cluster.get(REF), world.cluster.now()) == SALE
    assert record_of(world.cluster.get(REF)).run == ""


def test_a_freeze_that_was_seen_can_be_ignored_but_no_other(world: Fakes) -> None:
    set_freeze(world.cluster, REF, SALE)
    lease = take(world.world, REF, BERT, world.told, wait=0, despite=SALE)
    lease.end()
    other = Freeze("cleo", "desk", "an incident", START)
    set_freeze(world.cluster, REF, None)
    set_freeze(world.cluster, REF, other)
    with pytest.raises(Busy, match="cleo"):
        take(world.world, REF, BERT, world.told, wait=0, despite=SALE)


def test_somebody_else_s_freeze_is_not_replaced_and_one_s_own_is(world: Fakes) -> None:
    set_freeze(world.cluster, REF, SALE)
    with pytest.raises(Busy, match="frozen by anna"):
        set_freeze(world.cluster, REF, Freeze("bert", "runner", "mine", START))
    longer = Freeze("anna", "laptop", "the sale", START, START + timedelta(hours=9))
    set_freeze(world.cluster, REF, longer)
    assert freeze_of(world.cluster.get(REF), world.cluster.now()) == longer


def test_a_renewal_in_between_is_no_obstacle(world: Fakes) -> None:
    take(world.world, REF, BERT, world.told, wait=0)
    lost = [Conflict("changed"), Conflict("changed")]
    world.cluster.broken = lambda call: lost.pop() if call.startswith("replace") and lost else None
    set_freeze(world.cluster, REF, SALE)
    assert is_noted(world.cluster.get(REF))
    assert holder_of(world.cluster.get(REF)).run == "run-b"


@pytest.mark.parametrize(
    ("note", "why"), [(json.dumps({"version": 2}), "written by a newer shipit"), ("{", "can't be read")]
)
def test_a_freeze_in_a_form_that_is_not_known_holds(world: Fakes, note: str, why: str) -> None:
    body = set_freeze(world.cluster, REF, SALE)
    body["metadata"]["annotations"][NOTE] = note
    world.cluster.replace(body)
    with pytest.raises(Busy, match=why):
        take(world.world, REF, BERT, world.told, wait=0)
    assert not is_noted(with_freeze(body, None))
