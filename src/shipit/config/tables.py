"""The sections of a `shipit.toml`, each checked on its own, so that an error names the very key that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, get_args, get_origin

import msgspec

from shipit.config import structure
from shipit.config.structure import EnvironmentTable, FileTable, MigrationSpec, ReleaseSpec
from shipit.config.validators import nearest, shown
from shipit.config.variables import Unset, expand
from shipit.errors import Usage
from shipit.model import Json

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_TYPES: dict[type, str] = {
    bool: "true or false",
    str: "text",
    int: "a number",
    float: "a number",
    dict: "a table",
    list: "a list",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One table of a file, or what flags say in its stead, and how an error names it.

    `flags` are the keys that flags have set, by their names; `raw` is as in the file, or, once checked, with the
    variables filled in and the values decoded. `unknown` are the keys left out because their variables aren't known.
    """

    file: str
    label: str
    kind: type[msgspec.Struct]
    raw: Json
    flags: Mapping[str, str] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()

    @property
    def listed(self) -> bool:
        """Whether it is one of an array of tables."""
        return self.label.startswith("[[")

    def wrong(self, key: str, problem: str) -> Usage:
        where = " ".join(part for part in (self.label, key) if part)
        return Usage(f"{self.flags.get(key) or f'{self.file}: {where}'}: {problem}")

    def checked(self) -> Section:
        """With every value decoded. Raises Usage for the first key that is unknown, of a wrong type, or bad."""
        return replace(self, raw={key: self._decoded(key, value) for key, value in self.raw.items()})

    def expanded(self, environ: Mapping[str, str] | None) -> Section:
        """With the variables filled in; without any (None) the texts that name one are left out."""
        found: Json = {}
        for key, value in self.raw.items():
            try:
                found[key] = expand(value, environ or {})
            except Unset as error:
                if environ is not None:
                    path = key + ("" if not error.path or error.path.startswith("[") else ".") + error.path
                    raise self.wrong(path, error.problem) from error
        return replace(self, raw=found, unknown=frozenset(self.raw.keys() - found.keys()))

    def _decoded(self, key: str, value: Any) -> Any:
        fields = {field.encode_name: field for field in msgspec.structs.fields(self.kind)}
        if key not in fields:
            raise self.wrong(_quoted(key), _unknown(key, self.kind))
        about = _about(fields[key].type)
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(each, str) and "\0" in each for each in texts):
            raise self.wrong(key, "holds a NUL character, which no name or argument can")
        decoded = about["decode"](value) if about["decode"] else value
        try:
            converted = getattr(msgspec.convert({key: decoded}, self.kind), fields[key].name)
        except msgspec.ValidationError as error:
            allowed = about["allowed"].removesuffix(" in quotes" if key in self.flags else "")
            raise self.wrong(key, _mismatch(value, allowed)) from error
        if about["check"] and (problem := about["check"](converted)):
            raise self.wrong(key, problem)
        return decoded


@dataclass(frozen=True, slots=True)
class Layer:
    """The base of a file, or one of its environments. `confirm` is the environment's own."""

    release: Section
    migrations: tuple[Section, ...] = ()
    confirm: bool = False


def base_layer(raw: Json, file: str, environ: Mapping[str, str]) -> Layer:
    """What holds in every environment, checked. Raises Usage."""
    return _layer(Section(file, "", FileTable, raw), "", environ)


def environment_layer(raw: Json, name: str, file: str, environ: Mapping[str, str] | None) -> Layer:
    """One environment's overlay, checked. Raises Usage.

    Without variables (`environ` is None: it is not the environment that is deployed to) a key whose text names one
    is left out: its types and names are checked all the same, so that a typo is found before its day comes.
    """
    prefix = f"environments.{_quoted(name)}"
    return _layer(Section(file, f"[{prefix}]", EnvironmentTable, raw[name]), f"{prefix}.", environ)


def flags_section(kind: type[msgspec.Struct], *given: tuple[str, str, str | None]) -> Section:
    """What flags say, checked like the keys that they stand for. Raises Usage, naming the flag.

    Each of `given` is a flag, its key, and its value, None when it was not typed.
    """
    typed = [(flag, key, value) for flag, key, value in given if value is not None]
    raw: Json = {key: value for _, key, value in typed}
    return Section("", "", kind, raw, {key: flag for flag, key, _ in typed}).checked()


