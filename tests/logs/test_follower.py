"""A step's logs: every pod and container, read ahead in threads, told once each and in order by the main thread."""

from __future__ import annotations

import errno
import os
import threading
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import cast

import pytest

from shipit.errors import ApiError, Forbidden, Invalid, NotFound, Unreachable
from shipit.events import Event, LogLine, Warned
from shipit.hints import kubectl
from shipit.logs.buffer import Buffer
from shipit.logs.follower import Follower, tail_lines
from shipit.model import Cluster, Container, Pod, Termination
from tests.kubelet import EPOCH, Entry, Log

BOUND = 10.0
"""Seconds after which a thread in a test counts as hung."""

Chunk = bytes | ApiError | Callable[[], object]


@dataclass
class Clock:
    """Stands still, or ticks with every look at it."""

    tick: float = 0.0
    seconds: float = 0.0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        self.seconds += self.tick
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Stream:
    """A scripted stream: bytes are read, errors raised, functions called (to wait in, or to change the world)."""

    script: list[Chunk]
    refused: ApiError | None = None
    closed: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Iterator[bytes]:
        if self.refused is not None:
            raise self.refused
        return self._read()

    def _read(self) -> Iterator[bytes]:
        for chunk in self.script:
            if isinstance(chunk, ApiError):
                raise chunk
            if isinstance(chunk, bytes):
                yield chunk
            else:
                chunk()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed.set()


@dataclass
class Logs:
    """A cluster of which only logs are asked for. The last stream of a container is served for ever after; `newest` is
    the last line of its newest file, which can't be had where it is not set.
    """

    newest: dict[str, bytes] = field(default_factory=dict)
    looks: int = 0
    streams: dict[str, list[Stream]] = field(default_factory=lambda: defaultdict(list))
    asked: list[tuple[str, datetime | None]] = field(default_factory=list)
    moment: datetime = EPOCH

    def now(self) -> datetime:
        return self.moment

    def serve(self, container: str, *scripts: list[Chunk] | ApiError) -> None:
        for script in scripts:
            refused = script if isinstance(script, ApiError) else None
            self.streams[container].append(Stream([] if isinstance(script, ApiError) else script, refused))

    def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        since: datetime | None = None,
        follow: bool = True,
        tail: int | None = None,
        previous: bool = False,
    ) -> Stream:
        if tail == 1:
            self.looks += 1
            refused = None if container in self.newest else Unreachable("nobody looks")
            return Stream([self.newest.get(container, b"")], refused)
        key = container if container in self.streams else f"{pod}/{container}"
        key = f"{key} before" if previous else key
        self.asked.append((key, since))
        left = self.streams[key]
        return left.pop(0) if len(left) > 1 else left[0]


@dataclass
class Story:
    """A follower of the step `migrate` and what it told."""

    logs: Logs = field(default_factory=Logs)
    clock: Clock = field(default_factory=Clock)
    events: list[Event] = field(default_factory=list)
    follower: Follower = field(init=False)

    def __post_init__(self) -> None:
        self.follower = Follower(
            cast(Cluster, self.logs), self.clock, "migrate", self.events.append, pace=0.01
        )

    @property
    def told(self) -> list[str]:
        return [event.line for event in self.events if isinstance(event, LogLine)]

    def until(self, done: Callable[[], bool]) -> None:
        """Pass on until something is so."""
        for _ in range(int(BOUND / 0.02)):
            self.follower.pass_on()
            if done():
                return
            self.follower._buffer.wait(0.02)
        raise AssertionError(f"never came to pass; told: {self.told}")


@pytest.fixture
def story() -> Iterator[Story]:
    made = Story()
    yield made
    made.follower.close()
    for reader in made.follower._readers:
        reader.join(BOUND)
        assert reader.done


ENDED = Termination(0, "Completed", started_at=EPOCH, finished_at=EPOCH, container_id="containerd://1")


def running(name: str = "m") -> Container:
    return Container(name, state="running", started_at=EPOCH, container_id="containerd://1")


def ended(name: str = "m", *, init: bool = False, restarts: int = 0) -> Container:
    return Container(
        name,
        state="terminated",
        termination=ENDED,
        init=init,
        container_id="containerd://1",
        restarts=restarts,
    )


def pod(*containers: Container, name: str = "migrate-1", age: int = 0) -> Pod:
    created = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=age)
    return Pod(name, "shop", f"uid-{name}", "Running", created, containers=containers)


