"""Rows of the table: the same tag again, of a chart that renders otherwise each time."""

from __future__ import annotations

import signal

from tests.faults.attempt import Attempt
from tests.faults.case import HELM_STORES, LOG, case, ended_with
from tests.faults.judge import Findings
from tests.faults.ledger import script
from tests.faults.rules import Call, Rule
from tests.faults.scene import Scene

BEFORE = "the same tag again, rendered otherwise, after an end in or just past its migration"
BEHIND = "the same tag again, rendered otherwise, after an end behind its upgrade"
SALT = '- {name: SALT, value: "{{ randAlphaNum 6 }} of {{ .Release.Revision }} at {{ now }}"}'
APP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: salt, annotations: {at: "{{ now }}"}}
data: {salt: "{{ randAlphaNum 6 }} of {{ .Release.Revision }}"}
"""


def _again(
    scene: Scene, findings: Findings, at: tuple[str, str], signum: signal.Signals, *, behind: bool = False
) -> None:
    """End a deploy at a request, then deploy the same tag: what had begun is picked up, and runs once."""
    scene.project.template("salt", APP)
    scene.migrate(script(15), lines=15, env=SALT)
    scene.configure('phase = "after"' if behind else "")
    attempts: list[Attempt] = []
    rule = Rule(Call(before=lambda _: attempts[0].kill(signum)), *at, where=lambda asked: not asked.dry)
    proxy = scene.proxy()
    attempts.append(scene.start("v2", proxy=proxy))
    proxy.rules.add(rule)
    scene.end(attempts[0])
    attempts[0].killed = signum is signal.SIGKILL
    ended_with(attempts[0], findings, [-signal.SIGKILL if attempts[0].killed else 143])
    ended_with(
        scene.deploy("v2"), findings, [0], "finishing what it left" if behind else '"outcome": "deployed"'
    )
    findings.holds("A", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")


@case("again-in-migration", BEFORE, "ABCDFGHI")
def killed_in_a_migration_that_renders_otherwise(scene: Scene, findings: Findings) -> None:
    _again(scene, findings, LOG, signal.SIGKILL)


@case("again-past-migration", BEFORE, "ABCDFGHI")
def killed_between_the_migration_and_the_upgrade(scene: Scene, findings: Findings) -> None:
    _again(scene, findings, HELM_STORES, signal.SIGKILL)


@case("again-behind-upgrade", BEHIND, "ABDFGHI")
def killed_behind_an_upgrade_that_renders_otherwise(scene: Scene, findings: Findings) -> None:
    _again(scene, findings, LOG, signal.SIGKILL, behind=True)


@case("again-behind-upgrade-term", BEHIND, "ABDFGHI")
def interrupted_behind_an_upgrade_that_renders_otherwise(scene: Scene, findings: Findings) -> None:
    _again(scene, findings, LOG, signal.SIGTERM, behind=True)
