"""What `shipit rollback` asks before it brings an app back whose database has moved on: the screen, to the letter."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from shipit.cli.clock import SystemClock
from shipit.cli.command_line import CommandLine
from shipit.cli.options import Common
from shipit.cli.rollback import ask_first
from shipit.cli.session import Declined, Session
from shipit.config import Config, ReleaseSpec
from shipit.errors import Usage
from shipit.model import Values
from shipit.output import open_output
from shipit.output.mask import Mask
from shipit.plan import WayBack
from shipit.plan.migrations_since import MigrationsSince

RAN = MigrationsSince(ran=("migrate (v2, revision 12)",))
UNSURE = MigrationsSince(unknown=("revision 12 was made by hand",))


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


def asked(
    monkeypatch: pytest.MonkeyPatch, since: MigrationsSince, typed: str | None, *, production: bool = False
) -> str:
    """The screen; None is typed where there is no terminal."""
    screen, clock = io.StringIO(), SystemClock()
    monkeypatch.setattr("sys.stdin", io.StringIO() if typed is None else Keyboard(typed))
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setattr("sys.stderr", screen)
    output = open_output("plain", stdout=screen, stderr=screen, environ={}, clock=clock, run="r")
    common = Common(typed=CommandLine("rollback", (), context="prod-eu"))
    session = Session(common, output, "r", clock, Mask(output.emit), namespace="shop-prod")
    config = Config(
        Path("shipit.toml"), ReleaseSpec(name="shop", chart="chart"), Values(),
        environment="production" if production else None, confirm=production,
    )  # fmt: skip
    try:
        ask_first(session, config, WayBack(11, "v1", 12, since), None)
    except Declined as no:
        screen.write(f"{no}\n")
    except Usage as error:
        screen.write("\n".join((error.message, str(error.hint))) + "\n")
    return screen.getvalue()


QUESTION = "Roll shop back to revision 11 (v1), namespace shop-prod, context prod-eu? [y/N] "


def test_it_says_what_has_migrated_and_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "migrations have run since revision 11, and the schema stays where they brought it: migrate (v2, revision 12)"
    agreed = asked(monkeypatch, RAN, "y\n")
    assert agreed.splitlines()[0].endswith(told)
    assert agreed.endswith(f"\n{QUESTION}")
    declined = asked(monkeypatch, RAN, "\n")
    assert declined.endswith(f"\n{QUESTION}not confirmed; nothing was changed\n")


def test_it_asks_too_where_it_is_not_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "whether all migrations since revision 11 are known is not certain: revision 12 was made by hand"
    first, question = asked(monkeypatch, UNSURE, "y\n").splitlines()
    assert first.endswith(told)
    assert question == QUESTION


def test_it_asks_where_the_environment_wants_to_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, MigrationsSince(), None) == ""
    screen = asked(monkeypatch, MigrationsSince(), "y\n", production=True)
    assert screen == QUESTION.replace("shop back", "shop in production back")


def test_without_a_terminal_it_says_what_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = asked(monkeypatch, RAN, None).splitlines()
    assert lines[1:] == [
        "migrations have run since revision 11: a rollback requires confirmation, and there is no terminal to ask on",
        "shipit rollback 11 --yes",
    ]
    assert "migrations may have run since revision 11: a rollback" in asked(monkeypatch, UNSURE, None)