def log(*texts: str, first: int = 0, newline: bool = True) -> bytes:
    entries = [Entry((first + n) * 10**8, text.encode()) for n, text in enumerate(texts)]
    if not newline:
        entries[-1] = replace(entries[-1], full=False)
    return Log(entries).serve(0, len(entries), None)


def test_a_short_migration_is_told_whole_with_a_last_line_that_has_no_newline(story: Story) -> None:
    story.logs.serve("m", [log("one", "two", "three", newline=False)])
    story.follower.watch((pod(ended()),))
    story.follower.finish(BOUND)
    assert story.events == [
        LogLine("migrate", "migrate-1", "m", 1, line, f"2026-03-01T12:00:00.{n}00000000Z")
        for n, line in enumerate(("one", "two", "three"))
    ]
    assert story.follower.last_lines() == ("one", "two", "three")


def test_a_log_is_read_until_its_container_has_ended_and_a_last_time_brings_nothing_new(story: Story) -> None:
    everything = log("one", "two", "three", "four")
    story.logs.serve(
        "m", [log("one")], [Unreachable("reset")], [log("one", "two")], [everything], [everything]
    )
    story.follower.watch((pod(running()),))
    story.until(lambda: len(story.told) == 4)
    assert not story.follower._readers[0].done
    story.follower.watch((pod(ended()),))
    story.follower.finish(BOUND)
    assert story.told == ["one", "two", "three", "four"]
    assert story.logs.asked[0] == ("m", None)
    assert story.logs.asked[1] == ("m", EPOCH - timedelta(seconds=1))


def test_each_pod_is_an_attempt_and_each_container_is_told_by_name(story: Story) -> None:
    story.logs.serve("migrate-1/wait", [log("waiting")])
    story.logs.serve("migrate-1/m", [log("failed")])
    story.logs.serve("migrate-2/m", [log("again")])
    first = pod(ended("wait", init=True), ended("m"))
    second = pod(Container("wait", init=True), ended("m"), name="migrate-2", age=10)
    story.follower.watch((second, first))
    story.follower.finish(BOUND)
    told = {(e.pod, e.container, e.attempt, e.line) for e in story.events if isinstance(e, LogLine)}
    assert told == {
        ("migrate-1", "wait", 1, "waiting"),
        ("migrate-1", "m", 1, "failed"),
        ("migrate-2", "m", 2, "again"),
    }
    assert story.follower.last_lines() == ("again",)


def test_an_attempt_keeps_its_number_when_an_earlier_pod_is_gone(story: Story) -> None:
    story.logs.serve("migrate-1/m", [log("first")])
    story.logs.serve("migrate-2/m", [log("second")])
    story.follower.watch((pod(ended()),))
    story.until(lambda: len(story.told) == 1)
    story.follower.watch((pod(ended(), name="migrate-2", age=10),))
    story.follower.finish(BOUND)
    assert [(e.attempt, e.line) for e in story.events if isinstance(e, LogLine)] == [
        (1, "first"),
        (2, "second"),
    ]


def test_the_last_lines_of_several_containers_stand_under_their_names(story: Story) -> None:
    story.logs.serve("a", [log("of a")])
    story.logs.serve("b", [log(*(f"{n}" for n in range(30)))])
    story.follower.watch((pod(ended("a"), ended("b")),))
    story.follower.finish(BOUND)
    assert story.follower.last_lines() == (
        "container a:",
        "of a",
        "container b:",
        *(f"{n}" for n in range(10, 30)),
    )


def test_a_container_that_never_ran_has_no_log(story: Story) -> None:
    never = Container("m", state="terminated", termination=Termination(137, "ContainerStatusUnknown"))
    story.follower.watch((pod(Container("w", reason="ImagePullBackOff"), never),))
    story.follower.finish(BOUND)
    assert story.logs.asked == []


def test_a_log_that_may_not_be_read_is_warned_about_once_and_gone_without(story: Story) -> None:
    story.logs.serve("a", Forbidden("not allowed to get pods/log", hint=kubectl("auth", "can-i", "…")))
    story.logs.serve("b", Forbidden("not allowed to get pods/log"))
    story.follower.watch((pod(running("a"), running("b")),))
    story.until(lambda: all(reader.done for reader in story.follower._readers))
    story.follower.watch((pod(ended("a"), ended("b")),))
    story.follower.finish(BOUND)
    assert len(story.events) == 1
    assert isinstance(story.events[0], Warned)
    assert "not allowed to get pods/log" in story.events[0].message
    assert len(story.logs.asked) == 2


