"""What the streams of a container's log, one after another, prove: how the next one may go on, and where the log ends.

Pure.
"""

from __future__ import annotations

import math
from enum import Enum, auto

from shipit.logs.shown import Shown, gap

UNKNOWN_FOR = 5.0
"""Seconds in which a kubelet that has just started may say that it knows no such pod."""


class End(Enum):
    """What became of a stream."""

    CLEAN = auto()
    """It ended, or was left."""
    CUT = auto()
    REFUSED = auto()
    """It was not opened: whoever writes the log may go on meanwhile."""
    ABSENT = auto()
    """404. A kubelet that has just started may not know a pod yet that is there."""
    GONE = auto()
    """404, and the pod was seen to be gone."""


class Trust(Enum):
    """What the last stream that showed anything of the log says about what comes next; its seconds are how long after
    the last line the next one may have been written.
    """

    CAUGHT_UP = math.inf
    """It had come to the end of its file: what follows is next, however late."""
    ABRUPT = 1.0
    """It ended while lines were coming, perhaps not at the end of its file: what follows soon is next."""
    BROKEN = -math.inf
    """It was cut, or held something that is not a line of the log: only what repeats the last line follows it."""


class Continuity:
    """`settled`: there is no more to read, certainly."""

    def __init__(self) -> None:
        self.settled = False
        self.trust = Trust.CAUGHT_UP
        self._fresh = True
        self._whole = False
        self._full = False
        self._large = False
        self._absent_since: float | None = None

    def ended(
        self,
        end: End,
        shown: Shown,
        now: float,
        *,
        idle: bool,
        over: bool,
        once: bool,
        believed: bool = False,
    ) -> None:
        """A stream ended, `idle` when it had been silent before. `over`: the container had ended when it was opened;
        `once`: the log is only read as far as it has come; `believed`: a 404, for nobody will tell any more whether the
        pod is there.

        An answer that holds nothing of the log says nothing about its end.
        """
        self._large = self._large or shown.large
        clean = end is End.CLEAN
        empty = clean and shown.empty
        if shown.met or shown.news or (self._fresh and end in (End.CLEAN, End.CUT)):
            self.trust = self._trusted(shown, clean=clean, idle=idle)
        if end in (End.ABSENT, End.GONE):
            self._judge_absence(now, believed=believed or end is End.GONE)
        else:
            self._judge_end(end, shown)
        met = shown.met or (self._fresh and empty)
        proven = (met or shown.news) if once else (over and met and not shown.news)
        self.settled = clean and not shown.strange and proven
        self._fresh = self._fresh and not shown.news

    def _trusted(self, shown: Shown, *, clean: bool, idle: bool) -> Trust:
        """What a stream that showed something of the log says about the next."""
        if not clean or shown.strange:
            return Trust.BROKEN
        return Trust.CAUGHT_UP if idle or not shown.large else Trust.ABRUPT

    def _judge_absence(self, now: float, *, believed: bool) -> None:
        self._absent_since = now if self._absent_since is None else self._absent_since
        if now - self._absent_since > UNKNOWN_FOR and not believed:
            self._whole = False

    def _judge_end(self, end: End, shown: Shown) -> None:
        """Whether the log would be whole if it were over now."""
        if end is not End.REFUSED:
            self._absent_since = None
        if end is not End.CLEAN or (shown.strange and shown.met) or shown.skipped:
            self._whole = False
        elif not (shown.empty or shown.strange):
            self._whole, self._full = True, not shown.unfinished

    def missing(self, pod: str, trouble: str, *, gone: bool) -> list[bytes]:
        """The mark of an end that may be missing, when no more can be read."""
        # A log that ended by itself and was removed is whole, unless it is so large that it may have been rotated; one
        # that is empty after such an end was rotated just then
        if self.settled or (self._whole and (not self._large if gone else self._large and self._full)):
            return []
        if gone:
            return [gap(f"pod {pod} was deleted, or its log removed, before the end of its log was read")]
        return [gap(f"the end of the log could not be read{f': {trouble}' if trouble else ''}")]
