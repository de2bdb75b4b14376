"""What a job summary tells of a command, in Markdown: what was deployed, its migrations, why it failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shipit.events import Compared, Ended, Event, ObjectChange, Planned, Warned
from shipit.hints import Hint
from shipit.model import Clock
from shipit.output.markdown import escaped, fence_of, fenced, folded, link, table
from shipit.output.phrases import brief
from shipit.output.plan_lines import PlanLine, change_lines, changes_title, plan_lines
from shipit.output.record import Record
from shipit.output.sanitize import one_line, pieces
from shipit.output.timeline import logs, steps_table, timeline

LIMIT = 1024 * 1024
"""Bytes that GitHub takes per step; above it drops the whole summary."""

WARNINGS = 20

OBJECTS = 50


class Account:
    """Keeps of a command's events what its summary needs; `environ` is the runner's."""

    def __init__(self, run: str, clock: Clock, environ: Mapping[str, str]) -> None:
        self._run = run
        self._clock = clock
        self._environ = environ
        self.record = Record(clock)

    def note(self, event: Event) -> None:
        self.record.note(event)

    @property
    def subject(self) -> str:
        """`shop v2`, or `doctor shop` for a command that deploys nothing; "" before the command started."""
        started = self.record.started
        if started is None:
            return ""
        command = "" if started.command == "deploy" else started.command
        return " ".join(part for part in (command, started.release, started.tag) if part)

    def summary(self, ended: Ended, *, room: int = LIMIT) -> str:
        """At most `room` bytes of UTF-8: what is worth least is left out first; "" when nothing fits."""
        record = self.record
        text = _text([*self._head(ended), *self._warned(), *self._why()])
        if record.plan is not None:
            text += _plan(record.plan, room - len(text.encode()))
        left = room - len(text.encode())
        if left < 0:
            return ""
        evidence = _evidence(record.failed.details if record.failed else (), left)
        left -= len(evidence.encode())
        return text + _fitting(self._blocks(), left) + evidence

    def _blocks(self) -> Iterable[list[str]]:
        """What may be left out, the best first."""
        record = self.record
        yield steps_table(record)
        yield timeline(record, self._clock.now())
        if record.compared is not None:
            yield _changed(record.compared)
        yield from logs(record)
        if record.compared is not None:
            yield _diff(record.compared)

    def _head(self, ended: Ended) -> list[str]:
        mark = "✅" if ended.exit_code == 0 or ended.outcome == "succeeded" else "❌"
        subject = self.subject or " ".join(part for part in (ended.release, ended.tag) if part) or "shipit"
        started = self.record.started
        rows = [
            ("Outcome", escaped(f"{ended.outcome} (exit code {ended.exit_code})")),
            ("Environment", escaped(started.environment if started else "")),
            ("Namespace", escaped(ended.namespace)),
            ("Context", escaped(started.context if started else "")),
            ("Revision", str(ended.revision or "")),
            ("Duration", brief(ended.duration)),
            ("By", self._by()),
            ("Run", escaped(self._run)),
        ]
        return [
            f"## {mark} {escaped(subject)}: {escaped(ended.outcome)}",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows if value),
            "",
        ]

    def _by(self) -> str:
        """Who, in which run, of which commit."""
        found = self._environ
        actor = found.get("GITHUB_TRIGGERING_ACTOR") or found.get("GITHUB_ACTOR", "")
        server, repository = found.get("GITHUB_SERVER_URL", ""), found.get("GITHUB_REPOSITORY", "")
        parts = [escaped(actor)] if actor else []
        if run := found.get("GITHUB_RUN_ID", ""):
            number = found.get("GITHUB_RUN_NUMBER", "") or run
            parts.append(link(f"run {number}", f"{server}/{repository}/actions/runs/{run}"))
        if commit := found.get("GITHUB_SHA", ""):
            parts.append(link(commit[:7], f"{server}/{repository}/commit/{commit}"))
        return ", ".join(parts)

    def _warned(self) -> list[str]:
        if not self.record.warnings:
            return []
        items = [_warning(each) for each in self.record.warnings[:WARNINGS]]
        left_out = len(self.record.warnings) - len(items)
        more = [f"- and {left_out} more"] if left_out else []
        return ["### Warnings", "", *(f"- {item}" for item in items), *more, ""]

    def _why(self) -> list[str]:
        if self.record.failed is None:
            return []
        failed = self.record.failed
        paragraphs = [
            line
            for text in (failed.message, *failed.states)
            for piece in pieces(text)
            for line in (escaped(piece), "")
        ]
        return ["### Why it failed", "", *paragraphs, *_next(failed.hint)]


def _warning(event: Warned) -> str:
    """The message and what to do about it, a command as code."""
    hint = event.hint
    command = [f"`{one_line(str(hint.command)).replace('`', '')}`"] if hint.command else []
    about = ": ".join([*command, *([escaped(hint.why)] if hint.why else [])])
    return escaped(event.message) + (f" ({about})" if about else "")


def _next(hint: Hint) -> list[str]:
    """A block that can be pasted and, below it, why."""
    if not hint:
        return []
    command = [*fenced(pieces(str(hint.command)), "sh"), ""] if hint.command else []
    why = [line for piece in pieces(hint.why) for line in (escaped(piece), "")] if hint.why else []
    return ["### Next", "", *command, *why]


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _fitting(blocks: Iterable[list[str]], room: int) -> str:
    """Those blocks that fit, one after the other."""
    found = ""
    for block in blocks:
        text = _text(block) if block else ""
        if len(text.encode()) <= room:
            room -= len(text.encode())
            found += text
    return found


def _changed(found: Compared) -> list[str]:
    """`Manifest: 1 created, 2 changed`, and which objects."""
    shown = found.changes[:OBJECTS]
    more = [f"and {len(found.changes) - len(shown)} more", ""] if len(shown) < len(found.changes) else []
    rows = [[each.action, escaped(each.object), escaped(each.note)] for each in shown]
    return [f"### {changes_title(found)}", "", *table(("", "Object", ""), rows), *more]


def _diff(found: Compared) -> list[str]:
    lines = [_at_the_margin(line) for each in found.changes for line in _lines_of(each)]
    return folded("Diff of the manifest", fenced(lines, "diff")) if lines else []


def _lines_of(change: ObjectChange) -> Iterable[PlanLine]:
    return change_lines(change) if change.lines else ()


def _plan(plan: Planned, room: int) -> str:
    """All of it as a diff, which GitHub colours; the first lines of one that doesn't fit into `room` bytes."""
    lines = [_at_the_margin(line) for line in plan_lines(plan)]
    room -= len("\n".join(["### Plan", "", *fenced(["and more"], "diff"), ""])) + 2 * len(fence_of(lines))
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            kept.append("and more")
            break
        kept.append(line)
    return "\n".join(["### Plan", "", *fenced(kept, "diff"), ""]) + "\n" if len(kept) > 1 else ""


def _at_the_margin(line: PlanLine) -> str:
    """A change's line with its sign in the first column, where a diff has it."""
    rest = line.text.lstrip(" ")
    if line.style not in ("added", "removed"):
        return line.text
    return f"{rest[0]}{line.text[: -len(rest)]}{rest[1:]}"


def _evidence(details: tuple[str, ...], room: int) -> str:
    """The last lines of a log or of helm, as many as fit into `room` bytes."""
    lines = [piece for detail in details for piece in pieces(detail)]
    kept: list[str] = []
    room -= len("\n".join(["### Details", "", *fenced([], "text"), ""])) + 2 * len(fence_of(lines))
    for line in reversed(lines):
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join(["### Details", "", *fenced(kept[::-1], "text"), ""]) if kept else ""
