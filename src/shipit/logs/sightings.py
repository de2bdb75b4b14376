"""Until when the file with a log's last known line was the newest one, for it is only that one that the kubelet serves. Pure.

Every ten seconds the kubelet looks whether the newest file has grown too large, and begins another one. So between two
moments that are less than that apart no file can have come and gone, if it was not there at the first.
"""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime, timedelta

from shipit.logs.timestamps import moment_of

ROTATION_EVERY = 8.0
"""Seconds in which a log can't be rotated twice."""
ROTATES_WITHIN = 15.0
"""Seconds after its last line in which a file is rotated, if it is before the next line."""


class Sightings:
    """Times are the cluster's; any thread may use it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._seen: deque[tuple[datetime, bytes]] = deque()

    def add(self, at: datetime, key: bytes) -> None:
        """The newest file ended with a line of that time then."""
        with self._guard:
            self._seen.append((at, key))

    def forget(self, before: datetime) -> None:
        with self._guard:
            while self._seen and self._seen[0][0] < before:
                self._seen.popleft()

    def newest_until(self, key: bytes, slack: timedelta) -> datetime:
        """Until when a line of that time was certainly the last one of the newest file.

        `slack`: how much later than the line its last part was written.
        """
        written = moment_of(key)
        with self._guard:
            return max([written, *(at for at, last in self._seen if moment_of(last) <= written + slack)])


def near(before: datetime, after: datetime) -> bool:
    """Whether a log can't have been rotated twice between two moments."""
    return (after - before).total_seconds() < ROTATION_EVERY


def settled(written: datetime, at: datetime) -> bool:
    """Whether a file that was the newest at a moment stays it until something follows its last line."""
    return (at - written).total_seconds() >= ROTATES_WITHIN
