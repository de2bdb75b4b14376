"""A step's logs without loss or repeat: read ahead by threads, handed to the main thread in order."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from shipit.errors import ApiError
from shipit.events import Emit, LogLine, Warned
from shipit.logs.buffer import Buffer
from shipit.logs.reader import LogReader
from shipit.logs.shown import gap
from shipit.logs.timestamps import UNTIMED, is_stamped, told, usual
from shipit.model import Changes, Clock, Cluster, Container, Pod

__all__ = ["Follower", "tail_lines"]

LAST = 20
"""Lines that are kept of each container for the verdict."""
BATCH = 10_000
MOST = 4 << 20
"""Characters after which a batch is full."""
FEW = 500
"""Lines that are emitted between two looks at the clock."""
SILENCE = 60.0
"""Seconds without a new line after which the rest of a log is no longer waited for."""
AT_A_TIME = 0.5
"""Seconds after which `pass_on` lets its caller look at the cluster again."""
PACE = 0.2
"""Seconds before a log is opened anew when the last time brought nothing."""
JOIN = 2.0
"""Seconds that go by at the most, all in all, until readers that were stopped have left what they had."""
MOST_TAIL = 1 << 20
"""Bytes that the last lines of a log may have."""
GLANCE = 0.2
"""Seconds between looks at what has come."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A container of a pod whose log is read; `last` holds its last lines, as they were told."""

    step: str
    pod: str
    container: str
    attempt: int
    reader: LogReader
    init: bool = False
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST))

    def line(self, raw: bytes) -> LogLine:
        written, text = told(raw)
        return LogLine(self.step, self.pod, self.container, self.attempt, text, written, self.init)


