"""One table of a file, checked key by key, so that an error names the very key that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from shipit.config import structure
from shipit.config.mistakes import File
from shipit.config.places import TomlPath
from shipit.config.structure import EnvironmentTable, FileTable, MigrationSpec, OnTable, ReleaseSpec
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
    variables filled in and the values decoded. `unknown` are the keys left out: their variables aren't known, or they
    are wrong, which `file` has noted. `path` is where the table stands in the file.
    """

    file: File
    path: TomlPath
    label: str
    kind: type[msgspec.Struct]
    raw: Json
    flags: Mapping[str, str] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()

    @property
    def listed(self) -> bool:
        """Whether it is one of an array of tables."""
        return self.label.startswith("[[")

    def wrong(self, key: str, problem: str, below: TomlPath = ()) -> Usage:
        """What is wrong with a key, or what is `below` it; "" is the table itself."""
        if key in self.flags:
            return Usage(f"{self.flags[key]}: {problem}")
        path = (key, *below) if key else ()
        return self._wrong(path, _joined(path), problem)

    def item_wrong(self, key: str, number: int, problem: str) -> Usage:
        """What is wrong with an item of a list, numbered from 0; the key is named."""
        return self._wrong((key, number), key, problem)

    def meant(self, key: str) -> bool:
        """Whether the key was written, or misspelt, and left out."""
        return any(each == key or nearest(each, keys(self.kind)) == key for each in self.unknown)

    def checked(self) -> Section:
        """With every value decoded; what is unknown, of a wrong type, or bad is noted and left out."""
        found: Json = {}
        for key, value in self.raw.items():
            with self.file.noting():
                found[key] = self._decoded(key, value)
        return self._with(found)

    def expanded(self, environ: Mapping[str, str] | None) -> Section:
        """With the variables filled in; without any (None) the texts that name one are left out."""
        found: Json = {}
        for key, value in self.raw.items():
            with self.file.noting():
                try:
                    found[key] = expand(value, environ or {})
                except Unset as error:
                    if environ is not None:
                        raise self.wrong(key, error.problem, error.path) from error
        return self._with(found)

    def _with(self, raw: Json) -> Section:
        return replace(self, raw=raw, unknown=self.unknown | (self.raw.keys() - raw.keys()))

    def _wrong(self, path: TomlPath, shown_as: str, problem: str) -> Usage:
        where = " ".join(part for part in (self.label, shown_as) if part)
        return self.file.mistake((*self.path, *path), f"{where}: {problem}")

    def _decoded(self, key: str, value: Any) -> Any:
        fields = {field.encode_name: field for field in msgspec.structs.fields(self.kind)}
        if key not in fields:
            bracketed = self.kind is FileTable and isinstance(value, dict)
            shown_as = f"[{quoted(key)}]" if bracketed else quoted(key)
            raise self._wrong((key,), shown_as, _unknown(key, self.kind))
        about = structure.about_of(fields[key].type).extra or {}
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(each, str) and "\0" in each for each in texts):
            raise self.wrong(key, "holds a NUL character, which no name or argument can")
        decoded = about["decode"](value) if about["decode"] else value
        try:
            converted = getattr(msgspec.convert({key: decoded}, self.kind), fields[key].name)
        except msgspec.ValidationError as error:
            allowed = about["allowed"].removesuffix(" in quotes" if key in self.flags else "")
            raise self.wrong(key, mismatch(value, allowed)) from error
        if about["check"] and (problem := about["check"](converted)):
            raise self.wrong(key, problem)
        return decoded


def mismatch(value: Any, allowed: str) -> str:
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
    known = keys(kind)
    near = nearest(key, known)
    homes: dict[str, type[msgspec.Struct]] = {
        "[release]": ReleaseSpec,
        "[migration]": MigrationSpec,
        "[on]": OnTable,
        "[environments.NAME]": EnvironmentTable,
    }
    home = [label for label, other in homes.items() if other is not kind and key in keys(other)]
    if home:
        advice = f"it belongs in {' or '.join(home)}; "
    elif near:
        advice = f"did you mean {near}? "
    else:
        advice = ""
    return f"no such key; {advice}valid keys: {', '.join(known)}"


def keys(kind: type[msgspec.Struct]) -> list[str]:
    return sorted(field.encode_name for field in msgspec.structs.fields(kind))


def quoted(key: str) -> str:
    return key if key and set(key) <= _BARE else shown(key)


def _joined(path: TomlPath) -> str:
    """`set.a[1].b`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")
