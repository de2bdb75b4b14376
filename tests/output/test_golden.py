"""Whole screens. `UPDATE_GOLDEN=1 pytest tests/output/test_golden.py` writes them anew: read the diff."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest

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


def screen(kind: Kind, story: str, tmp_path: Path) -> str:
    """What a person sees of a story, with the runner's files below; random tokens replaced."""
    shared, clock = io.StringIO(), StoryClock()
    files = {"GITHUB_STEP_SUMMARY": tmp_path / "summary", "GITHUB_OUTPUT": tmp_path / "output"}
    output = open_output(
        kind,
        stdout=Screen(shared),
        stderr=Screen(shared, "stderr: "),
        environ={name: str(path) for name, path in files.items()} | {"COLUMNS": "100"},
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


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("kind", ["plain", "json", "github", "rich"])
def test_the_screen_is_the_golden_one(kind: Kind, story: str, tmp_path: Path) -> None:
    shown = screen(kind, story, tmp_path)
    golden = GOLDEN / f"{kind}_{story}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(shown)
    assert shown == golden.read_text()
