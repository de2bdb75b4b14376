"""Rows of the table: `shipit rollback` is broken at a request, and run again; no migration runs, and v1 runs in the end."""

from __future__ import annotations

import threading

from tests.faults.attempt import Attempt
from tests.faults.case import HELM_APPLIES, HELM_STORES, WRITE_LEASE, case
from tests.faults.judge import Findings
from tests.faults.rules import Rule
from tests.faults.scene import Scene
from tests.faults.sweep import AGAIN_WITHIN, WAYS, Way

HELM_NOTES = ("PUT", r"/secrets/sh\.helm")
ROLLBACK = ("rollback", "1", "--yes")

_WAYS = {way.name: way for way in WAYS}
POINTS = {
    "kill-after/rollback-lease": ("kill-after", WRITE_LEASE, 1),
    "kill-before/rollback-noted": ("kill-before", WRITE_LEASE, 2),
    "kill-after/rollback-noted": ("kill-after", WRITE_LEASE, 2),
    "kill-before/rollback-stores": ("kill-before", HELM_STORES, 1),
    "kill-after/rollback-stores": ("kill-after", HELM_STORES, 1),
    "kill-before/rollback-applies": ("kill-before", HELM_APPLIES, 1),
    "kill-after/rollback-applies": ("kill-after", HELM_APPLIES, 1),
    "kill-after/rollback-done": ("kill-after", HELM_NOTES, 2),
    "lost/rollback-lease": ("lost", WRITE_LEASE, 2),
    "lost/rollback-stores": ("lost", HELM_STORES, 1),
    "lost/rollback-applies": ("lost", HELM_APPLIES, 1),
}


def _broken(way: Way, request: tuple[str, str], nth: int, scene: Scene, findings: Findings) -> None:
    """v2 runs and has migrated; on the way back one request is broken."""
    scene.install("v2")
    attempts: list[Attempt] = []
    started = threading.Event()

    def kill() -> None:
        started.wait(10)
        attempts[0].kill()

    rule = Rule(way.make(kill), *request, nth=nth, where=lambda asked: not asked.dry)
    attempts.append(scene.start("v1", rules=[rule], command=ROLLBACK))
    started.set()
    scene.end(attempts[0])
    findings.holds("F", rule.hits, "it never came to that")
    first = attempts[0].result
    if first is None or first.exit_code != 0:
        again = scene.start("v1", command=ROLLBACK, bound=AGAIN_WITHIN)
        result = scene.end(again)
        findings.holds("B", result.exit_code == 0, f"{again}, run again: {result.told}")
    findings.holds("B", not scene.lives(), "a rollback ran a migration")
    last = scene.look()
    findings.holds("F", (last.tag, last.status) == ("v1", "deployed"), f"it ended with {last}")
    deploy = scene.deploy("v2", bound=AGAIN_WITHIN)
    told = deploy.result.told if deploy.result else ""
    findings.holds("B", deploy.result and deploy.result.exit_code == 0, f"{deploy}, after it: {told}")
    findings.holds("B", len(scene.lives()) == 1, "the deploy after it migrates, once")


def _register(name: str) -> None:
    way, request, nth = POINTS[name]

    def play(scene: Scene, findings: Findings) -> None:
        _broken(_WAYS[way], request, nth, scene, findings)

    fault = f"shipit rollback: {_WAYS[way].title.replace('every request', 'a request')}"
    case(name, fault, "ABCDEFGHI", short=name == "kill-after/rollback-stores", replicas=1)(play)


for _name in POINTS:
    _register(_name)
