"""The fault table as a registry: each row is played on a release of its own and says which invariants it keeps."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.faults.attempt import Attempt
from tests.faults.bench import Bench
from tests.faults.judge import Findings, judge
from tests.faults.rules import Delay, Record, Rule
from tests.faults.scene import Scene, a_scene
from tests.faults.transcript import write_transcript

Play = Callable[[Scene, Findings], None]

CREATE_JOB = ("POST", r"/jobs\?fieldManager")
READ_JOB = ("GET", r"/jobs/migrate\?$")
DELETE_JOB = ("DELETE", r"/jobs/migrate")
PATCH_JOB = ("PATCH", r"/jobs/migrate")
WRITE_LEASE = ("PUT", r"/leases/")
WATCH = ("GET", r"watch=true")
LOG = ("GET", r"/log\?")
HELM_STORES = ("POST", r"/secrets")
HELM_APPLIES = ("PATCH", r"/deployments/shop\?")


@dataclass(frozen=True, slots=True)
class Case:
    """`fault` is its row in the table; `keeps` the invariants that must have been checked.

    `short` ones are part of `make test`; one that is `disruptive` breaks the cluster itself, and is played alone.
    """

    name: str
    fault: str
    keeps: str
    play: Play
    short: bool = False
    disruptive: bool = False
    installed: bool = True
    replicas: int = 0
    helm: str = "4"


CASES: dict[str, Case] = {}


def case(
    name: str,
    fault: str,
    keeps: str,
    *,
    short: bool = False,
    disruptive: bool = False,
    installed: bool = True,
    replicas: int = 0,
    helm: str = "4",
) -> Callable[[Play], Play]:
    """Register how a fault is played: on a release whose v1 is `installed`, with so many `replicas` of its app."""

    def register(play: Play) -> Play:
        assert name not in CASES, f"two faults are called {name}"
        CASES[name] = Case(
            name, fault, keeps, play, short, disruptive, installed=installed, replicas=replicas, helm=helm
        )
        return play

    return register


def run_case(bench: Bench, one: Case) -> Findings:
    """Play a fault and judge what came of it; whatever else goes wrong counts as a violation."""
    findings = Findings()
    with a_scene(bench, one.helm, replicas=one.replicas) as scene:
        try:
            if one.installed:
                scene.install()
            one.play(scene, findings)
            judge(scene, findings)
        except Exception:  # noqa: BLE001 - a fault that can't be played has not been survived
            findings.violations.append(f"could not be played: {traceback.format_exc()}")
        unchecked = set(one.keeps) - findings.checked
        if unchecked:
            findings.violations.append(f"not checked: {', '.join(sorted(unchecked))}")
        findings.runs = max(findings.runs, 1)
        if findings.violations:
            path = write_transcript(scene, findings.violations, bench.transcripts)
            findings.violations.append(f"see {path}")
    return findings


def noticed(method: str, path: str, who: str = "") -> Rule:
    """A rule that breaks nothing and only tells when the first such request came."""
    return Rule(Delay(0), method, path, who=who)


def since(rule: Rule) -> Callable[[Record], bool]:
    """For `where`: only what is asked for after that rule's first hit."""
    return lambda _: bool(rule.hits)


def ended_with(attempt: Attempt, findings: Findings, codes: Sequence[int], words: str = "") -> None:
    """F: it ended with one of these exit codes, and said these words on the way."""
    result = attempt.result
    assert result is not None
    findings.holds("F", result.exit_code in codes, f"{attempt} should have ended with {codes}: {result.told}")
    if words:
        findings.holds("F", words in result.told, f"{attempt} never said {words!r}: {result.told}")


def ended_within(attempt: Attempt, findings: Findings, seconds: float) -> None:
    """E: it ended in that time."""
    findings.holds("E", attempt.took <= seconds, f"{attempt} should have ended within {seconds:g} s")
