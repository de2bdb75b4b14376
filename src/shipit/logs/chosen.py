"""Which lines of a log are wanted: the last ones, those since a moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from shipit.events import Emit, Event, LogLine


@dataclass(slots=True)
class ChosenLines:
    """An `Emit` that leaves out what was not asked for. `tail`: how many lines of each container that were there
    already, None for all; `since`: from when on, None for the start; `began`: when following began, None without.

    What was there already ends with a line that was written later, or where nothing more has come between two looks.
    """

    emit: Emit
    tail: int | None = None
    since: datetime | None = None
    began: datetime | None = None
    _kept: dict[tuple[str, str], deque[LogLine]] = field(default_factory=dict)
    _came: bool = False
    _live: bool = False

    def __call__(self, event: Event) -> None:
        if not isinstance(event, LogLine):
            self.emit(event)
        elif self.since is None or not event.written or _moment(event.written) >= self.since:
            self._line(event)

    def looked(self) -> None:
        """Called at each look at the cluster: once it stays silent, the last lines are told, and all that follow."""
        if not self._came and self._kept:
            self.flush()
            self._live = True
        self._came = False

    def flush(self) -> None:
        """Tell the last lines."""
        for line in _by_time(self._kept.values()):
            self.emit(line)
        self._kept.clear()

    def _line(self, line: LogLine) -> None:
        self._came = True
        if not self._live and self.began and line.written and _moment(line.written) >= self.began:
            self.flush()
            self._live = True
        if self.tail is None or self._live:
            self.emit(line)
            return
        self._kept.setdefault((line.pod, line.container), deque(maxlen=self.tail)).append(line)


def _by_time(kept: Iterable[deque[LogLine]]) -> list[LogLine]:
    """Each container's own order stays: its lines may lack a time."""
    lines: list[tuple[str, LogLine]] = []
    for each in kept:
        last = ""
        for line in each:
            last = line.written or last
            lines.append((last, line))
    return [line for _, line in sorted(lines, key=lambda found: found[0])]


def _moment(written: str) -> datetime:
    """The kubelet's time, to the microsecond."""
    return datetime.fromisoformat(f"{written[:26].rstrip('Z')}+00:00")
