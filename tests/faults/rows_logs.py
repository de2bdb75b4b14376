"""Rows of the table: logs that are cut, rotated, hostile, or hold what nobody may see."""

from __future__ import annotations

import base64
import re

from tests.faults.case import LOG, case, ended_with
from tests.faults.judge import Findings
from tests.faults.ledger import script
from tests.faults.rules import Cutoff, Reset, Rule, Stall
from tests.faults.scene import Scene

FAULT = (
    "log stream cut mid-line; no final newline; 600,001 lines through a rotation; hostile bytes; "
    "a secret printed"
)
PASSWORD = "correct-horse-battery"
ODD = r"""printf '\033[2J\033]0;title\007[red]not markup[/red] [/var/log]\n'
printf '::error::not a command\n  ::add-mask::line\n'
printf '##[error]nor this\n'
printf 'one\rtwo\n\377\376 not UTF-8\n'
printf 'the last one has no end'
"""


@case("log-cut", FAULT, "H", short=True)
def log_cut_in_the_middle_of_a_line(scene: Scene, findings: Findings) -> None:
    scene.migrate(script(40), lines=40)
    ended_with(scene.deploy("v2", rules=[Rule(Reset(137), *LOG, times=4)]), findings, [0])


@case("log-closing", FAULT, "H")
def log_closed_every_half_second(scene: Scene, findings: Findings) -> None:
    scene.migrate(script(60), lines=60)
    ended_with(scene.deploy("v2", rules=[Rule(Cutoff(0.5), *LOG, times=0)]), findings, [0])


@case("log-stalled", FAULT, "H")
def log_that_falls_silent_while_it_is_open(scene: Scene, findings: Findings) -> None:
    scene.migrate(script(40), lines=40)
    ended_with(scene.deploy("v2", rules=[Rule(Stall(90), *LOG)], bound=120), findings, [0])


@case("log-flood", FAULT, "H")
def log_of_600001_lines_through_a_rotation(scene: Scene, findings: Findings) -> None:
    flood = (
        'awk \'BEGIN {for (i = 1; i <= 600001; i++) print "row", i, "of a flood that turns the file over"}\''
    )
    scene.migrate(script(0, then=flood), lines=0)
    scene.configure('timeout = "10m"')
    attempt = scene.deploy("v2", bound=600)
    ended_with(attempt, findings, [0])
    assert attempt.result is not None
    numbers = [int(line.split()[1]) for line in attempt.result.log if line.startswith("row ")]
    findings.holds("H", numbers == list(range(1, 600_002)), f"{len(numbers)} of 600,001 lines in order")


@case("log-hostile", FAULT, "H", short=True)
def log_that_would_act_on_terminals_and_runners(scene: Scene, findings: Findings) -> None:
    scene.migrate(script(0, then=ODD), lines=0)
    attempt = scene.deploy("v2")
    ended_with(attempt, findings, [0])
    assert attempt.result is not None
    lines = attempt.result.log
    findings.holds("H", lines[-1:] == ["the last one has no end"], f"the last line is {lines[-1:]}")
    findings.holds("H", any("not UTF-8" in line for line in lines), f"a line is missing: {lines}")
    for output in ("plain", "github"):
        shown = scene.start("v2", output=output)
        scene.end(shown)
        findings.add("H", harmful(shown.running.said(), output))


def harmful(text: str, output: str) -> list[str]:
    """What of an output would act on a terminal or, between its own commands, on the Actions runner."""
    found = [f"{output}: a control character in {line!r}" for line in text.split("\n") if _control(line)]
    if output != "github":
        return found
    stopped = ""
    for line in text.split("\n"):
        if stopped:
            stopped = "" if line.strip() == f"::{stopped}::" else stopped
        elif match := re.match(r"::stop-commands::(\S+)", line):
            stopped = match[1]
        elif "not a command" in line or "add-mask::line" in line or "##[error]nor" in line:
            found.append(f"{output}: the runner would act on {line!r}")
        if "##[error]nor" in line:
            found.append(f"{output}: the runner would act on {line!r}")
    return found


def _control(line: str) -> bool:
    return any(ord(sign) < 32 and sign != "\t" for sign in line)


@case("log-secret", FAULT, "H")
def log_that_holds_a_secret(scene: Scene, findings: Findings) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}}
    scene.kube.apply({**secret, "stringData": {"password": PASSWORD}})
    prints = 'echo "it is $PASSWORD"; printf "%s" "$PASSWORD" | base64'
    env = "- {name: PASSWORD, valueFrom: {secretKeyRef: {name: database, key: password}}}"
    scene.migrate(script(0, then=prints), lines=0, env=env)
    attempt = scene.deploy("v2")
    ended_with(attempt, findings, [0])
    assert attempt.result is not None
    told = attempt.running.said() + attempt.result.stderr
    findings.holds("H", PASSWORD not in told, "the secret was shown")
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    findings.holds("H", encoded not in told, "the secret was shown as base64")
    findings.holds("H", any("it is" in line for line in attempt.result.log), "its line is missing")
