"""Standard streams that are closed or full, in a real process: no traceback, and the outcome's own exit code."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from shipit import __version__, cli

SRC = str(Path(cli.__file__).parents[2])
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


def shell(words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`shipit WORDS` in a shell, which does the redirections."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": SRC, "HOME": str(folder)}
    return subprocess.run(
        ["sh", "-c", f"{shlex.quote(sys.executable)} -m shipit {words}"],
        cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--version >&-", 0),
        ("--help >&- 2>&- <&-", 0),
        ("schema >&-", 0),
        ("deploy --tag v1 >&-", 2),
        ("deploy --tag v1 2>&-", 2),
        ("deploy --tag v1 -o rich >&- 2>&- <&-", 2),
        ("deploy --tag v1 -o github >&-", 2),
        ("deploy --nope 2>&-", 2),
        ("unlock <&-", 2),
        pytest.param("--version >/dev/full", 3, marks=FULL),
        pytest.param("--help >/dev/full", 3, marks=FULL),
        pytest.param("schema >/dev/full 2>/dev/full", 3, marks=FULL),
        pytest.param("deploy --nope 2>/dev/full", 2, marks=FULL),
        pytest.param("deploy --tag v1 >/dev/full 2>/dev/full", 2, marks=FULL),
        pytest.param("deploy --tag v1 --report no/such/folder 2>/dev/full", 2, marks=FULL),
    ],
)
def test_a_stream_that_takes_nothing_changes_no_outcome(tmp_path: Path, words: str, code: int) -> None:
    ran = shell(words, tmp_path)
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    assert "Exception ignored" not in ran.stderr


def test_the_other_stream_says_what_it_would_have_said(tmp_path: Path) -> None:
    assert (
        json.loads(shell("deploy --tag v1 -o json 2>&-", tmp_path).stdout.splitlines()[-1])["exit_code"] == 2
    )
    assert "no shipit.toml" in shell("deploy --tag v1 >&-", tmp_path).stderr
    assert shell("--version 2>&- <&-", tmp_path).stdout == f"shipit {__version__}\n"


PAGER = """
import contextlib, sys
import shipit.cli.wiring as wiring, shipit.logs as logs, shipit.plan as plan
from datetime import datetime, UTC
from types import SimpleNamespace
from shipit.cli import main
from shipit.events import LogLine
from shipit.model import Job

def forever(job, cluster, clock, emit, *, follow, **_):
    while True:
        emit(LogLine("m", "p", "c", 1, "a line"))

wiring.configure = lambda session: SimpleNamespace(release=SimpleNamespace(name="shop"), migrations=())
wiring.reached = lambda session, config: contextlib.nullcontext()
logs.newest_job = lambda *_: Job("m", "shop", "u", datetime.now(UTC))
logs.show_logs = forever
plan.mask_secrets_of_job = lambda *_, **__: None
sys.argv = ["shipit", "logs", "--follow"]
main()
"""


def test_a_log_whose_reader_has_seen_enough_ends_without_a_word(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PAGER],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": SRC},
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline().endswith(b"m | a line\n")
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


@FULL
def test_a_full_disk_under_stdout_is_told(tmp_path: Path) -> None:
    assert (
        shell("--version >/dev/full", tmp_path).stderr
        == "error: can't write to stdout: no space left on device\n"
    )


def test_a_question_that_nobody_can_answer_is_not_asked(tmp_path: Path) -> None:
    chart = tmp_path / "chart"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (tmp_path / "shipit.toml").write_text(
        '[release]\nname = "shop"\nchart = "chart"\n[environments.prod]\nconfirm = true\n'
    )
    ran = shell("deploy --tag v1 -e prod <&-", tmp_path)
    assert ran.returncode == 2
    assert "there is no terminal to ask on" in ran.stderr