def test_a_log_that_can_not_be_opened_yet_is_asked_for_again(story: Story) -> None:
    story.logs.serve("m", Invalid("waiting to start: PodInitializing"), Unreachable("refused"), [log("one")])
    story.follower.watch((pod(running()),))
    story.until(lambda: story.told == ["one"])
    story.follower.watch((pod(ended()),))
    story.follower.finish(BOUND)
    assert story.told == ["one"]


def test_a_log_that_the_server_refuses_for_good_is_marked_as_missing(story: Story) -> None:
    story.logs.serve("m", ApiError("the node is gone", status=400))
    story.follower.watch((pod(ended()),))
    story.follower.finish(BOUND)
    assert [line[:43] for line in story.told] == ["[shipit: some log lines may be missing here"]


def test_a_pod_that_vanishes_in_the_middle_leaves_what_was_read_and_a_mark(story: Story) -> None:
    story.logs.serve("m", [log("one", "two"), Unreachable("reset")], NotFound("pods migrate-1 not found"))
    story.follower.watch((pod(running()),))
    story.until(lambda: len(story.told) >= 2)
    story.follower.watch(())
    story.follower.finish(BOUND)
    assert story.told[:2] == ["one", "two"]
    assert "may be missing here: pod migrate-1 was deleted" in story.told[2]


def test_a_short_log_that_ended_by_itself_needs_no_mark_when_its_pod_is_deleted(story: Story) -> None:
    story.logs.serve("m", [log("one", "two")], NotFound("pods migrate-1 not found"))
    story.follower.watch((pod(running()),))
    story.until(lambda: len(story.told) >= 2)
    story.follower.watch(())
    story.follower.finish(BOUND)
    assert story.told == ["one", "two"]


MARK = "[shipit: some log lines may be missing here: "


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"<!DOCTYPE html><html>Please log in</html>",
        b"<html>\nPlease log in\n</html>\n",
        b"unable to retrieve container logs for containerd://12",
    ],
    ids=["empty", "a page", "a page of lines", "the kubelet's words"],
)
def test_an_answer_that_holds_nothing_of_the_log_does_not_end_it(story: Story, junk: bytes) -> None:
    whole = log("one", "two", "three")
    story.logs.serve("m", [log("one", "two"), Unreachable("reset")], [junk], [junk], [whole])
    story.follower.watch((pod(ended()),))
    story.follower.finish(BOUND)
    assert story.told == ["one", "two", "three"]


@pytest.mark.parametrize("junk", [b"", b"<html>Please log in</html>", b"failed to open it"])
def test_when_nothing_of_a_log_comes_any_more_its_end_is_marked(story: Story, junk: bytes) -> None:
    story.logs.serve("m", [log("one", "two"), Unreachable("reset")], [junk])
    story.follower.watch((pod(ended()),))
    story.follower.finish(BOUND)
    assert story.told[:2] == ["one", "two"]
    assert story.told[-1].startswith(MARK)


def test_where_a_log_can_not_be_read_the_mark_holds_the_kubelets_own_words(story: Story) -> None:
    story.logs.serve("m", [b"failed to try resolving symlinks: no such file or directory"])
    story.follower.watch((pod(ended()),))
    story.follower.finish(BOUND)
    (told,) = story.told
    assert told.startswith(MARK)
    assert "the kubelet says: failed to try resolving symlinks" in told


def test_the_kubelets_words_about_a_container_that_runs_are_told_once_after_a_while() -> None:
    story = Story(clock=Clock(tick=0.5))
    story.follower = Follower(
        cast(Cluster, story.logs), story.clock, "migrate", story.events.append, pace=0.01
    )
    answer: list[Chunk] = [b"failed to open it"]
    story.logs.serve("m", *[answer] * 40)
    story.follower.watch((pod(running()),))
    story.until(lambda: len(story.logs.asked) >= 3)
    story.until(lambda: bool(story.told))
    story.follower.finish(BOUND)
    assert story.told[0] == "[shipit: the kubelet says: failed to open it]"
    assert story.told.count(story.told[0]) == 1


