"""One log out of many streams: complete, in order, once each, whatever cuts, repeats and rotates them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipit.logs import dedup
from shipit.logs.chunks import LONGEST
from shipit.logs.continuity import Trust
from shipit.logs.dedup import REMEMBERED
from shipit.logs.joined import JoinedLog
from shipit.logs.shown import Shown, gap
from shipit.logs.timestamps import UNTIMED
from tests.kubelet import EPOCH, Entry, Log

GAP = gap("")[len(UNTIMED) :][:40]


def is_gap(line: bytes) -> bool:
    return line.startswith(GAP)


def texts(lines: list[bytes]) -> list[bytes]:
    """Lines without the times in front of them."""
    return [line[len(UNTIMED) :] for line in lines]


def entry(at: int, text: bytes = b"x", *, full: bool = True) -> Entry:
    return Entry(at, text, full)


@dataclass
class Reader:
    """Reads a log the way a reader does, and trusts each stream as far as it was not cut, unless it is told otherwise."""

    log: Log
    joined: JoinedLog = field(default_factory=JoinedLog)
    raw: list[bytes] = field(default_factory=list)
    trust: Trust = Trust.CAUGHT_UP
    shown: Shown = field(default_factory=Shown)

    def read(
        self, first: int, last: int, *, cut: int | None = None, step: int = 7, clean: bool = True
    ) -> None:
        """One stream over entries of a file, up to a byte when it is cut, in chunks of some bytes."""
        data = self.log.serve(first, last, self.joined.since())
        data = data if cut is None else data[:cut]
        self.take([data[at : at + step] for at in range(0, len(data), step)], clean=clean and cut is None)

    def take(self, chunks: list[bytes], *, clean: bool = True) -> None:
        """One stream of these chunks."""
        self.joined.begin(self.trust.value, EPOCH)
        for chunk in chunks:
            self.raw += self.joined.feed(chunk)
        lines, self.shown = self.joined.end(EPOCH, clean=clean)
        self.raw += lines
        if self.shown.met or self.shown.news:
            self.trust = Trust.CAUGHT_UP if clean and not self.shown.strange else Trust.BROKEN

    def met(self) -> bool:
        return self.shown.met

    @property
    def out(self) -> list[bytes]:
        return texts(self.raw)

    def end(self) -> list[bytes]:
        self.raw += self.joined.finish()
        return self.out


def test_lines_come_without_their_times_and_a_last_one_without_its_newline() -> None:
    reader = Reader(Log([entry(1, b"one"), entry(2, b""), entry(3, b"three", full=False)]))
    reader.read(0, 3)
    assert reader.out == [b"one", b""]
    assert reader.end() == [b"one", b"", b"three"]


def test_a_line_cut_in_the_middle_comes_once_and_whole() -> None:
    log = Log([entry(1, b"one"), entry(2, b"two two two")])
    reader = Reader(log)
    reader.read(0, 2, cut=len(log.serve(0, 1, None)) + 36)
    assert reader.out == [b"one"]
    reader.read(0, 2)
    assert reader.end() == [b"one", b"two two two"]


def test_lines_of_the_same_time_are_counted() -> None:
    log = Log([entry(5, b"same") for _ in range(5)])
    reader = Reader(log)
    reader.read(0, 3)
    reader.read(0, 5)
    reader.read(0, 5)
    assert reader.end() == [b"same"] * 5


def test_more_lines_of_the_same_time_than_are_remembered_one_by_one() -> None:
    count = REMEMBERED * 3
    log = Log([entry(5, b"%d" % (n % 7)) for n in range(count)])
    reader = Reader(log)
    reader.read(0, count - 100, step=60_000)
    reader.read(0, count, step=60_000)
    assert reader.end() == log.lines()


def test_after_a_rotation_the_new_file_follows_without_a_mark() -> None:
    log = Log([entry(n * 10**8, b"%d" % n) for n in range(50)], rotations=[20, 35])
    reader = Reader(log)
    reader.read(0, 20)
    reader.read(20, 35)
    reader.read(35, 50)
    assert reader.end() == log.lines()


def test_a_long_line_that_a_rotation_splits_is_joined_again() -> None:
    log = Log(
        [entry(1, b"one"), entry(2, b"be" * 8192, full=False), entry(3, b"gun"), entry(4, b"on")],
        rotations=[2],
    )
    reader = Reader(log)
    reader.read(0, 2)
    reader.read(2, 4)
    assert reader.end() == [b"one", b"be" * 8192 + b"gun", b"on"]


def test_a_short_line_that_a_rotation_splits_is_joined_again() -> None:
    """containerd changes to the new file wherever it is."""
    log = Log(
        [entry(1, b"one"), entry(2, b"be", full=False), entry(3, b"gun"), entry(4, b"on")], rotations=[2]
    )
    reader = Reader(log)
    reader.read(0, 2)
    reader.read(2, 4)
    assert reader.end() == [b"one", b"begun", b"on"]


def test_the_beginning_of_a_line_and_what_came_seconds_later_are_not_one_line() -> None:
    log = Log([entry(n * 3 * 10**9, b"line %d" % n) for n in range(9)], rotations=[5])
    reader = Reader(log)
    reader.take([log.serve(0, 3, None)[:-3]])
    reader.read(5, 9)
    lines = reader.end()
    assert lines[:3] == [b"line 0", b"line 1", b"line"]
    assert is_gap(lines[3])
    assert lines[4:] == [b"line %d" % n for n in range(5, 9)]


def test_the_rest_of_a_line_that_began_before_the_second_asked_for_is_not_shown_again() -> None:
    second = 10**9
    log = Log([entry(1, b"be", full=False), entry(3 * second, b"gun"), entry(4 * second, b"on")])
    reader = Reader(log)
    reader.read(0, 3)
    assert log.serve(0, 3, reader.joined.since()).startswith(b"gun\n")
    reader.read(0, 3)
    assert reader.end() == [b"begun", b"on"]


def test_a_cut_and_a_rotation_together_are_marked_as_a_gap() -> None:
    log = Log([entry(n, b"line %d" % n) for n in range(9)], rotations=[5])
    reader = Reader(log)
    reader.read(0, 3, clean=False)
    reader.read(5, 9)
    lines = reader.end()
    assert is_gap(lines[3])
    assert lines[:3] + lines[4:] == [b"line 0", b"line 1", b"line 2", *(b"line %d" % n for n in range(5, 9))]


def test_a_late_return_after_a_rotation_is_marked_as_a_gap() -> None:
    log = Log([entry(n, b"line %d" % n) for n in range(9)], rotations=[3, 6])
    reader = Reader(log)
    reader.read(0, 3)
    reader.trust = Trust.BROKEN
    reader.read(6, 9)
    assert is_gap(reader.end()[3])


@pytest.mark.parametrize(("pause", "marked"), [(1, False), (3, True)])
def test_a_stream_that_ended_while_lines_were_coming_has_to_go_on_soon(pause: int, marked: bool) -> None:
    """A clean end between two lines of a flood, and a rotation before the next look: nothing else tells of the loss."""
    log = Log([entry(0), entry(1), entry(2 + pause * 10**9)], rotations=[2])
    reader = Reader(log)
    reader.read(0, 2)
    reader.trust = Trust.ABRUPT
    reader.read(2, 3)
    assert [is_gap(line) for line in reader.end()] == ([False, False, True, False] if marked else [False] * 3)


def test_a_late_return_to_the_same_file_is_no_gap() -> None:
    log = Log([entry(n, b"line %d" % n) for n in range(9)])
    reader = Reader(log)
    reader.read(0, 3, clean=False)
    reader.trust = Trust.BROKEN
    reader.read(0, 9)
    assert reader.end() == log.lines()


def test_a_line_of_stderr_that_stands_after_a_later_one_of_stdout_is_not_lost() -> None:
    second = 10**9
    log = Log(
        [
            entry(second - 2, b"a"),
            entry(second + 3, b"out"),
            entry(second - 1, b"err"),
            entry(second + 9, b"z"),
        ]
    )
    reader = Reader(log)
    reader.read(0, 2)
    reader.read(0, 4)
    assert reader.end() == [b"a", b"out", b"err", b"z"]


def test_a_node_whose_clock_leaves_summer_time_loses_nothing() -> None:
    lines = [
        b"2026-10-25T02:59:58.000000001+02:00 summer\n",
        b"2026-10-25T02:00:01.000000002+01:00 winter\n",
        b"2026-10-25T02:00:02.000000003+01:00 colder\n",
    ]
    reader = Reader(Log([]))
    reader.take([b"".join(lines[:2])])
    assert reader.joined.since() == EPOCH.replace(month=10, day=25, hour=1, minute=0, second=0)
    reader.take([b"".join(lines)])
    assert reader.out == [b"summer", b"winter", b"colder"]
    assert [line[:20] for line in reader.raw[:2]] == [b"2026-10-25T00:59:58.", b"2026-10-25T01:00:01."]


def test_what_the_kubelet_says_itself_is_no_line_of_the_container() -> None:
    said = b"unable to retrieve container logs for containerd://12ab\n"
    reader = Reader(Log([]))
    reader.take([said])
    reader.take([said])
    assert reader.out == []
    assert reader.shown.words == "unable to retrieve container logs for containerd://12ab"
    assert reader.joined.since() is None
    assert not reader.shown.news


def test_hostile_bytes_pass_as_they_are() -> None:
    texts = [
        b"\xff\xfe",
        b"a\rb\r",
        b"\x1b[31m",
        b"",
        b"2026-03-01T12:00:00.000000000Z looks like a time",
        b"\x00",
    ]
    log = Log([entry(n, text) for n, text in enumerate(texts)])
    reader = Reader(log)
    reader.read(0, 4)
    reader.read(0, 6)
    assert reader.end() == texts


def test_a_line_without_an_end_takes_no_more_memory_than_is_shown_of_it() -> None:
    one = JoinedLog()
    one.begin(0, EPOCH)
    assert not one.feed(entry(1).stamp + b" ")
    for _ in range(64):
        assert not one.feed(b"y" * 65_536)
    assert sum(map(len, one._chunks._pieces)) < LONGEST + 2 * 65_536
    (line,) = one.feed(b"\n")
    assert line.endswith(b"y [shipit: the rest of this line is left out]")
    assert len(line) < LONGEST + 100


def test_a_line_that_is_too_long_is_known_again_after_a_cut() -> None:
    huge = entry(1, b"y" * (LONGEST + 5))
    log = Log([huge, entry(2, b"next")])
    reader = Reader(log)
    reader.read(0, 2, cut=LONGEST + 10, step=65_536)
    reader.read(0, 2, step=65_536)
    reader.read(0, 2, step=65_536)
    lines = reader.end()
    assert [line[-10:] for line in lines] == [b" left out]", b"next"]


def test_asked_again_it_asks_from_a_second_before_the_last_line() -> None:
    one = JoinedLog()
    one.begin(0, EPOCH)
    assert one.since() is None
    one.feed(entry(7 * 10**9 + 5).stamp + b" x\n")
    assert one.since() == EPOCH + timedelta(seconds=6)


def test_a_clock_that_steps_back_far_loses_nothing_after_a_cut() -> None:
    second = 10**9
    before = [entry((100 + n) * second, b"before %d" % n) for n in range(3)]
    after = [entry((40 + n) * second, b"after %d" % n) for n in range(10)]
    log = Log(before + after)
    reader = Reader(log)
    reader.read(0, 5, clean=False)
    assert reader.joined.since() == EPOCH + timedelta(seconds=40)
    reader.read(0, 13)
    assert reader.end() == log.lines()


def test_a_clock_that_steps_back_while_nobody_reads_loses_nothing_within_a_second() -> None:
    count = REMEMBERED * 3
    old = [entry(100 * 10**9 + n, b"b%d" % n) for n in range(count)]
    log = Log(old + [entry(99 * 10**9 + n, b"a%d" % n) for n in range(5)])
    reader = Reader(log)
    reader.read(0, count, step=60_000, clean=False)
    reader.read(0, count + 5, step=60_000)
    assert reader.end() == log.lines()


def test_after_a_clock_stepped_back_a_rotation_that_hides_what_is_new_is_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dedup, "REMEMBERED", 1)
    second = 10**9
    old = [entry((100 + n) * second, b"b%d" % n) for n in range(4)]
    new = [entry((50 + 20 * n) * second, b"a%d" % n) for n in range(5)]
    reader = Reader(Log(old + new, rotations=[5]))
    reader.read(0, 5)
    reader.read(5, 9)
    lines = reader.end()
    assert lines[:5] == [b"b0", b"b1", b"b2", b"b3", b"a0"]
    assert is_gap(lines[5])
    assert lines[6:] == [b"a3", b"a4"]


def test_a_stream_that_holds_nothing_of_the_log_says_nothing_about_its_end() -> None:
    log = Log([entry(1, b"one"), entry(2, b"two")])
    for junk in (
        b"",
        b"<html>\nlog in\n</html>",
        b"<html>",
        b"unable to retrieve container logs",
        b"failed to\n",
    ):
        reader = Reader(log)
        reader.read(0, 2)
        reader.take([junk])
        assert not reader.met()
        reader.read(0, 2)
        assert reader.met()
        assert not reader.shown.strange


def test_what_the_kubelet_says_without_a_newline_is_known_for_that() -> None:
    reader = Reader(Log([]))
    reader.take([b"failed to open it"])
    assert reader.out == []
    assert (reader.shown.strange, reader.shown.words) == (True, "failed to open it")


def test_an_unfinished_last_line_alone_is_known_again() -> None:
    log = Log([entry(1, b"half", full=False)])
    reader = Reader(log)
    reader.read(0, 1)
    assert not reader.met()
    reader.read(0, 1)
    assert reader.met()
    assert reader.end() == [b"half"]


TEXTS = st.one_of(st.binary(max_size=12), st.sampled_from([b"", b"x", b"a\r", b"\xff", b"y" * 300])).map(
    lambda text: text.replace(b"\n", b"")
)


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A log with equal times, empty lines and lines in parts, rotated between entries of different times.

    The parts of a line follow each other within a second: what comes later may not be its rest, and is marked.
    """
    steps = draw(st.lists(st.sampled_from([0, 0, 1, 10**6, 10**9]), min_size=1, max_size=30))
    at = 0
    entries: list[Entry] = []
    for step in steps:
        at += step if not entries or entries[-1].full else min(step, 10**6)
        entries.append(Entry(at, draw(TEXTS), draw(st.integers(0, 5)) > 0))
    places = [n for n in range(1, len(entries)) if entries[n].at != entries[n - 1].at]
    rotations = draw(st.lists(st.sampled_from(places), unique=True, max_size=3)) if places else []
    # An empty part is never written
    entries = [e if e.full or e.text else Entry(e.at, b"p", full=False) for e in entries]
    return Log(entries, sorted(rotations))


