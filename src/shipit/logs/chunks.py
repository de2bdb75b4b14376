"""Bytes as they come, cut into lines; of a line that is too long only the beginning is kept. Pure."""

from __future__ import annotations

LONGEST = 1 << 20
"""Bytes of a line that are kept."""
CUT = b" [shipit: the rest of this line is left out]"


class Chunks:
    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def lines(self, chunk: bytes) -> list[bytes]:
        """The lines that a chunk completes, without their newlines."""
        done, newline, rest = chunk.rpartition(b"\n")
        if not newline:
            self._keep(chunk)
            return []
        if self._size:
            first, newline, others = done.partition(b"\n")
            self._keep(first)
            done = shortened(self.rest()) + newline + others
        self._keep(rest)
        return done.split(b"\n")

    def rest(self) -> bytes:
        """The line that was not completed, one byte more of it than is ever shown."""
        line = b"".join(self._pieces)[: LONGEST + 1]
        self._pieces, self._size = [], 0
        return line

    def _keep(self, piece: bytes) -> None:
        if not piece:
            return
        if self._size <= LONGEST:
            self._pieces.append(piece)
        self._size += len(piece)


def shortened(line: bytes) -> bytes:
    return line if len(line) <= LONGEST else line[:LONGEST] + CUT
