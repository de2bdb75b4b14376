"""The live terminal: what scrolls, what the footer shows, and what is left when it ends."""

from __future__ import annotations

import io
import os
import pty
import sys
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from shipit.events import (
    Ended,
    Event,
    Failed,
    JobChanged,
    LogLine,
    Outlined,
    PodChanged,
    RolloutChanged,
    StepChanged,
    Warned,
)
from shipit.hints import advice, shipit
from shipit.output import Output, open_output
from shipit.output.footer import Footer
from shipit.output.live import BATCH
from shipit.output.scroll import Scroll
from shipit.output.signs import ASCII, UNICODE, Signs
from tests.golden.stories import STORIES, StoryClock, play
from tests.golden.terminal import Terminal

XTERM = {"TERM": "xterm-256color", "LINES": "24"}


def open_rich(
    stdout: io.StringIO,
    *,
    clock: StoryClock | None = None,
    stderr: io.StringIO | None = None,
    environ: Mapping[str, str] = XTERM,
    width: int = 80,
    no_color: bool = False,
) -> Output:
    return open_output(
        "rich",
        stdout=stdout,
        stderr=stderr or Terminal(),
        environ={"COLUMNS": str(width)} | dict(environ),
        clock=clock or StoryClock(),
        run="r",
        no_color=no_color,
    )


def log(line: str) -> LogLine:
    return LogLine("migrate", "p", "c", 1, line)


def footer(*events: Event, after: float = 0.0, width: int = 80, signs: Signs = UNICODE) -> list[str]:
    """The footer so many seconds after these events."""
    clock, scroll = StoryClock(), Scroll(signs, colors=False)
    for event in events:
        scroll.tell(event, clock.monotonic(), width)
    clock.at = after
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as capture:
        console.print(Footer(scroll, signs, clock))
    return [line.rstrip() for line in capture.get().splitlines()]


MIGRATING: tuple[Event, ...] = (
    Outlined("v41", 17, ("migrate", "upgrade", "smoke")),
    StepChanged("prepare", "started"),
    StepChanged("prepare", "done"),
    StepChanged("migrate", "started", "Job shop-migrate", timeout=900, attempts=2),
    JobChanged("migrate", "shop-migrate", "running", active=1),
    PodChanged("migrate", "shop-migrate-6pbd9", "Running"),
    *(LogLine("migrate", "shop-migrate-6pbd9", "migrate", 1, "x") for _ in range(1204)),
)


def test_the_footer_shows_pod_log_attempt_clock_and_the_steps_to_come() -> None:
    assert footer(*MIGRATING, after=65) == [
        "⠋ migrate    pod 6pbd9 running · 1,204 lines · attempt 1 of 2  1m5s of 15m   2/4",
        "○ upgrade",
        "○ smoke",
    ]


def test_the_footer_does_without_utf_8() -> None:
    assert footer(*MIGRATING, after=65, signs=ASCII)[:2] == [
        "| migrate    pod 6pbd9 running - 1,204 lines - attempt 1 of 2  1m5s of 15m   2/4",
        "o upgrade",
    ]


def test_on_forty_columns_the_clock_stays() -> None:
    assert footer(*MIGRATING, after=65, width=40)[0] == "⠋ migrate    pod 6pbd  1m5s of 15m   2/4"


def test_a_footer_counts_no_steps_before_they_are_known() -> None:
    assert footer(StepChanged("prepare", "started", "rendering shop with v2"), after=3)[0].endswith("  3s")


@pytest.mark.parametrize("size", ["0", "00", "-1", "", "abc", "9" * 5000, "\u0660"])
def test_a_terminal_whose_size_makes_no_sense_is_written_to_all_the_same(size: str) -> None:
    stdout, stderr = Terminal(), Terminal()
    environ = {"TERM": "xterm", "COLUMNS": size, "LINES": size}
    with open_rich(stdout, stderr=stderr, environ=environ) as output:
        output.emit(log("the log"))
        output.emit(Failed("unknown", "the error"))
    assert "the log" in "\n".join(stdout.lines)
    assert "the error" in "\n".join(stderr.lines)


def test_the_footer_turns_to_the_rollout() -> None:
    events = (
        StepChanged("upgrade", "started", "helm upgrade to v2", timeout=300),
        StepChanged("rollout", "started", timeout=300),
        RolloutChanged("Deployment", "shop", 1, 3, "pod shop-1 is ContainerCreating"),
        RolloutChanged("Deployment", "worker", 2, 2),
    )
    assert "Deployment shop 1/3 updated: pod shop-1 is Contain" in footer(*events)[0]
    assert footer(*events, StepChanged("rollout", "done"))[0].startswith("⠋ upgrade")


