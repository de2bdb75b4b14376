"""A command as one HTML page for a ticket: no server, no script, nothing loaded; every word of others escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape

from shipit.events import Compared, Ended, Failed, Warned
from shipit.hints import Hint
from shipit.output.html_style import STYLE
from shipit.output.phrases import brief
from shipit.output.plan_lines import change_lines, changes_title
from shipit.output.record import Record, StepRecord
from shipit.output.sanitize import one_line, pieces

LONGEST = 2000
"""Characters of a line that are shown."""

DIFF_LINES = 5000
_MARKS = {"done": "✓", "failed": "✗", "skipped": "–"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(record: Record, ended: Ended, now: datetime) -> str:
    """The whole page; what it is made of is masked already."""
    title = _words(f"{ended.release} {ended.tag}".strip() or "shipit", ended.outcome.replace("_", " "))
    body = [
        f'<h1 class="{"good" if ended.exit_code == 0 else "bad"}">{title}</h1>',
        *_facts(record, ended, now),
        *(_failure(record.failed) if record.failed else []),
        *_timeline(record, now),
        *_warnings(record.warnings),
        *(line for step in record.steps if step.count for line in _log(step)),
        *(_changes(record.compared) if record.compared else []),
    ]
    head = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
    ]
    return "\n".join([*head, "<body>", *body, "</body>", "</html>", ""])


def _facts(record: Record, ended: Ended, now: datetime) -> Iterator[str]:
    started = record.started
    live = record.outlined
    before = f"{live.live_tag} revision {live.live_revision}".strip() if live and live.live_revision else ""
    rows = {
        "Outcome": f"{ended.outcome}, exit code {ended.exit_code}",
        "Environment": started.environment if started else "",
        "Namespace": ended.namespace,
        "Context": started.context if started else "",
        "Before": before,
        "Revision": str(ended.revision or ""),
        "Took": brief(ended.duration),
        "Ended": f"{now:%Y-%m-%d %H:%M:%S} UTC",
        "Helm": started.helm if started else "",
        "Run": started.run if started else "",
    }
    yield "<dl>"
    yield from (f"<dt>{name}</dt><dd>{_text(value)}</dd>" for name, value in rows.items() if value)
    yield "</dl>"


def _failure(failed: Failed) -> Iterator[str]:
    yield '<section class="failure">'
    yield "<h2>What failed</h2>"
    if failed.ending is not None:
        yield f"<p>{_words(failed.ending.what, failed.ending.why)}</p>"
        rows = [(row.label, row.text) for row in failed.ending.rows]
        yield "<dl>"
        yield from (f"<dt>{_text(label)}</dt><dd>{_text(text)}</dd>" for label, text in rows)
        yield "</dl>"
    else:
        yield from (f"<p>{_text(each)}</p>" for each in (failed.message, *failed.states))
    if failed.details:
        yield _pre(piece for detail in failed.details for piece in pieces(detail))
    yield from _next(failed.hint)
    yield "</section>"


def _next(hint: Hint) -> Iterator[str]:
    if hint.command:
        yield "<h3>Next</h3>"
        yield _pre(str(hint.command).splitlines())
    if hint.why:
        yield f"<p>{_text(hint.why)}</p>"


def _timeline(record: Record, now: datetime) -> Iterator[str]:
    """A row for each step, with a bar from its beginning to its end; then those that were not reached."""
    ran = [step for step in record.steps if step.state]
    begins = [step.began for step in ran if step.began]
    if not begins:
        return
    first = min(begins)
    whole = max((now - first).total_seconds(), 0.001)
    yield "<h2>Steps</h2>"
    yield '<table class="steps">'
    for step in ran:
        began = (step.began - first).total_seconds() if step.began else 0.0
        ended = ((step.ended or now) - first).total_seconds() if step.began else 0.0
        bar = f'<i style="left:{began / whole:.2%};width:{max(ended - began, 0) / whole:.2%}"></i>'
        took = brief(step.seconds) if step.seconds is not None and step.state != "skipped" else ""
        about = "; ".join(filter(None, (step.outcome, step.message)))
        yield (
            f'<tr class="{escape(step.state)}"><td>{_MARKS.get(step.state, "…")}</td><th>{_text(step.name)}</th>'
            f'<td class="bar">{bar if step.began else ""}</td><td>{took}</td><td>{_text(about)}</td></tr>'
        )
    for name in record.not_run:
        yield f"<tr><td>○</td><th>{_text(name)}</th><td></td><td></td><td>not reached</td></tr>"
    yield "</table>"


def _warnings(warnings: Iterable[Warned]) -> Iterator[str]:
    found = list(warnings)
    if found:
        yield "<h2>Warnings</h2>"
        yield "<ul>"
        yield from (f"<li>{_words(each.message, str(each.hint))}</li>" for each in found)
        yield "</ul>"


def _log(step: StepRecord) -> Iterator[str]:
    left_out = f", the last {len(step.lines):,} of" if len(step.lines) < step.count else ","
    yield f"<details{' open' if step.failed else ''}>"
    yield f"<summary>Log of {_text(step.name)}{left_out} {step.count:,} lines</summary>"
    yield _pre(tuple(step.lines))  # its thread may still write
    yield "</details>"


def _changes(found: Compared) -> Iterator[str]:
    """The diff, coloured; its signs say the same."""
    lines = [line for change in found.changes for line in change_lines(change)]
    yield f"<h2>{_text(changes_title(found))}</h2>"
    if not lines:
        return
    shown = [f'<span class="{line.style}">{_text(line.text)}</span>' for line in lines[:DIFF_LINES]]
    if len(lines) > DIFF_LINES:
        shown.append(f"… and {len(lines) - DIFF_LINES:,} lines more")
    yield f"<details open><summary>Diff</summary><pre>{chr(10).join(shown)}</pre></details>"


def _pre(lines: Iterable[str]) -> str:
    return f"<pre>{chr(10).join(map(_text, lines))}</pre>"


def _words(first: str, second: str) -> str:
    return _text(f"{first}: {second}" if second else first)


def _text(text: str) -> str:
    """One line of words that no browser takes for anything else."""
    line = one_line(text)
    return escape(line if len(line) <= LONGEST else f"{line[:LONGEST]}…")
