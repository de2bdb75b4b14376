"""A line per change with its time in UTC, and a heartbeat when nothing happens: for logs and for terminals that can no more."""

from __future__ import annotations

from collections.abc import Iterable

from shipit.events import AppLogLine, Checked, Ended, Event, Failed, History, LogLine, Planned, Status
from shipit.model import Clock
from shipit.output.narration import Narration
from shipit.output.progress import Silence
from shipit.output.sink import Sink


class Plain:
    interval: float | None = 1.0

    def __init__(self, out: Sink, err: Sink, *, clock: Clock, verbose: bool = False) -> None:
        self._out = out
        self._err = err
        self._clock = clock
        self._narration = Narration(verbose=verbose)
        self._silence = Silence(clock.monotonic())
        self._error: list[str] = []

    def show(self, event: Event) -> None:
        at = self._clock.monotonic()
        lines = [str(line) for line in self._narration.tell(event, at)]
        if isinstance(event, Failed):
            self._error = lines
        elif isinstance(
            event, Planned | Checked | History | Status
        ):  # a page, and no account of what happens
            self._out.line("\n".join(lines))
        else:
            written = event.written if isinstance(event, LogLine | AppLogLine) else ""
            self._say(lines, written)
        if isinstance(event, Ended):
            self._say_error()
        self._silence.broken(at)

    def _say_error(self) -> None:
        """Below the result: the command to type comes last."""
        if self._error:
            self._err.line("\n".join(self._error))
        self._error = []

    def _say(self, lines: Iterable[str], written: str = "") -> None:
        time = f"{written[:19]}Z" if written else self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        for line in lines:
            self._out.line(f"{time} {line}")

    def tick(self) -> None:
        """Write a heartbeat when one is due."""
        at = self._clock.monotonic()
        if self._narration.progress.current and self._silence.due(at):
            self._say([self._narration.progress.heartbeat(at)])

    def close(self) -> None:
        """Every line is out but an error that no result came after."""
        self._say_error()
