"""The migrations of a file, one or several in their order, and what an environment lays over each, by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from shipit.config.mistakes import File
from shipit.config.overlay import overlaid
from shipit.config.section import Section
from shipit.config.structure import MigrationSpec
from shipit.config.validators import nearest, shown
from shipit.errors import Usage
from shipit.model import as_text

_NONE = [Section(File(""), (), "[migration]", MigrationSpec, {})]
"""Stands for the migration of a file without any table."""


def settled_migrations(base: Sequence[Section], over: Sequence[Section] = ()) -> tuple[Section, ...]:
    """At least one, each with a name of its own where there are several. Raises Usage."""
    found = list(base or _NONE)
    for number, section in _laid_over(found, over).items():
        found[number] = replace(found[number], raw=overlaid(found[number].raw, section.raw))
    _check_names(found)
    return tuple(found)


def check_overlay(base: Sequence[Section], over: Sequence[Section]) -> None:
    """What an environment lays over is there, as far as its variables need not be known for that. Raises Usage."""
    _laid_over(base or _NONE, [each for each in over if "name" not in each.unknown])


def name_of(section: Section) -> str:
    """What the table calls itself; else its template's file stem; "" where there is neither. What is made from a
    workload is called migrate.
    """
    by_template = PurePosixPath(as_text(section.raw.get("template"))).stem
    return as_text(section.raw.get("name")) or by_template or ("migrate" if section.raw.get("from") else "")


def _laid_over(base: Sequence[Section], over: Sequence[Section]) -> dict[int, Section]:
    """What lies over each, by its number. Raises Usage."""
    found: dict[int, Section] = {}
    for section in over:
        number = _meant(section, base)
        if number in found:
            raise section.wrong(
                "name",
                f"two tables of this environment are for {shown(name_of(base[number]))}; make them one",
            )
        found[number] = section
    return found


def _meant(section: Section, base: Sequence[Section]) -> int:
    """Which of them an overlay is for: of one, `[migration]` needs no name."""
    if len(base) == 1 and not section.listed:
        return 0
    name, names = as_text(section.raw.get("name")), [name_of(each) for each in base]
    known = ", ".join(filter(None, names)) or "none with a name"
    if not name:
        raise section.wrong(
            "name", f"is missing: it says which migration this table changes; there are {known}"
        )
    if name not in names:
        raise _unknown(section, name, names, known)
    return names.index(name)


def _unknown(section: Section, name: str, names: Sequence[str], known: str) -> Usage:
    near = nearest(name, filter(None, names))
    advice = f"did you mean {near}? " if near else ""
    return section.wrong("name", f"no [[migration]] is called {shown(name)}; {advice}there are {known}")


def _check_names(found: Sequence[Section]) -> None:
    names = [name_of(each) for each in found]
    for number, (section, name) in enumerate(zip(found, names, strict=True)):
        if not name and len(found) > 1:
            raise section.wrong(
                "name", 'is missing: of several migrations each needs one, like name = "backfill"'
            )
        if name in names[:number]:
            of_template = "" if section.raw.get("name") else " (by its template)"
            raise section.wrong(
                "name",
                f"another [[migration]] is called {shown(name)} too{of_template}; give each a name of its own",
            )
