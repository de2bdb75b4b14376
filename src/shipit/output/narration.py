"""An event becomes lines with a style each, in the words that all outputs for people share."""

from __future__ import annotations

from typing import Literal, NamedTuple, assert_never

from shipit.events import (
    AppLogLine,
    Checked,
    Compared,
    Ended,
    Ending,
    Event,
    Failed,
    History,
    JobChanged,
    LogLine,
    Outlined,
    Planned,
    PodChanged,
    RolloutChanged,
    Row,
    Started,
    Status,
    StepChanged,
    Warned,
)
from shipit.output.checklist import check_lines
from shipit.output.history_lines import history_lines
from shipit.output.phrases import (
    hanging,
    hint_lines,
    job_words,
    live_words,
    pod_words,
    result_lines,
    rollout_words,
    started_words,
    step_words,
)
from shipit.output.plan_lines import plan_lines
from shipit.output.prefixes import Prefixes
from shipit.output.progress import Progress
from shipit.output.sanitize import log_pieces, one_line, pieces
from shipit.output.status_lines import status_lines

Style = Literal[
    "log",
    "app_log",
    "heading",
    "done",
    "failed",
    "detail",
    "warning",
    "error",
    "hint",
    "plain",
    "good",
    "bad",
    "added",
    "removed",
]

TOLD_JOBS = frozenset({"created", "attached", "suspended"})
"""States of a Job that no line of its step or its pods tells."""

LOG_LINES = 6
"""Last lines of a log in an ending: the others stand above it."""

_LABELS = 10


class Line(NamedTuple):
    """One line; `label` stands in front of a log line's text, the style is then the label's."""

    style: Style
    text: str
    label: str = ""

    def __str__(self) -> str:
        return self.label + self.text


class Narration:
    """Tells events one after the other. `progress` is where the command is."""

    def __init__(self, *, verbose: bool = False) -> None:
        self.progress = Progress()
        self._prefixes = Prefixes(verbose=verbose)
        self._command = ""
        self._verbose = verbose
        self._explained = False

    def tell(self, event: Event, at: float) -> list[Line]:
        """The lines of an event that came at `at` (monotonic seconds), without control codes."""
        lines = self._lines(event, at)
        self.progress.fold(event, at)
        return lines

    def _lines(self, event: Event, at: float) -> list[Line]:
        match event:
            case LogLine() | AppLogLine():
                style: Style = "log" if isinstance(event, LogLine) else "app_log"
                label = f"{self._prefixes.of(event)} | "
                return [Line(style, piece, label) for piece in log_pieces(event.line)]
            case Started():
                self._command = event.command
                return [Line("heading", started_words(event))]
            case Outlined():
                return [Line("detail", live_words(event))]
            case StepChanged():
                return [self._step(event, at)]
            case JobChanged():
                self._prefixes.note(event)
                return (
                    [Line("detail", f"{event.step}: {job_words(event)}")] if event.state in TOLD_JOBS else []
                )
            case PodChanged():
                job = self.progress.job(event.step)
                return [Line("detail", one_line(f"{event.step}: {pod_words(event, job)}"))]
            case RolloutChanged():
                return [Line("detail", f"rollout: {rollout_words(event)}")]
            case Planned() | Checked() | History() | Status():
                return report(event)
            case Compared():
                return []  # `shipit plan` shows it, and so do summaries and reports
            case Warned():
                lines = [*hanging("warning: ", event.message), *hint_lines(event.hint, "  ")]
                return [Line("warning", line) for line in lines]
            case Failed():
                self._explained = True
                return failure(event, log_lines=None if self._verbose else LOG_LINES)
            case Ended():
                return self._ending(event)
            case _:
                assert_never(event)

    def _step(self, event: StepChanged, at: float) -> Line:
        styles: dict[str, Style] = {"started": "heading", "skipped": "detail"}
        style = styles.get(event.state) or ("done" if event.state == "done" else "failed")
        done = self.progress.done(event) if event.state == "done" else ""
        return Line(style, step_words(event, self.progress.elapsed(event.step, at), done))

    def _ending(self, event: Ended) -> list[Line]:
        style: Style = "good" if event.exit_code == 0 else "plain" if event.outcome == "succeeded" else "bad"
        return [Line(style, line) for line in result_lines(event, self._command, explain=not self._explained)]


def report(event: Planned | Checked | History | Status) -> list[Line]:
    """What a command reports that changes nothing: a plan, a check, past deploys, how a release is."""
    match event:
        case Planned():
            return [Line(line.style, line.text) for line in plan_lines(event)]
        case Checked():
            styles: dict[str, Style] = {"ok": "done", "failed": "failed"}
            first, *rest = check_lines(event)
            return [Line(styles.get(event.state, "detail"), first), *(Line("plain", line) for line in rest)]
        case History():
            return [Line("plain", line) for line in history_lines(event)]
        case Status():
            return [Line("plain", line) for line in status_lines(event)]


def failure(event: Failed, *, log_lines: int | None = LOG_LINES) -> list[Line]:
    """One block: what failed and why, how that leaves the app, the database and the Job, the last lines of
    the log (None: all), and last the command to type.
    """
    ending = event.ending or _ending_of(event)
    head = f"{ending.what}: {ending.why}" if ending.why else ending.what
    lead = "error: " if ending.what == event.message else ""
    return [
        *(Line("error", line) for line in hanging(lead, head)),
        *(Line("plain", line) for row in ending.rows for line in _row(row.label, pieces(row.text))),
        *(Line("plain", line) for line in _row("Log", _last(ending.log, log_lines))),
        *([Line("plain", "")] if event.hint else []),
        *(Line("hint", line) for line in hint_lines(event.hint, next_one="Next", advice="Hint")),
    ]


def _ending_of(event: Failed) -> Ending:
    """That of an error which says its states in sentences alone."""
    return Ending(event.message, rows=tuple(Row("", state) for state in event.states), log=event.details)


def _last(lines: tuple[str, ...], count: int | None) -> list[str]:
    every = [piece for line in lines for piece in log_pieces(line)]
    return every if count is None else every[-count:]


def _row(label: str, lines: list[str]) -> list[str]:
    lead = f"  {one_line(label):<{_LABELS}}" if label else "  "
    return [(lead if number == 0 else " " * len(lead)) + line for number, line in enumerate(lines)]
