"""Rows of the table: signals, once and twice, in each phase."""

from __future__ import annotations

import signal
import threading
import time

from tests.faults.attempt import Attempt
from tests.faults.case import HELM_APPLIES, LOG, READ_JOB, case, ended_with
from tests.faults.judge import Findings
from tests.faults.ledger import script
from tests.faults.rules import Call, Rule
from tests.faults.scene import Scene

FAULT = "Ctrl-C once, twice; SIGTERM; SIGHUP; each in each phase"
PHASES = {
    "lock": ("GET", r"/leases/", "shipit"),
    "prepare": ("GET", r"/openapi|/api\?", "helm"),
    "clear": (*READ_JOB, "shipit"),
    "migrate": (*LOG, "shipit"),
    "upgrade": (*HELM_APPLIES, "helm"),
    "after": (*LOG, "shipit"),
}
SIGNALS = {
    "int": (signal.SIGINT,),
    "int-twice": (signal.SIGINT, signal.SIGINT),
    "term": (signal.SIGTERM,),
    "hup": (signal.SIGHUP,),
}
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}
BETWEEN = 0.3
"""Seconds between two presses of Ctrl-C."""


def _signalled(scene: Scene, findings: Findings, phase: str, signals: tuple[signal.Signals, ...]) -> None:
    method, path, who = PHASES[phase]
    scene.migrate(script(15), lines=15)
    scene.configure('phase = "after"' if phase == "after" else "")
    attempts: list[Attempt] = []
    ready = threading.Event()

    def send(_: object) -> None:
        ready.wait(10)
        for number, each in enumerate(signals):
            time.sleep(BETWEEN if number else 0)
            attempts[0].kill(each)

    rule = Rule(Call(before=send), method, path, who=who)
    attempts.append(scene.start("v2", rules=[rule]))
    ready.set()
    scene.end(attempts[0])
    twice = len(signals) > 1
    # Pressed twice it leaves at once: there may be no word at its end, and Python's own end may be what is hit
    attempts[0].killed = twice
    codes = [CODES[signals[0]], *([-signals[1]] if twice else [])]
    ended_with(attempts[0], findings, codes)
    ended_with(scene.deploy("v2"), findings, [0])
    findings.holds("B", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")


def _register(phase: str, name: str) -> None:
    def play(scene: Scene, findings: Findings) -> None:
        _signalled(scene, findings, phase, SIGNALS[name])

    short = (phase, name) in {("migrate", "int"), ("upgrade", "term")}
    case(f"{name}-{phase}", FAULT, "ABCDFGI", short=short)(play)


for _phase in PHASES:
    for _name in SIGNALS:
        _register(_phase, _name)