def test_a_container_that_wrote_nothing_needs_no_mark(story: Story) -> None:
    story.logs.serve("m", [b""])
    story.follower.watch((pod(ended()),))
    story.follower.finish(BOUND)
    assert story.told == []
    assert len(story.logs.asked) == 1


@pytest.mark.parametrize("whole", [True, False])
def test_a_large_log_that_is_empty_after_a_rotation_is_whole_when_its_last_line_is(
    story: Story, *, whole: bool
) -> None:
    text = "x" * 1000
    written = log(*[text] * 1200)
    story.logs.serve("m", [written if whole else written[:-500]], [b""])
    story.follower.watch((pod(ended()),))
    story.follower._readers[0].join(BOUND)
    story.follower.finish(BOUND)
    assert story.told[:1199] == [text] * 1199
    assert [line[: len(MARK)] for line in story.told[1200:]] == ([] if whole else [MARK])


def test_a_stream_that_falls_silent_after_a_flood_is_left_for_a_new_one(story: Story) -> None:
    """It may hang at a file that was rotated, and the next one is rotated too before the container ends."""
    texts = ["x" * 1000] * 1200
    story.logs.serve("m", [], [log(*["y"] * 5, first=1200)])
    story.logs.newest["m"] = log("y", first=1204)
    hanging = story.logs.streams["m"][0]
    hanging.script = [log(*texts), lambda: hanging.closed.wait(BOUND)]
    story.follower.watch((pod(running()),))
    story.until(lambda: len(story.told) == len(texts))
    assert not hanging.closed.is_set()
    story.clock.sleep(6)
    story.until(lambda: len(story.told) == len(texts) + 5)
    assert story.told[len(texts) :] == ["y"] * 5


@pytest.mark.parametrize("looked_at", [True, False])
def test_a_log_that_is_rotated_while_it_is_quiet_is_marked_only_when_nobody_could_look(
    story: Story, *, looked_at: bool
) -> None:
    """Two minutes of lines, a rotation, and a line twelve seconds later, which comes first in its file."""
    texts, later = ["x" * 1000] * 1200, threading.Event()
    story.logs.serve("m", [log(*texts), lambda: first.closed.wait(BOUND)])
    story.logs.serve("m", [lambda: later.wait(BOUND), log("y", first=1320)])
    first = story.logs.streams["m"][0]
    story.logs.moment = EPOCH + timedelta(seconds=119)
    story.follower.watch((pod(running()),))
    story.until(lambda: len(story.told) == len(texts))
    for second in range(0, 12, 3):
        story.logs.moment = EPOCH + timedelta(seconds=120 + second)
        story.clock.sleep(3)
        # It still ends with the last line, and is empty from the fourth second on
        last = b"" if second else log("x", first=1199)
        story.logs.newest |= {"m": last} if looked_at else {}
        looks = story.logs.looks + 3
        while story.logs.looks < looks:
            story.follower.pass_on()
            story.follower._buffer.wait(0.02)
    first.closed.set()
    later.set()
    story.until(lambda: story.told[-1:] == ["y"])
    marks = [line[: len(MARK)] for line in story.told[len(texts) : -1]]
    assert marks == ([] if looked_at else [MARK])


def test_a_short_log_that_ended_by_itself_needs_no_mark_when_its_files_go_before_its_pod(
    story: Story,
) -> None:
    words = b"failed to try resolving symlinks: no such file or directory"
    story.logs.serve("m", [log("one", "two")], [words], NotFound("pods migrate-1 not found"))
    story.follower.watch((pod(running()),))
    story.until(lambda: len(story.logs.asked) >= 3)
    story.follower.watch(())
    story.follower.finish(BOUND)
    assert story.told == ["one", "two"]


def test_a_log_whose_node_is_lost_after_an_answer_that_seemed_to_end_is_marked(story: Story) -> None:
    lost = ApiError("dial tcp 10.0.0.1:10250: no route to host", status=500)
    story.logs.serve("m", [log("one", "two")], lost, lost, NotFound("pods migrate-1 not found"))
    story.follower.watch((pod(running()),))
    story.until(lambda: len(story.logs.asked) >= 4)
    story.follower.watch(())
    story.follower.finish(BOUND)
    assert story.told[:2] == ["one", "two"]
    assert "may be missing here: pod migrate-1 was deleted" in story.told[2]


