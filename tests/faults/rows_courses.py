"""Rows of the table: telling points of what is swept beside a plain upgrade, for `make test`; the sweeps take every one."""

from __future__ import annotations

from tests.faults.case import CREATE_JOB, HELM_STORES, case
from tests.faults.courses import PREREQUISITES, ROLLBACK, Course
from tests.faults.judge import Findings
from tests.faults.rules import Rule
from tests.faults.scene import Scene
from tests.faults.sweep import WAYS, Point, break_and_repeat

WITH_NEEDS = "kill -9 in a deploy with prerequisites, two migrations before its upgrade and one after"
WITH_HOOKS = "kill -9 in shipit rollback with hooks around it"
COPY = ("POST", r"/configmaps\?")

POINTS: dict[str, tuple[str, Course, tuple[str, str], int]] = {
    "kill-after/needs-copied": (WITH_NEEDS, PREREQUISITES, COPY, 1),
    "kill-after/needs-second": (WITH_NEEDS, PREREQUISITES, CREATE_JOB, 2),
    "kill-after/needs-upgrade": (WITH_NEEDS, PREREQUISITES, HELM_STORES, 1),
    "kill-after/back-hook": (WITH_HOOKS, ROLLBACK, CREATE_JOB, 1),
    "kill-after/back-stores": (WITH_HOOKS, ROLLBACK, HELM_STORES, 1),
    "kill-after/back-second-hook": (WITH_HOOKS, ROLLBACK, CREATE_JOB, 2),
}
SHORT = {"kill-after/needs-second", "kill-after/back-second-hook"}
_KILLED = next(way for way in WAYS if way.name == "kill-after")


def _register(name: str) -> None:
    fault, course, request, nth = POINTS[name]
    point = Point(name, lambda fault: Rule(fault, *request, nth=nth, where=lambda asked: not asked.dry))

    def play(scene: Scene, findings: Findings) -> None:
        course.ready(scene)
        rule = break_and_repeat(scene, _KILLED, point, findings, course)
        findings.holds("F", rule.hits, "it never came to that")
        course.check(scene, findings)

    case(name, fault, "ABCDEFGHI", short=name in SHORT, installed=False)(play)


for _name in POINTS:
    _register(_name)
