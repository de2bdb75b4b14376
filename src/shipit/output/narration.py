"""An event becomes lines with a style each: what all outputs for people have in common."""

from __future__ import annotations

from typing import Literal, NamedTuple, assert_never

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
from shipit.output.checklist import check_lines
from shipit.output.history_lines import history_lines
from shipit.output.phrases import (
    PodSigns,
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
from shipit.output.sanitize import one_line, pieces
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
        self._signs = PodSigns()
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
                return [Line(style, piece, label) for piece in pieces(event.line)]
            case Started():
                return [Line("heading", started_words(event))]
            case Outlined():
                return [Line("detail", live_words(event))]
            case StepChanged():
                return [self._step(event, at)]
            case JobChanged():
                return [Line("detail", one_line(f"{event.step}: {job_words(event)}"))]
            case PodChanged():
                return [Line("detail", one_line(f"{event.step}: {self._signs.of(event)}{pod_words(event)}"))]
            case RolloutChanged():
                return [Line("detail", f"rollout: {rollout_words(event)}")]
            case Planned():
                return [Line(line.style, line.text) for line in plan_lines(event)]
            case Checked():
                return self._check(event)
            case Compared():
                return []  # `shipit plan` shows it, and so do summaries and reports
            case History():
                return [Line("plain", line) for line in history_lines(event)]
            case Status():
                return [Line("plain", line) for line in status_lines(event)]
            case Warned():
                lines = [*hanging("warning: ", event.message), *hint_lines(event.hint, "  ")]
                return [Line("warning", line) for line in lines]
            case Failed():
                self._explained = True
                return failure(event)
            case Ended():
                return self._ending(event)
            case _:
                assert_never(event)

    def _step(self, event: StepChanged, at: float) -> Line:
        styles: dict[str, Style] = {"started": "heading", "skipped": "detail"}
        style = styles.get(event.state) or ("done" if event.state == "done" else "failed")
        return Line(style, step_words(event, self.progress.elapsed(event.step, at)))

    def _check(self, event: Checked) -> list[Line]:
        styles: dict[str, Style] = {"ok": "done", "failed": "failed"}
        first, *rest = check_lines(event)
        return [Line(styles.get(event.state, "detail"), first), *(Line("plain", line) for line in rest)]

    def _ending(self, event: Ended) -> list[Line]:
        lines = result_lines(event, explain=not self._explained)
        last: Style = "good" if event.outcome == "succeeded" or not event.exit_code else "bad"
        return [*(Line("plain", line) for line in lines[:-1]), *(Line(last, line) for line in lines[-1:])]


def failure(event: Failed) -> list[Line]:
    """What failed and why, the evidence, and last the next command."""
    return [
        *(Line("error", line) for line in hanging("error: ", event.message)),
        *(Line("plain", line) for state in event.states for line in hanging("  ", state)),
        *(Line("plain", f"  | {piece}") for detail in event.details for piece in pieces(detail)),
        *(Line("hint", line) for line in hint_lines(event.hint)),
    ]
