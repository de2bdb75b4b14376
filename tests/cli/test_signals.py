"""Signals to a command, each in a process of its own: what they stop, and what they don't."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shipit import cli

SRC = str(Path(cli.__file__).parents[2])

COMMAND = """
import os, signal, sys, time
import typer
from shipit.cli.options import Common, OutputKind
from shipit.cli.session import Done, Session, conduct
from shipit.errors import Outcome
from shipit.events import Ended, LogLine

def work(session):
    print("working", file=sys.stderr, flush=True)
    WORK
    return Done("v1 is deployed", 2, Outcome.DEPLOYED)

OTHERS
try:
    conduct(Common(output=OutputKind(sys.argv[1])), work, tag="v1")
except typer.Exit as left:
    sys.exit(left.exit_code)
"""


def start(
    work: str, *, others: str = "", output: str = "json", ignored: str = "", stdout: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """A command that does this work, once it is at it; the shell that starts it has these signals ignored."""
    code = COMMAND.replace("WORK", work).replace("OTHERS", others)
    trap = f"trap '' {ignored}; " if ignored else ""
    process = subprocess.Popen(
        ["sh", "-c", f'{trap}exec "$@"', "sh", sys.executable, "-c", code, output],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": SRC},
        stdout=stdout, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline() == "working\n"
    return process


def result(process: subprocess.Popen[str]) -> dict[str, object]:
    out, err = process.communicate(timeout=20)
    assert "Traceback" not in err
    found: dict[str, object] = json.loads(out.splitlines()[-1])
    assert (found["type"], found["exit_code"]) == ("result", process.returncode)
    return found


@pytest.mark.parametrize("name", ["HUP", "INT"])
def test_a_signal_that_is_ignored_where_it_is_started_stays_so(name: str) -> None:
    """`nohup shipit deploy &`, and logging out; a script that started it in the background, and a Ctrl-C."""
    process = start("time.sleep(1)", ignored=name)
    process.send_signal(getattr(signal, f"SIG{name}"))
    assert result(process)["outcome"] == "deployed"


def test_sigterm_is_heard_even_so() -> None:
    process = start("time.sleep(20)", ignored="TERM HUP")
    process.send_signal(signal.SIGTERM)
    assert result(process)["exit_code"] == 143


def test_a_signal_that_comes_once_the_outcome_is_known_changes_nothing_about_it() -> None:
    others = """
whole = Session.emit
def emit(self, event):
    if isinstance(event, Ended):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    whole(self, event)
Session.emit = emit
"""
    assert result(start("pass", others=others))["outcome"] == "deployed"
    process = start(
        "os.kill(os.getpid(), signal.SIGINT)",
        others=others.replace("os.kill(os.getpid(), signal.SIGINT)", ""),
    )
    assert (result(process)["outcome"], process.returncode) == ("interrupted", 130)


def test_a_signal_while_the_interpreter_ends_changes_no_exit_code() -> None:
    late = "import atexit; atexit.register(lambda: time.sleep(1))"
    process = start("pass", others=late)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert result(process)["outcome"] == "deployed"


def test_a_signal_that_is_sent_twice_at_once_is_one() -> None:
    """`timeout` sends it to its child and to the whole group."""
    process = start("try:\n        time.sleep(20)\n    finally:\n        time.sleep(0.5)")
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    assert result(process)["message"] == "interrupted"


@pytest.mark.parametrize("output", ["plain", "json", "github"])
def test_the_third_signal_leaves_though_nobody_reads(output: str) -> None:
    reading, writing = os.pipe()
    process = start(
        'while True: session.emit(LogLine("m", "p", "c", 1, "x" * 200))', output=output, stdout=writing
    )
    os.close(writing)
    try:
        time.sleep(0.5)
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        assert process.wait(5) == 130
    finally:
        process.kill()
        process.communicate()
        os.close(reading)


EARLY = """
import os, signal, sys
class Ctrl_C:
    def find_spec(self, name, path, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Ctrl_C())
from shipit.cli import main
main()
"""


def test_a_signal_while_shipit_is_loaded_shows_no_traceback() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", EARLY, "deploy"],
        env={"PYTHONPATH": SRC},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")
