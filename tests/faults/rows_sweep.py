"""The sweep's telling points by what they are: a fixed selection for `make test`; the full sweep takes every request."""

from __future__ import annotations

from tests.faults.attempt import Attempt
from tests.faults.case import (
    CREATE_JOB,
    DELETE_JOB,
    HELM_APPLIES,
    HELM_STORES,
    LOG,
    PATCH_JOB,
    WRITE_LEASE,
    case,
    ended_with,
)
from tests.faults.judge import Findings
from tests.faults.rules import Call, Rule
from tests.faults.scene import Scene
from tests.faults.sweep import WAYS, Point, Way, break_and_repeat

GIVEN_UP = "kill -9 while a Job that never started is given up"
HELM_NOTES = ("PUT", r"/secrets/sh\.helm")

_WAYS = {way.name: way for way in WAYS}
POINTS = {
    "kill-before/create": ("kill-before", CREATE_JOB, 1),
    "kill-after/create": ("kill-after", CREATE_JOB, 1),
    "kill-after/delete": ("kill-after", DELETE_JOB, 1),
    "kill-before/log": ("kill-before", LOG, 1),
    "kill-after/lease": ("kill-after", WRITE_LEASE, 1),
    "kill-after/noted": ("kill-after", WRITE_LEASE, 3),
    "kill-after/helm-stores": ("kill-after", HELM_STORES, 1),
    "kill-before/helm-applies": ("kill-before", HELM_APPLIES, 1),
    "kill-after/helm-done": ("kill-after", HELM_NOTES, 2),
    "lost/lease": ("lost", WRITE_LEASE, 1),
    "lost/delete": ("lost", DELETE_JOB, 1),
    "lost/helm-stores": ("lost", HELM_STORES, 1),
    "lost/helm-applies": ("lost", HELM_APPLIES, 1),
}
SHORT = {"kill-after/create", "kill-after/delete", "kill-after/helm-stores", "lost/helm-applies"}


def _register(name: str, way: Way, point: Point) -> None:
    def play(scene: Scene, findings: Findings) -> None:
        break_and_repeat(scene, way, point, findings)

    case(name, way.title, way.keeps, short=name in SHORT)(play)


def _point(name: str, request: tuple[str, str], nth: int) -> Point:
    return Point(name, lambda fault: Rule(fault, *request, nth=nth, where=lambda asked: not asked.dry))


for _name, (_way, _request, _nth) in POINTS.items():
    _register(_name, _WAYS[_way], _point(_name, _request, _nth))


@case("kill-after/suspend", GIVEN_UP, "ABCFGI", short=True)
def killed_once_the_job_is_suspended(scene: Scene, findings: Findings) -> None:
    """Suspended and not yet marked: the next deploy can't know whether it ever ran, and says so."""
    scene.lines = 0
    attempts: list[Attempt] = []
    rule = Rule(Call(after=lambda _: attempts[0].kill(), cut=True), *PATCH_JOB)
    attempts.append(scene.start("v99", rules=[rule]))
    scene.end(attempts[0])
    findings.holds("F", rule.hits, "the Job was never suspended")
    other = scene.deploy("v2")
    ended_with(other, findings, [0, 7])
    ended_with(scene.deploy("v2", "--replace-running"), findings, [0])
