"""The values of Secrets, cut out of every event before anybody can read it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any, TypeVar, cast
from urllib.parse import quote

from shipit.events import Emit, Event, LogLine

_E = TypeVar("_E", bound=Event)

SHORTEST = 6
"""A shorter value is no secret worth the damage: `true`, `5432`, `admin` would blank out half of every log."""

MASK = "***"

# Words from a fixed list, never foreign text: a Secret that holds "succeeded" must not hide how a deploy ended.
_VOCABULARY = frozenset({"outcome", "state", "kind", "command", "run"})


class Mask:
    """Is an `Emit` that hands events on to another one with every hidden value replaced by `***`.

    Hidden is a value as it is, each line of one with several lines, as base64 (as a Secret, or the `base64` command,
    writes it) and as part of a URL; values and lines under 6 characters are left alone.
    """

    def __init__(self, emit: Emit, values: Iterable[str] = ()) -> None:
        self._emit = emit
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.hide(values)

    def hide(self, values: Iterable[str]) -> None:
        """Hide more values, from the next event on."""
        self._forms |= {form for value in values for form in _forms(value) if len(form) >= SHORTEST}
        longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """The text with every hidden value replaced; for what doesn't travel as an event, such as a traceback."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def __call__(self, event: Event) -> None:
        self._emit(self.masked(event))

    def masked(self, event: _E) -> _E:
        """The same event without what is hidden."""
        if self._pattern is None:
            return event
        if isinstance(event, LogLine):  # the one that comes by the hundred thousand
            words = (event.line, event.step, event.pod, event.container)
            if not any(map(self._hidden, words)):
                return event
        return cast("_E", self._value(event))

    def _hidden(self, text: str) -> bool:
        return self._pattern is not None and self._pattern.search(text) is not None

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple):
            return tuple(self._value(item) for item in value)
        if hasattr(value, "__dataclass_fields__"):
            names = [field.name for field in fields(value) if field.name not in _VOCABULARY]
            return replace(value, **{name: self._value(getattr(value, name)) for name in names})
        return value


def _forms(value: str) -> Iterable[str]:
    """The ways in which a value shows up in text."""
    raw = value.encode("utf-8", "surrogatepass")
    whole = base64.b64encode(raw).decode()
    yield from (value, value.strip(), *(line.strip() for line in value.splitlines()))
    yield from (whole, whole.rstrip("="), *base64.encodebytes(raw).decode().splitlines())
    yield quote(value, safe="", errors="surrogatepass")
