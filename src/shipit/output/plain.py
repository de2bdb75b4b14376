"""A line per change with its time in UTC, and a heartbeat when nothing happens: for logs and for terminals that can no more."""

from __future__ import annotations

from typing import assert_never

from shipit.events import (
    AppLogLine,
    Ended,
    Event,
    Failed,
    JobChanged,
    LogLine,
    PodChanged,
    RolloutChanged,
    Started,
    StepChanged,
    Warned,
)
from shipit.model import Clock
from shipit.output.phrases import (
    PodSigns,
    failure_lines,
    hanging,
    hint_lines,
    job_words,
    pod_words,
    result_lines,
    rollout_words,
    started_words,
    step_words,
)
from shipit.output.prefixes import Prefixes
from shipit.output.progress import Progress, Silence
from shipit.output.sanitize import one_line, pieces
from shipit.output.sink import Sink


class Plain:
    interval: float | None = 1.0

    def __init__(self, out: Sink, err: Sink, *, clock: Clock, verbose: bool = False) -> None:
        self._out = out
        self._err = err
        self._clock = clock
        self._prefixes = Prefixes(verbose=verbose)
        self._signs = PodSigns()
        self._progress = Progress()
        self._silence = Silence(clock.monotonic())
        self._explained = False

    def show(self, event: Event) -> None:
        at = self._clock.monotonic()
        lines = self._lines(event, at)
        if isinstance(event, Failed):
            self._explained = True
            self._err.line("\n".join(lines))
        else:
            self._say(lines)
        self._progress.fold(event, at)
        self._silence.broken(at)

    def _lines(self, event: Event, at: float) -> list[str]:
        match event:
            case LogLine() | AppLogLine():
                label = self._prefixes.of(event)
                return [f"{label} | {piece}" for piece in pieces(event.line)]
            case Started():
                return [started_words(event)]
            case StepChanged():
                return [step_words(event, self._progress.elapsed(event.step, at))]
            case JobChanged():
                return [one_line(f"{event.step}: {job_words(event)}")]
            case PodChanged():
                return [one_line(f"{event.step}: {self._signs.of(event)}{pod_words(event)}")]
            case RolloutChanged():
                return [f"rollout: {rollout_words(event)}"]
            case Warned():
                return [*hanging("warning: ", event.message), *hint_lines(event.hint, "  ")]
            case Failed():
                return failure_lines(event)
            case Ended():
                return result_lines(event, explain=not self._explained)
            case _:
                assert_never(event)

    def _say(self, lines: list[str]) -> None:
        time = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        for line in lines:
            self._out.line(f"{time} {line}")

    def tick(self) -> None:
        """Write a heartbeat when one is due."""
        at = self._clock.monotonic()
        if self._progress.current and self._silence.due(at):
            self._say([self._progress.heartbeat(at)])

    def close(self) -> None:
        """Every line is already out."""
