"""A command from its events: its steps with their times and the last lines of their logs, for summaries and reports."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shipit.events import (
    AppLogLine,
    Compared,
    Event,
    Failed,
    LogLine,
    MigrationResult,
    Outlined,
    Planned,
    Started,
    StepChanged,
    Warned,
)
from shipit.model import Clock
from shipit.output.prefixes import Prefixes
from shipit.output.sanitize import pieces

KEPT_LINES = 500
"""Of each log the last ones."""

APP = "app"
"""Whose log lines belong to no step: those of the app's pods."""


@dataclass(slots=True)
class StepRecord:
    """One run of a step. `state` is "" for one of which only log lines came; `lines` are the log's last ones, of `count`;
    `ended` is None while it runs.
    """

    name: str
    state: str = ""
    message: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    result: MigrationResult | None = None
    count: int = 0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))

    @property
    def outcome(self) -> str:
        """`succeeded`, `timed_out`, … of a Job or Pod, else done, failed, skipped, or started."""
        return self.result.outcome if self.result else self.state

    @property
    def failed(self) -> bool:
        return self.state == "failed"

    @property
    def seconds(self) -> float | None:
        """How long it took, None for one that was never seen to run or to end."""
        if self.result is not None and self.state != "skipped":
            return self.result.duration
        return (self.ended - self.began).total_seconds() if self.began and self.ended else None


class Record:
    """Keeps of a command's events what is told of it afterwards."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._prefixes = Prefixes()
        self.steps: list[StepRecord] = []
        self.started: Started | None = None
        self.outlined: Outlined | None = None
        self.compared: Compared | None = None
        self.plan: Planned | None = None
        self.failed: Failed | None = None
        self.warnings: list[Warned] = []

    def note(self, event: Event) -> None:
        match event:
            case StepChanged():
                self._step(event)
            case LogLine() | AppLogLine():
                self._line(event)
            case Started():
                self.started = event
            case Outlined():
                self.outlined = event
            case Compared():
                self.compared = event
            case Planned():
                self.plan = event
            case Failed():
                self.failed = event
            case Warned():
                self.warnings.append(event)
            case _:
                pass

    @property
    def not_run(self) -> list[str]:
        """The steps that were to come and did not, once the command has ended."""
        seen = {step.name for step in self.steps}
        return [name for name in self.outlined.steps if name not in seen] if self.outlined else []

    def _step(self, event: StepChanged) -> None:
        now = self._clock.now()
        step = self._open(event.step)
        if step is None or event.state == "started":
            step = StepRecord(event.step)
            self.steps.append(step)
        step.state = event.state
        step.message = event.message or step.message
        if event.state == "started":
            step.began = now - timedelta(seconds=event.elapsed)
            return
        step.ended = now
        step.result = event.result or step.result

    def _open(self, name: str) -> StepRecord | None:
        """The step of that name which has not ended."""
        return next((step for step in reversed(self.steps) if step.name == name and not step.ended), None)

    def _line(self, event: LogLine | AppLogLine) -> None:
        name = event.step if isinstance(event, LogLine) else APP
        step = next((step for step in reversed(self.steps) if step.name == name), None)
        if step is None:
            step = StepRecord(name)
            self.steps.append(step)
        label = self._prefixes.of(event)
        at = f"{clock_time(event.written)} " if event.written else ""
        for piece in pieces(event.line):
            step.count += 1
            step.lines.append(f"{at}{label} | {piece}")


def clock_time(written: str) -> str:
    """The time of day of an RFC 3339 time: `12:03:04Z`."""
    return f"{written[11:19]}Z"
