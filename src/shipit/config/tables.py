"""The tables of a `shipit.toml`, the base and each environment; and what flags say in their stead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from shipit.config.mistakes import File
from shipit.config.section import Section, keys, mismatch, quoted
from shipit.config.structure import EnvironmentTable, FileTable, MigrationSpec, OnTable, ReleaseSpec
from shipit.model import Json


@dataclass(frozen=True, slots=True)
class Layer:
    """The base of a file, or one of its environments. `confirm` is the environment's own."""

    release: Section
    on: Section
    migrations: tuple[Section, ...] = ()
    confirm: bool = False


def base_layer(file: File, environ: Mapping[str, str]) -> Layer:
    """What holds in every environment, checked; what is wrong is noted."""
    return _layer(Section(file, (), "", FileTable, file.raw), "", environ)


def environment_layer(file: File, name: str, environ: Mapping[str, str] | None) -> Layer:
    """One environment's overlay, checked; what is wrong is noted.

    Without variables (`environ` is None: it is not the environment that is deployed to) a key whose text names one
    is left out: its types and names are checked all the same, so that a typo is found before its day comes.
    """
    prefix, path = f"environments.{quoted(name)}", ("environments", name)
    own = Section(file, path, f"[{prefix}]", EnvironmentTable, file.raw["environments"][name])
    return _layer(own, f"{prefix}.", environ)


def flags_section(file: File, kind: type[msgspec.Struct], *given: tuple[str, str, str | None]) -> Section:
    """What flags say, checked like the keys that they stand for; what is wrong is noted for the flag.

    Each of `given` is a flag, its key, and its value, None when it was not typed.
    """
    typed = [(flag, key, value) for flag, key, value in given if value is not None]
    raw: Json = {key: value for _, key, value in typed}
    return Section(file, (), "", kind, raw, {key: flag for flag, key, _ in typed}).checked()


def environment_names(file: File) -> tuple[str, ...]:
    """The environments that a file has. Raises Usage when they are not tables."""
    found = file.raw.get("environments", {})
    if not isinstance(found, dict):
        problem = mismatch(found, "a table of tables")
        raise Section(file, ("environments",), "[environments]", FileTable, {}).wrong("", problem)
    for name, table in found.items():
        if not isinstance(table, dict):
            problem = mismatch(table, f"a table, [environments.{quoted(name)}]")
            raise Section(file, ("environments",), "[environments]", FileTable, {}).wrong(name, problem)
    return tuple(found)


def _layer(own: Section, prefix: str, environ: Mapping[str, str] | None) -> Layer:
    confirm = _check_tables(own)
    return Layer(
        release=_table(own, f"[{prefix}release]", "release", ReleaseSpec, environ),
        on=_table(own, f"[{prefix}on]", "on", OnTable, environ),
        migrations=_migrations(own, f"{prefix}migration", own.raw.get("migration", []), environ),
        confirm=confirm,
    )


def _check_tables(own: Section) -> bool:
    """What a layer holds beside its sections: no unknown table, and a `confirm`, which it answers."""
    sections = ("release", "migration", "on", "environments")
    found = replace(own, raw={key: value for key, value in own.raw.items() if key not in sections}).checked()
    return bool(found.raw.get("confirm", False))


def _table(
    own: Section, label: str, key: str, kind: type[msgspec.Struct], environ: Mapping[str, str] | None
) -> Section:
    section = Section(own.file, (*own.path, key), label, kind, {})
    return _checked(section, own.raw.get(key, {}), environ)


def _checked(section: Section, table: Any, environ: Mapping[str, str] | None) -> Section:
    if isinstance(table, dict):
        return replace(section, raw=table).expanded(environ).checked()
    section.file.found.append(section.wrong("", mismatch(table, f"one table, {section.label}")))
    return replace(section, unknown=frozenset(keys(section.kind)))


def _migrations(
    own: Section, name: str, found: Any, environ: Mapping[str, str] | None
) -> tuple[Section, ...]:
    """Those of one table, or of an array of tables."""
    path = (*own.path, "migration")
    if isinstance(found, dict):
        return (_checked(Section(own.file, path, f"[{name}]", MigrationSpec, {}), found, environ),)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        allowed = f"a table, [{name}], or several, each under [[{name}]]"
        wrong = Section(own.file, path, f"[{name}]", MigrationSpec, {}).wrong("", mismatch(found, allowed))
        own.file.found.append(wrong)
        return ()
    return tuple(
        _checked(
            Section(own.file, (*path, number - 1), f"[[{name}]] no. {number}", MigrationSpec, {}),
            each,
            environ,
        )
        for number, each in enumerate(found, 1)
    )
