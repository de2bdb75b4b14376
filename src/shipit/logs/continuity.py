"""How far a container's log was read: what its streams, one after another, prove. Pure."""

from __future__ import annotations

from shipit.logs.joined import JoinedLog, gap

SMALLEST_FILE = 1 << 20
"""Bytes below which no log is rotated: the kubelet's `containerLogMaxSize` is 10 Mi unless somebody sets it."""
IDLE = 1.0
"""Seconds of silence before the end of a stream after which it had certainly come to the end of its file."""
STALLED = 2.0
"""Seconds of silence after which a stream may hang at a file that was rotated: soon, for it may have come late to its
end, and the next file is rotated after ten.
"""
ROTATES_WITHIN = 20.0
"""Seconds in which the kubelet has looked at what was written: twice as long as it takes between looks."""
UNKNOWN_FOR = 5.0
"""Seconds in which a kubelet that has just started may say that it knows no such pod."""


class Continuity:
    """`settled`: there is no more to read, certainly. `fresh`: nothing was read since the container's last start."""

    def __init__(self) -> None:
        self.settled = False
        self.fresh = True
        self._whole = False
        self._bytes = 0
        self._took_at = self._news_at = 0.0
        self._idle = self._full = False
        self._absent_since: float | None = None

    def took(self, size: int, now: float, *, news: bool) -> None:
        """A stream brought so many bytes; `news` when there were lines among them that had not come before."""
        self._bytes += size
        self._took_at = now
        if news:
            self._news_at = now

    def opened(self, now: float) -> None:
        self._took_at = now

    def stalls(self, now: float) -> bool:
        """Whether an open stream should be left for a new one: it has fallen silent soon after much was written.

        Once that lasts the file was looked at by the kubelet, and rotated or not.
        """
        silent = now - self._took_at >= STALLED
        return self._bytes >= SMALLEST_FILE and silent and now - self._news_at < ROTATES_WITHIN

    def refused(self) -> None:
        """The log could not be opened: whoever writes it may go on meanwhile."""
        self._whole = False

    def absent(self, now: float, *, believed: bool) -> None:
        """A 404; `believed` when nobody will tell any more whether the pod is there."""
        if self._absent_since is None:
            self._absent_since = now
        if now - self._absent_since > UNKNOWN_FOR and not believed:
            self._whole = False

    def ended(self, joined: JoinedLog, now: float, *, clean: bool) -> bool:
        """A stream ended, `clean` when it was not cut. False when it said nothing about the log."""
        self._absent_since = None
        silent = clean and joined.empty
        if not clean or (joined.strange and joined.met):
            self._whole = False
        elif not silent and not joined.strange:
            self._whole = True
            self._idle = now - self._took_at >= IDLE
            self._full = not joined.unfinished
        return not joined.strange and (not silent or self.fresh)

    @property
    def abrupt(self) -> bool:
        """Whether a stream of a log that is large enough to be rotated ended while lines were coming."""
        return self._bytes >= SMALLEST_FILE and not self._idle

    def look(self, joined: JoinedLog, *, clean: bool, over: bool, once: bool, new: bool) -> None:
        """Settle when a stream has shown that there is no more: of a container that is over, or as of now (`once`).

        It has to repeat what is known: an answer that holds nothing of the log says nothing about it.
        """
        met = joined.met or (self.fresh and joined.empty)
        proven = (met or new) if once else (over and met and not new)
        self.settled = clean and not joined.strange and proven
        self.fresh = self.fresh and not new

    def missing(self, pod: str, trouble: str, *, gone: bool) -> list[bytes]:
        """The mark of an end that may be missing, when no more can be read."""
        if self.settled:
            return []
        # A log that ended by itself and was removed is whole, unless it is so large that it may have been rotated; one
        # that is empty after such an end was rotated just then
        small = self._bytes < SMALLEST_FILE
        if self._whole and ((gone and small) or (not (gone or small) and self._full)):
            return []
        if gone:
            return [gap(f"pod {pod} was deleted, or its log removed, before the end of its log was read")]
        return [gap(f"the end of the log could not be read{f': {trouble}' if trouble else ''}")]
