"""`${NAME}` and `${NAME:-default}` in the texts of a configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_REFERENCE = re.compile(
    rf"(?P<escaped>\$\$\{{)|\$\{{(?P<name>{_NAME})(?P<has>:-(?P<default>(?:(?!\$\{{)[^}}])*))?\}}|(?P<bad>\$\{{)"
)
ALLOWED = "write ${NAME} or ${NAME:-default}, and $${ for a literal ${"


class Unset(Exception):
    """A variable is not set, or a reference can't be read: `problem` says which, `path` where in a value."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: tuple[str | int, ...] = ()

    def below(self, part: str | int) -> Unset:
        self.path = (part, *self.path)
        return self


def expand(value: Any, environ: Mapping[str, str]) -> Any:
    """The value with the variables of every text in it filled in. Raises Unset.

    As in a shell, a default takes the place of a variable that is unset or empty.
    """
    match value:
        case str():
            return _REFERENCE.sub(lambda found: _text(found, environ), value)
        case dict():
            return {key: _child(key, each, environ) for key, each in value.items()}
        case list():
            return [_child(index, each, environ) for index, each in enumerate(value)]
    return value


def taken(value: Any, environ: Mapping[str, str]) -> Iterator[str]:
    """What a value takes from variables: of each, its whole text."""
    match value:
        case str():
            yield from (environ.get(found["name"] or "", "") for found in _REFERENCE.finditer(value))
        case dict() | list():
            for each in value.values() if isinstance(value, dict) else value:
                yield from taken(each, environ)


def _child(part: str | int, value: Any, environ: Mapping[str, str]) -> Any:
    try:
        return expand(value, environ)
    except Unset as error:
        raise error.below(part) from None


def _text(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found["escaped"]:
        return "${"
    if found["bad"]:
        raise Unset(f"${{ without a variable's name; {ALLOWED}")
    name, default = found["name"], found["default"]
    if found["has"] is not None:
        return environ.get(name) or default
    if name not in environ:
        raise Unset(f"environment variable {name} is not set; set it, or write ${{{name}:-default}}")
    return environ[name]
