"""Rows of the table: shipit dies in a deploy with two migrations before its upgrade and one after, or an answer is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from tests.faults.attempt import Attempt
from tests.faults.case import CREATE_JOB, HELM_STORES, WRITE_LEASE, case, ended_with
from tests.faults.judge import Findings
from tests.faults.rules import Call, Lose, Record, Rule
from tests.faults.scene import Scene
from tests.faults.three import NAMES, three_migrations

FAULT = "kill -9 in a deploy with two migrations before its upgrade and one after"
LOST = "the answer lost to the creation of the second of three migrations"
FIRST = "kill -9 in a first install whose migrations run before and during it"


def _ran_once_each(scene: Scene, findings: Findings, names: Sequence[str] = NAMES) -> None:
    ran = [life.pod.rpartition("-")[0] for life in scene.lives()]
    findings.holds("B", ran == list(names), f"{', '.join(ran)} ran, in that order")


def _killed(scene: Scene, findings: Findings, rule: Rule, attempts: list[Attempt]) -> None:
    """The next deploy does what is left, and nothing twice."""
    attempts.append(scene.start("v2", rules=[rule]))
    scene.end(attempts[0])
    findings.holds("F", rule.hits, "it never came to that")
    left = attempts[0].after
    assert left is not None
    applied = left.owes and (left.status, left.tag) == ("deployed", "v2")
    again = scene.deploy("v2")
    ended_with(again, findings, [0], "finishing what it left" if applied else "")
    assert again.after is not None
    findings.holds("F", not again.after.owes, "something is still owed")
    if applied:
        findings.holds("B", again.after.newest == left.newest, "the upgrade was made twice")
    _ran_once_each(scene, findings)


def _state(record: Record) -> str:
    """What a write of the Lease notes of the upgrade."""
    notes = json.loads(record.body or b"{}").get("metadata", {}).get("annotations", {})
    return str(json.loads(notes.get("shipit/progress", "{}")).get("state"))


def _real(record: Record) -> bool:
    return not record.dry


def _applied(record: Record) -> bool:
    return _state(record) == "applied"


def _settled(record: Record) -> bool:
    return _state(record) == "settled"


def _log_of(name: str) -> tuple[str, str]:
    return "GET", rf"/pods/{name}-[^/]*/log\?"


POINTS: dict[str, tuple[bool, tuple[str, str], int, Callable[[Record], bool]]] = {
    "kill-before/several-first": (True, CREATE_JOB, 1, _real),
    "kill-after/several-first": (False, CREATE_JOB, 1, _real),
    "kill-before/several-second": (True, CREATE_JOB, 2, _real),
    "kill-after/several-second": (False, CREATE_JOB, 2, _real),
    "kill-before/several-log": (True, _log_of("backfill"), 1, _real),
    "kill-before/several-upgrade": (True, HELM_STORES, 1, _real),
    "kill-after/several-upgrade": (False, HELM_STORES, 1, _real),
    "kill-after/several-applied": (False, WRITE_LEASE, 1, _applied),
    "kill-before/several-third": (True, CREATE_JOB, 3, _real),
    "kill-after/several-third": (False, CREATE_JOB, 3, _real),
    "kill-before/several-settled": (True, WRITE_LEASE, 1, _settled),
}
SHORT = {"kill-after/several-second"}


def _register(name: str) -> None:
    before, request, nth, where = POINTS[name]

    def play(scene: Scene, findings: Findings) -> None:
        three_migrations(scene)
        attempts: list[Attempt] = []

        def kill(_: Record) -> None:
            attempts[0].kill()

        fault = Call(before=kill, cut=True) if before else Call(after=kill, cut=True)
        _killed(scene, findings, Rule(fault, *request, nth=nth, where=where), attempts)

    case(name, FAULT, "ABCDEFGHI", short=name in SHORT)(play)


for _name in POINTS:
    _register(_name)


@case("lost/several-second", LOST, "ABCDEFGHI")
def the_second_creation_is_not_answered(scene: Scene, findings: Findings) -> None:
    three_migrations(scene)
    rule = Rule(Lose(), *CREATE_JOB, nth=2, where=_real)
    attempt = scene.start("v2", rules=[rule])
    scene.end(attempt)
    findings.holds("F", rule.hits, "it never came to that")
    if attempt.result is None or attempt.result.exit_code != 0:
        ended_with(scene.deploy("v2"), findings, [0])
    _ran_once_each(scene, findings)


@case("kill-after/first-install-applied", FIRST, "ABCDEFGHI", installed=False)
def killed_once_a_first_install_is_applied(scene: Scene, findings: Findings) -> None:
    """What the first install runs during it is still owed, although it would run before any upgrade."""
    later = 'first_install = "during"'
    three_migrations(scene, keys=("", later, 'first_install = "skip"'))
    attempts: list[Attempt] = []
    rule = Rule(Call(after=lambda _: attempts[0].kill(), cut=True), *WRITE_LEASE, where=_applied)
    attempts.append(scene.start("v1", rules=[rule]))
    scene.end(attempts[0])
    findings.holds("F", rule.hits, "it never came to that")
    ended_with(scene.deploy("v1"), findings, [0], "finishing what it left")
    _ran_once_each(scene, findings, NAMES[:2])