def test_a_kubelet_that_does_not_know_a_pod_yet_is_asked_again(story: Story) -> None:
    half: list[Chunk] = [log("one", "two", newline=False), Unreachable("reset")]
    story.logs.serve("m", half, NotFound("pod migrate-1 does not exist"), [log("one", "two", "three")])
    story.follower.watch((pod(ended()),))
    story.follower.finish(BOUND)
    assert story.told == ["one", "two", "three"]


def test_a_log_that_is_cut_before_its_first_byte_again_and_again_is_given_up() -> None:
    story = Story()
    story.logs.serve("m", Unreachable("it answered 502"))
    story.follower.watch((pod(ended()),))
    story.follower._readers[0].join(BOUND)
    assert story.follower._readers[0].done
    story.follower.finish(BOUND)
    assert story.told == [f"{MARK}the end of the log could not be read: it answered 502]"]
    story.follower.close()


def test_what_a_container_wrote_before_its_last_restart_is_read_first(story: Story) -> None:
    story.logs.serve("m before", [log("try 3", "cras", newline=False)])
    story.logs.serve("m", [log("try 4", first=50)])
    story.follower.watch((pod(ended(restarts=3)),))
    story.follower.finish(BOUND)
    mark = f"{MARK}the container was restarted 3 times, and not all of its logs are kept]"
    assert story.told == [mark, "try 3", "cras", "try 4"]


def test_a_log_before_a_restart_that_is_no_longer_kept_is_marked(story: Story) -> None:
    story.logs.serve("m before", Invalid("previous terminated container not found"))
    story.logs.serve("m", [log("try 2")])
    story.follower.watch((pod(ended(restarts=1)),))
    story.follower.finish(BOUND)
    assert story.told[0].startswith(f"{MARK}the container was restarted, and its log before")
    assert story.told[1:] == ["try 2"]


def test_of_a_container_that_waits_for_its_next_start_the_log_is_that_of_its_last_run(story: Story) -> None:
    waits = Container("m", reason="CrashLoopBackOff", restarts=1, last_termination=ENDED)
    story.logs.serve("m", [log("try 2")])
    story.follower.watch((pod(waits),))
    story.follower.finish(BOUND)
    assert story.told[0].startswith(f"{MARK}the container was restarted 1 times")
    assert story.told[1:] == ["try 2"]


def test_a_restart_before_the_end_of_a_log_was_read_is_marked(story: Story) -> None:
    story.logs.serve("m", [log("one"), Unreachable("reset")], ApiError("no", status=500))
    story.follower.watch((pod(running()),))
    story.until(lambda: len(story.logs.asked) > 2)
    story.logs.streams["m"] = [Stream([log("again", first=50)])]
    story.follower.watch((pod(ended(restarts=1)),))
    story.follower.finish(BOUND)
    assert (story.told[0], story.told[1][: len(MARK)], story.told[2:]) == ("one", MARK, ["again"])


@pytest.mark.parametrize(("seen_after", "marked"), [(3600, True), (1, False)])
def test_a_beginning_that_may_have_been_rotated_away_is_marked(
    story: Story, seen_after: int, *, marked: bool
) -> None:
    story.logs.moment = EPOCH + timedelta(seconds=seen_after)
    story.logs.serve("m", [log("late", first=600)])
    story.follower.watch((pod(ended()),))
    story.follower.finish(BOUND)
    mark = f"{MARK}the first line that is left was written 60 s after the container's start]"
    assert story.told == ([mark] if marked else []) + ["late"]


def test_without_following_a_log_is_read_as_far_as_it_has_come(story: Story) -> None:
    story.follower = Follower(
        cast(Cluster, story.logs), story.clock, "migrate", story.events.append, pace=0.01, follow=False
    )
    story.logs.serve("m", [log("one", "two"), Unreachable("reset")], [log("one", "two", "three")])
    story.follower.watch((pod(running()),))
    story.follower.finish(BOUND)
    assert story.told == ["one", "two", "three"]
    assert len(story.logs.asked) == 2


def test_without_following_a_log_that_was_not_read_as_far_as_that_is_marked() -> None:
    story = Story(clock=Clock(tick=0.5))
    stream = Stream([log("one")])
    stream.script.append(lambda: stream.closed.wait(BOUND))
    story.logs.streams["m"].append(stream)
    story.follower = Follower(
        cast(Cluster, story.logs), story.clock, "migrate", story.events.append, follow=False
    )
    story.follower.watch((pod(running()),))
    story.until(lambda: story.told == ["one"])
    story.follower.finish(1000, silence=2)
    assert "may be missing here: the end of the log was not read in time" in story.told[1]
    story.follower.close()


