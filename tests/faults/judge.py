"""A scene judged: every invariant that can be checked of it, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.faults import oracle
from tests.faults.attempt import Attempt
from tests.faults.rules import Record
from tests.faults.scene import OVERRUN, Scene

SLACK = 10.0


@dataclass(slots=True)
class Findings:
    """Which invariants were checked in how many runs, and what violated them."""

    checked: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    runs: int = 0

    def holds(self, invariant: str, ok: object, words: str) -> None:
        """Note that an invariant was checked; `words` say what is wrong when it did not hold."""
        self.add(invariant, [] if ok else [words])

    def add(self, invariant: str, violated: Sequence[str]) -> None:
        self.checked.add(invariant)
        self.violations += [f"{invariant}: {each}" for each in violated]

    def take(self, other: Findings) -> None:
        self.checked |= other.checked
        self.violations += other.violations
        self.runs += other.runs


def judge(scene: Scene, findings: Findings) -> None:
    """Check all of A to I that hold for any deploys of one release."""
    findings.runs += len(scene.attempts)
    lives = scene.lives()
    attempts = scene.attempts
    audit = scene.audit.requests(scene.kube.namespace)
    records = sorted((each for one in attempts for each in one.records), key=lambda each: each.began)
    findings.add("A", oracle.overlaps(lives))
    for attempt in attempts:
        findings.add("B", oracle.second_jobs(attempt.records, lives))
        findings.add("D", oracle.blind_deletes(attempt.records, _seen(attempts)))
        _judge_end(attempt, scene, findings)
    findings.add("B", _uncounted(scene, records))
    findings.add("C", oracle.unproven_upgrades(records, lives, audit, scene.jobs))
    findings.add("G", oracle.strangers([attempt.records for attempt in attempts]))
    for earlier, later in pairwise(attempts):
        if earlier.after is not None and later.result is not None and later.alone and later.heard:
            findings.add("I", oracle.unreported_pending(earlier.after, later.result))


def _judge_end(attempt: Attempt, scene: Scene, findings: Findings) -> None:
    result, after = attempt.result, attempt.after
    assert result is not None, f"{attempt} was not waited for"
    assert after is not None
    findings.holds("I", attempt.helm_gone, f"a helm of {attempt} is still there")
    if scene.lines and attempt.heard:
        findings.add("H", oracle.torn_lines(result, scene.lines))
    if attempt.killed:
        return
    findings.holds("E", not attempt.overran, f"{attempt} had not ended {OVERRUN:g} s past its bound")
    if attempt.overran:
        return
    findings.holds(
        "E", attempt.took <= attempt.bound + SLACK, f"{attempt} should have ended within {attempt.bound:g} s"
    )
    if not attempt.heard:
        return
    if not attempt.alone:
        findings.add("F", oracle.untold_end(result))
        return
    lives = [life for life in scene.lives() if life.start <= attempt.ended]
    findings.add(
        "F", oracle.untrue_end(result, attempt.before, after, attempt.tag, lives, migrates=attempt.migrates)
    )


def _seen(attempts: Sequence[Attempt]) -> set[str]:
    return set().union(*(attempt.proxy.uids for attempt in attempts))


def _uncounted(scene: Scene, records: Sequence[Record]) -> list[str]:
    """The API server's own count of created Jobs against ours: nothing went around the proxies
    but what kubectl made here."""
    entries = [
        entry
        for entry in scene.audit.requests(scene.kube.namespace)
        if entry["verb"] == "create"
        and not entry.get("userAgent", "").startswith("kubectl")
        and (entry.get("objectRef") or {}).get("resource") == "jobs"
        and not (entry.get("objectRef") or {}).get("subresource")
        and (entry.get("objectRef") or {}).get("name") in scene.jobs
        and "dryRun" not in entry["requestURI"]
        and (entry.get("responseStatus") or {}).get("code") == 201
    ]
    made = oracle.jobs_made(records)
    return (
        []
        if len(entries) == len(made)
        else [f"{len(entries)} Jobs were created, {len(made)} of them by proxy"]
    )
