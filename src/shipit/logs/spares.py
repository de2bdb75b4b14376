"""Streams of a log that are opened before they are read: each will serve what is written to the file that was newest then."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType

from shipit.errors import ApiError

Stream = AbstractContextManager[Iterator[bytes]]
MOST = 4


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream that is open already, and since when, by the cluster's clock."""

    stream: Stream
    chunks: Iterator[bytes]
    at: datetime

    def __enter__(self) -> Iterator[bytes]:
        return self.chunks

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stream.__exit__(kind, error, trace)


class Spares:
    """Oldest first. One thread puts, another one takes."""

    def __init__(self, open_stream: Callable[[], Stream], now: Callable[[], datetime]) -> None:
        self._open = open_stream
        self._now = now
        self._guard = threading.Lock()
        self._held: deque[Opened] = deque()
        self._closed = False

    @property
    def at(self) -> datetime | None:
        """Since when the oldest one is open, by the cluster's clock."""
        with self._guard:
            return self._held[0].at if self._held else None

    def prepare(self) -> None:
        """Open one more, unless there are many, or it can't be opened."""
        if len(self._held) >= MOST:
            return
        stream = self._open()
        try:
            opened = Opened(stream, stream.__enter__(), self._now())
        except ApiError:
            return
        with self._guard:
            self._held.append(opened)
            closed = self._closed
        if closed:
            self.drop()

    def take(self) -> Opened | None:
        with self._guard:
            return self._held.popleft() if self._held else None

    def drop(self, before: datetime | None = None) -> None:
        """Close those that were opened before a line that has been read from another stream; all without."""
        while (at := self.at) is not None and (before is None or at < before):
            held = self.take()
            if held is not None:
                held.__exit__(None, None, None)

    def close(self) -> None:
        """Drop all, and whatever is opened later."""
        with self._guard:
            self._closed = True
        self.drop()
