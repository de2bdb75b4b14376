"""The door to the outside: the right renderer, many threads, and streams that go away."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import NoReturn

import pytest

from shipit.events import Ended, LogLine, StepChanged, Warned
from shipit.output import Kind, open_output
from tests.golden.stories import STORIES, StoryClock, play
from tests.golden.terminal import Terminal

KINDS: tuple[Kind, ...] = ("rich", "plain", "json", "github")


@pytest.mark.parametrize(
    ("stdout", "environ", "kind"),
    [
        (Terminal(), {"TERM": "xterm"}, "Rich"),
        (Terminal(), {"TERM": "dumb"}, "Plain"),
        (io.StringIO(), {"TERM": "xterm"}, "Plain"),
        (io.StringIO(), {"TERM": "xterm", "FORCE_COLOR": "1"}, "Plain"),
        (io.StringIO(), {"GITHUB_ACTIONS": "true"}, "GitHub"),
        (Terminal(), {"TERM": "xterm", "GITHUB_ACTIONS": "false"}, "Rich"),
    ],
)
def test_auto_takes_what_the_surroundings_can_show(
    stdout: io.StringIO, environ: dict[str, str], kind: str
) -> None:
    output = open_output(
        "auto", stdout=stdout, stderr=io.StringIO(), environ=environ, clock=StoryClock(), run="r"
    )
    assert type(output._renderer).__name__ == kind


def test_json_and_plain_need_no_rich() -> None:
    code = (
        "import sys, io; from shipit.output import open_output\n"
        "for kind in ('json', 'plain', 'github'):\n"
        "    open_output(kind, stdout=io.StringIO(), stderr=io.StringIO(), environ={}, run='', clock=__import__('time'))\n"
        "sys.exit('rich' in sys.modules)"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environ, check=False).returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_lines_of_many_threads_are_whole(kind: Kind) -> None:
    stdout = io.StringIO()
    with open_output(
        kind, stdout=stdout, stderr=io.StringIO(), environ={"COLUMNS": "80"}, clock=StoryClock(), run="r"
    ) as output:

        def work(number: int) -> None:
            for count in range(200):
                output.emit(LogLine(f"step{number}", "p", "c", 1, f"<{number}-{count}>"))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = stdout.getvalue().splitlines()
    for number in range(4):
        mine = [line for line in lines if f"<{number}-" in line]
        assert len(mine) == 200
        assert all(f"<{number}-{count}>" in line for count, line in enumerate(mine))


class Lost(io.StringIO):
    """A pipe whose reader leaves after some bytes."""

    def __init__(self, error: Exception, room: int = 100) -> None:
        super().__init__()
        self._error = error
        self._room = room

    def write(self, text: str) -> int:
        self._room -= len(text)
        if self._room < 0:
            raise self._error
        return super().write(text)

    def flush(self) -> None:
        if self._room < 0:
            raise self._error


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "error", [BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left"), ValueError("closed")]
)
def test_a_stdout_that_breaks_is_told_once_and_stops_nothing(kind: Kind, error: Exception) -> None:
    stderr, clock = io.StringIO(), StoryClock()
    with open_output(
        kind, stdout=Lost(error), stderr=stderr, environ={"COLUMNS": "80"}, clock=clock, run="r"
    ) as output:
        play(STORIES["happy"], output, clock)
    assert output.broken
    assert stderr.getvalue() == f"shipit: can't write to stdout any more ({error}); continuing without it\n"


@pytest.mark.parametrize("kind", KINDS)
def test_that_a_pager_was_left_is_not_told_but_a_full_disk_is(kind: Kind) -> None:
    for error, told in ((BrokenPipeError(32, "Broken pipe"), 0), (OSError(28, "No space left"), 1)):
        stderr, clock = io.StringIO(), StoryClock()
        with open_output(
            kind, stdout=Lost(error), stderr=stderr, environ={}, clock=clock, run="r", pager=True
        ) as output:
            play(STORIES["happy"], output, clock)
        assert stderr.getvalue().count("can't write to stdout") == told
        assert output.reader_left == (not told)


def test_both_streams_may_break() -> None:
    error = BrokenPipeError(32, "Broken pipe")
    clock = StoryClock()
    output = open_output(
        "plain", stdout=Lost(error, 0), stderr=Lost(error, 0), environ={}, clock=clock, run="r"
    )  # fmt: skip
    play(STORIES["failed_migration"], output, clock)
    assert output.broken


CHILD = """
import sys
from shipit.events import LogLine
from shipit.output import open_output
from tests.golden.stories import StoryClock
with open_output("{kind}", stdout=sys.stdout, stderr=sys.stderr, environ={{}}, clock=StoryClock(), run="r") as output:
    for number in range(20000):
        output.emit(LogLine("migrate", "p", "c", 1, f"line {{number}}"))
sys.exit(4)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_pipe_does_not_change_the_exit_code(kind: Kind) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", CHILD.format(kind=kind)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        told = child.stderr.read().decode()
    assert child.returncode == 4
    assert told == "shipit: can't write to stdout any more ([Errno 32] Broken pipe); continuing without it\n"


@pytest.mark.skipif(sys.platform != "linux", reason="a disk that is always full")
def test_a_full_disk_does_not_change_the_exit_code() -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with Path("/dev/full").open("w") as full:
        child = subprocess.run(
            [sys.executable, "-c", CHILD.format(kind="json")],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environ,
            check=False,
        )
    assert child.returncode == 4
    assert b"No space left on device" in child.stderr


def test_a_stream_that_cannot_hold_a_character_gets_a_question_mark() -> None:
    raw = io.BytesIO()
    stdout = io.TextIOWrapper(raw, encoding="ascii")
    output = open_output(
        "plain", stdout=stdout, stderr=io.StringIO(), environ={}, clock=StoryClock(), run="r"
    )
    output.emit(Warned("größer"))
    assert raw.getvalue() == b"2025-03-14T12:00:00Z warning: gr??er\n"
    assert not output.broken


def test_a_pipe_left_non_blocking_is_waited_for() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with os.fdopen(read) as reader, os.fdopen(write, "w") as stdout:
        open_output("plain", stdout=stdout, stderr=io.StringIO(), environ={}, clock=StoryClock(), run="r")
        assert os.get_blocking(write)
        assert reader.fileno() == read


def deploy_that_breaks(screen: Terminal) -> NoReturn:
    with open_output(
        "rich", stdout=screen, stderr=io.StringIO(), environ={"TERM": "xterm"}, clock=StoryClock(), run="r"
    ) as output:
        output.emit(StepChanged("migrate", "started"))
        output.emit(LogLine("migrate", "p", "c", 1, "last words"))
        raise RuntimeError("deploy")


def test_leaving_ends_the_ticks_and_gives_the_cursor_back_when_something_went_wrong() -> None:
    screen = Terminal()
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="deploy"):
        deploy_that_breaks(screen)
    assert threading.active_count() == before
    assert screen.cursor
    assert screen.rows == ["  migrate │ last words"]


def test_quiet_says_how_it_ended_and_nothing_else() -> None:
    for kind in KINDS:
        stdout = io.StringIO()
        output = open_output(
            kind,
            stdout=stdout,
            stderr=io.StringIO(),
            environ={"COLUMNS": "80"},
            clock=StoryClock(),
            run="r",
            quiet=True,
        )
        output.emit(StepChanged("migrate", "started"))
        output.emit(LogLine("migrate", "p", "c", 1, "x"))
        assert stdout.getvalue() == ""
        output.emit(Ended("deployed", 0, "shop", "prod", "v2", 1, 1))
        assert "deployed" in stdout.getvalue().lower()