def test_the_footer_of_a_job_that_was_attached_to_counts_from_its_creation() -> None:
    assert footer(StepChanged("migrate", "started", timeout=900, elapsed=600), after=5)[0].endswith(
        "10m5s of 15m"
    )


def test_many_pods_do_not_fill_the_screen() -> None:
    pods = (PodChanged("migrate", f"p{number}", "Pending") for number in range(40))
    shown = footer(StepChanged("migrate", "started"), *pods)
    assert "40 pods" in shown[0]
    assert len(shown) == 6
    assert shown[-1].strip() == "and 36 more"


class Pipe(Terminal):
    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("width", [12, 40, 120])
def test_nothing_of_the_footer_stays_behind(story: str, width: int) -> None:
    live, still, clock = Terminal(width), Pipe(width), StoryClock()
    with open_rich(live, clock=clock, width=width) as output:
        play(STORIES[story], output, clock)
    quiet_clock = StoryClock()
    output = open_rich(still, clock=quiet_clock, width=width)
    for at, event in STORIES[story]:  # without its ticks: no heartbeats
        quiet_clock.at = at
        output.emit(event)
    assert live.cursor
    assert live.lines == still.lines


def test_the_footer_stays_below_the_log_and_its_clock_runs_in_silence() -> None:
    screen, clock = Terminal(), StoryClock()
    output = open_rich(screen, clock=clock)
    output.emit(StepChanged("migrate", "started", timeout=60))
    output.emit(log("first"))
    for second in (1, 2, 3):
        clock.at = second
        output.tick()
        assert screen.rows[-1].split()[1:] == ["migrate", "1", "line", f"{second}s", "of", "1m"]
        assert screen.rows[-2] == "  migrate │ first"
    assert not screen.cursor


def test_a_long_line_hangs_under_its_label() -> None:
    screen = Terminal(40)
    with open_rich(screen, width=40) as output:
        output.emit(StepChanged("migrate", "started"))
        output.emit(log("rebuilding the index of 81234 rows, " + "x" * 40))
        output.tick()
        output.emit(log("next"))
    assert screen.rows == [
        "  migrate │ rebuilding the index of",
        "          │ 81234 rows,",
        "          │ " + "x" * 28,
        "          │ " + "x" * 12,
        "  migrate │ next",
    ]


def test_a_log_keeps_its_colours_and_nothing_else_that_acts() -> None:
    screen = Terminal()
    line = "\x1b[1;31mred\x1b[0m \x1b[38;5;208morange\x1b[m \x1b[8mhidden\x1b[5m\x1b[2J\x1b]0;title\x07"
    with open_rich(screen) as output:
        output.emit(log(line))
    assert "\x1b[1;31mred\x1b[0m \x1b[38;5;208morange\x1b[0m hidden\x1b[0m" in screen.raw
    assert screen.rows == ["  migrate │ red orange hidden"]


def test_without_colours_those_of_the_log_go_too() -> None:
    screen = Terminal()
    with open_rich(screen, no_color=True) as output:
        output.emit(log("\x1b[31mred\x1b[0m"))
    assert screen.rows == ["  migrate │ red"]
    assert "\x1b[31m" not in screen.raw


def test_what_goes_well_leaves_a_line_when_it_ends_and_what_goes_badly_one_at_once() -> None:
    screen, clock = Terminal(), StoryClock()
    with open_rich(screen, clock=clock) as output:
        output.emit(StepChanged("migrate", "started", "Job m", timeout=60, attempts=1))
        output.emit(PodChanged("migrate", "m-1", "ContainerCreating"))
        output.emit(PodChanged("migrate", "m-1", "ErrImagePull", message="no such tag"))
        output.emit(PodChanged("migrate", "m-1", "ImagePullBackOff", message="no such tag"))
        output.emit(PodChanged("migrate", "m-1", "Running"))
        output.emit(PodChanged("migrate", "m-1", "Error", message="exit code 1"))
        clock.at = 4
        output.emit(StepChanged("migrate", "failed", "container m exited with code 1"))
    assert screen.rows == [
        "! migrate    pod m-1 ErrImagePull: no such tag",
        "✗ migrate    container m exited with code 1                                   4s",
    ]


def test_each_pod_has_a_colour_of_its_own() -> None:
    screen = Terminal()
    with open_rich(screen) as output:
        output.emit(JobChanged("migrate", "m", "running", active=2))
        output.emit(LogLine("migrate", "m-a", "c", 1, "one"))
        output.emit(LogLine("migrate", "m-b", "c", 2, "two"))
    assert "\x1b[36m  migrate/a │ " in screen.raw
    assert "\x1b[35m  migrate/b │ " in screen.raw


