"""What a shell completes beside flags: names from the project's file. Quick, and silent whatever is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import typer


def environments(context: typer.Context, incomplete: str) -> list[str]:
    """Those of the file that begin so."""
    return [each for each in _table(_file(context), "environments") if each.startswith(incomplete)]


def migrations(context: typer.Context, incomplete: str) -> list[str]:
    """The names of the file's migrations that begin so."""
    return [each for each in _names(_file(context).get("migration")) if each.startswith(incomplete)]


def _names(found: object) -> Iterator[str]:
    for table in found if isinstance(found, list) else [found]:
        if isinstance(table, dict):
            name = table.get("name") or PurePosixPath(str(table.get("template") or "")).stem
            if name:
                yield str(name)


def _table(file: dict[str, Any], key: str) -> dict[str, Any]:
    found = file.get(key)
    return found if isinstance(found, dict) else {}


def _file(context: typer.Context) -> dict[str, Any]:
    """The file that is named, or the nearest one upward; nothing where there is none, or none that can be read."""
    named = context.params.get("config")
    here = Path.cwd()
    paths = [Path(named)] if named else [folder / "shipit.toml" for folder in (here, *here.parents)]
    for path in paths:
        try:
            return tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError):
            return {}
    return {}
