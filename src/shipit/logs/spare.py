"""A stream of a log that was opened before it is read: it will serve what is written to the file that was newest then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType

from shipit.errors import ApiError

Stream = AbstractContextManager[Iterator[bytes]]


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


class Spare:
    """At most one, put by one thread and taken by another."""

    def __init__(self, open_stream: Callable[[], Stream], now: Callable[[], datetime]) -> None:
        self._open = open_stream
        self._now = now
        self._guard = threading.Lock()
        self._held: Opened | None = None
        self._closed = False

    @property
    def at(self) -> datetime | None:
        held = self._held
        return held.at if held is not None else None

    def prepare(self) -> None:
        """Open one, unless there is one, or it can't be opened."""
        if self._held is not None:
            return
        stream = self._open()
        try:
            opened = Opened(stream, stream.__enter__(), self._now())
        except ApiError:
            return
        with self._guard:
            closed = self._closed
            self._held = None if closed else opened
        if closed:
            opened.__exit__(None, None, None)

    def take(self) -> Opened | None:
        with self._guard:
            held, self._held = self._held, None
        return held

    def drop(self) -> None:
        held = self.take()
        if held is not None:
            held.__exit__(None, None, None)

    def drop_if_before(self, written: datetime | None) -> None:
        """Close it when the stream that is read has come to a line that was written after it was opened."""
        held = self._held
        if held is not None and written is not None and written > held.at:
            self.drop()

    def close(self) -> None:
        """Drop it, and whatever is opened later."""
        with self._guard:
            self._closed = True
        self.drop()
