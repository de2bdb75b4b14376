"""Running helm, with a fake one: it ends when it should, its words are kept, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from shipit.helm.process import Command, Patience, Process

FAKE = Path(__file__).parents[1] / "data" / "fake-helm"
SRC = Path(__file__).parents[2] / "src"
BRIEF = Patience(interrupt=0.3, terminate=0.3)
LONG = 15.0


class Lab:
    """Starts fake helms, and knows which processes they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Process] = []

    def environ(self, behaviour: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "FAKE_HELM": behaviour,
            "FAKE_PID": str(self.folder / "pid"),
            "FAKE_CHILD": str(self.folder / "child"),
        }

    def start(
        self, behaviour: str, *, lease: float | None = None, patience: Patience = BRIEF, **more: str
    ) -> Process:
        environ: Mapping[str, str] = {**self.environ(behaviour), **more}
        command = Command(str(FAKE), ["upgrade"], environ, self.folder)
        process = Process(
            command, lease=lease, clean=lambda text: tuple(text.splitlines()), patience=patience
        )
        self.started.append(process)
        return process

    def pid(self, name: str = "pid") -> int:
        """The number that a fake wrote down once it was ready."""
        path = self.folder / name
        eventually(lambda: path.exists() and path.read_text().strip() != "")
        return int(path.read_text())


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    for process in lab.started:
        process.close()


def eventually(holds: Callable[[], bool], within: float = LONG) -> None:
    until = time.monotonic() + within
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """No such process, or only its entry in the table, where nobody reaps orphans."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_helm_that_fails_leaves_its_exit_code_and_its_words(lab: Lab) -> None:
    ended = lab.start("fail", FAKE_WORDS="Error: no\nand more").wait(LONG)

    assert ended is not None
    assert (ended.code, ended.stderr) == (1, ("Error: no", "and more"))


def test_words_that_are_no_text_are_kept_as_far_as_they_are(lab: Lab) -> None:
    ended = lab.start("dirty").wait(LONG)

    assert ended is not None
    assert ended.stderr == ("ok \ufffd", "last")


def test_only_the_last_two_hundred_lines_are_kept(lab: Lab) -> None:
    ended = lab.start("chatter").wait(LONG)

    assert ended is not None
    assert ended.stderr == tuple(f"line {number}" for number in range(4800, 5000))


def test_a_helm_that_runs_has_no_end_yet(lab: Lab) -> None:
    process = lab.start("obey")
    lab.pid()

    assert process.poll() is None
    assert process.wait(0.05) is None


def test_helm_is_asked_to_stop_before_anything_worse_happens(lab: Lab) -> None:
    process = lab.start("obey")
    pid = lab.pid()

    ended = process.stop()

    assert (ended.code, ended.stderr) == (3, ("Error: interrupted",))
    assert gone(pid)
    assert process.stop() == process.poll() == ended


def test_a_helm_that_hears_no_interrupt_is_terminated(lab: Lab) -> None:
    process = lab.start("deaf")
    pid = lab.pid()

    assert process.stop().code == 4
    assert gone(pid)


def test_a_helm_that_hears_nothing_is_killed_with_its_children(lab: Lab) -> None:
    process = lab.start("parent")
    helm, child = lab.pid(), lab.pid("child")

    ended = process.stop()

    assert ended.code == -signal.SIGKILL
    eventually(lambda: gone(helm) and gone(child))


def test_a_helm_that_only_reads_is_killed_at_once(lab: Lab) -> None:
    process = lab.start("immortal", patience=Patience(interrupt=60, terminate=60))
    pid = lab.pid()

    process.kill()

    eventually(lambda: gone(pid))


def test_a_child_that_keeps_stderr_open_does_not_keep_shipit(lab: Lab) -> None:
    ended = lab.start("leave").wait(LONG)

    assert ended is not None
    assert (ended.code, ended.stderr) == (0, ("said",))
    os.kill(lab.pid("child"), signal.SIGKILL)


def test_helm_goes_on_as_long_as_shipit_says_that_it_lives(lab: Lab) -> None:
    process = lab.start("obey", lease=0.5)
    pid = lab.pid()
    until = time.monotonic() + 1.5

    while time.monotonic() < until:
        process.keep_alive()
        assert process.wait(0.1) is None

    silence = time.monotonic()
    ended = process.wait(LONG)
    assert ended is not None
    assert ended.code == 3
    assert 0.3 < time.monotonic() - silence < 5
    assert gone(pid)
    process.keep_alive()


def test_a_guardian_that_is_killed_takes_helm_along(lab: Lab) -> None:
    process = lab.start("immortal")
    pid = lab.pid()

    os.kill(process._started.pid, signal.SIGKILL)

    ended = process.wait(LONG)
    assert ended is not None
    assert ended.code == -signal.SIGKILL
    eventually(lambda: gone(pid))


def test_an_interrupt_that_the_shell_ignores_reaches_helm_all_the_same(lab: Lab) -> None:
    """`nohup shipit &` has SIGINT ignored, and a child inherits that."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = lab.start("obey")
        lab.pid()
        assert process.stop().code == 3
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_binary_that_cannot_be_run_says_so(lab: Lab) -> None:
    command = Command(str(lab.folder), ["x"], {}, lab.folder)
    process = Process(command, lease=None, clean=lambda text: tuple(text.splitlines()))

    ended = process.wait(LONG)

    assert ended is not None
    assert (ended.code, ended.stderr) == (127, (f"Error: {lab.folder}: Permission denied",))


