"""Lays an environment over the base: tables merge, migrations by name, some lists append, the rest replaces."""

from __future__ import annotations

from pathlib import PurePosixPath

from shipit.config.tables import Section
from shipit.model import Json

_APPENDED = frozenset({"values", "prerequisites", "helm_args"})


def merged(base: Json, over: Json) -> Json:
    """Tables merge at every depth, anything else of `over` replaces that of `base`. Neither is changed."""
    found = dict(base)
    for key, value in over.items():
        below = found.get(key)
        found[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return found


def overlaid(base: Json, over: Json) -> Json:
    """A section over a section: as `merged`, but that some keys' lists append."""
    appended = {key: [*base.get(key, []), *over[key]] for key in over.keys() & _APPENDED}
    return merged(base, over) | appended


def step_name(raw: Json) -> str:
    """A migration's name, by default its template's file stem; "" when it has neither."""
    return str(raw.get("name") or PurePosixPath(raw.get("template", "")).stem)


def overlaid_migrations(base: tuple[Section, ...], over: tuple[Section, ...]) -> list[Json]:
    """The migrations in order, those that only the environment has at the end. Raises Usage.

    What has no name of its own is meant for the only migration there is.
    """
    found = [section.raw for section in base]
    for section in over:
        index = _index(found, section, alone=len(over) == 1)
        if index < len(found):
            found[index] = overlaid(found[index], section.raw)
        else:
            found.append(section.raw)
    return found


def _index(found: list[Json], section: Section, *, alone: bool) -> int:
    names = [step_name(raw) for raw in found]
    name = step_name(section.raw)
    single = not section.label.startswith("[[")
    if name in names and name:
        return names.index(name)
    if not found or (len(found) == 1 and alone and (single or not name)):
        return 0
    if not name:
        known = ", ".join(filter(None, names))
        raise section.wrong("name", f"is missing: there are several migrations; known are {known}")
    return len(found)
