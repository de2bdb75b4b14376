"""Which lines of a log have come already: the newest are known one by one, older ones by their time. Pure.

Lines come in the order of their file, so whatever is older than what is known one by one comes before it. That keeps
the two apart when a node's clock steps back and new lines have the times of old ones.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from shipit.logs.timestamps import key_of, second_of

REMEMBERED = 2000
"""Lines that are remembered one by one; older ones count as seen by their time."""
OVERLAP = timedelta(seconds=1)
"""Asked for once more than needed: times near the end may stand out of order."""


class SeenLines:
    """The lines of one container's log that have come, and how far a new stream has come in repeating them.

    `met`: the stream has repeated a line that is known one by one. `blind`: a line counted as seen by its time alone.
    """

    def __init__(self) -> None:
        self._keys: list[bytes] = []
        self._hashes: list[int] = []
        self._floor = b""
        self._floored = 0
        self.latest = b""
        self.begin()

    def begin(self) -> None:
        """A new stream."""
        self.met = self.blind = False
        self._floor_left = self._floored
        self._left = Counter(self._hashes)
        self._keys_left = Counter(self._keys)

    def since(self) -> datetime | None:
        """The time to ask the next stream from; None for everything."""
        return second_of(self.latest) - OVERLAP if self.latest else None

    def has(self, line: bytes) -> bool:
        """Whether the next line of a stream has come before."""
        key, known = key_of(line), hash(line)
        if key == self._floor and self._floor_left and not self.met:
            self._floor_left -= 1
        elif self._left[known]:
            self._left[known] -= 1
            self._keys_left[key] -= 1
            self.met = True
            return True
        elif key >= self._floor or self.met:
            return False
        self.blind = True
        return True

    def has_within(self, rest: bytes) -> bool:
        """Whether the beginning of a line belongs to one that has come before."""
        key = key_of(rest)
        older = key < self._floor or (key == self._floor and self._floor_left > 0)
        return (older and not self.met) or self._keys_left[key] > 0

    def remember(self, keys: list[bytes], lines: list[bytes]) -> None:
        for key in keys:
            # What is asked for next has to be served, though the clock stepped back
            if key >= self.latest or second_of(self.latest) - second_of(key) > OVERLAP:
                self.latest = key
        self._keys += keys
        self._hashes += map(hash, lines)
        over = len(self._keys) - REMEMBERED
        if over > REMEMBERED:
            self._forget(over)

    def _forget(self, count: int) -> None:
        forgotten = self._keys[:count]
        del self._keys[:count], self._hashes[:count]
        newest = max(forgotten)
        if newest > self._floor:
            self._floor, self._floored = newest, 0
        if newest == self._floor:
            self._floored += forgotten.count(newest)
