"""One JSON object a line: every event of the contract, for machines.

Beyond the contract's fields an event carries what its dataclass holds. `revision` is null when none was made, and
`timeout_s` null when a step has no bound; `hint` is the command to type, `hint_why` the reason, or `hint` is a piece of
advice. ASCII only, so that neither a locale nor a line separator inside a log line
can break a reader; lone surrogates, which JSON can't name, become U+FFFD.
"""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from typing import Any

from shipit.events import AppLogLine, Ended, Event, Failed, LogLine
from shipit.hints import Hint
from shipit.model import Clock
from shipit.output.sanitize import scalars
from shipit.output.sink import Sink

Fields = dict[str, Any]


class JsonLines:
    interval: float | None = None

    def __init__(self, out: Sink, *, clock: Clock, run: str) -> None:
        self._out = out
        self._clock = clock
        self._run = run

    def show(self, event: Event) -> None:
        time = event.written if isinstance(event, LogLine | AppLogLine) else ""
        time = time or self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": time, "run": self._run, **fields(event)})
        self._out.line(line if "\\ud" not in line else json.dumps(json.loads(line, object_hook=_clean)))

    def tick(self) -> None:
        """A machine needs no heartbeat."""

    def close(self) -> None:
        """Every line is already out."""


def _clean(fields: Fields) -> Fields:
    return {key: _scalar(value) for key, value in fields.items()}


def _scalar(value: object) -> object:
    if isinstance(value, list):
        return [_scalar(item) for item in value]
    return scalars(value) if isinstance(value, str) else value


def fields(event: Event) -> Fields:
    """The contract's `type` and fields of an event."""
    found = {"type": event.TYPE, **_plain(event)}
    if isinstance(event, Failed):
        found["message"] = "; ".join((event.message, *event.states))
    return found


def result(event: Ended) -> Fields:
    """The `result` object: what `--report` writes too."""
    return fields(event)


_LEFT_OUT = frozenset({"run", "result", "states", "ending", "written", "attempts", "init", "trouble"})
"""Said with every line; said at the end; said with the message, twice; the time of its line; for people only."""
_SECONDS = frozenset({"timeout", "start_timeout", "elapsed", "duration"})


def _plain(event: Any) -> Fields:
    """The fields of a dataclass under the contract's names: seconds say so, 0 is no revision, a hint is two."""
    found: Fields = {}
    kind: Any = type(event)
    for name in _names(kind):
        value = getattr(event, name)
        if name == "hint":
            found |= _hint(value)
        elif name in ("revision", "base_revision", "live_revision"):
            found[name] = value or None
        elif name in _SECONDS:
            found[f"{name}_s"] = None if value is None else round(value, 3)
        else:
            found[name] = [_item(item) for item in value] if isinstance(value, tuple) else _item(value)
    return found


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind) if field.name not in _LEFT_OUT)


def _item(value: Any) -> Any:
    return _plain(value) if dataclasses.is_dataclass(value) else value


def _hint(hint: Hint) -> Fields:
    return {"hint": str(hint), "hint_why": hint.why if hint.command else ""}
