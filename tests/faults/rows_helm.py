"""Rows of the table: helm is killed, hangs, is missing or too old; a release that a dead one left pending."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path

from tests.faults.attempt import Attempt, marked
from tests.faults.case import HELM_APPLIES, case, ended_with
from tests.faults.judge import Findings
from tests.faults.rules import Call, Rule, Stall
from tests.faults.scene import Scene

FAULT = "helm killed; helm hangs; helm missing or too old; release already pending"


def _helms(attempt: Attempt, scene: Scene) -> list[int]:
    """The processes of a run that are helm itself."""
    found = []
    for pid in marked(attempt.mark):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/exe").resolve() == scene.project.helm.resolve():
                found.append(pid)
    return found


def _when_it_applies(scene: Scene, kill: str) -> Attempt:
    """A deploy whose helm is killed in the middle of its upgrade: alone, or with everything that is the deploy's."""
    attempts: list[Attempt] = []
    ready = threading.Event()

    def strike(_: object) -> None:
        ready.wait(10)
        pids = _helms(attempts[0], scene) if kill == "helm" else marked(attempts[0].mark)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    rule = Rule(Call(before=strike, cut=True), *HELM_APPLIES, who="helm")
    attempts.append(scene.start("v2", rules=[rule]))
    attempts[0].killed = kill == "all"
    ready.set()
    scene.end(attempts[0])
    return attempts[0]


@case("helm-killed", FAULT, "CFI")
def helm_killed_in_the_middle_of_its_upgrade(scene: Scene, findings: Findings) -> None:
    ended_with(_when_it_applies(scene, "helm"), findings, [6])
    ended_with(scene.deploy("v2"), findings, [0], "pending-upgrade")


@case("helm-hangs", FAULT, "CEFI")
def helm_that_waits_for_an_answer_for_ever(scene: Scene, findings: Findings) -> None:
    scene.configure(release='timeout = "10s"')
    attempt = scene.deploy("v2", rules=[Rule(Stall(0), *HELM_APPLIES, who="helm", times=0)], bound=90)
    ended_with(attempt, findings, [6])
    ended_with(scene.deploy("v2"), findings, [0])


@case("helm-ignores-signals", FAULT, "CEFI")
def helm_that_ignores_every_signal(scene: Scene, findings: Findings) -> None:
    scene.configure(release='timeout = "10s"')
    stubborn = scene.project.folder / "stubborn-helm"
    stubborn.write_text(
        "#!/bin/sh\n"
        'case " $* " in *" --dry-run=server "*) ;; *" upgrade "*) trap "" INT TERM HUP\n'
        "while :; do sleep 1; done ;; esac\n"
        f"exec '{scene.project.helm}' \"$@\"\n"
    )
    stubborn.chmod(0o755)
    attempt = scene.start("v2", env={"SHIPIT_HELM": str(stubborn)}, bound=90)
    scene.end(attempt)
    ended_with(attempt, findings, [6])
    ended_with(scene.deploy("v2"), findings, [0])


@case("helm-missing", FAULT, "FI", installed=False)
def helm_that_is_not_there(scene: Scene, findings: Findings) -> None:
    attempt = scene.start("v1", env={"SHIPIT_HELM": "/no/such/helm"})
    scene.end(attempt)
    ended_with(attempt, findings, [3], "/no/such/helm")


@case("helm-old", FAULT, "FI", installed=False)
def helm_that_is_too_old(scene: Scene, findings: Findings) -> None:
    old = scene.project.folder / "old-helm"
    old.write_text("#!/bin/sh\necho v3.10.3\n")
    old.chmod(0o755)
    attempt = scene.start("v1", env={"SHIPIT_HELM": str(old)})
    scene.end(attempt)
    ended_with(attempt, findings, [3], "3.13")


@case("pending", FAULT, "ABCFGI", short=True)
def release_left_pending_by_the_end_of_everything(scene: Scene, findings: Findings) -> None:
    _when_it_applies(scene, "all")
    ended_with(scene.deploy("v2"), findings, [0], "pending-upgrade")
    findings.holds("B", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")


@case("pending-install", FAULT, "ABCFGI", installed=False)
def first_install_left_pending(scene: Scene, findings: Findings) -> None:
    attempts: list[Attempt] = []
    ready = threading.Event()

    def strike(_: object) -> None:
        ready.wait(10)
        for pid in marked(attempts[0].mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    rule = Rule(Call(before=strike, cut=True), "POST|PATCH", r"/deployments", who="helm")
    attempts.append(scene.start("v2", rules=[rule]))
    attempts[0].killed = True
    ready.set()
    scene.end(attempts[0])
    ended_with(scene.deploy("v2"), findings, [0], "pending-install")
    findings.holds("B", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")
