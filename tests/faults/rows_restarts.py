"""Rows of the table: parts of the cluster itself end during the wait. These break the sandbox for everybody on it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.faults.case import case, ended_with
from tests.faults.judge import Findings
from tests.faults.ledger import script
from tests.faults.scene import Scene

FAULT = "API server, kubelet, containerd restarted during the wait"
ROOT = Path(__file__).parents[2]
LINES = 100
DOWN = 5.0
"""Seconds that a component stays away."""


def _sandbox(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "sandbox", *words], cwd=ROOT, check=True, timeout=120)


def _restarted(scene: Scene, findings: Findings, component: str, *signal: str) -> None:
    scene.migrate(script(LINES), lines=LINES)
    attempt = scene.start("v2", bound=150)
    scene.begun()
    _sandbox("stop", *signal, component)
    time.sleep(DOWN)
    _sandbox("start", component)
    scene.end(attempt)
    ended_with(attempt, findings, [0])
    findings.holds("A", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")


def _register(component: str) -> None:
    def play(scene: Scene, findings: Findings) -> None:
        _restarted(scene, findings, component)

    def killed(scene: Scene, findings: Findings) -> None:
        _restarted(scene, findings, component, "--signal", "KILL")

    case(f"restart-{component}", FAULT, "AC", disruptive=True)(play)
    case(f"kill-{component}", FAULT, "AC", disruptive=True)(killed)


for _component in ("apiserver", "etcd", "kubelet", "containerd"):
    _register(_component)
