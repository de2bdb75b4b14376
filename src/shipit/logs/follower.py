"""A step's logs without loss or repeat: read ahead by threads, handed to the main thread in order."""

from __future__ import annotations

import contextlib
from collections import deque
from types import TracebackType
from typing import Self

from shipit.errors import ApiError
from shipit.events import Emit, LogLine, Warned
from shipit.logs.buffer import Buffer
from shipit.logs.joined import gap
from shipit.logs.reader import LAST, LogReader
from shipit.logs.timestamps import is_stamped, text_of
from shipit.model import Clock, Cluster, Container, Pod

__all__ = ["Follower", "tail_lines"]

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
        self._tails: dict[tuple[str, str], LogReader] = {}
        self._numbered: list[LogReader] = []
        self._block: deque[str] = deque()
        self._block_of: LogReader | None = None
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
                    self._tail_of(pod, container).observe(container, self._pace)
        here = {pod.uid for pod in pods}
        for (uid, _), tail in self._tails.items():
            if uid not in here:
                tail.vanish()

    def _tail_of(self, pod: Pod, container: Container) -> LogReader:
        found = self._tails.get((pod.uid, container.name))
        if found is None:
            found = LogReader(
                self._cluster,
                self._clock,
                self._buffer,
                len(self._numbered),
                pod=pod,
                container=container.name,
                attempt=self._attempts[pod.uid],
                follow=self._follow,
            )
            self._tails[pod.uid, container.name] = found
            self._numbered.append(found)
        return found

    def drain(self, limit: int = BATCH) -> list[LogLine]:
        """At most that many of the lines that have arrived, oldest first; empty when there are none."""
        out: list[LogLine] = []
        size = 0
        while len(out) < limit and size < MOST:
            if not self._block and not self._next_block():
                break
            tail = self._block_of
            assert tail is not None  # noqa: S101 — there is a block
            count = min(limit - len(out), len(self._block))
            lines = [self._block.popleft() for _ in range(count)]
            size += sum(map(len, lines))
            tail.last.extend(lines[-LAST:])
            label = (self._step, tail.pod, tail.container, tail.attempt)
            out += [LogLine(*label, line) for line in lines]
        return out

    def _next_block(self) -> bool:
        taken = self._buffer.take()
        if taken is None:
            return False
        number, block = taken
        self._block_of = self._numbered[number]
        self._block_of.taken += 1
        self._block = deque(block.decode("utf-8", "replace").split("\n"))
        return True

    def pass_on(self) -> bool:
        """Emit what has arrived; true when there was more than a moment's work, and there may be more."""
        self._warn()
        for tail in self._numbered:
            tail.stir()
        began = self._clock.monotonic()
        while lines := self.drain(FEW):
            for line in lines:
                self._emit(line)
            self._passed += len(lines)
            if self._clock.monotonic() - began >= AT_A_TIME:
                return True
        return False

    def _warn(self) -> None:
        refused = next((tail.forbidden for tail in self._numbered if tail.forbidden), None)
        if refused is not None and not self._warned:
            self._warned = True
            self._emit(Warned(f"the logs can't be shown: {refused.message}", refused.hint))

    def finish(self, timeout: float, *, silence: float = SILENCE) -> None:
        """Emit the rest within that many seconds and JOIN more; what may be missing is marked.

        What is still arriving is waited for, silence only for so many seconds.
        """
        deadline = self._clock.monotonic() + timeout
        for tail in self._numbered:
            tail.end()
        self._await_the_rest(deadline, silence)
        late = [tail for tail in self._numbered if not tail.done]
        for tail in late:
            tail.close()
        end = deadline + JOIN
        join_by = min(end, self._clock.monotonic() + JOIN)
        for tail in late:
            tail.join(max(0.0, join_by - self._clock.monotonic()))
        while self.pass_on() and self._clock.monotonic() < end:
            pass
        for tail in self._numbered:
            if self._is_left(tail):
                self._emit(self._mark(tail, "there was no time left to show the rest"))
            elif tail in late and (tail.over or not self._follow):
                why = f": {tail.trouble}" if tail.trouble else ""
                self._emit(self._mark(tail, f"the end of the log was not read in time{why}"))

    def _await_the_rest(self, deadline: float, silence: float) -> None:
        heard, passed = self._clock.monotonic(), self._passed
        while not all(tail.done for tail in self._numbered):
            now = self._clock.monotonic()
            if passed != self._passed:
                heard, passed = now, self._passed
            if now >= deadline or now - heard >= silence:
                return
            if not self.pass_on():
                self._buffer.wait(0.1)

    def _is_left(self, tail: LogReader) -> bool:
        """Whether lines of it have arrived that were not emitted."""
        return tail.put != tail.taken or (tail is self._block_of and bool(self._block))

    def _mark(self, tail: LogReader, why: str) -> LogLine:
        return LogLine(self._step, tail.pod, tail.container, tail.attempt, gap(why).decode())

    def last_lines(self) -> tuple[str, ...]:
        """The last lines that the newest pod with a log wrote, under its containers' names where there are several."""
        newest = max((tail.attempt for tail in self._numbered if tail.last), default=0)
        tails = [tail for tail in self._numbered if tail.attempt == newest and tail.last]
        if len(tails) == 1:
            return tuple(tails[0].last)
        return tuple(line for tail in tails for line in (f"container {tail.container}:", *tail.last))

    def close(self) -> None:
        """Stop reading; nothing more is emitted. Doing it twice does no harm."""
        for tail in self._numbered:
            tail.close()
        self._buffer.close()


def tail_lines(cluster: Cluster, namespace: str, pod: str, container: str, n: int) -> tuple[str, ...]:
    """The last n lines of a container's log, for a diagnosis: as many as can be had, none when there is no log."""
    data = b""
    with (
        contextlib.suppress(ApiError),
        cluster.log(namespace, pod, container, follow=False, tail=n) as chunks,
    ):
        for chunk in chunks:
            data = (data + chunk)[-MOST_TAIL:]
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    texts = [text_of(line) if is_stamped(line) else line for line in lines]
    return tuple(text.decode("utf-8", "replace") for text in texts[-n:])
