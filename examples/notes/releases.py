"""Which files the image of a release holds: `python3 releases.py v2` lists them, one a line.

A real project has one state per commit. Here all releases lie side by side, so a release takes its own migration
and, by `down_revision`, the ones that it builds upon.
"""

import ast
import sys
from pathlib import Path

HERE = Path(__file__).parent
VERSIONS = HERE / "migrations" / "versions"
APP = ("alembic.ini", "migrations/env.py", "notes.py")
TAGS = {"v1": "0001", "v2": "0002", "v3": "0003", "v4": "0004"}


def down_revision(migration: Path) -> str | None:
    """The revision that a migration follows, read without running it."""
    for node in ast.parse(migration.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "down_revision":
            value = ast.literal_eval(node.value)
            return None if value is None else str(value)
    raise ValueError(f"{migration} has no down_revision")


def migrations_of(tag: str) -> list[Path]:
    """The migrations of a release, oldest first."""
    revision: str | None = TAGS[tag]
    chain: list[Path] = []
    while revision is not None:
        (migration,) = VERSIONS.glob(f"{revision}_*.py")
        chain.insert(0, migration)
        revision = down_revision(migration)
    return chain


def files_of(tag: str) -> list[Path]:
    """All files of a release's image, relative to this folder."""
    return [*map(Path, APP), *(migration.relative_to(HERE) for migration in migrations_of(tag))]


if __name__ == "__main__":
    match sys.argv[1:]:
        case [tag] if tag in TAGS:
            print(*files_of(tag), sep="\n")
        case _:
            sys.exit(f"usage: releases.py {'|'.join(TAGS)}")
