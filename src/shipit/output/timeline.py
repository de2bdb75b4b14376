"""The steps of a command in Markdown: a table, a timeline that GitHub draws, the last lines of their logs."""

from __future__ import annotations

import re
from datetime import datetime

from shipit.output.markdown import escaped, fenced, folded, table
from shipit.output.phrases import brief
from shipit.output.record import Record, StepRecord

SHOWN_LINES = 40
"""Of each log: a summary is read at a glance, the whole log stands in the step's own."""

_MARKS = {"done": "✅", "failed": "❌", "skipped": "➖"}
_PLAIN = re.compile(r"[^A-Za-z0-9 ._/-]")
_LEAST_MS = 100
"""What Mermaid still draws."""


def steps_table(record: Record) -> list[str]:
    """Each step with its outcome, when it began and how long it took; then those that were not reached."""
    rows = [_row(step) for step in record.steps if step.state]
    rows += [["○", escaped(name), "not reached", "", "", ""] for name in record.not_run]
    return table(("", "Step", "Outcome", "Began (UTC)", "Took", ""), rows)


def _row(step: StepRecord) -> list[str]:
    job = f"Job {step.result.job}" if step.result and step.result.job else ""
    about = dict.fromkeys(filter(None, (job, step.message)))  # a step may have said no more than its Job
    return [
        _MARKS.get(step.state, "⏳"),
        escaped(step.name),
        escaped(step.outcome.replace("_", " ")),
        f"{step.began:%H:%M:%S}" if step.began else "",
        brief(step.seconds) if step.seconds is not None and step.state != "skipped" else "",
        escaped("; ".join(about)),
    ]


def timeline(record: Record, at: datetime) -> list[str]:
    """A Gantt chart of the steps that ran, until `at` where one did not end."""
    bars = [_bar(number, step, at) for number, step in enumerate(record.steps) if step.began]
    head = ["gantt", "    dateFormat x", "    axisFormat %H:%M:%S"]
    return [*fenced([*head, *bars], "mermaid"), ""] if bars else []


def _bar(number: int, step: StepRecord, at: datetime) -> str:
    began = round(step.began.timestamp() * 1000) if step.began else 0
    ended = round((step.ended or at).timestamp() * 1000)
    kind = {"done": "done", "failed": "crit"}.get(step.state, "active")
    return f"    {_PLAIN.sub('_', step.name)} :{kind}, s{number}, {began}, {max(ended, began + _LEAST_MS)}"


def logs(record: Record) -> list[list[str]]:
    """A block for each log, the failed steps' first."""
    spoke = sorted((step for step in record.steps if step.count), key=lambda step: not step.failed)
    return [_log(step) for step in spoke]


def _log(step: StepRecord) -> list[str]:
    shown = [*step.lines][-SHOWN_LINES:]
    last = f", the last {len(shown)} of {step.count:,} lines" if len(shown) < step.count else ""
    return folded(f"Log of {step.name}{last}", fenced(shown, "text"))
