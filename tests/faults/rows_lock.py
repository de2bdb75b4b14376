"""Rows of the table: the holder of the lock is stopped, cut off, robbed, or believes in another time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

from tests.faults.attempt import Attempt
from tests.faults.case import CREATE_JOB, HELM_STORES, LOG, WRITE_LEASE, case, ended_with, noticed, since
from tests.faults.judge import Findings
from tests.faults.ledger import script
from tests.faults.rules import Call, Delay, Drop, Rule
from tests.faults.scene import PATIENCE, Scene

FAULT = "SIGSTOP past the lease, then CONT; clock an hour off; lease renewals cut; lock broken mid-run"
CLOCK = """\
import datetime

from shipit.cli.clock import SystemClock

right = SystemClock.now
SystemClock.now = lambda self: right(self) + datetime.timedelta(hours={hours})
"""


def _held(scene: Scene, *rules: Rule, env: dict[str, str] | None = None) -> Attempt:
    """A deploy whose migration runs until it is let go."""
    scene.migrate(script(held=True))
    attempt = scene.start("v2", rules=rules, env=env, alone=False, bound=150)
    scene.begun()
    return attempt


def _overtaken(scene: Scene, first: Attempt, findings: Findings, wake: signal.Signals | None = None) -> None:
    """Another deploy of the tag takes the lock over and attaches; the first one finds out before its next change."""
    second = scene.start("v2", alone=False)
    second.running.until("attached", within=PATIENCE)
    if wake is not None:
        first.kill(wake)
    scene.ledger.let_go()
    scene.end(second)
    scene.end(first)
    ended_with(second, findings, [0], "took over the lock")
    ended_with(first, findings, [7, 8])
    findings.holds("A", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")


@case("sigstop", FAULT, "ABCFGHI", short=True)
def stopped_past_its_lease_and_continued(scene: Scene, findings: Findings) -> None:
    first = _held(scene)
    first.kill(signal.SIGSTOP)
    _overtaken(scene, first, findings, signal.SIGCONT)


@case("sigstop-upgrade", FAULT, "ABCFGI", replicas=1)
def stopped_while_its_helm_waits(scene: Scene, findings: Findings) -> None:
    """helm hears nothing from a stopped shipit, and ends before anybody else may take the lock."""
    first: list[Attempt] = []
    ready = threading.Event()

    def stop(_: object) -> None:
        ready.wait(10)
        first[0].kill(signal.SIGSTOP)

    stored = Rule(Call(after=stop), *HELM_STORES, who="helm")
    slow = Rule(Delay(25), "PATCH", "/deployments/", who="helm", times=0)
    first.append(scene.start("v2", rules=[stored, slow], alone=False, bound=150))
    ready.set()
    stored.await_hit()
    second = scene.start("v2", alone=False)
    scene.end(second)
    first[0].kill(signal.SIGCONT)
    scene.end(first[0])
    ended_with(second, findings, [0, 7])
    ended_with(first[0], findings, [6, 7, 8])
    ended_with(scene.deploy("v2"), findings, [0])


@case("renewals-cut", FAULT, "ABCFGH")
def lease_that_can_no_longer_be_renewed(scene: Scene, findings: Findings) -> None:
    created = noticed(*CREATE_JOB)
    first = _held(scene, created, Rule(Drop(), *WRITE_LEASE, times=0, where=since(created)))
    _overtaken(scene, first, findings)


@case("lock-broken", FAULT, "ABCFGH", short=True)
def lock_broken_while_its_holder_works(scene: Scene, findings: Findings) -> None:
    first = _held(scene)
    _unlock(scene)
    scene.ledger.let_go()
    scene.end(first)
    ended_with(first, findings, [7])
    ended_with(scene.deploy("v2"), findings, [0])
    findings.holds("A", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")


def _unlock(scene: Scene) -> None:
    argv = [sys.executable, "-m", "shipit", "unlock", "--yes"]
    argv += ["--kubeconfig", str(scene.kube.sandbox.kubeconfig)]
    ran = subprocess.run(
        argv, cwd=scene.project.folder, check=False, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr


@case("clock", FAULT, "ABCFGH", short=True)
def clocks_an_hour_off_in_both_directions(scene: Scene, findings: Findings) -> None:
    first = _held(scene, env=_clock(scene, 1))
    second = scene.start("v3", env=_clock(scene, -1), alone=False)
    scene.end(second)
    ended_with(second, findings, [7], "holds the lock")
    time.sleep(1)
    scene.ledger.let_go()
    scene.end(first)
    ended_with(first, findings, [0])


def _clock(scene: Scene, hours: int) -> dict[str, str]:
    """An environment in which shipit's wall clock is wrong."""
    folder = scene.project.folder / f"clock{hours}"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(CLOCK.format(hours=hours), encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


@case("late-write", FAULT, "ABCFG")
def write_of_a_dead_holder_that_arrives_late(scene: Scene, findings: Findings) -> None:
    """The Lease is renewed by a request that was on its way when its sender was killed: its holder looked alive once more."""
    scene.migrate(script(held=True))
    opened = noticed(*LOG)
    late = Rule(Delay(8), *WRITE_LEASE, where=since(opened))
    first = scene.start("v2", rules=[opened, late])
    late.await_hit()
    first.kill()
    scene.end(first)
    scene.ledger.let_go()
    ended_with(scene.deploy("v2"), findings, [0])
    findings.holds("A", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")
