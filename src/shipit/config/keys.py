"""A value's key as `--set` takes it: `image.tag`, `a\\.b`, `images[0].tag`."""

from __future__ import annotations

import re

KeyPath = tuple[str | int, ...]
"""A value's way from the top: names of tables, numbers of list items."""

_PART = re.compile(r"(\.?)((?:\\.|[^\\.,=\[])+)|\[([0-9]{1,5})\]")
_ASSIGNMENT = re.compile(r"((?:\\.|[^\\,=])+)=(?:\\.|[^\\,])*")


def key_path(key: str) -> KeyPath | None:
    """The path that a key names, None when it names none."""
    path: list[str | int] = []
    at = 0
    while at < len(key):
        found = _PART.match(key, at)
        if found is None:
            return None
        dot, name, index = found.groups()
        if index is None and bool(dot) != (at > 0):
            return None
        path.append(re.sub(r"\\(.)", r"\1", name) if index is None else int(index))
        at = found.end()
    return tuple(path) if path and isinstance(path[0], str) else None


def written(path: KeyPath) -> str:
    """The key of a path."""
    parts = (
        f"[{part}]" if isinstance(part, int) else "." + re.sub(r"([\\.,=\[])", r"\\\1", part) for part in path
    )
    return "".join(parts).removeprefix(".")


def assigned(text: str) -> tuple[KeyPath, ...]:
    """The paths that `a=1,b.c=2` assigns; what can't be read is left to helm's own error."""
    return tuple(path for key in _ASSIGNMENT.findall(text) if (path := key_path(key)))
