"""A Secret's value that is a file, or holds one: the values in it, however deep, for each is as secret as the whole."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

from shipit.output.secret_lines import (
    NUMBER,
    SECTION,
    Found,
    decoded,
    in_urls,
    of_lines,
    tells_of_secret,
    told,
)

DEEPEST = 4
"""A file in a value of a file in …"""

_PLAIN = re.compile(r"[\w.+/-]*=*", re.ASCII)
_RULE = re.compile(r"-{5}[A-Z ]+-{5}")


def values_in(value: str) -> list[str]:
    """The value itself and every value in it: those of a file (JSON, YAML, TOML, ini, properties, .env, XML, netrc,
    .pgpass, lines `user:password`), the password of a URL, what base64 holds.

    Left out is, unless its key tells of a secret, a number and what is a key of the same file as well.
    """
    found: dict[str, None] = {}
    _take(value, found, DEEPEST)
    return list(found)


def lines_in(value: str) -> set[str]:
    """The lines of a text that is no document: of a key each is worth as much as the whole."""
    if "\n" not in value or _document(value) is not None:
        return set()
    lines = (line.strip() for line in value.splitlines())
    return {line for line in lines if not (_RULE.fullmatch(line) or SECTION.fullmatch(line))}


def _take(text: str, found: dict[str, None], depth: int) -> None:
    if text in found:
        return
    found[text] = None
    if depth:
        for each in _inner(text):
            _take(each, found, depth - 1)


def _inner(text: str) -> Iterator[str]:
    """The values in a text, one layer of it."""
    yield text.strip()
    if (unpacked := decoded(text)) is not None:
        yield unpacked
    if _PLAIN.fullmatch(text):
        return
    yield from told(text)
    yield from in_urls(text)
    document = _document(text)
    yield from _settled(of_lines(text) if document is None else document)


def _settled(found: list[Found]) -> Iterator[str]:
    """The texts that are worth hiding."""
    keys = {each.key for each in found}
    for each in found:
        dull = each.text in keys or NUMBER.fullmatch(each.text)
        if each.text and (each.telling or not dull):
            yield each.text


def _document(text: str) -> list[Found] | None:
    """The values of a document that a parser understands and that holds more than one text; None for any other."""
    if "\n" not in text.strip() and text.lstrip()[:1] not in ("{", "[", "-") and ": " not in text:
        return None
    for parse in (_json, _toml, _yaml):
        found = parse(text)
        # `[word]` is a list in YAML, and in TOML a table that holds nothing
        if found is not None and any(each.text for each in found):
            return found
    return None


def _json(text: str) -> list[Found] | None:
    return _parsed(text, json.loads) if text.lstrip()[:1] in ("{", "[") else None


def _toml(text: str) -> list[Found] | None:
    return _parsed(text, tomllib.loads)


def _parsed(text: str, parse: Callable[[str], Any]) -> list[Found] | None:
    try:
        return list(_walk(parse(text)))
    except (ValueError, RecursionError):
        return None


def _walk(value: Any, key: str = "", *, telling: bool = False) -> Iterator[Found]:
    match value:
        case dict():
            for name, each in value.items():
                tells = telling or tells_of_secret(str(name))
                yield Found(str(name))
                yield from _walk(each, str(name), telling=tells)
        case list():
            for each in value:
                yield from _walk(each, key, telling=telling)
        case bool() | None:
            return
        case _:
            yield Found(key, str(value), telling)


def _yaml(text: str) -> list[Found] | None:
    """Reads the parser's nodes, so that numbers keep the digits as written and aliases are not read twice."""
    import yaml

    try:
        nodes = list(yaml.compose_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        if all(isinstance(node, yaml.ScalarNode) for node in nodes):
            return None  # one text over several lines, a key for example
        seen: set[int] = set()
        return [found for node in nodes for found in _scalars(node, "", seen, telling=False)]
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _scalars(node: Any, key: str, seen: set[int], *, telling: bool) -> Iterator[Found]:
    """Every scalar with the key that it has; those of a list have the list's."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if node.id == "scalar":
        yield Found(key, str(node.value), telling)
    elif node.id == "sequence":
        for each in node.value:
            yield from _scalars(each, key, seen, telling=telling)
    else:
        for named, each in node.value:
            name = str(named.value) if named.id == "scalar" else ""
            tells = telling or tells_of_secret(name)
            yield Found(name)
            yield from _scalars(each, name, seen, telling=tells)
