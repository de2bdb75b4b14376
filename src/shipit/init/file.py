"""The text of a `shipit.toml`: the keys that matter for this chart, each with a short comment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from shipit.init.migration import Proposal, Row
from shipit.init.tags import TagKeys

_TOP = """\
# Written by `shipit init` after looking at the chart; `shipit doctor` checks it.
# shipit.toml.example explains every key, `shipit schema` prints a schema for editors.
"""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MOST_WIDTH = 60
_TIMEOUT = Row("timeout", "15m", "from its creation to its completion", off=True)


def file_text(release: Sequence[Row], migration: Proposal, tag: TagKeys | None) -> str:
    """The whole file. `release` are the rows of its first table, but for the tag's."""
    head = "[[migration]]" if migration.also else "[migration]"
    tables = "".join(f"\n{head}\n{_migration(each, tag)}" for each in (migration, *migration.also))
    return f"{_TOP}\n[release]\n{_table((*release, _tag_row(tag)))}{tables}"


def _migration(migration: Proposal, tag: TagKeys | None) -> str:
    own = migration.places and tag is not None and not _reached(migration, tag)
    notes = "".join(f"# {_plain(note)}\n" for note in migration.notes)
    return notes + _table((*migration.rows, *([_untagged(migration)] if own else []), _TIMEOUT))


def _reached(migration: Proposal, tag: TagKeys) -> bool:
    spots = {place.spot for place in tag.places}
    return any(place.spot in spots for place in migration.places) or not migration.keys.isdisjoint(tag.keys)


def _untagged(migration: Proposal) -> Row:
    return Row("require_tag", value=False, comment=f"its image is its own: {migration.places[-1].image}")


def _tag_row(tag: TagKeys | None) -> Row:
    if tag is None:
        return Row("tag_key", "image.tag", "no value was found that reaches an image: name it here", off=True)
    key = tag.keys[0] if len(tag.keys) == 1 else list(tag.keys)
    return Row("tag_key", key, f"receives the tag; reaches {tag.reaches}")


def _table(rows: Iterable[Row]) -> str:
    lines = [(("# " if row.off else "") + f"{row.key} = {_toml(row.value)}", row.comment) for row in rows]
    width = min(_MOST_WIDTH, max(len(text) for text, _ in lines))
    return "".join(
        f"{text:{width}}  # {_plain(comment)}\n" if comment else f"{text}\n" for text, comment in lines
    )


def _toml(value: Any) -> str:
    """A value, `${` kept as it is."""
    match value:
        case dict():
            inside = ", ".join(f"{_key(key)} = {_toml(each)}" for key, each in value.items())
            return f"{{ {inside} }}"
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case str():
            return json.dumps(value.replace("${", "$${"), ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name)


def _plain(text: str) -> str:
    """On one line, without what TOML takes in no comment."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
