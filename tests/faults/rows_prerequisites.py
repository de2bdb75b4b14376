"""Rows of the table: shipit dies, or answers are lost, while it gives a migration what it needs before the upgrade."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.e2e.kit import Json
from tests.faults.case import CREATE_JOB, WRITE_LEASE, case, ended_with
from tests.faults.judge import Findings
from tests.faults.ledger import script
from tests.faults.needs import SETTINGS, copies, nothing_left
from tests.faults.rules import Call, Lose, Record, Rule
from tests.faults.scene import Scene

FAULT = "prerequisites of a migration: kill -9 at each of their requests, answers lost, migration fails"
ENV = """\
- {name: TAG, valueFrom: {configMapKeyRef: {name: settings, key: TAG}}}
- {name: NEW, valueFrom: {configMapKeyRef: {name: new-settings, key: TAG}}}
"""
COPIES = r"/configmaps\?"
MADE = r"/configmaps/new-settings\?"


def _installed(scene: Scene, then: str = script()) -> Json:
    """Bring out v1 with settings that v2 changes, and give the chart a ConfigMap more; the app's, as it is."""
    scene.project.template("settings", SETTINGS.replace("NAME", "settings"))
    scene.install()
    scene.project.template("new", SETTINGS.replace("NAME", "new-settings"))
    scene.configure('prerequisites = "auto"')
    scene.migrate(then, env=ENV)
    found = _own(scene)
    assert found is not None
    return found


def _own(scene: Scene) -> Json | None:
    return scene.kube.get("configmap", "settings")


def _notes(record: Record) -> bool:
    return "shipit/prerequisites" in json.loads(record.body or b"{}").get("metadata", {}).get(
        "annotations", {}
    )


def _not_dry(record: Record) -> bool:
    return not record.dry


POINTS: dict[str, Callable[[Call], Rule]] = {
    "note": lambda fault: Rule(fault, *WRITE_LEASE, where=_notes),
    "copy": lambda fault: Rule(fault, "POST", COPIES, who="shipit", where=_not_dry),
    "made": lambda fault: Rule(fault, "PATCH", MADE, who="shipit", where=_not_dry),
    "job": lambda fault: Rule(fault, *CREATE_JOB),
    "gone": lambda fault: Rule(fault, "DELETE", r"/configmaps/settings-shipit-", who="shipit"),
}


def _killed(scene: Scene, findings: Findings, point: str, *, before: bool) -> None:
    """The app's ConfigMap is as it was, the migration runs once, and the next deploy leaves nothing behind."""
    was = _installed(scene)
    first = scene.start("v2")
    call = (
        Call(before=lambda _: first.kill(), cut=True)
        if before
        else Call(after=lambda _: first.kill(), cut=True)
    )
    rule = POINTS[point](call)
    first.proxy.rules.add(rule)
    scene.end(first)
    findings.holds("F", rule.hits, "it never came to that")
    findings.holds("F", _own(scene) == was, f"the app's ConfigMap is not what it was: {_own(scene)}")
    ended_with(scene.deploy("v2"), findings, [0])
    findings.holds("B", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")
    nothing_left(scene, findings, "new-settings")


def _register(point: str, *, before: bool) -> None:
    def play(scene: Scene, findings: Findings) -> None:
        _killed(scene, findings, point, before=before)

    name = f"kill-{'before' if before else 'after'}/prerequisites-{point}"
    case(name, FAULT, "ABCDEFG", installed=False, short=name == "kill-after/prerequisites-made")(play)


for _point in POINTS:
    for _before in (True, False):
        _register(_point, before=_before)


@case("lost/prerequisites", FAULT, "ABCDEF", installed=False)
def answers_are_lost_and_the_migration_fails(scene: Scene, findings: Findings) -> None:
    was = _installed(scene, script(exit_code=3))
    scene.lines = 0
    rules = [
        Rule(Lose(), method, r"/configmaps", who="shipit", where=_not_dry)
        for method in ("POST", "PATCH", "DELETE")
    ]
    ended_with(scene.deploy("v2", rules=rules), findings, [4], "the app is untouched (revision 1)")
    findings.holds("F", _own(scene) == was, f"the app's ConfigMap is not what it was: {_own(scene)}")
    findings.holds("F", not copies(scene), f"a copy is left: {copies(scene)}")