PARENT = """
    import os, sys, time
    from pathlib import Path
    from shipit.helm.process import Command, Patience, Process
    command = Command(sys.argv[1], ["upgrade"], dict(os.environ), Path(sys.argv[2]))
    process = Process(command, lease=float(sys.argv[3]) or None, clean=lambda text: (text,), patience=Patience(0.3, 0.3))
    print("started", flush=True)
    while True:
        process.keep_alive()
        process.wait(0.05)
"""


@pytest.fixture
def shipit(lab: Lab) -> Iterator[Callable[[str, float], subprocess.Popen[str]]]:
    """A shipit in a process of its own, to be killed."""
    parents: list[subprocess.Popen[str]] = []

    def start(behaviour: str, lease: float) -> subprocess.Popen[str]:
        parent = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PARENT), str(FAKE), str(lab.folder), str(lease)],
            env={**lab.environ(behaviour), "PYTHONPATH": str(SRC)},
            stdout=subprocess.PIPE,
            text=True,
        )
        parents.append(parent)
        return parent

    yield start
    for parent in parents:
        parent.kill()
        parent.communicate()


@pytest.mark.parametrize("behaviour", ["obey", "deaf", "parent"])
def test_helm_does_not_outlive_a_shipit_that_is_killed(
    lab: Lab, shipit: Callable[[str, float], subprocess.Popen[str]], behaviour: str
) -> None:
    parent = shipit(behaviour, 0)
    pid = lab.pid()

    parent.kill()

    eventually(lambda: gone(pid))
    if behaviour == "parent":
        eventually(lambda: gone(lab.pid("child")))


def test_helm_does_not_go_on_under_a_shipit_that_is_stopped(
    lab: Lab, shipit: Callable[[str, float], subprocess.Popen[str]]
) -> None:
    parent = shipit("obey", 1.0)
    pid = lab.pid()

    parent.send_signal(signal.SIGSTOP)

    eventually(lambda: gone(pid))


if sys.platform.startswith("linux"):  # elsewhere nothing ends a child with its parent

    def test_helm_ends_when_shipit_and_the_guardian_are_killed_together(
        lab: Lab, shipit: Callable[[str, float], subprocess.Popen[str]]
    ) -> None:
        parent = shipit("obey", 0)
        pid = lab.pid()
        guardian = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

        parent.send_signal(signal.SIGSTOP)
        os.kill(guardian, signal.SIGKILL)
        parent.kill()

        eventually(lambda: gone(pid))
