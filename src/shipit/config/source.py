"""Finds a `shipit.toml` and reads it: bytes on a disk → a table."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from shipit.config.mistakes import File
from shipit.config.syntax import syntax_problem
from shipit.errors import Usage
from shipit.hints import advice, shipit

NAME = "shipit.toml"
_LARGEST = 1 << 20
_SCHEMA = shipit("schema", why="shows what the file may hold; shipit.toml.example explains every key")
_START = shipit("init", why="writes one that fits the chart; shipit.toml.example explains every key")


def find(path: Path | None, cwd: Path) -> Path:
    """The file that was named, or the nearest `shipit.toml` from `cwd` upward. Raises Usage."""
    if path is not None:
        return cwd / path
    for folder in (cwd, *cwd.parents):
        try:
            if (folder / NAME).exists():
                return folder / NAME
        except OSError as error:
            raise Usage(f"{folder / NAME}: can't be looked at: {error.strerror}") from error
    raise Usage(f"no {NAME} in {cwd} or any folder above it; --config names one elsewhere", hint=_START)


def read(path: Path, file: str) -> File:
    """A file, called `file` in errors. Raises Usage, with line and column where there are any."""
    text = _text(path, file)
    if not text.strip():
        raise Usage(f"{file}: is empty; it needs at least [release] name and chart", hint=_SCHEMA)
    try:
        return File(file, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise Usage(f"{file} is not valid TOML: {syntax_problem(str(error), text)}") from error
    except ValueError as error:  # an integer of thousands of digits, a date that no calendar has
        problem = re.sub(r"\s+", " ", str(error)).partition(";")[0]
        raise Usage(f"{file} is not valid TOML: {problem}") from error
    except RecursionError as error:
        raise Usage(f"{file}: is nested too deeply") from error


def _text(path: Path, file: str) -> str:
    try:
        with path.open("rb") as opened:
            found = opened.read(_LARGEST + 1)
    except FileNotFoundError as error:
        raise Usage(f"{file}: no such file", hint=_START) from error
    except IsADirectoryError as error:
        raise Usage(f"{file}: is a folder; name a file", hint=advice(f"--config {path / NAME}")) from error
    except OSError as error:
        raise Usage(f"{file}: can't be read: {error.strerror}") from error
    if len(found) > _LARGEST:
        raise Usage(f"{file}: is larger than 1 MiB: that is not a configuration")
    try:
        return found.decode("utf-8-sig")  # some editors on Windows lead a file with a byte order mark
    except UnicodeDecodeError as error:
        line = found.count(b"\n", 0, error.start) + 1
        column = error.start - found.rfind(b"\n", 0, error.start)
        raise Usage(f"{file}: is not UTF-8 (line {line}, byte {column}): save it as UTF-8") from error
