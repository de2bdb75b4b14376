"""`--set` and `--set-string` as Helm reads them: `a.b[0].c=1,list={x,y},note=one\\,two`."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any

from shipit.config.validators import MOST_EXACT
from shipit.errors import Usage
from shipit.model import Json

# Helm's own bounds
_MOST_LEVELS = 30
_HIGHEST_INDEX = 65536
_WORDS = {"true": True, "false": False, "null": None, "0": 0}
_INTEGER = re.compile(r"[-+]?[0-9]{1,25}")

Path = tuple[str | int, ...]
"""A value's way from the top: names of tables, numbers of list items."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One `path=value`; `source` is the flag and text that it comes from, without the value."""

    path: Path
    value: Any
    source: str


def parse_set(text: str, *, flag: str = "--set", strings: bool = False) -> tuple[Assignment, ...]:
    """The assignments of one flag, in order. Raises Usage, naming the flag and the key but no value.

    As in Helm, `true`, `false`, `null` and 64-bit integers are typed (with `strings` nothing is), anything else is
    text, `{a,b}` is a list, and a backslash takes away the meaning of what follows it. Unlike Helm, an empty name
    (`a..b=1`) and text behind a list's `}` are errors, not ignored.
    """
    scanner = _Scanner(text, flag)
    found: list[Assignment] = []
    while not scanner.done:
        path = scanner.path("=")
        found.append(Assignment(path, scanner.value(strings=strings), f"{flag} {written(path)}"))
    return tuple(found)


def key_path(text: str, flag: str) -> Path:
    """The path that a key alone names: `image.tag`, `containers[0].tag`. Raises Usage."""
    return _Scanner(text, flag).path("")


def tag_keys(keys: str | tuple[str, ...]) -> str:
    """What is wrong with a `tag_key`, or "": it names at least one value, in the form that `--set` takes."""
    allowed = 'allowed is the path of a value, like "image.tag", or a list of such paths'
    if not keys:
        return f"names no value; {allowed}"
    try:
        for key in (keys,) if isinstance(keys, str) else keys:
            key_path(key, "")
    except Usage as error:
        return f"{error.message.removeprefix(': ')}; {allowed}"
    return ""


def written(path: Path) -> str:
    """A path as `--set` would take it."""
    names = (
        f"[{part}]" if isinstance(part, int) else "." + re.sub(r"([\\.,=\[])", r"\\\1", part) for part in path
    )
    return "".join(names).removeprefix(".")


def assign(values: Json, assignment: Assignment, base: Json) -> None:
    """Put one value into `values`, which Helm will lay over `base`. Raises Usage where a name meets a list or text.

    A list in `values` replaces that of `base` as a whole: before one of its items is set, it is copied from there.
    """
    here: Any = values
    below: Any = base
    *way, last = assignment.path
    for part, following in zip(way, assignment.path[1:], strict=True):
        below = _item(below, part)
        child = _item(here, part)
        if child is None:
            copied = below if isinstance(below, list) and isinstance(following, int) else None
            child = copy.deepcopy(copied) if copied is not None else [] if isinstance(following, int) else {}
        # as in Helm, what a list held before at that place makes room for a table
        if isinstance(part, int) and isinstance(following, str) and not isinstance(child, dict):
            child = {}
        if not isinstance(child, list if isinstance(following, int) else dict):
            kind = "list" if isinstance(following, int) else "table"
            raise Usage(f"{assignment.source}: {part} is no {kind} by what was set before")
        _put(here, part, child)
        here = child
    _put(here, last, copy.deepcopy(assignment.value))


def _item(holder: Any, part: str | int) -> Any:
    match holder, part:
        case dict(), str():
            return holder.get(part)
        case list(), int():
            return holder[part] if part < len(holder) else None
    return None


def _put(holder: Any, part: str | int, value: Any) -> None:
    if isinstance(part, int):
        holder.extend([None] * (part + 1 - len(holder)))
    holder[part] = value


class _Scanner:
    """Reads one flag's text from left to right; `parts` is the key that it read last, or reads."""

    def __init__(self, text: str, flag: str) -> None:
        self.text = text
        self.flag = flag
        self.at = 0
        self.parts: list[str | int] = []

    @property
    def done(self) -> bool:
        return self.at >= len(self.text)

    def until(self, stops: str) -> tuple[str, str]:
        """The text up to the next of `stops`, and which it was: "" at the end."""
        found: list[str] = []
        while not self.done:
            char = self.text[self.at]
            self.at += 1
            if char in stops:
                return "".join(found), char
            if char == "\\":
                char = self.text[self.at : self.at + 1]
                self.at += 1
            found.append(char)
        return "".join(found), ""

    def path(self, end: str) -> Path:
        """A key up to and with `end`: "=", or "" for the end of the text."""
        self.parts = []
        stop = "."
        while stop != end:
            if stop == "[":
                self.parts.append(self.index())
                rest, stop = self.until("[.=")
                if rest:
                    raise self.wrong("there is text behind its `]`")
            elif stop == ".":
                name, stop = self.until("=[,.")
                if not name:
                    raise self.wrong("a name in it is empty")
                self.parts.append(name)
            else:
                raise self.wrong("has no value" if end else f"`{stop}` can't be part of a key")
            if sum(isinstance(part, str) for part in self.parts) > _MOST_LEVELS + 1:
                raise self.wrong(f"more than {_MOST_LEVELS} levels deep")
        return tuple(self.parts)

    def index(self) -> int:
        digits, stop = self.until("]")
        if not stop or not re.fullmatch(r"[0-9]{1,9}", digits) or int(digits) > _HIGHEST_INDEX:
            raise self.wrong(f"an index is missing its `]` or is none; allowed is [0] to [{_HIGHEST_INDEX}]")
        return int(digits)

    def value(self, *, strings: bool) -> Any:
        if self.text[self.at : self.at + 1] != "{":
            return self.typed(self.until(",")[0], strings=strings)
        self.at += 1
        items: list[Any] = []
        stop = ","
        while stop == ",":
            item, stop = self.until(",}")
            items.append(self.typed(item, strings=strings))
        if not stop or self.text[self.at : self.at + 1] not in ("", ","):
            raise self.wrong("a list must end with `}`, and a `,` must follow before the next key")
        self.at += 1
        return items

    def typed(self, text: str, *, strings: bool) -> Any:
        if strings:
            return text
        if text.lower() in _WORDS:
            return _WORDS[text.lower()]
        if text[:1] == "0" or not _INTEGER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
            return text
        if abs(int(text)) > MOST_EXACT:
            raise self.wrong("an integer of more than 53 bits would lose digits in helm; use --set-string")
        return int(text)

    def wrong(self, problem: str) -> Usage:
        key = written(tuple(self.parts[:_MOST_LEVELS]))
        return Usage(f"{self.flag}{' ' if self.flag and key else ''}{key}: {problem}")
