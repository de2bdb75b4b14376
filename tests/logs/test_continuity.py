"""A log whose kubelet rotates it while it is read: no loss without a mark, and no mark without a reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shipit.logs.continuity import Continuity, End
from shipit.logs.joined import SMALLEST_FILE, JoinedLog
from shipit.logs.lookout import Pulse
from shipit.logs.reader import TRIES
from shipit.logs.shown import NOTHING, Shown
from tests.kubelet import EPOCH, Entry, Log

STEP = 0.25
"""Seconds between two looks of everybody."""


@dataclass
class Node:
    """A container that writes a line at each of these seconds, and a kubelet that rotates its log at those."""

    writes: list[float]
    rotations: list[float]

    def __post_init__(self) -> None:
        entries = [Entry(int(at * 10**9) + n, b"%d" % n) for n, at in enumerate(self.writes)]
        self.log = Log(entries, [self.first_in(n) for n in range(1, len(self.rotations) + 1)])

    @property
    def over(self) -> float:
        return max(self.writes[-1], *self.rotations, 0.0) + STEP

    def file_at(self, now: float) -> int:
        return sum(at <= now for at in self.rotations)

    def first_in(self, file: int) -> int:
        """The first line of a file."""
        return sum(self.file_at(at) < file for at in self.writes)


@dataclass
class Stream:
    """The kubelet's, as its sources have it: slow to begin, and at each line. Once it has come to the end of the newest
    file it hears of rotations, and goes on in the newest file when it has read what it has; before that it hears only
    of the next one.
    """

    node: Node
    asked: datetime | None
    now: float
    wake: float
    pace: float
    hears: bool = False

    def __post_init__(self) -> None:
        self.ready_at = self.now + self.wake
        self._open(self.node.file_at(self.now))

    def _open(self, file: int) -> None:
        self.file, self.hung_at = file, math.inf
        second = (self.asked - EPOCH).total_seconds() if self.asked else 0.0
        early = sum(at < second for at in self.node.writes)
        self.next = max(self.node.first_in(file), early)

    def read(self, now: float) -> tuple[int, int]:
        """The lines that come until now: from the first one to before the last one."""
        there = min(self.node.first_in(self.file + 1), sum(at <= now for at in self.node.writes))
        first = self.next
        while self.next < there and max(self.node.writes[self.next], self.ready_at) + self.pace <= now:
            self.ready_at = max(self.node.writes[self.next], self.ready_at) + self.pace
            self.next += 1
        last = self.next
        if last >= there and self.ready_at <= now:
            self._at_end(now)
        return first, max(first, last)

    def _at_end(self, now: float) -> None:
        newest = self.node.file_at(now)
        if newest == self.file:
            self.hears = True
        elif self.hears or self.node.file_at(self.hung_at) < newest:
            self._open(newest)
            self.hears = True
        else:
            self.hung_at = min(self.hung_at, now)


@dataclass
class Reading:
    """What a reader makes of it."""

    node: Node
    wake: float = 0.0
    pace: float = 0.0
    blind: tuple[float, float] = (0.0, 0.0)
    joined: JoinedLog = field(default_factory=JoinedLog)
    continuity: Continuity = field(default_factory=Continuity)
    pulse: Pulse = field(default_factory=Pulse)
    out: list[bytes] = field(default_factory=list)
    now: float = 0.0
    looks_at: float = 0.0
    doubt: tuple[float, bool] = (math.inf, False)
    spares: list[tuple[Stream, float]] = field(default_factory=list)
    filled: bool = True
    looked: float = 0.0

    def play(self) -> list[int]:
        """The numbers of the lines that came, -1 for each mark."""
        left = TRIES
        while not self.continuity.settled and left:
            over = self.now > self.node.over
            news = self._sees(over) and self._one_stream(over)
            left = TRIES if news or not over else left - 1
            self.now += STEP
        gone = self.continuity.missing("p", "", gone=False)
        texts = [line[31:] for line in (*self.out, *self.joined.finish(), *gone)]
        return [-1 if text.startswith(b"[") else int(text) for text in texts]

    def _sees(self, over: bool) -> bool:
        if not self.blind[0] <= self.now < self.blind[1]:
            return True
        self._ended_with(End.CUT, NOTHING, over=over)
        return False

    def _one_stream(self, over: bool) -> bool:
        stream, opened = self.spares.pop(0) if self.spares else (self._stream(), self.now)
        self.joined.begin(self.continuity.trust.value, self._moment(opened))
        self.pulse.opened(self.now)
        clean = True
        while clean and not self._hangs():
            clean = not self.blind[0] <= self.now < self.blind[1]
            data = self.node.log.serve(*stream.read(self.now), stream.asked) if clean else b""
            if data:
                lines = self.joined.feed(data, self._moment(self.spares[0][1]) if self.spares else None)
                self.joined._bytes += SMALLEST_FILE
                self.pulse.took(self.now, news=bool(lines))
                self.out += lines
                latest = self.joined.latest
                self.spares = [s for s in self.spares if latest and latest <= self._moment(s[1])]
                if self.joined.passed:
                    break
            elif self._ended(stream):
                break
            self.now += STEP
        lines, shown = self.joined.end(self._moment(), clean=clean)
        self.out += lines
        self._ended_with(End.CLEAN if clean else End.CUT, shown, over=over)
        return shown.news

    def _stream(self) -> Stream:
        return Stream(self.node, self.joined.since(), self.now, self.wake, self.pace)

    def _moment(self, at: float | None = None) -> datetime:
        return EPOCH + timedelta(seconds=self.now if at is None else at)

    def _ended_with(self, end: End, shown: Shown, *, over: bool) -> None:
        idle = self.pulse.idle(self.now) or self.joined.passed
        self.continuity.ended(end, shown, self.now, idle=idle, over=over, once=False)

    def _hangs(self) -> bool:
        """Looks at the newest file every two seconds, and again at the stream a second later."""
        if self.now < self.looks_at or not self.joined.large:
            return False
        if self.pulse.quiet(self.now):
            return self.now <= self.node.over and self.pulse.tires(self.now)
        looked, newer = self.doubt
        self.looks_at, self.doubt = self.now + 2, (math.inf, False)
        if looked < self.now:
            over = self.now > self.node.over
            return not over and self.pulse.hangs(looked, self.now, newer=newer)
        file = self.node.file_at(self.now)
        there = [
            n for n, at in enumerate(self.node.writes) if at <= self.now and self.node.file_at(at) == file
        ]
        newest = self.node.log.entries[there[-1]].stamp if there else b""
        newer = self.joined.sighted(self._moment(), newest)
        if not (newest or self.pulse.silent) and (self.filled or self.pulse.took_since(self.looked)):
            # Of an empty file it is at the end at once
            self.spares.append((replace(self._stream(), hears=True), self.now))
        self.filled, self.looked = bool(newest), self.now
        if newer or not newest:
            self.looks_at, self.doubt = self.now + 1, (self.now, newer)
        return False

    def _ended(self, stream: Stream) -> bool:
        """Whether the container has, and the stream has read its file."""
        there = min(self.node.first_in(stream.file + 1), len(self.node.writes))
        return self.now > self.node.over and stream.next >= there


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """Bursts, pauses and lines now and then; at each of its looks the kubelet rotates what was written, or not."""
    at, writes = 0.0, []
    for _ in range(draw(st.integers(1, 5))):
        pace = draw(st.sampled_from([0.0, 0.01, 0.3, 1.0, 2.6]))
        for _ in range(draw(st.sampled_from([1, 3, 12, 40]))):
            writes.append(at)
            at += pace
        at += draw(st.sampled_from([0.0, 0.6, 1.5, 3.0, 7.0, 12.0, 26.0, 45.0]))
    look, rotations, before = draw(st.floats(0.1, 10.0)), [], 0
    while look < at + 10:
        there = sum(each <= look for each in writes)
        # What it did not find large enough stays so until more is written
        if there > before and draw(st.booleans()):
            rotations.append(look)
        look, before = look + 10.0, there
    return Node(writes, rotations)


@settings(max_examples=150, deadline=None)
@given(node=nodes(), wake=st.sampled_from([0.0, 0.5, 1.5]), pace=st.sampled_from([0.0, 0.02]))
def test_a_log_that_is_read_as_it_is_written_comes_whole_and_without_a_mark(
    node: Node, wake: float, pace: float
) -> None:
    assert Reading(node, wake, pace).play() == list(range(len(node.writes)))


def assert_marked(numbers: list[int], count: int) -> None:
    """Every line came, once and in order, or stands behind a mark."""
    told = [number for number in numbers if number >= 0]
    assert told == sorted(set(told)), "lines came again, or out of order"
    expected, marked = 0, False
    for number in (*numbers, count):
        assert number < 0 or number == expected or marked, f"{expected} is missing in {numbers}"
        marked = number < 0
        expected = expected if marked else number + 1


@settings(max_examples=200, deadline=None)
@given(
    node=nodes(),
    wake=st.sampled_from([0.0, 0.5, 3.0]),
    pace=st.sampled_from([0.0, 0.1, 0.4, 0.7]),
    blind=st.tuples(st.floats(5, 60), st.sampled_from([0.0, 2.0, 9.0, 30.0])),
)
def test_whatever_is_lost_is_marked(node: Node, wake: float, pace: float, blind: tuple[float, float]) -> None:
    numbers = Reading(node, wake, pace, (blind[0], blind[0] + blind[1])).play()
    assert_marked(numbers, len(node.writes))


def test_a_log_that_is_rotated_while_it_is_quiet_has_lost_nothing() -> None:
    burst = [n / 1000 for n in range(500)]
    node = Node([*burst, *(at + 13 for at in burst), *(at + 26 for at in burst), 90.0], [5.0, 15.0, 35.0])
    assert Reading(node, wake=0.2).play() == list(range(1501))


def test_a_file_that_was_empty_at_one_look_and_gone_at_the_next_comes_from_the_stream_opened_for_it() -> None:
    """Though twenty seconds late."""
    burst = [n / 100 for n in range(100)]
    node = Node([*burst, *(at + 13 for at in burst), *(at + 26 for at in burst)], [5.0, 15.0])
    assert Reading(node, pace=0.2).play() == list(range(300))


def test_a_slow_writer_whose_log_is_rotated_again_and_again_loses_nothing() -> None:
    node = Node([n * 2.6 for n in range(80)], [at * 10.0 for at in range(1, 20)])
    assert Reading(node, wake=0.2).play() == list(range(80))


def test_a_file_that_is_rotated_before_a_stream_comes_to_it_leaves_a_mark() -> None:
    flood = [n / 10 for n in range(500)]
    numbers = Reading(Node(flood, [9.0, 19.0, 29.0, 39.0]), pace=0.4).play()
    assert_marked(numbers, len(flood))
    assert len(numbers) < len(flood)
