"""A question before something is done: yes, no, and what is neither."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import typer

from shipit.cli.confirm import confirm
from shipit.cli.options import Common
from shipit.cli.session import Declined, Session, conduct
from shipit.errors import Usage
from tests.cli.test_app import signals

__all__ = ["signals"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Whether what was asked for was done: the exit code of a command whose question is answered so."""

    def run(answers: str, *, terminal: bool = True, yes: bool = False) -> int:
        monkeypatch.setattr("sys.stdin", Terminal(answers) if terminal else io.StringIO(answers))

        def work(session: Session) -> Any:
            confirm(session, "Deploy?", without_terminal=Usage("no terminal"), declined="nothing was changed")
            raise Usage("done")

        with pytest.raises(typer.Exit) as left:
            conduct(Common(yes=yes), work)
        return left.value.exit_code

    return run


@pytest.mark.parametrize("answers", ["n\n", "\n", "NO\n", "", "maybe\nno\n"])
def test_no_is_no_error_and_exit_code_130(
    ask: Callable[..., int], capsys: pytest.CaptureFixture[str], answers: str
) -> None:
    assert ask(answers) == 130
    shown = capsys.readouterr()
    assert "nothing was changed" in shown.out
    assert "error" not in shown.err
    assert ("answer yes or no" in shown.err) == answers.startswith("maybe")


@pytest.mark.parametrize("answers", ["y\n", "YES\n", "what?\nyes\n"])
def test_yes_goes_on(ask: Callable[..., int], capsys: pytest.CaptureFixture[str], answers: str) -> None:
    assert ask(answers) == 2
    assert "error: done" in capsys.readouterr().err


def test_without_a_terminal_only_a_flag_says_yes(
    ask: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("y\n", terminal=False) == 2
    assert "error: no terminal" in capsys.readouterr().err
    assert ask("", terminal=False, yes=True) == 2
    assert "error: done" in capsys.readouterr().err


def test_declining_is_nothing_that_went_wrong() -> None:
    assert not issubclass(Declined, Usage)