def environment_names(raw: Json, file: str) -> tuple[str, ...]:
    """The environments that a file has. Raises Usage when they are no tables."""
    found = raw.get("environments", {})
    if not isinstance(found, dict):
        raise Section(file, "", FileTable, raw).wrong("[environments]", _mismatch(found, "a table of tables"))
    for name, table in found.items():
        if not isinstance(table, dict):
            raise Section(file, "[environments]", FileTable, raw).wrong(
                _quoted(name), _mismatch(table, f"a table, [environments.{_quoted(name)}]")
            )
    return tuple(found)


def _layer(own: Section, prefix: str, environ: Mapping[str, str] | None) -> Layer:
    _check_tables(own)
    return Layer(
        release=_table(own, f"[{prefix}release]", ReleaseSpec, own.raw.get("release", {}), environ),
        migrations=_migrations(own, f"{prefix}migration", own.raw.get("migration", []), environ),
        confirm=own.raw.get("confirm", False),
    )


def _check_tables(own: Section) -> None:
    """What a layer holds beside its sections: no unknown table, and a `confirm` that is one."""
    known = {field.encode_name for field in msgspec.structs.fields(own.kind)}
    for key, value in own.raw.items():
        if key not in known:
            bracketed = isinstance(value, dict) and not own.label
            raise own.wrong(f"[{_quoted(key)}]" if bracketed else _quoted(key), _unknown(key, own.kind))
    replace(own, raw={k: v for k, v in own.raw.items() if k == "confirm"}).checked()


def _table(
    own: Section, label: str, kind: type[msgspec.Struct], table: Any, environ: Mapping[str, str] | None
) -> Section:
    section = Section(own.file, label, kind, table)
    if not isinstance(table, dict):
        raise section.wrong("", _mismatch(table, f"one table, {label}"))
    return section.expanded(environ).checked()


def _migrations(
    own: Section, path: str, found: Any, environ: Mapping[str, str] | None
) -> tuple[Section, ...]:
    """Those of one table, or of an array of tables."""
    if isinstance(found, dict):
        return (_table(own, f"[{path}]", MigrationSpec, found, environ),)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        allowed = f"a table, [{path}], or several, each under [[{path}]]"
        raise Section(own.file, f"[{path}]", MigrationSpec, {}).wrong("", _mismatch(found, allowed))
    return tuple(
        _table(own, f"[[{path}]] no. {number}", MigrationSpec, each, environ)
        for number, each in enumerate(found, 1)
    )


def _about(type: Any) -> Any:
    """What `structure.about` says of a field."""
    return next(
        meta.extra
        for meta in get_args(type)[1:]
        if get_origin(type) is Annotated and isinstance(meta, msgspec.Meta) and meta.extra
    )


def _mismatch(value: Any, allowed: str) -> str:
    if isinstance(value, list) and (structure.TEXTS in allowed or structure.WORDS in allowed):
        takes_empty = structure.WORDS in allowed
        number, item = next(
            (number, each)
            for number, each in enumerate(value, 1)
            if not (isinstance(each, str) and (each or takes_empty))
        )
        return f"must be {allowed}; item no. {number} is {_named(item)}"
    return f"must be {allowed}, not {_named(value)}"


def _named(value: Any) -> str:
    if isinstance(value, str):
        return shown(value) if value else "empty"
    return _TYPES.get(type(value), "a date or time")


def _unknown(key: str, kind: type[msgspec.Struct]) -> str:
    known = _keys(kind)
    near = nearest(key, known)
    homes: dict[str, type[msgspec.Struct]] = {
        "[release]": ReleaseSpec,
        "[migration]": MigrationSpec,
        "[environments.NAME]": EnvironmentTable,
    }
    home = [label for label, other in homes.items() if other is not kind and key in _keys(other)]
    if home:
        advice = f"it belongs in {' or '.join(home)}; "
    elif near:
        advice = f"did you mean {near}? "
    else:
        advice = ""
    return f"no such key; {advice}valid keys: {', '.join(known)}"


def _keys(kind: type[msgspec.Struct]) -> list[str]:
    return sorted(field.encode_name for field in msgspec.structs.fields(kind))


def _quoted(key: str) -> str:
    return key if key and set(key) <= _BARE else shown(key)
