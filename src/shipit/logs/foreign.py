"""Lines in a log's stream that are not the log's: the kubelet speaks, or a proxy."""

from __future__ import annotations

import re

from shipit.logs.timestamps import is_stamped, usual

LONGEST = 1000
"""Bytes of them that are told."""

_KUBELET = re.compile(rb"unable to retrieve container logs|failed to |rpc error|error |Error ")


def is_kubelets(line: bytes) -> bool:
    """Whether a line without a time can only be the kubelet's, not the rest of a line that is written in parts."""
    return bool(_KUBELET.match(line))


class ForeignLines:
    """Those of the stream at hand. `met`: it held one; `words`: the first that says anything."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A new stream."""
        self.met = False
        self.words = b""

    def take(self, line: bytes) -> None:
        """A line that is not the log's."""
        self.met = True
        self.words = self.words or line.strip()[:LONGEST]

    def told_apart(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """The lines of the log; and the same as they are shown, their times written as usual."""
        stamped = [line for line in lines if is_stamped(line)]
        for line in lines:
            if not is_stamped(line):
                self.take(line)
        return stamped, [usual(line) for line in stamped]
