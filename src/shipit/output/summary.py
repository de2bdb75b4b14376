"""What a job summary tells of a command, in Markdown: what was deployed, its migrations, why it failed."""

from __future__ import annotations

import re

from shipit.events import Ended, Event, Failed, Planned, Started, Warned
from shipit.hints import Hint
from shipit.output.phrases import brief
from shipit.output.plan_lines import PlanLine, plan_lines
from shipit.output.sanitize import one_line, pieces

LIMIT = 1024 * 1024
"""Bytes that GitHub takes per step; above it drops the whole summary."""

WARNINGS = 20

_MARKDOWN = re.compile(r"[\\`*_\[\]<>#|~&$!@]")
_FENCES = re.compile(r"~{3,}")


class Account:
    """Keeps of a command's events what its summary needs."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._started: Started | None = None
        self._warnings: list[Warned] = []
        self.failed: Failed | None = None
        self.plan: Planned | None = None

    def note(self, event: Event) -> None:
        if isinstance(event, Started):
            self._started = event
        elif isinstance(event, Failed):
            self.failed = event
        elif isinstance(event, Planned):
            self.plan = event
        elif isinstance(event, Warned):
            self._warnings.append(event)

    @property
    def subject(self) -> str:
        """`shop v2`, or `doctor shop` for a command that deploys nothing; "" before the command started."""
        if self._started is None:
            return ""
        command = "" if self._started.command == "deploy" else self._started.command
        return " ".join(part for part in (command, self._started.release, self._started.tag) if part)

    def summary(self, ended: Ended, *, room: int = LIMIT) -> str:
        """At most `room` bytes of UTF-8: the oldest log lines are left out first; "" when nothing fits."""
        head = [*self._head(ended), *_migrations(ended), *self._warned(), *self._why()]
        evidence = self.failed.details if self.failed else ()
        text = "\n".join(head) + "\n"
        if self.plan is not None:
            text += _plan(self.plan, room - len(text.encode()))
        left = room - len(text.encode())
        return text + _evidence(evidence, left) if left >= 0 else ""

    def _head(self, ended: Ended) -> list[str]:
        mark = "✅" if ended.exit_code == 0 or ended.outcome == "succeeded" else "❌"
        subject = self.subject or " ".join(part for part in (ended.release, ended.tag) if part) or "shipit"
        rows = [
            ("Outcome", f"{ended.outcome} (exit code {ended.exit_code})"),
            ("Namespace", ended.namespace),
            ("Context", self._started.context if self._started else ""),
            ("Revision", str(ended.revision or "")),
            ("Duration", brief(ended.duration)),
            ("Run", self._run),
        ]
        return [
            f"## {mark} {escaped(subject)}: {escaped(ended.outcome)}",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {escaped(value)} |" for name, value in rows if value),
            "",
        ]

    def _warned(self) -> list[str]:
        if not self._warnings:
            return []
        items = [_warning(each) for each in self._warnings[:WARNINGS]]
        left_out = len(self._warnings) - len(items)
        more = [f"- and {left_out} more"] if left_out else []
        return ["### Warnings", "", *(f"- {item}" for item in items), *more, ""]

    def _why(self) -> list[str]:
        if self.failed is None:
            return []
        paragraphs = [
            line
            for text in (self.failed.message, *self.failed.states)
            for piece in pieces(text)
            for line in (escaped(piece), "")
        ]
        return ["### Why it failed", "", *paragraphs, *_next(self.failed.hint)]


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
    command = [*_fenced(pieces(str(hint.command)), "sh"), ""] if hint.command else []
    why = [line for piece in pieces(hint.why) for line in (escaped(piece), "")] if hint.why else []
    return ["### Next", "", *command, *why]


def _migrations(ended: Ended) -> list[str]:
    if not ended.migrations:
        return []
    rows = [
        "| " + " | ".join([*map(escaped, (m.name, m.job, m.outcome)), brief(m.duration)]) + " |"
        for m in ended.migrations
    ]
    return ["| Migration | Job | Outcome | Duration |", "|---|---|---|---|", *rows, ""]


def _plan(plan: Planned, room: int) -> str:
    """All of it as a diff, which GitHub colours; the first lines of one that doesn't fit into `room` bytes."""
    lines = [_at_the_margin(line) for line in plan_lines(plan)]
    room -= len("\n".join(["### Plan", "", *_fenced(["and more"], "diff"), ""])) + 2 * len(_fence(lines))
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            kept.append("and more")
            break
        kept.append(line)
    return "\n".join(["### Plan", "", *_fenced(kept, "diff"), ""]) + "\n" if len(kept) > 1 else ""


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
    room -= len("\n".join(["### Details", "", *_fenced([], "text"), ""])) + 2 * len(_fence(lines))
    for line in reversed(lines):
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join(["### Details", "", *_fenced(kept[::-1], "text"), ""]) if kept else ""


def _fenced(lines: list[str], language: str) -> list[str]:
    fence = _fence(lines)
    return [f"{fence}{language}", *lines, fence]


def _fence(lines: list[str]) -> str:
    """One that none of the lines can close."""
    return "~" * max(3, *(len(run) + 1 for line in lines for run in _FENCES.findall(line)), 0)


def escaped(text: str) -> str:
    """Foreign words on one line of Markdown that stay words: no link, image, tag, mention or table cell."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(pieces(text)))
