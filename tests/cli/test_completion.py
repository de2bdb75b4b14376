"""What a shell offers for a word that was begun: names of the project's file, and nothing at all where that is broken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shipit import cli

FILE = """\
[release]
name = "shop"
chart = "chart"
[[migration]]
name = "schema"
[[migration]]
template = "templates/seed.yaml"
[environments.production]
[environments.preview]
[environments.staging]
"""


def completed(folder: Path, words: str, shell: str) -> str:
    """What `shipit WORDS<TAB>` offers."""
    src = str(Path(cli.__file__).parents[2])
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": src, "_SHIPIT_COMPLETE": f"complete_{shell}"}
    line = f"shipit {words}"
    environ |= {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    environ |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    ran = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'shipit'; from shipit.cli import main; main()"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ran.stderr
    return ran.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_environments_and_migrations_are_those_of_the_file(tmp_path: Path, shell: str) -> None:
    (tmp_path / "shipit.toml").write_text(FILE)
    found = completed(tmp_path, "deploy --env pr", shell)
    assert "production" in found
    assert "preview" in found
    assert "staging" not in found
    assert "seed" in completed(tmp_path, "logs se", shell)


@pytest.mark.parametrize("text", ["[release", "environments = 1", "migration = 1"])
def test_a_broken_file_offers_nothing_and_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "shipit.toml").write_text(text)
    assert completed(tmp_path, "deploy --env p", "bash").strip() == ""
    assert completed(tmp_path, "logs s", "bash").strip() == ""