ONCE_FOR_ALL = [HealthCheck.function_scoped_fixture]


@settings(max_examples=400, deadline=None, suppress_health_check=ONCE_FOR_ALL)
@given(log=logs(), data=st.data())
def test_every_line_arrives_once_and_in_order_however_often_the_streams_are_cut(
    log: Log, data: st.DataObject
) -> None:
    reader = Reader(log)
    for first in [0, *log.rotations]:
        _, end = log.file_at(first)
        for _ in range(data.draw(st.integers(0, 4))):
            last = data.draw(st.integers(first, end))
            whole = len(log.serve(first, last, reader.joined.since()))
            reader.read(first, last, cut=data.draw(st.integers(0, whole)), step=data.draw(st.integers(1, 50)))
        reader.read(first, end, step=data.draw(st.integers(1, 50)))
    assert reader.end() == log.lines()


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_clock_that_stepped_back_is_no_reason_to_lose_or_repeat_a_line(data: st.DataObject) -> None:
    """The steps are seen in the first stream; then come cuts, of a log with more lines than are remembered."""
    back = st.sampled_from([0, 1, 10**8, 3 * 10**9, -(5 * 10**9), -(60 * 10**9)])
    steps = data.draw(st.lists(back, min_size=1, max_size=30))
    later = data.draw(st.lists(st.sampled_from([0, 1, 10**8, 3 * 10**9]), max_size=30))
    times = list(itertools.accumulate([10**12, *steps, *later]))
    log = Log([Entry(at, b"%d" % n) for n, at in enumerate(times)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dedup, "REMEMBERED", data.draw(st.integers(1, 8)))
        reader = Reader(log)
        reader.read(0, data.draw(st.integers(len(steps) + 1, len(times))), clean=False)
        for _ in range(data.draw(st.integers(0, 3))):
            whole = len(log.serve(0, len(times), reader.joined.since()))
            reader.read(
                0, len(times), cut=data.draw(st.integers(0, whole)), step=data.draw(st.integers(1, 50))
            )
        reader.read(0, len(times))
    assert reader.end() == log.lines()


@settings(max_examples=400, deadline=None, suppress_health_check=ONCE_FOR_ALL)
@given(log=logs(), data=st.data())
def test_what_is_missing_is_marked_and_nothing_comes_twice_or_out_of_order(
    log: Log, data: st.DataObject
) -> None:
    """Streams are cut anywhere, and files are missed as a whole: what arrives is the log with gaps, each marked."""
    log = Log([Entry(e.at, b"%04d" % n + e.text) for n, e in enumerate(log.entries)], log.rotations)
    reader = Reader(log)
    for first in [0, *log.rotations]:
        _, end = log.file_at(first)
        whole = False
        for _ in range(data.draw(st.integers(0, 3))):
            last = data.draw(st.integers(first, end))
            size = len(log.serve(first, last, reader.joined.since()))
            whole = data.draw(st.booleans()) and last == end
            reader.read(first, last, cut=None if whole else data.draw(st.integers(0, size)))
        if not whole:
            reader.trust = Trust.BROKEN
    lines = reader.end()
    # A line just before a gap, or the last one, may be a part of it
    numbers = [
        -1 if is_gap(line) else int(line[:4])
        for line, after in zip(lines, [*lines[1:], GAP], strict=False)
        if is_gap(line) or not is_gap(after)
    ]
    seen = [number for number in numbers if number >= 0]
    assert seen == sorted(set(seen))
    assert all(after in (-1, before + 1) for before, after in itertools.pairwise(numbers) if before >= 0)