def test_readers_that_do_not_stop_are_waited_for_together() -> None:
    story, hangs = Story(clock=Clock(tick=0.1)), threading.Event()
    for name in "abcdefgh":
        story.logs.serve(name, [log("one"), lambda: hangs.wait(BOUND)])
    story.follower.watch((pod(*(running(name) for name in "abcdefgh")),))
    story.until(lambda: len(story.told) == 8)
    began = story.clock.seconds
    story.follower.finish(1)
    assert story.clock.seconds - began < 1 + 2 + 1
    hangs.set()
    story.follower.close()


def test_what_there_is_no_time_left_to_show_is_marked() -> None:
    story = Story()
    story.logs.serve("m", [log(*["x"] * 50_000)], [log(*["x"] * 50_000)])

    def slow(event: Event) -> None:
        story.events.append(event)
        story.clock.seconds += 0.01

    story.follower = Follower(cast(Cluster, story.logs), story.clock, "migrate", slow, pace=0.01)
    story.follower.watch((pod(ended()),))
    story.follower._readers[0].join(BOUND)
    story.follower.finish(3)
    assert story.clock.seconds < 3 + 2 + 6
    assert story.told[-1] == f"{MARK}there was no time left to show the rest]"
    story.follower.close()


def test_a_batch_of_long_lines_is_small(story: Story) -> None:
    line = "y" * (1 << 20)
    story.logs.serve("m", [log(line) for _ in range(20)], [b""])
    story.follower.watch((pod(ended()),))
    story.follower._readers[0].join(BOUND)
    assert len(story.follower.drain()) <= 5


def test_when_nobody_tells_any_more_a_log_that_ends_and_brings_nothing_new_is_over(story: Story) -> None:
    story.logs.serve("m", [log("one")])
    story.follower.watch((pod(running()),))
    story.follower.finish(BOUND)
    assert story.told == ["one"]


def test_a_log_that_does_not_end_in_time_is_marked_when_its_container_has_ended() -> None:
    story, hangs = Story(clock=Clock(tick=0.5)), threading.Event()
    story.logs.serve("m", [log("one", "two"), lambda: hangs.wait(BOUND), Unreachable("cut")])
    story.follower.watch((pod(ended()),))
    story.until(lambda: len(story.told) == 2)
    threading.Timer(0.1, hangs.set).start()
    story.follower.finish(5)
    assert story.told[:2] == ["one", "two"]
    assert "may be missing here: the end of the log was not read in time" in story.told[2]
    story.follower.close()


def test_a_container_that_still_runs_when_shipit_stops_waiting_is_not_marked() -> None:
    story = Story(clock=Clock(tick=0.5))
    stream = Stream([log("one", "tw", newline=False)])
    stream.script.append(lambda: stream.closed.wait(BOUND))
    story.logs.streams["m"].append(stream)
    story.follower.watch((pod(running()),))
    story.until(lambda: story.told == ["one"])
    story.follower.finish(1)
    assert story.told == ["one", "tw"]
    assert stream.closed.is_set()
    story.follower.close()


def test_closing_ends_a_stream_that_is_being_read(story: Story) -> None:
    stream = Stream([log("one")])
    stream.script.append(lambda: stream.closed.wait(BOUND))
    story.logs.streams["m"].append(stream)
    story.follower.watch((pod(running()),))
    story.until(lambda: story.told == ["one"])
    story.follower.close()
    story.follower._readers[0].join(BOUND)
    assert story.follower._readers[0].done


def test_a_restarted_container_goes_on_in_the_same_attempt(story: Story) -> None:
    story.logs.serve("m", [log("one", "cras", newline=False)], [log("one", "cras", newline=False)])
    story.follower.watch((pod(ended()),))
    story.until(lambda: story.follower._readers[0].done)
    story.logs.streams["m"] = [Stream([log("again", "done", first=50)])]
    story.clock.seconds += 60
    story.follower.watch((pod(replace(running(), restarts=1)),))
    story.until(lambda: "done" in story.told)
    story.follower.watch((pod(ended(restarts=1)),))
    story.follower.finish(BOUND)
    assert story.told == ["one", "cras", "again", "done"]


