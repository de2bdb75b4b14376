"""What a run tells of its command line: hints that can be pasted, and no value of --set in what is kept."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from shipit.cli.clock import SystemClock
from shipit.cli.command_line import CommandLine, Option
from shipit.cli.options import Common
from shipit.cli.session import Session
from shipit.errors import Outcome
from shipit.events import Ended, Failed, Warned
from shipit.hints import deploy_again
from shipit.output import open_output
from shipit.output.mask import Mask

LINE = CommandLine(
    "deploy",
    (
        Option("config", ("--config", "-c"), ("x.toml",)),
        Option("set_", ("--set",), ("color=blue-green", "db.password=hunter22", "db.user=mallory77")),
    ),
)
AGAIN = deploy_again("v1", why="checks the state and resumes")


def session(*, on_terminal: bool) -> tuple[Session, io.StringIO]:
    out, clock = io.StringIO(), SystemClock()
    output = open_output("json", stdout=out, stderr=out, environ={}, clock=clock, run="r")
    mask = Mask(output.emit, ["mallory77"])
    return Session(Common(typed=LINE), output, "r", clock, mask, tag="v1", on_terminal=on_terminal), out


@pytest.mark.parametrize(
    ("on_terminal", "repeated"),
    [
        (True, "--set color=blue-green --set 'db.password=…' --set 'db.user=…'"),
        (False, "--set 'color=…' --set 'db.password=…' --set 'db.user=…'"),
    ],
)
def test_a_value_is_repeated_to_whoever_typed_it_unless_it_is_a_secret(
    *, on_terminal: bool, repeated: str
) -> None:
    run, out = session(on_terminal=on_terminal)
    run.emit(Warned("slow", AGAIN))
    run.emit(Failed("interrupted", "interrupted", AGAIN))
    run.emit(run.ended(Outcome.INTERRUPTED, 130, 0.0, "interrupted", AGAIN))
    for line in out.getvalue().splitlines():
        assert json.loads(line)["hint"] == f"shipit deploy --tag v1 -c x.toml {repeated}"


def test_a_file_gets_no_value_even_from_a_terminal() -> None:
    run, _ = session(on_terminal=True)
    ended = run.for_file(run.ended(Outcome.INTERRUPTED, 130, 0.0, "as mallory77", AGAIN))
    assert isinstance(ended, Ended)
    assert ended.message == "as ***"
    words = "shipit deploy --tag v1 -c x.toml --set 'color=…' --set 'db.password=…' --set 'db.user=…'"
    assert str(ended.hint) == words


def test_a_terminal_whose_errors_go_to_a_file_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shipit.cli.session import _open

    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdout", Tty())
    monkeypatch.setattr("sys.stderr", Tty())
    assert _open(Common(), "v1").on_terminal
    with (tmp_path / "errors").open("w") as errors:
        monkeypatch.setattr("sys.stderr", errors)
        assert not _open(Common(), "v1").on_terminal
