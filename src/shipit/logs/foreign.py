"""Lines in a log's stream that are not the log's: the kubelet speaks, or a proxy."""

from __future__ import annotations

import re

from shipit.logs.timestamps import UNTIMED, is_stamped, usual

MOST_SAID = 50
"""Different lines shown."""

_KUBELET = re.compile(rb"unable to retrieve container logs|failed to |rpc error|error |Error ")


def is_kubelets(line: bytes) -> bool:
    """Whether a line without a time can only be the kubelet's, not the rest of a line that is written in parts."""
    return bool(_KUBELET.match(line))


class ForeignLines:
    """Shows each of them once: the kubelet need not say the same thing each time it is asked. `met`: the stream at hand
    held one.
    """

    def __init__(self) -> None:
        self._said: set[bytes] = set()
        self.met = False

    def begin(self) -> None:
        """A new stream."""
        self.met = False

    def shown(self, line: bytes) -> list[bytes]:
        """A line that is not the log's as it is shown: once, led by UNTIMED."""
        self.met = True
        if line in self._said or not line.strip() or len(self._said) >= MOST_SAID:
            return []
        self._said.add(line)
        return [UNTIMED + b"[shipit: the kubelet says: " + line[:1000] + b"]"]

    def told_apart(self, lines: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """The lines of the log; and all lines as they are shown, their times written as usual."""
        stamped, shown = [], []
        for line in lines:
            if is_stamped(line):
                stamped.append(line)
                shown.append(usual(line))
            else:
                shown += self.shown(line)
        return stamped, shown