class Follower:
    """The logs of every pod and container of one step. A context manager; only its own thread may use it.

    `attempt` counts the step's pods by their creation, from 1. Lines come in the order in which they were read: whole
    and in order for each container, or with the gap marked by a line of shipit's own. Without `follow` a log that still
    grows is read as far as it has come.
    """

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        step: str,
        emit: Emit,
        *,
        pace: float = PACE,
        follow: bool = True,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._step = step
        self._emit = emit
        self._pace = pace
        self._follow = follow
        self._passed = 0
        self._buffer = Buffer()
        self._attempts: dict[str, int] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._sources: list[_Source] = []
        self._block: deque[bytes] = deque()
        self._block_of = 0
        self._warned = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def watch(self, pods: tuple[Pod, ...]) -> None:
        """Take in what was observed: begin with what has started, note what has ended or vanished."""
        for pod in sorted(pods, key=lambda each: (each.created, each.name)):
            self._attempts.setdefault(pod.uid, len(self._attempts) + 1)
            for container in pod.containers:
                if container.state == "running" or container.ever_started:
                    self._reader_of(pod, container).observe(container)
        here = {pod.uid for pod in pods}
        for (uid, _), number in self._numbers.items():
            if uid not in here:
                self._sources[number].reader.vanish()

    def looks(self, changes: Changes, every: float, deadline: float = math.inf) -> Iterator[float]:
        """The moments, of the clock that only grows, to look at the cluster and to `watch` what was seen: now, at each
        change, every so many seconds, and again and again from the deadline on.

        In between, what has come is emitted.
        """
        looked, changed = -math.inf, True
        while True:
            now = self._clock.monotonic()
            if changed or now >= deadline or now - looked >= every:
                looked = now
                yield now
            self.pass_on()
            changed = changes.wait(min(GLANCE, max(0.01, deadline - now)))

    def _reader_of(self, pod: Pod, container: Container) -> LogReader:
        number = self._numbers.get((pod.uid, container.name))
        if number is None:
            number = len(self._sources)
            reader = LogReader(
                self._cluster,
                self._clock,
                self._buffer,
                number,
                pod=pod,
                container=container.name,
                pace=self._pace,
                follow=self._follow,
            )
            self._numbers[pod.uid, container.name] = number
            attempt = self._attempts[pod.uid]
            source = _Source(self._step, pod.name, container.name, attempt, reader, container.init)
            self._sources.append(source)
        return self._sources[number].reader

    @property
    def _readers(self) -> list[LogReader]:
        return [source.reader for source in self._sources]

    def drain(self, limit: int = BATCH) -> list[LogLine]:
        """At most that many of the lines that have arrived, oldest first; empty when there are none."""
        out: list[LogLine] = []
        size = 0
        while len(out) < limit and size < MOST:
            if not self._block:
                taken = self._buffer.take()
                if taken is None:
                    break
                self._block_of, self._block = taken[0], deque(taken[1])
            source = self._sources[self._block_of]
            count = min(limit - len(out), len(self._block))
            lines = [source.line(self._block.popleft()) for _ in range(count)]
            size += sum(len(each.line) for each in lines)
            source.last.extend(each.line for each in lines[-LAST:])
            out += lines
        return out

    def pass_on(self) -> bool:
        """Emit what has arrived; true when there was more than a moment's work, and there may be more."""
        self._warn()
        began = self._clock.monotonic()
        while lines := self.drain(FEW):
            for line in lines:
                self._emit(line)
            self._passed += len(lines)
            if self._clock.monotonic() - began >= AT_A_TIME:
                return True
        return False

    def _warn(self) -> None:
        refused = next((reader.forbidden for reader in self._readers if reader.forbidden), None)
        if refused is not None and not self._warned:
            self._warned = True
            self._emit(Warned(f"the logs can't be shown: {refused.message}", refused.hint))

    def finish(self, timeout: float, *, silence: float = SILENCE) -> None:
        """Emit the rest within that many seconds and JOIN more; what may be missing is marked.

        What is still arriving is waited for, silence only for so many seconds.
        """
        deadline = self._clock.monotonic() + timeout
        for reader in self._readers:
            reader.end()
        self._await_the_rest(deadline, silence)
        late = [reader for reader in self._readers if not reader.done]
        for reader in late:
            reader.close()
        end = deadline + JOIN
        join_by = min(end, self._clock.monotonic() + JOIN)
        for reader in late:
            reader.join(max(0.0, join_by - self._clock.monotonic()))
        while self.pass_on() and self._clock.monotonic() < end:
            pass
        for number, source in enumerate(self._sources):
            self._mark_the_rest(number, source, late=source.reader in late)

    def _await_the_rest(self, deadline: float, silence: float) -> None:
        heard, passed = self._clock.monotonic(), self._passed
        while not all(reader.done for reader in self._readers):
            now = self._clock.monotonic()
            if passed != self._passed:
                heard, passed = now, self._passed
            if now >= deadline or now - heard >= silence:
                return
            if not self.pass_on():
                self._buffer.wait(0.1)

    def _mark_the_rest(self, number: int, source: _Source, *, late: bool) -> None:
        """Mark what was not emitted, or not read: `late` when the reader had to be stopped."""
        reader = source.reader
        if self._buffer.holds(number) or (number == self._block_of and self._block):
            self._emit(source.line(gap("there was no time left to show the rest")))
        elif late and (reader.over or not self._follow):
            why = f": {reader.trouble}" if reader.trouble else ""
            self._emit(source.line(gap(f"the end of the log was not read in time{why}")))

    def last_lines(self) -> tuple[str, ...]:
        """The last lines that the newest pod with a log wrote, under its containers' names where there are several."""
        spoke = [source for source in self._sources if source.last]
        newest = max((source.attempt for source in spoke), default=0)
        spoke = [source for source in spoke if source.attempt == newest]
        if len(spoke) == 1:
            return tuple(spoke[0].last)
        return tuple(line for source in spoke for line in (f"container {source.container}:", *source.last))

    def close(self) -> None:
        """Stop reading; nothing more is emitted. Doing it twice does no harm."""
        for reader in self._readers:
            reader.close()
        self._buffer.close()


def tail_lines(
    cluster: Cluster, namespace: str, pod: str, container: str, n: int | None, *, previous: bool = False
) -> tuple[tuple[str, str], ...]:
    """The last n lines of a container's log (None: as many as are kept), each with the time at which it was written: as
    many as can be had, none when there is no log. `previous`: of the run before its last restart.
    """
    data = b""
    with (
        contextlib.suppress(ApiError),
        cluster.log(namespace, pod, container, follow=False, tail=n, previous=previous) as chunks,
    ):
        for chunk in chunks:
            data = (data + chunk)[-MOST_TAIL:]
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    return tuple(
        told(usual(line) if is_stamped(line) else UNTIMED + line)
        for line in (lines if n is None else lines[-n:])
    )
