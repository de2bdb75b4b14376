"""Help: in groups, whole at every width, with examples that are understood."""

from __future__ import annotations

import importlib
import shlex

import pytest

from shipit import cli
from shipit.cli.help import EXAMPLES

COMMANDS = ["", "deploy", "plan", "logs", "doctor", "rollback", "unlock", "init", "schema"]


def shown(words: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    assert cli.run([*words.split(), "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_help_keeps_to_the_width_and_cuts_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, width: int
) -> None:
    text = shown(command, width, capsys, monkeypatch)
    assert "..." not in text.replace("[ARGS]...", "")
    assert [line for line in text.splitlines() if len(line) > width] == []


def test_what_every_command_has_stands_apart_from_what_is_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown("deploy", 100, capsys, monkeypatch)
    order = ["Arguments:", "Options:", "Values:", "Migration:", "Where:", "Output:", "Examples:"]
    assert sorted(order, key=text.index) == order
    assert text.index("--lock-wait") < text.index("Values:") < text.index("--set")
    assert text.count("env var") == 2, "said once below, but where a variable takes several"
    assert "for --lock-wait, SHIPIT_LOCK_WAIT" in text


def test_commands_stand_in_groups(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown("", 80, capsys, monkeypatch)
    order = ["Deploy:", "  deploy", "  plan", "Look:", "  logs", "Lock:", "  unlock", "Set up:", "  init"]
    assert sorted(order, key=text.index) == order


@pytest.mark.parametrize("command", [command for each in EXAMPLES.values() for command, _ in each])
def test_every_example_is_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: object, command: str) -> None:
    words = shlex.split(command.partition(" >")[0])[1:]
    done: list[object] = []
    module = importlib.import_module(f"shipit.cli.{words[0]}")
    monkeypatch.setattr(module, "conduct", lambda *_, **__: done.append(1))
    assert cli.run(words) == 0
    assert done == [1]
