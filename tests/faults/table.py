"""The one table: each fault, how often it was played, what was checked, what was violated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.faults.judge import Findings

NAMES = "ABCDEFGHI"
MEANINGS = {
    "A": "two migrations of a release never overlap",
    "B": "a deploy creates at most one Job per step, and none while another migration of the release runs",
    "C": "`helm upgrade` starts only after the migration was seen to succeed",
    "D": "only an observed UID is deleted",
    "E": "shipit ends in time",
    "F": "exit code and last message are true",
    "G": "of several deploys one acts, and only while it holds the lock",
    "H": "log lines are whole and in order, or the gap is marked",
    "I": "no helm outlives shipit, and what it left pending is reported and recovered",
}

HEAD = "| fault | deploys | checked | violations | played |"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `runs` counts the deploys that were started for it; `played` is when, and what was played."""

    fault: str
    runs: int
    checked: str
    violations: int
    played: str = ""


def rows_of(findings: Mapping[str, Iterable[Findings]], played: str = "") -> list[Row]:
    """One row for each fault, in the order in which they are given, all of them played then."""
    found = []
    for fault, several in findings.items():
        total = Findings()
        violations = 0
        for one in several:
            total.take(one)
            violations += bool(one.violations)
        found.append(Row(fault, total.runs, " ".join(sorted(total.checked)), violations, played))
    return found


def as_text(rows: list[Row]) -> str:
    """For a terminal."""
    width = max((len(row.fault) for row in rows), default=0)
    head = f"{'fault':{width}}  {'runs':>5}  {'checked':{2 * len(NAMES)}}  violations\n"
    body = "".join(
        f"{row.fault:{width}}  {row.runs:>5}  {row.checked:{2 * len(NAMES)}}  {row.violations}\n"
        for row in rows
    )
    runs, violations = sum(row.runs for row in rows), sum(row.violations for row in rows)
    return f"{head}{body}{'all':{width}}  {runs:>5}  {'':{2 * len(NAMES)}}  {violations}\n"


def as_markdown(rows: list[Row]) -> str:
    """`docs/faults.md`."""
    runs, violations = sum(row.runs for row in rows), sum(row.violations for row in rows)
    lines = [
        "# What survived",
        "",
        (
            f"{runs:,} deploys against a real Kubernetes, with a real helm, and a proxy between them that breaks what each "
            f"row says; {violations} violations. `make faults` plays all rows; `python -m tests.faults --only NAME… --write` "
            "plays some, and leaves the others as they were: each says on which day it was played last, and with which "
            "commit."
        ),
        "",
        "What is checked, by a ledger that the migrations write themselves, the API server's audit log, every request",
        "that was made, and the state of the cluster:",
        "",
        *(f"- **{name}** {meaning}" for name, meaning in MEANINGS.items()),
        "",
        HEAD,
        "|---|--:|---|--:|---|",
        *(f"| {row.fault} | {row.runs} | {row.checked} | {row.violations} | {row.played} |" for row in rows),
        "",
    ]
    return "\n".join(lines)


def rows_on(page: str) -> list[Row]:
    """The rows of a page that `as_markdown` has written."""
    _, _, body = page.partition(f"{HEAD}\n")
    lines = (line.strip("|").split("|") for line in body.splitlines()[1:] if line.startswith("|"))
    found = ([cell.strip() for cell in cells] for cells in lines)
    return [
        Row(fault, int(runs), checked, int(violations), played)
        for fault, runs, checked, violations, played in found
    ]


def taken_up(there: Iterable[Row], played: Iterable[Row]) -> list[Row]:
    """What is there, each row in its place with what was played last; what is new comes after it."""
    return list({row.fault: row for row in (*there, *played)}.values())
