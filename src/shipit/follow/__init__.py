"""A step's logs without loss or repeat: read ahead by threads, handed to the main thread in order."""

from __future__ import annotations

import contextlib
from collections import deque
from types import TracebackType
from typing import Self

from shipit.errors import ApiError
from shipit.events import Emit, LogLine, Warned
from shipit.follow.spool import Spool
from shipit.follow.stamps import is_stamped, text_of
from shipit.follow.stitch import gap
from shipit.follow.tail import LAST, Tail
from shipit.model import Container, Pod
from shipit.world import Clock, Cluster

__all__ = ["Follower", "tail_lines"]

BATCH = 10_000
AT_A_TIME = 0.5
"""Seconds after which `pass_on` lets its caller look at the cluster again."""
PACE = 0.2
"""Seconds before a log is opened anew when the last time brought nothing."""
JOIN = 2.0
MOST_TAIL = 1 << 20
"""Bytes that the last lines of a log may have."""


class Follower:
    """The logs of every pod and container of one step. A context manager; only its own thread may use it.

    `attempt` counts the step's pods by their creation, from 1. Lines come in the order in which they were read: whole
    and in order for each container, or with the gap marked by a line of shipit's own.
    """

    def __init__(self, cluster: Cluster, clock: Clock, step: str, emit: Emit, *, pace: float = PACE) -> None:
        self._cluster = cluster
        self._clock = clock
        self._step = step
        self._emit = emit
        self._pace = pace
        self._spool = Spool()
        self._attempts: dict[str, int] = {}
        self._tails: dict[tuple[str, str], Tail] = {}
        self._numbered: list[Tail] = []
        self._block: deque[str] = deque()
        self._block_of: Tail | None = None
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

    def _tail_of(self, pod: Pod, container: Container) -> Tail:
        found = self._tails.get((pod.uid, container.name))
        if found is None:
            found = Tail(
                self._cluster,
                self._clock,
                self._spool,
                len(self._numbered),
                pod=pod,
                container=container.name,
                attempt=self._attempts[pod.uid],
            )
            self._tails[pod.uid, container.name] = found
            self._numbered.append(found)
        return found

    def drain(self, limit: int = BATCH) -> list[LogLine]:
        """At most that many of the lines that have arrived, oldest first; empty when there are none."""
        out: list[LogLine] = []
        while len(out) < limit:
            if not self._block and not self._next_block():
                break
            tail = self._block_of
            assert tail is not None  # noqa: S101 — there is a block
            count = min(limit - len(out), len(self._block))
            lines = [self._block.popleft() for _ in range(count)]
            tail.last.extend(lines[-LAST:])
            label = (self._step, tail.pod, tail.container, tail.attempt)
            out += [LogLine(*label, line) for line in lines]
        return out

    def _next_block(self) -> bool:
        taken = self._spool.take()
        if taken is None:
            return False
        number, block = taken
        self._block_of = self._numbered[number]
        self._block = deque(block.decode("utf-8", "replace").split("\n"))
        return True

    def pass_on(self) -> bool:
        """Emit what has arrived; true when there was more than a moment's work, and there may be more."""
        self._warn()
        began = self._clock.monotonic()
        while lines := self.drain():
            for line in lines:
                self._emit(line)
            if self._clock.monotonic() - began >= AT_A_TIME:
                return True
        return False

    def _warn(self) -> None:
        refused = next((tail.forbidden for tail in self._numbered if tail.forbidden), None)
        if refused is not None and not self._warned:
            self._warned = True
            self._emit(Warned(f"the logs can't be shown: {refused.message}", refused.hint))

    def finish(self, timeout: float) -> None:
        """Emit the rest, waiting at most that many seconds for it to arrive; what may be missing is marked."""
        deadline = self._clock.monotonic() + timeout
        for tail in self._numbered:
            tail.end()
        while not all(tail.done for tail in self._numbered) and self._clock.monotonic() < deadline:
            if not self.pass_on():
                self._spool.wait(0.1)
        late = [tail for tail in self._numbered if not tail.done]
        for tail in late:
            tail.close()
        for tail in late:
            tail.join(JOIN)
        while self.pass_on():
            pass
        for tail in late:
            if tail.over:
                self._emit(self._mark(tail))

    def _mark(self, tail: Tail) -> LogLine:
        why = f"the end of the log was not read in time{f': {tail.trouble}' if tail.trouble else ''}"
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
        self._spool.close()


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
