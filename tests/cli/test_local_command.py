"""A command on this machine: its lines, its end, and that nothing of it outlives whoever runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shipit.cli.local_command import LONGEST_LINE, MOST_LINES, LocalCommand, NotStarted, run
from shipit.errors import Stopped


def shell(script: str, folder: Path, **environ: str) -> LocalCommand:
    return LocalCommand(("sh", "-c", script), {**os.environ, **environ}, folder)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, within: float = 8.0) -> bool:
    until = time.monotonic() + within
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not runs(pid)


def test_its_lines_come_in_order_from_both_streams_the_unfinished_one_too(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "echo one; echo two >&2; echo $GREETING; pwd; printf 'no newline\\377'; exit 3"
    assert run(shell(script, tmp_path, GREETING="hello"), 10, lines.append) == 3
    assert lines == ["one", "two", "hello", str(tmp_path), "no newline�"]


def test_it_reads_nothing_and_its_words_are_not_a_shells(tmp_path: Path) -> None:
    lines: list[str] = []
    command = LocalCommand(("echo", "$HOME; `id`", "--"), dict(os.environ), tmp_path)
    assert run(command, 10, lines.append) == 0
    assert lines == ["$HOME; `id` --"]
    assert run(shell("cat", tmp_path), 10, lines.append) == 0


def test_one_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "trap '' INT; sleep 1000 & echo $! $$; wait; sleep 1000"
    started = time.monotonic()
    assert run(shell(script, tmp_path), 0.5, lines.append) is None
    assert time.monotonic() - started < 6
    assert all(gone(int(pid)) for pid in lines[0].split())


def test_a_child_that_it_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    lines: list[str] = []
    started = time.monotonic()
    assert run(shell("sleep 20 & echo $!", tmp_path), 10, lines.append) == 0
    assert time.monotonic() - started < 5
    os.kill(int(lines[0]), signal.SIGKILL)


def test_one_that_closes_its_output_is_still_waited_for(tmp_path: Path) -> None:
    assert run(shell("exec >&- 2>&-; sleep 0.5; exit 4", tmp_path), 10, lambda _: None) == 4


def test_a_signal_ends_it(tmp_path: Path) -> None:
    pids: list[int] = []

    def told(line: str) -> None:
        pids.append(int(line))
        raise Stopped(signal.SIGTERM)

    with pytest.raises(Stopped):
        run(shell("echo $$; exec sleep 1000", tmp_path), 60, told)
    assert gone(pids[0])


def test_it_does_not_outlive_a_shipit_that_is_killed(tmp_path: Path) -> None:
    story = """
import os, sys
from pathlib import Path
from shipit.cli.local_command import LocalCommand, run
command = LocalCommand(("sh", "-c", "echo $$; exec sleep 1000"), dict(os.environ), Path("."))
run(command, 60, lambda line: print(line, flush=True))
"""
    shipit = subprocess.Popen(
        [sys.executable, "-c", story], stdout=subprocess.PIPE, cwd=tmp_path, env={**os.environ}, text=True
    )
    assert shipit.stdout is not None
    pid = int(shipit.stdout.readline())
    assert runs(pid)
    shipit.kill()
    shipit.wait()
    shipit.stdout.close()
    assert gone(pid)


def test_a_flood_is_cut_and_read_to_its_end(tmp_path: Path) -> None:
    lines: list[str] = []
    assert run(shell("seq 200000; exit 5", tmp_path), 60, lines.append) == 5
    assert len(lines) == MOST_LINES + 1
    assert lines[-1] == "… it writes more than 1,000 lines; the rest is not shown"


def test_a_line_without_an_end_comes_in_pieces(tmp_path: Path) -> None:
    lines: list[str] = []
    run(shell("head -c 300000 /dev/zero | tr '\\0' x", tmp_path), 60, lines.append)
    assert sum(map(len, lines)) == 300000
    assert max(map(len, lines)) <= LONGEST_LINE + 65536


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("no-such-program-here", "no program no-such-program-here in PATH"),
        ("./missing", "no such file: {folder}/missing"),
        ("./plain", "{folder}/plain is not executable; chmod +x {folder}/plain"),
    ],
)
def test_what_cannot_be_run_says_why_and_not_with_which_arguments(
    tmp_path: Path, program: str, why: str
) -> None:
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    with pytest.raises(NotStarted) as refused:
        run(LocalCommand((program, "secret-word"), dict(os.environ), tmp_path), 5, lambda _: None)
    assert str(refused.value) == why.format(folder=tmp_path)
