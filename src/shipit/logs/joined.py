"""One log out of many streams: each is asked for anew from a second on, and repeats what was seen. Pure.

What the streams are like (kubelet and containerd 1.34, measured, and the kubelet's sources):
- a stream serves one file, the newest; when the kubelet rotates it, a stream that had come to its end goes on in the
  new one, and one that comes later to the end falls silent there until the next rotation, and goes on in whatever
  file is the newest then: a file in between is left out without a word; or it ends, when the container has;
- containerd goes on in the new file in the middle of a line, however short: the old one ends with its beginning;
- `sinceTime` counts in whole seconds, and is compared line by line;
- a long line is written in parts, and a part begins with a time only at the start of a line or of a file; so the
  rest of a line may lead a stream without its beginning, and without a time;
- lines of stdout and stderr may stand a little out of the order of their times;
- when the kubelet can't read a log it says so in the stream, without a time.

It relies on one thing: lines with the very same time (in nanoseconds) lie in the same file.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from shipit.logs.chunks import LONGEST, Chunks, shortened
from shipit.logs.dedup import OVERLAP, SeenLines
from shipit.logs.foreign import ForeignLines, is_kubelets
from shipit.logs.shown import Shown, gap
from shipit.logs.sightings import Sightings, near, settled
from shipit.logs.timestamps import (
    USUAL,
    are_usual,
    is_stamped,
    key_of,
    moment_of,
    second_of,
    text_of,
    usual,
)

SMALLEST_FILE = 1 << 20
"""Bytes below which no log is rotated: the kubelet's `containerLogMaxSize` is 10 Mi unless somebody sets it."""
WHOLE = 1 << 14
"""Bytes of a line that the runtime writes at once: a longer one is written in parts."""


