"""What stays on a terminal: a header, a line for each step once it has ended, log lines, trouble at once, the ending."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, assert_never

from shipit.events import (
    AppLogLine,
    Checked,
    Compared,
    Ended,
    Event,
    Failed,
    History,
    JobChanged,
    LogLine,
    Outlined,
    Planned,
    PodChanged,
    RolloutChanged,
    Started,
    Status,
    StepChanged,
    Warned,
)
from shipit.output.layout import columns, folded, hung, width_of
from shipit.output.narration import LOG_LINES, Style, failure, report
from shipit.output.phrases import (
    GONE,
    GONE_ANYWAY,
    GOOD,
    brief,
    hanging,
    hint_lines,
    job_words,
    live_words,
    pod_words,
    result_lines,
    rollout_words,
)
from shipit.output.prefixes import Prefixes
from shipit.output.progress import Progress
from shipit.output.sanitize import log_pieces, one_line
from shipit.output.signs import Signs

NAMES = 10
"""Columns of the steps' names, more where one is longer."""
LONGEST_NAME = 24
FEWEST = 36
"""Columns below which a log line is left to the terminal to fold."""


class Part(NamedTuple):
    """Text of one style; `hue` numbers the pod's container that it belongs to, -1 for none."""

    style: Style
    text: str
    hue: int = -1


Row = list[Part]
"""One line of the screen."""


