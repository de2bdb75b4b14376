"""The oracle sees what is wrong: each invariant, violated by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.e2e.kit import Json, Result
from tests.faults import oracle
from tests.faults.ledger import Life
from tests.faults.rules import Record
from tests.faults.truth import State

JOB = Life("job-1", "migrate-a", 10.0, 12.0, ended=True)
BEFORE = State(1, "deployed", 1, "v1", owes=False, holder="", jobs={})
AFTER = State(2, "deployed", 2, "v2", owes=False, holder="", jobs={})


def asked(method: str, path: str, at: float, *, who: str = "shipit", body: Any = None, **more: Any) -> Record:
    code = {"POST": 201}.get(method, 200)
    text = json.dumps(body or {}).encode()
    return Record(1, who, method, path, "", text, at, upstream=code, status=code, ended=at + 0.1, **more)


def created(at: float, uid: str = "job-1") -> Record:
    return asked("POST", "/jobs", at, body={"metadata": {"name": "migrate"}}, made=uid)


def held(run: str, at: float) -> Record:
    return asked("PUT", "/leases/shipit-shop", at, body={"spec": {"holderIdentity": run}})


def upgraded(at: float) -> Record:
    return asked("POST", "/secrets", at, who="helm")


def status_written(at: str, name: str = "migrate") -> Json:
    about = {"resource": "jobs", "subresource": "status", "name": name}
    return {
        "verb": "update",
        "objectRef": about,
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": f"1970-01-01T00:00:{at}Z",
    }


def ended(outcome: str, code: int, *, lines: tuple[str, ...] = (), stderr: str = "", **more: Any) -> Result:
    events: list[Json] = [{"type": "log", "pod": "p", "line": line} for line in lines]
    events.append({"type": "result", "outcome": outcome, "exit_code": code, **more})
    return Result(code, events, stderr, "")


def test_migrations_one_after_the_other_do_not_overlap_and_others_do() -> None:
    later = replace(JOB, pod="migrate-b", start=12.5, last=14.0)
    assert oracle.overlaps([JOB, later]) == []
    assert "migrate-b began 0.5 s before migrate-a ended" in oracle.overlaps(
        [JOB, replace(later, start=11.5)]
    )


def test_a_second_job_of_one_deploy_is_seen() -> None:
    assert oracle.second_jobs([created(9)], [JOB]) == []
    assert "created 2 times" in oracle.second_jobs([created(9), created(20, "job-2")], [JOB])[0]


def test_a_job_that_is_created_beside_a_living_one_is_seen() -> None:
    assert "while migrate-a ran" in oracle.second_jobs([created(11, "job-2")], [JOB])[0]


def test_an_upgrade_after_a_migration_that_ended_well_is_fine() -> None:
    final = status_written("12.500000")
    assert oracle.unproven_upgrades([created(9), upgraded(13)], [JOB], [final], ["migrate"]) == []


@pytest.mark.parametrize(
    ("life", "written", "words"),
    [
        (replace(JOB, last=14.0), "12.500000", "before the migration of Job job-1 had ended well"),
        (replace(JOB, ended=False), "12.500000", "before the migration of Job job-1 had ended well"),
        (JOB, "13.500000", "before its Job's status was final"),
    ],
    ids=["too early", "never ended", "not final"],
)
def test_an_upgrade_over_an_unproven_migration_is_seen(life: Life, written: str, words: str) -> None:
    records = [created(9), upgraded(13)]
    found = oracle.unproven_upgrades(records, [life], [status_written(written)], ["migrate"])
    assert words in found[0]
    assert oracle.unproven_upgrades(records, [JOB], [status_written(written, "other")], ["migrate"]) == []


@pytest.mark.parametrize(
    ("body", "violated"),
    [({"preconditions": {"uid": "seen"}}, 0), ({"preconditions": {"uid": "guessed"}}, 1), ({}, 1)],
)
def test_only_what_was_seen_may_be_deleted(body: Json, violated: int) -> None:
    assert len(oracle.blind_deletes([asked("DELETE", "/jobs/migrate", 1, body=body)], {"seen"})) == violated


@pytest.mark.parametrize(
    ("result", "after", "lives", "words"),
    [
        (ended("deployed", 0), AFTER, [JOB], ""),
        (ended("deployed", 0), replace(AFTER, tag="v1"), [JOB], "says deployed"),
        (ended("deployed", 0), replace(AFTER, status="failed"), [JOB], "says deployed"),
        (ended("deployed", 4), AFTER, [JOB], "exit code 4"),
        (ended("internal_error", 1, message="a bug"), BEFORE, [], "exit code 1"),
        (ended("migration_failed", 4, message="3"), BEFORE, [JOB], ""),
        (ended("migration_failed", 4, message="3"), AFTER, [JOB], "the app went from v1 to v2"),
        (ended("migration_failed", 4), BEFORE, [JOB], "without a word"),
        (ended("upgrade_failed", 6, message="no"), BEFORE, [replace(JOB, ended=False)], "did not end well"),
        (ended("unknown", 8, message="?"), BEFORE, [], "not what to look at"),
        (ended("deployed", 0, stderr="Traceback (most recent call last)"), AFTER, [JOB], "a traceback"),
        (Result(-9, [], "", ""), BEFORE, [], "no result"),
    ],
)
def test_an_end_that_is_not_true_is_seen(result: Result, after: State, lives: list[Life], words: str) -> None:
    found = oracle.untrue_end(result, BEFORE, after, "v2", lives)
    assert (not found) if not words else any(words in each for each in found)


def test_only_the_holder_of_the_lock_may_act() -> None:
    first = [held("a", 1), created(2), upgraded(3)]
    assert oracle.strangers([first]) == []
    assert oracle.strangers([first, [held("b", 4), created(5)]]) == []
    late = [*first, asked("PATCH", "/deployments/shop", 6, who="helm")]
    assert "by run a while b held the lock" in oracle.strangers([late, [held("b", 5)]])[0]
    without_holder = asked("PUT", "/leases/shipit-shop", 4, body={"spec": {}})
    assert "while nobody held the lock" in oracle.strangers([[*first, without_holder, created(5)]])[0]


def test_lines_are_whole_and_in_order_or_the_gap_is_marked() -> None:
    three = tuple(f"line {number} of 3" for number in (1, 2, 3))
    done = [{"outcome": "succeeded"}]
    gap = f"{oracle.GAP}: it was cut]"
    assert oracle.torn_lines(ended("deployed", 0, lines=three, migrations=done), 3) == []
    assert oracle.torn_lines(ended("deployed", 0, lines=(three[0], gap, three[2]), migrations=done), 3) == []
    assert oracle.torn_lines(ended("unknown", 8, lines=three[:1]), 3) == []
    assert oracle.torn_lines(ended("deployed", 0, lines=three[:2], migrations=done), 3)
    assert oracle.torn_lines(ended("deployed", 0, lines=(three[0], three[2]), migrations=done), 3)
    assert oracle.torn_lines(ended("deployed", 0, lines=(*three, three[2]), migrations=done), 3)
    assert oracle.torn_lines(ended("deployed", 0, lines=("line 1", *three[1:]), migrations=done), 3)


def test_a_pending_release_has_to_be_told() -> None:
    left = replace(AFTER, status="pending-upgrade")
    silent = ended("deployed", 0)
    warning = {"type": "warning", "message": "revision 2 was left pending-upgrade"}
    assert oracle.unreported_pending(AFTER, silent) == []
    assert oracle.unreported_pending(left, silent)
    assert oracle.unreported_pending(left, replace(silent, events=[warning, *silent.events])) == []
