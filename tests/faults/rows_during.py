"""Rows of the table: shipit dies between an upgrade that is applied and its pods being ready, with steps still to run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from tests.faults.attempt import Attempt
from tests.faults.case import LOG, WRITE_LEASE, case, ended_with, since
from tests.faults.judge import Findings
from tests.faults.rules import Call, Delay, Lose, Record, Rule
from tests.faults.scene import Scene

FAULT = "kill -9 between an upgrade that is applied and its pods being ready"
LOST = "the answer lost to what is noted between an upgrade and its ready pods"


def _noted(record: Record) -> dict[str, object]:
    """What a write of the Lease notes of the upgrade."""
    notes = json.loads(record.body or b"{}").get("metadata", {}).get("annotations", {})
    found: dict[str, object] = json.loads(notes.get("shipit/progress", "{}"))
    return found


def _applied(record: Record) -> bool:
    return _noted(record).get("state") == "applied"


def _ready(record: Record) -> bool:
    note = _noted(record)
    seen = note.get("seen") or {}
    return _applied(record) and isinstance(seen, dict) and note.get("revision") in seen.get("ready", [])


def _killed(
    scene: Scene, findings: Findings, make: Callable[[Call], Sequence[Rule]], *, before: bool
) -> None:
    """The migration runs once, the upgrade is made once, and the next deploy finishes both."""
    scene.configure('phase = "during"')
    attempts: list[Attempt] = []

    def kill(_: Record) -> None:
        attempts[0].kill()

    rules = make(Call(before=kill, cut=True) if before else Call(after=kill, cut=True))
    attempts.append(scene.start("v2", rules=rules))
    scene.end(attempts[0])
    findings.holds("F", rules[-1].hits, "it never came to that")
    left = attempts[0].after
    assert left is not None
    findings.holds("F", (left.newest, left.status, left.tag) == (2, "deployed", "v2"), f"it left {left}")
    finished = scene.deploy("v2")
    ended_with(finished, findings, [0], "finishing what it left")
    assert finished.after is not None
    findings.holds("B", finished.after.newest == left.newest, "the upgrade was made twice")
    findings.holds("B", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")
    findings.holds("F", not finished.after.owes, "something is still owed")


def _waiting(fault: Call) -> Sequence[Rule]:
    """At the first look at the rollout once the upgrade is noted as applied."""
    applied = Rule(Delay(0), *WRITE_LEASE, where=_applied)
    return applied, Rule(fault, "GET", r"/replicasets\?", where=since(applied))


POINTS: dict[str, tuple[Callable[[Call], Sequence[Rule]], bool]] = {
    "kill-before/during-applied": (lambda fault: [Rule(fault, *WRITE_LEASE, where=_applied)], True),
    "kill-after/during-applied": (lambda fault: [Rule(fault, *WRITE_LEASE, where=_applied)], False),
    "kill-before/during-step": (lambda fault: [Rule(fault, *LOG)], True),
    "kill-before/during-pods": (_waiting, True),
    "kill-before/during-ready": (lambda fault: [Rule(fault, *WRITE_LEASE, where=_ready)], True),
}


def _register(name: str) -> None:
    make, before = POINTS[name]

    def play(scene: Scene, findings: Findings) -> None:
        _killed(scene, findings, make, before=before)

    case(name, FAULT, "ABCDEFGHI", short=name == "kill-after/during-applied", replicas=1)(play)


for _name in POINTS:
    _register(_name)


@case("lost/during-applied", LOST, "ABCDEFGHI", replicas=1)
def the_note_of_the_upgrade_is_not_answered(scene: Scene, findings: Findings) -> None:
    scene.configure('phase = "during"')
    rule = Rule(Lose(), *WRITE_LEASE, where=_applied)
    attempt = scene.start("v2", rules=[rule])
    scene.end(attempt)
    findings.holds("F", rule.hits, "it never came to that")
    ended_with(attempt, findings, [0])
    findings.holds("B", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")
