"""Where in a TOML file a key stands: tomllib reads values, and keeps no places.

The text has been read by tomllib before, so it is valid TOML: what follows only needs to find its way through it.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

KeyPlace = tuple[int, int]
"""Line and column, from 1, the column in characters."""
TomlPath = tuple[str | int, ...]
"""Keys, and numbers from 0 in arrays, from the top of the file."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_SIMPLE_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'""")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?""""{0,2}' r"|'''.*?''''{0,2}" r'|"(?:\\.|[^"\\])*"' r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def places(text: str) -> dict[TomlPath, KeyPlace]:
    """Where each key, table and array item of a valid TOML text begins, the first time that it is named."""
    text = text.replace("\r\n", "\n")
    walk = _Walk(text, [0, *(found.end() for found in re.finditer("\n", text))])
    walk.file()
    return walk.found


@dataclass(slots=True)
class _Walk:
    text: str
    starts: list[int]
    """Of each line."""
    at: int = 0
    table: TomlPath = ()
    found: dict[TomlPath, KeyPlace] = field(default_factory=dict)
    counts: dict[TomlPath, int] = field(default_factory=dict)
    """How many tables each array of tables has so far."""

    def file(self) -> None:
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                self._header()
            else:
                self._pair(self.table)
            self._skip(_BLANK)

    def _header(self) -> None:
        begin = self.at
        several = self.text.startswith("[[", begin)
        self.at += 2 if several else 1
        keys = self._keys()
        self.at += 2 if several else 1
        path: TomlPath = ()
        for number, key in enumerate(keys, 1):
            path = (*path, key)
            self._note(path, begin)
            if several and number == len(keys):
                self.counts[path] = self.counts.get(path, 0) + 1
            if path in self.counts:  # of several tables the last one is meant
                path = (*path, self.counts[path] - 1)
                self._note(path, begin)
        self.table = path

    def _pair(self, table: TomlPath) -> None:
        path = table
        begin = self.at
        for key in self._keys():
            path = (*path, key)
            self._note(path, begin)
        self.at += 1  # the `=`
        self._skip(_SPACE)
        self._value(path)

    def _keys(self) -> list[str]:
        """`a."b c".d`; ends behind it and its blanks."""
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            word = self._take(_SIMPLE_KEY)
            keys.append(tomllib.loads(f"k = {word}")["k"] if word[:1] in ("'", '"') else word)
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def _value(self, path: TomlPath) -> None:
        match self.text[self.at : self.at + 1]:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case "'" | '"':
                self._take(_STRING)
            case _:
                self._take(_SCALAR)

    def _array(self, path: TomlPath) -> None:
        for number, _ in enumerate(self._items("]")):
            self._note((*path, number), self.at)
            self._value((*path, number))

    def _inline_table(self, path: TomlPath) -> None:
        for _ in self._items("}"):
            self._pair(path)

    def _items(self, end: str) -> Iterator[None]:
        """Stands before each item, in the end behind the closing bracket."""
        self.at += 1
        self._skip(_BLANK)
        while self.at < len(self.text) and not self.text.startswith(end, self.at):
            yield
            self._skip(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1
                self._skip(_BLANK)
        self.at += 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:  # not TOML after all: no more places, and no endless loop
            self.at = len(self.text)
            return ""
        self.at = match.end()
        return match.group()

    def _note(self, path: TomlPath, begin: int) -> None:
        line = bisect_right(self.starts, begin)
        self.found.setdefault(path, (line, begin - self.starts[line - 1] + 1))
