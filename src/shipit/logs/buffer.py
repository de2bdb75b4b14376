"""A queue of blocks of bytes between threads that takes little memory: what doesn't fit waits in a file without a name."""

from __future__ import annotations

import os
import struct
import tempfile
import threading
from collections import deque
from typing import IO

IN_MEMORY = 2 << 20
"""Bytes that wait in memory."""
_HEADER = struct.Struct("<II")


class Buffer:
    """First in, first out. When the disk is full, whoever puts has to wait for whoever takes."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._most = in_memory
        self._guard = threading.Condition()
        self._head: deque[tuple[int, bytes]] = deque()
        self._held = 0
        self._file: IO[bytes] | None = None
        self._read = self._written = 0
        self._closed = False

    def put(self, source: int, block: bytes) -> None:
        """Add a block of a source; a small number tells sources apart. What is put after closing is dropped."""
        with self._guard:
            while not self._closed and not self._place(source, block):
                self._guard.wait(0.2)
            self._guard.notify_all()

    def _place(self, source: int, block: bytes) -> bool:
        # What is in the file is younger than what is in memory, and older than what comes now
        if self._read == self._written and (not self._head or self._held + len(block) <= self._most):
            self._head.append((source, block))
            self._held += len(block)
            return True
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

    def take(self) -> tuple[int, bytes] | None:
        """The oldest block; None when there is none."""
        with self._guard:
            if self._head:
                source, block = self._head.popleft()
                self._held -= len(block)
                self._guard.notify_all()
                return source, block
            if self._file is None or self._read == self._written:
                return None
            handle = self._file.fileno()
            source, size = _HEADER.unpack(os.pread(handle, _HEADER.size, self._read))
            block = os.pread(handle, size, self._read + _HEADER.size)
            self._read += _HEADER.size + size
            if self._read == self._written:
                os.ftruncate(handle, 0)
                self._read = self._written = 0
            self._guard.notify_all()
            return source, block

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