def test_a_flood_of_lines_arrives_whole_and_in_order_in_few_prints() -> None:
    screen, clock = Terminal(), StoryClock()
    output = open_rich(screen, clock=clock)  # not entered: the ticks are ours, however slow the machine is
    output.emit(StepChanged("migrate", "started"))
    output.tick()
    for number in range(10 * BATCH + 7):
        output.emit(log(f"row {number}"))
    output.__exit__(None, None, None)
    assert screen.rows == [f"  migrate │ row {number}" for number in range(10 * BATCH + 7)]
    assert screen.raw.count("\x1b[2K") < 60


def test_a_lone_line_appears_at_once() -> None:
    screen, clock = Terminal(), StoryClock()
    output = open_rich(screen, clock=clock)
    clock.at = 5
    output.emit(log("hello"))
    assert screen.rows[0] == "  migrate │ hello"


def test_force_color_colours_a_pipe_but_does_not_animate_it() -> None:
    pipe, clock = io.StringIO(), StoryClock()
    with open_rich(pipe, clock=clock, environ={"FORCE_COLOR": "1", "TERM": "xterm"}) as output:
        play(STORIES["happy"], output, clock)
    text = pipe.getvalue()
    assert "\x1b[35m  migrate │ \x1b[0m" in text
    assert "\x1b[2K" not in text
    assert "\x1b[?25l" not in text
    assert "still running, 32s elapsed" in text


def test_a_pipe_gets_no_colours_and_a_heartbeat() -> None:
    pipe, clock = io.StringIO(), StoryClock()
    with open_rich(pipe, clock=clock) as output:
        play(STORIES["happy"], output, clock)
    assert "\x1b" not in pipe.getvalue()
    assert "still running, 32s elapsed" in pipe.getvalue()


@pytest.mark.parametrize(("environ", "no_color"), [(XTERM | {"NO_COLOR": "1"}, False), (XTERM, True)])
def test_no_color_means_no_color(environ: dict[str, str], no_color: bool) -> None:
    screen = Terminal()
    with open_rich(screen, environ=environ, no_color=no_color) as output:
        output.emit(StepChanged("migrate", "done"))
        output.emit(Warned("careful"))
        output.emit(Ended("deployed", 0, "shop", "prod", "v2", 1, 1))
    assert "\x1b[3" not in screen.raw
    assert "\x1b[1;3" not in screen.raw


def test_the_error_is_printed_on_stderr_after_the_footer_has_gone() -> None:
    shared = Terminal()

    class Stderr(io.StringIO):
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            return shared.write(text)

    with open_rich(shared, stderr=Stderr()) as output:
        output.emit(StepChanged("migrate", "started"))
        output.tick()
        output.emit(Failed("migration_failed", "it broke [/red]", shipit("logs"), ("last [bold]line",)))
        output.emit(Ended("migration_failed", 4, "shop", "prod", "v2", 0, 1))
    assert shared.rows == [
        "error: it broke [/red]",
        "  Log       last [bold]line",
        "",
        "Next: shipit logs",
    ]


@given(st.text(), st.text())
def test_no_line_is_markup_or_acts_on_the_terminal(line: str, reason: str) -> None:
    screen = Terminal(300)
    with open_rich(screen, width=300) as output:
        output.emit(StepChanged("migrate", "started", reason))
        output.emit(log(line))
        output.emit(PodChanged("migrate", "p", reason, message=line))
        output.tick()
        output.emit(StepChanged("migrate", "failed", line))
        output.emit(Warned(reason, advice(line)))
        output.emit(Failed("unknown", line, shipit("logs", line, why=reason), (line, reason)))
    assert screen.cursor


@given(
    st.text(st.characters(codec="ascii", exclude_characters="\t", exclude_categories=["Cc"]), max_size=150)
)
def test_a_line_reads_on_the_terminal_as_it_was_written(line: str) -> None:
    screen = Terminal(200)
    with open_rich(screen, width=200) as output:
        output.emit(log(line))
    assert screen.rows == [f"  migrate │ {line}".rstrip()]


CHILD = """
import os, signal, sys, threading
sys.path[:0] = sys.argv[1:]
from shipit.events import StepChanged
from shipit.output import open_output
from tests.golden.stories import StoryClock
try:
    with open_output("auto", stdout=sys.stdout, stderr=sys.stderr, environ={"TERM": "xterm"}, clock=StoryClock(), run="r") as o:
        o.emit(StepChanged("migrate", "started"))
        signal.pause()
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_gives_the_cursor_back() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(
            sys.executable, [sys.executable, "-c", CHILD, *(path for path in sys.path if path)]
        )  # pragma: no cover
    seen = b""
    while b"0s" not in seen:
        seen += os.read(terminal, 4096)
    assert b"\x1b[?25l" in seen
    os.write(terminal, b"\x03")
    while chunk := _read(terminal):
        seen += chunk
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that the other side has closed
        return b""
