"""Whole screens. `UPDATE_GOLDEN=1 pytest tests/output/test_golden.py` writes them anew: read the diff."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from shipit.cli.app import app
from shipit.output import Kind, open_output
from tests.golden.stories import STORIES, StoryClock, play

GOLDEN = Path(__file__).parents[1] / "golden"


class Screen(io.StringIO):
    """Both streams on one screen, what came by stderr marked."""

    def __init__(self, shared: io.StringIO, mark: str = "") -> None:
        super().__init__()
        self._shared = shared
        self._mark = mark

    def write(self, text: str) -> int:
        self._shared.write("".join(self._mark + line for line in text.splitlines(keepends=True)))
        return len(text)


def screen(kind: Kind, story: str, tmp_path: Path, width: int = 80) -> str:
    """What a person sees of a story, with the runner's files below; random tokens replaced."""
    shared, clock = io.StringIO(), StoryClock()
    files = {"GITHUB_STEP_SUMMARY": tmp_path / "summary", "GITHUB_OUTPUT": tmp_path / "output"}
    output = open_output(
        kind,
        stdout=Screen(shared),
        stderr=Screen(shared, "stderr: "),
        environ={name: str(path) for name, path in files.items()} | {"COLUMNS": str(width)},
        clock=clock,
        run="r-4f2a",
    )
    play(STORIES[story], output, clock)
    with output:  # entered last: the story ticks itself
        pass
    text = shared.getvalue()
    for name, path in files.items():
        if path.exists():
            text += f"--- {name}\n{path.read_text()}"
    return re.sub(r"[0-9a-f]{32}", "<random>", text)


def commands(shown: str) -> list[str]:
    """The commands that a screen offers: those behind `next:`, and those fenced as shell."""
    behind = re.findall(
        r"^(?:stderr: )?(?:\S+Z )? *[nN]ext: (.*(?:\n(?:stderr: )? {6}::.*)?)$", shown, re.MULTILINE
    )
    return [
        *(re.sub(r"\n(?:stderr: )? {6}", "\n", each) for each in behind),
        *re.findall(r"^~~~sh\n(.*?)\n~~~$", shown, re.MULTILINE | re.DOTALL),
    ]


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("[!j]*.txt")), ids=lambda path: path.stem)
def test_every_command_that_is_offered_can_be_pasted(golden: Path) -> None:
    found = commands(golden.read_text())
    assert bool(found) == ("_happy" not in golden.stem)
    for command in found:
        parsed = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert (parsed.returncode, parsed.stderr) == (0, ""), command
        program, verb, *_ = shlex.split(command)
        assert program in ("shipit", "kubectl", "helm")
        assert program != "shipit" or verb in {each.name for each in app.registered_commands}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("kind", ["plain", "json", "github", "rich"])
def test_the_screen_is_the_golden_one(kind: Kind, story: str, tmp_path: Path) -> None:
    shown = screen(kind, story, tmp_path)
    golden = GOLDEN / f"{kind}_{story}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(shown)
    assert shown == golden.read_text()


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("width", [40, 120])
def test_the_screen_of_another_width_is_the_golden_one(story: str, width: int, tmp_path: Path) -> None:
    shown = screen("rich", story, tmp_path, width)
    golden = GOLDEN / f"rich_{story}_{width}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(shown)
    assert shown == golden.read_text()