def test_what_breaks_in_a_reading_thread_is_marked_and_not_hidden(story: Story) -> None:
    def bug() -> None:
        raise RuntimeError("a bug")

    story.logs.serve("m", [log("one"), bug])
    story.follower.watch((pod(ended()),))
    story.follower.finish(BOUND)
    assert story.told == ["one", "[shipit: some log lines may be missing here: RuntimeError: a bug]"]


def test_invalid_utf8_and_carriage_returns_stay_within_their_lines(story: Story) -> None:
    entries = [Entry(1, b"\xff\xfe ok"), Entry(2, b"50 %\r100 %"), Entry(3, b"\xe2\x82"), Entry(4, b"\xac")]
    story.logs.serve("m", [Log(entries).serve(0, 4, None)])
    story.follower.watch((pod(ended()),))
    story.follower.finish(BOUND)
    assert story.told == ["\ufffd\ufffd ok", "50 %\r100 %", "\ufffd", "\ufffd"]


def test_a_flood_is_read_ahead_whole_while_nobody_takes_it(story: Story) -> None:
    count = 200_001
    whole = b"".join(b"2026-03-01T12:00:%02d.%09dZ line %d\n" % (n * 50 // count, n, n) for n in range(count))
    chunks: list[Chunk] = [whole[at : at + 30_000] for at in range(0, len(whole), 30_000)]
    story.logs.serve("m", chunks, chunks)
    story.follower.watch((pod(ended()),))
    story.follower._readers[0].join(BOUND * 3)
    assert story.follower._readers[0].done
    assert story.follower._buffer._held <= 2 << 20
    story.follower.finish(BOUND)
    assert story.told == [f"line {n}" for n in range(count)]


def test_the_last_lines_are_had_without_following() -> None:
    logs = Logs()
    logs.serve("app", [log("one", "two"), b"2026-03-01T12:00:09.000000000Z three", Unreachable("cut")])
    logs.serve("none", NotFound("gone"))
    cluster = cast(Cluster, logs)
    assert tail_lines(cluster, "shop", "web-1", "app", 2) == (
        ("2026-03-01T12:00:00.100000000Z", "two"),
        ("2026-03-01T12:00:09.000000000Z", "three"),
    )
    assert tail_lines(cluster, "shop", "web-1", "none", 2) == ()


def putting_all(buffer: Buffer, blocks: list[bytes]) -> threading.Thread:
    def put() -> None:
        for block in blocks:
            buffer.put(0, [block])

    thread = threading.Thread(target=put, daemon=True)
    thread.start()
    return thread


class TestBuffer:
    def test_blocks_come_out_in_the_order_in_which_they_went_in_from_memory_and_from_disk(self) -> None:
        buffer = Buffer(in_memory=10)
        for n in range(5):
            buffer.put(n, [b"%d" % n * 3, b"%d" % n * 3])
        assert buffer.take() == (0, [b"000", b"000"])
        buffer.put(5, [b"late"])
        assert [buffer.take() for _ in range(6)] == [
            *((n, [b"%d" % n * 3, b"%d" % n * 3]) for n in range(1, 5)),
            (5, [b"late"]),
            None,
        ]
        buffer.close()

    def test_what_nobody_takes_fills_no_memory(self) -> None:
        buffer = Buffer()
        tracemalloc.start()
        for _ in range(64):
            buffer.put(1, [b"x" * (1 << 20)])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 6 << 20
        assert sum(len(lines[0]) for _, lines in iter(buffer.take, None)) == 64 << 20
        buffer.close()

    def test_on_a_full_disk_who_puts_waits_for_who_takes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        buffer = Buffer(in_memory=4)
        putting = putting_all(buffer, [b"%d" % n for n in range(100)])
        taken: list[tuple[int, list[bytes]] | None] = []
        while len(taken) < 100 and buffer.wait(BOUND):
            taken.append(buffer.take())
        putting.join(BOUND)
        assert taken == [(0, [b"%d" % n]) for n in range(100)]
        buffer.close()

    def test_closing_lets_go_of_who_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        buffer = Buffer(in_memory=1)
        putting = putting_all(buffer, [b"xx"] * 3)
        buffer.close()
        putting.join(BOUND)
        assert not putting.is_alive()
        assert buffer.take() is None