class Scroll:
    """Tells events one after the other; what goes well under way is the footer's. `colors`: those of a log are kept."""

    def __init__(self, signs: Signs, *, colors: bool, verbose: bool = False) -> None:
        self.progress = Progress()
        self._signs = signs
        self._colors = colors
        self._verbose = verbose
        self._prefixes = Prefixes(verbose=verbose)
        self._header = ""
        self._command = ""
        self._failed = False
        self._begun = False
        self._told: set[tuple[str, object]] = set()

    def tell(self, event: Event, at: float, width: int) -> list[Row]:
        """The lines of an event that came at `at` (monotonic seconds), of at most `width` columns where they can be."""
        rows = list(self._rows(event, at, width))
        if rows and self._header and not isinstance(event, Started):
            rows[:0] = self.opened(width)
        self.progress.fold(event, at)
        self._begun = self._begun or (
            bool(rows) and isinstance(event, StepChanged | LogLine | AppLogLine | Planned)
        )
        return rows

    def opening(self, width: int) -> list[Row]:
        """The header as long as nothing stands below it: what is live may still be added."""
        return _headed(self._header, width) if self._header else []

    def opened(self, width: int) -> list[Row]:
        """The same, for good."""
        rows = self.opening(width)
        self._header = ""
        return rows

    def _rows(self, event: Event, at: float, width: int) -> Iterator[Row]:
        match event:
            case LogLine() | AppLogLine():
                yield from self._log(event, width)
            case Started():
                self._command, self._header = event.command, self._subject(event)
            case Outlined():
                if self._header:
                    yield from self._outlined(event, width)
            case StepChanged():
                yield from self._step(event, at, width)
            case JobChanged():
                self._prefixes.note(event)
                if event.state in ("attached", "suspended"):
                    yield from self._note(event.step, job_words(event), width)
            case PodChanged():
                if self._is_trouble(event):
                    yield from self._trouble(
                        event.step, pod_words(event, self.progress.job(event.step)), width
                    )
            case RolloutChanged():
                if event.trouble:
                    yield from self._trouble("rollout", rollout_words(event), width)
            case Compared():  # the report's and the summary's
                return
            case Planned() | Checked() | History() | Status():
                yield from ([Part(line.style, line.text)] for line in report(event))
            case Warned():
                yield from self._warned(event, width)
            case Failed():
                self._failed = True
                yield from self._block(event, width)
            case Ended():
                yield from self._ended(event)
            case _:
                assert_never(event)

    def _subject(self, event: Started) -> str:
        signs = self._signs
        subject = f"{event.release} {signs.arrow} {event.tag}" if event.tag else event.release
        command = "" if event.command == "deploy" else f"{event.command} "
        facts = [
            f"namespace {event.namespace}",
            f"context {event.context}" if event.context else "",
            event.environment,
        ]
        return one_line(f"{command}{subject}     {f' {signs.dot} '.join(filter(None, facts))}")

    def _outlined(self, event: Outlined, width: int) -> Iterator[Row]:
        """The header with what is live, for good."""
        subject, _, facts = self._header.partition("     ")
        self._header = ""
        text = f"{subject}     {live_words(event)} {self._signs.dot} {facts}"
        yield from _headed(text, width)

    def _log(self, event: LogLine | AppLogLine, width: int) -> Iterator[Row]:
        style: Style = "log" if isinstance(event, LogLine) else "app_log"
        label, hue = f"  {self._prefixes.of(event)} {self._signs.rule} ", self._prefixes.hue(event)
        room = width - width_of(label)
        for piece in log_pieces(event.line, colors=self._colors):
            fits = width < FEWEST or (len(piece) <= room and piece.isascii()) or width_of(piece) <= room
            first, *rest = [piece] if fits else _folded(piece, room)
            yield [Part(style, label, hue), Part("plain", first)]
            below = " " * (width_of(label) - 2) + f"{self._signs.rule} "
            yield from ([Part(style, below, hue), Part("plain", line)] for line in rest)

    def _step(self, event: StepChanged, at: float, width: int) -> Iterator[Row]:
        if event.state == "started":
            return
        elapsed = self.progress.elapsed(event.step, at)
        took = "" if elapsed is None or event.state == "skipped" else brief(elapsed)
        done = event.state == "done"
        text = one_line(self.progress.done(event) if done else event.message)
        sign = {"done": self._signs.done, "failed": self._signs.failed}.get(event.state, self._signs.skipped)
        style: Style = "done" if done else "failed" if event.state == "failed" else "detail"
        lead = self._lead(event.step)
        first, *rest = columns(lead, text or _said(event), took, width)
        yield [Part(style, sign), Part("plain", first[1:])]
        yield from ([Part("plain", line)] for line in rest)

    def _lead(self, step: str) -> str:
        """A place for the sign, and the step's name."""
        wide = min(max(NAMES, self.progress.width), LONGEST_NAME)
        return f"  {one_line(step):<{wide}} "

    def _note(self, step: str, text: str, width: int) -> Iterator[Row]:
        yield from ([Part("detail", line)] for line in columns(self._lead(step), one_line(text), "", width))

    def _trouble(self, step: str, text: str, width: int) -> Iterator[Row]:
        first, *rest = columns(self._lead(step), text, "", width)
        yield [Part("warning", self._signs.trouble + first[1:])]
        yield from ([Part("warning", line)] for line in rest)

    def _is_trouble(self, event: PodChanged) -> bool:
        """Told once for each pod; that the last pod failed is told by its step."""
        told = (event.pod, _IMAGE if event.state in _IMAGE else event.state)
        if event.state in GOOD or event.state in GONE_ANYWAY or told in self._told:
            return False
        if event.state in GONE and self.progress.is_last(event):
            return False
        self._told.add(told)
        return True

    def _warned(self, event: Warned, width: int) -> Iterator[Row]:
        lead = "warning: "
        for line in hanging("", event.message):
            yield from ([Part("warning", each)] for each in hung(lead, line, width))
            lead = " " * len(lead)
        yield from ([Part("warning", line)] for line in hint_lines(event.hint, "  "))

    def _block(self, event: Failed, width: int) -> Iterator[Row]:
        if self._begun:
            yield []
        for line in failure(event, log_lines=None if self._verbose else LOG_LINES):
            if line.style == "hint":  # a command is copied: the terminal folds it
                yield [Part("hint", line.text)]
                continue
            lead = line.text[:_INDENT] if line.text.startswith("  ") else ""
            yield from ([Part(line.style, each)] for each in hung(lead, line.text[len(lead) :], width))

    def _ended(self, event: Ended) -> Iterator[Row]:
        if self._failed:
            return
        if self._begun:
            yield []
        style: Style = "good" if event.exit_code == 0 else "plain" if event.outcome == "succeeded" else "bad"
        yield from ([Part(style, line)] for line in result_lines(event, self._command, explain=True))


_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff"})
"""The same trouble, by turns."""
_INDENT = 12
"""Columns before the texts of an ending's rows."""


def _headed(text: str, width: int) -> list[Row]:
    """A header's lines, and a blank one."""
    return [*([Part("heading", line)] for line in hung("", text, width)), []]


def _folded(piece: str, room: int) -> list[str]:
    """A log line in lines; one with colours of its own is left to the terminal, which knows where they end."""
    return [piece] if "\x1b" in piece else folded(piece.expandtabs(8), room)


def _said(event: StepChanged) -> str:
    """How a step ended that says no more of it."""
    if event.result and event.result.outcome == "timed_out":
        return "timed out"
    return "skipped" if event.state == "skipped" else ""
