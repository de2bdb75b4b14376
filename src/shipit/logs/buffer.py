"""A queue of blocks of lines between threads that takes little memory: what doesn't fit waits in a file without a name."""

from __future__ import annotations

import os
import struct
import tempfile
import threading
from collections import Counter, deque
from typing import IO

IN_MEMORY = 2 << 20
"""Bytes that wait in memory."""
_HEADER = struct.Struct("<II")


class Buffer:
    """First in, first out. When the disk is full, whoever puts has to wait for whoever takes.

    No SpooledTemporaryFile: on a full disk it loses what it held in memory.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._most = in_memory
        self._guard = threading.Condition()
        self._head: deque[tuple[int, list[bytes], int]] = deque()
        self._held = 0
        self._waiting: Counter[int] = Counter()
        self._file: IO[bytes] | None = None
        self._read = self._written = 0
        self._closed = False

    def put(self, source: int, lines: list[bytes]) -> None:
        """Add lines of a source; a small number tells sources apart. What is put after closing is dropped."""
        size = sum(map(len, lines))
        with self._guard:
            while not self._closed and not self._place(source, lines, size):
                self._guard.wait(0.2)
            self._waiting[source] += 1
            self._guard.notify_all()

    def _place(self, source: int, lines: list[bytes], size: int) -> bool:
        # What is in the file is younger than what is in memory, and older than what comes now
        if self._read == self._written and (not self._head or self._held + size <= self._most):
            self._head.append((source, lines, size))
            self._held += size
            return True
        block = b"\n".join(lines)
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 — closed by close()
            framed = memoryview(_HEADER.pack(source, len(block)) + block)
            at = self._written
            while framed:
                done = os.pwrite(self._file.fileno(), framed, at)
                framed, at = framed[done:], at + done
        except OSError:
            return False
        self._written = at
        return True

    def take(self) -> tuple[int, list[bytes]] | None:
        """The oldest lines of a source; None when there are none."""
        with self._guard:
            if self._head:
                source, lines, size = self._head.popleft()
                self._held -= size
            elif self._file is not None and self._read != self._written:
                source, lines = self._from(self._file.fileno())
            else:
                return None
            self._waiting[source] -= 1
            self._guard.notify_all()
            return source, lines

    def _from(self, file: int) -> tuple[int, list[bytes]]:
        source, size = _HEADER.unpack(os.pread(file, _HEADER.size, self._read))
        block = os.pread(file, size, self._read + _HEADER.size)
        self._read += _HEADER.size + size
        if self._read == self._written:
            os.ftruncate(file, 0)
            self._read = self._written = 0
        return source, block.split(b"\n")

    def holds(self, source: int) -> bool:
        """Whether lines of a source wait."""
        return self._waiting[source] > 0

    def wait(self, timeout: float) -> bool:
        """Wait until there is something to take, or closing; at most that many seconds."""
        with self._guard:
            if not self._head and self._read == self._written and not self._closed:
                self._guard.wait(timeout)
            return bool(self._head) or self._read != self._written

    def wake(self) -> None:
        """End a wait."""
        with self._guard:
            self._guard.notify_all()

    def close(self) -> None:
        with self._guard:
            self._closed = True
            self._head.clear()
            self._held = self._read = self._written = 0
            if self._file is not None:
                self._file.close()
                self._file = None
            self._guard.notify_all()