class JoinedLog:
    """The lines of one container's log in order, once each, all led by a time written as usual, or by UNTIMED where
    shipit speaks: that is how a gap is marked. `first` is the second of the first line.
    """

    def __init__(self) -> None:
        self._chunks = Chunks()
        self._held = b""
        self._carry = b""
        self._seen = SeenLines()
        self._count = 0
        self._bytes = 0
        self._slack = timedelta()
        self._foreign = ForeignLines()
        self.first: datetime | None = None
        self.passed = False
        self._sightings = Sightings()
        self._last_at: datetime | None = None

    def begin(self, within: float, opened: datetime) -> None:
        """A new stream: first comes what was seen before.

        The first new line has to be written `within` so many seconds after the last known one to count as the next,
        unless the stream has repeated that. `opened` is the cluster's time.
        """
        self._within = within
        self._opened = opened
        self._vouched = -1
        self.passed = False
        self._joins = near(self._known_until(), opened)
        self._repeating = bool(self._seen.latest or self._held)
        self._first = True
        self._fed = self._held_again = False
        self._foreign.begin()
        self._before = (self._count, len(self._held))
        self._seen.begin()

    def sighted(self, at: datetime, key: bytes) -> bool:
        """The newest file ended with a line of that time then, b"" when it was empty: whether that has not come yet."""
        count, latest = self._count, self._seen.latest
        if not key:
            return False
        self._sightings.add(at, key)
        newer = not latest or moment_of(key) > moment_of(latest) + self._slack
        if not newer:
            # The stream has come to the end of the newest file in time to hear of the next
            self._vouched = count
        return newer

    @property
    def latest(self) -> datetime | None:
        """When the newest line was written."""
        return moment_of(self._seen.latest) if self._seen.latest else None

    @property
    def large(self) -> bool:
        """Whether as much has come that the log may have been rotated."""
        return self._bytes >= SMALLEST_FILE

    def since(self) -> datetime | None:
        """The time to ask the next stream from; None for everything."""
        return self._seen.since()

    def feed(self, chunk: bytes, spare: datetime | None = None) -> list[bytes]:
        """The lines that a chunk completes. `spare`: since when a stream is open of a file that was empty then.

        The stream has `passed` into that file where lines may have been left out: what is there is read from the other.
        """
        self._spare = spare
        self._bytes += len(chunk)
        self._fed = self._fed or bool(chunk)
        lines = self._chunks.lines(chunk)
        out = self._take(lines) if lines else []
        if self.passed:
            self._chunks.rest()
        return out

    def end(self, now: datetime, *, clean: bool) -> tuple[list[bytes], Shown]:
        """The stream ended; `clean` when it was not cut. The lines that are complete by that, and what it showed.

        `now` is the cluster's time.
        """
        rest = self._chunks.rest()
        if rest and not is_stamped(rest):
            leads = self._repeating and self._first and not is_kubelets(rest)
            if clean and not leads:
                self._foreign.take(rest)
            rest = b""
        out = self._leave(rest) if rest else []
        met = self._seen.met or self._held_again
        news = (self._count, len(self._held)) != self._before
        joins = self._joins or not self.large
        if met and not news:
            self._last_at = self._opened
        elif clean and not self._fed and joins:
            # It was at the end of the newest file all the time
            self._last_at = now
        return out, Shown(
            empty=not self._fed,
            met=met,
            news=news,
            strange=self._foreign.met,
            words=self._foreign.words.decode(errors="replace"),
            unfinished=bool(self._held or self._carry),
            large=self.large,
            skipped=not (met or news or joins),
        )

    def restart(self) -> list[bytes]:
        """What follows is another log, that of the container's next run. The last line of this one, as `finish` has it."""
        self._bytes = 0
        self._sightings = Sightings()
        self._last_at = None
        return self.finish()

    def finish(self) -> list[bytes]:
        """The log is over: the last line, when it has no newline."""
        if not self._held and not self._carry:
            return []
        self._count += 1
        last, self._held = self._begun(self._held), b""
        return [last]

    def _begun(self, held: bytes) -> bytes:
        """What there is of a line that will not go on."""
        line, self._carry = (self._carry + text_of(held) if self._carry else usual(held)), b""
        return shortened(line)

    def _take(self, lines: list[bytes]) -> list[bytes]:
        out: list[bytes] = []
        last = self._seen.latest
        if self._repeating:
            lines, last = self._unseen(lines, out), b""
            if not lines:
                return out
        shown = self._new(lines, last)
        if self._carry and shown:
            shown[0] = shortened(self._carry + text_of(shown[0]))
            self._carry = b""
        return out + shown if out else shown

    def _new(self, lines: list[bytes], last: bytes) -> list[bytes]:
        """New lines, as they are shown; they are remembered. `last` is the time of the line before, in this stream."""
        self._first = False
        shown = lines
        if not are_usual(lines):
            lines, shown = self._foreign.told_apart(lines)
        if not lines:
            return shown
        keys = [line[:USUAL] for line in lines] if shown is lines else [key_of(line) for line in lines]
        if self.large and not near(moment_of(last or keys[0]), moment_of(keys[-1])):
            shown = self._without_skips(shown, last)
            keys = [key for key in map(key_of, shown) if key] if self.passed else keys
            lines = lines[: len(keys)]
            if not keys:
                return shown
        self.first = self.first or second_of(keys[0])
        self._seen.remember(keys, lines)
        self._count += len(lines)
        self._last_at = None
        self._slack = OVERLAP if len(lines[-1]) > WHOLE else timedelta()
        self._sightings.forget(second_of(self._seen.latest))
        return shown

    def _without_skips(self, shown: list[bytes], last: bytes) -> list[bytes]:
        """The lines, marked where a whole file may have been left out by a stream that came late to the end of one."""
        out: list[bytes] = []
        vouched = self._vouched == self._count
        for line in shown:
            key = key_of(line)
            if last and not (vouched or self._stays(last, moment_of(key))):
                if self._spare and moment_of(last) < self._spare < moment_of(key) - OVERLAP * 2:
                    self.passed = True
                    return out
                out.append(gap("the log was rotated faster than it could be read"))
            last, vouched = key, False
            out.append(line)
        return out

    def _stays(self, key: bytes, until: datetime) -> bool:
        """Whether no file can have come and gone between a line that the stream holds and the next one."""
        written = moment_of(key)
        if until <= self._opened or settled(written, self._opened) or near(written, until):
            return True
        return near(max(self._opened, self._sightings.newest_until(key, self._slack)), until)

    def _known_until(self) -> datetime:
        """Until when the last known line was certainly the last one of all."""
        latest = self._seen.latest
        if not latest:
            return self._opened
        known = self._sightings.newest_until(latest, self._slack)
        return max(known, self._last_at) if self._last_at else known

    def _unseen(self, lines: list[bytes], out: list[bytes]) -> list[bytes]:
        """The lines from the first new one on; what has to come before it goes to `out`."""
        for at, line in enumerate(lines):
            leads, self._first = self._first, False
            if not is_stamped(line):
                if not leads or is_kubelets(line):
                    self._foreign.take(line)
            elif not self._seen.has(line):
                out += self._resolve(line)
                return lines[at:]
        return []

    def _resolve(self, line: bytes) -> list[bytes]:
        """The first new line tells what became of an unfinished one, and whether the streams meet."""
        self._repeating = False
        held, self._held = self._held, b""
        if held and line[:LONGEST].startswith(held[:LONGEST]):
            return []
        latest = key_of(held) or self._seen.latest
        apart = _apart(latest, key_of(line)) if latest else 0.0
        if held and apart <= min(self._within, OVERLAP.total_seconds()):
            # Written in parts, and the log was rotated between them
            self._carry = self._carry + text_of(held) if self._carry else usual(held)
            return []
        out = []
        if held or self._carry:
            out.append(self._begun(held))
        if held or not self._is_next(latest, line):
            out.append(gap("the log could not be read for a while, and what follows is not what was next"))
        self._count += len(out)
        return out

    def _is_next(self, latest: bytes, line: bytes) -> bool:
        """Whether the first new line of a stream follows the last known one."""
        moment = moment_of(key_of(line))
        if self._seen.met:
            return not self.large or self._vouched == self._count or self._stays(latest, moment)
        joins = self._joins or not self.large or near(moment_of(latest), moment)
        return _apart(latest, key_of(line)) <= self._within and not self._seen.blind and joins

    def _leave(self, rest: bytes) -> list[bytes]:
        """A stream ended within a line."""
        if not self._repeating:
            self._held = rest
            return []
        if self._held.startswith(rest):
            self._held_again = True
            return []
        if self._seen.has_within(rest):
            return []
        out = self._resolve(rest)
        self._held = rest
        return out


def _apart(key: bytes, later: bytes) -> float:
    return (second_of(later) - second_of(key)).total_seconds()
