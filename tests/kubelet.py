"""A container's log as the kubelet keeps and serves it: entries in files, streams of the newest file. For tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the runtime wrote at once: `at` in nanoseconds; a part of a line when it is not `full`."""

    at: int
    text: bytes
    full: bool = True

    @property
    def stamp(self) -> bytes:
        moment = EPOCH + timedelta(seconds=self.at // 10**9)
        return moment.strftime("%Y-%m-%dT%H:%M:%S").encode() + b".%09dZ" % (self.at % 10**9)


@dataclass
class Log:
    """`rotations` are the numbers of the entries with which a new file begins."""

    entries: list[Entry]
    rotations: list[int] = field(default_factory=list)

    def lines(self) -> list[bytes]:
        """What a perfect reader ends up with."""
        whole = b"".join(entry.text + (b"\n" if entry.full else b"") for entry in self.entries)
        lines = whole.split(b"\n")
        return lines if lines[-1] else lines[:-1]

    def file_at(self, entry: int) -> tuple[int, int]:
        """The first entry of the file that holds an entry, and the first one after that file."""
        starts = [0, *self.rotations, len(self.entries)]
        index = max(i for i, start in enumerate(starts[:-1]) if start <= entry)
        return starts[index], starts[index + 1]

    def serve(self, first: int, last: int, since: datetime | None) -> bytes:
        """A stream over entries of one file, as the kubelet writes it: a time only where a line begins."""
        out = []
        at_start = True
        since_ns = -1 if since is None else int((since - EPOCH).total_seconds()) * 10**9
        for entry in self.entries[first:last]:
            if entry.at >= since_ns:
                out.append(
                    (entry.stamp + b" " if at_start else b"") + entry.text + (b"\n" if entry.full else b"")
                )
            at_start = entry.full
        return b"".join(out)
