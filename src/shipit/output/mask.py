"""The values of Secrets, cut out of every event before anybody can read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from functools import cache
from typing import Any, TypeVar, cast

from shipit.events import Emit, Event
from shipit.output.sanitize import visible, visible_at
from shipit.output.secret_encodings import SHORTEST, forms

_E = TypeVar("_E", bound=Event)
_Span = tuple[int, int]

MASK = "***"

# What is not searched. Words from a fixed list, never foreign text: a Secret that holds "succeeded" must not hide how
# a deploy ended. And the names by which people and scripts find things: they are no secrets, and anybody who may read
# the log may read them in the cluster.
_VOCABULARY = frozenset({"outcome", "state", "kind", "command", "run", "written"})
_NAMES = frozenset(
    {"release", "namespace", "context", "tag", "revision", "step", "job", "pod", "container", "name"}
)


class Mask:
    """Is an `Emit` that hands events on to another one with every hidden value replaced by `***`.

    Hidden is a value in the forms of `forms.py`, as the raw text holds it and as it is shown: escapes and control
    codes between its characters hide nothing from the mask. Left alone are forms under 6 characters, the fields that
    name something (release, namespace, tag, Job, pod, …), and a value that is itself the name of the release, its
    namespace, its tag or its context (`POSTGRES_USER: mastodon`): what is public anyway is no secret. Nor is a hint's
    command searched, which is made of such names and of what was typed: it must do what it says.

    A text is searched in a time that doesn't depend on how many forms there are: few of its runs of six characters
    begin one of them.
    """

    def __init__(self, emit: Emit, values: Iterable[str] = ()) -> None:
        self._emit = emit
        self._names: frozenset[str] = frozenset()
        self._values: set[str] = set()
        self._forms: set[str] = set()
        self._lengths: dict[str, tuple[int, ...]] = {}  # of the forms that begin so, longest first
        self.hide(values)

    def spare(self, names: Iterable[str]) -> None:
        """Values that are one of these names are not hidden when `hide` is told them later."""
        self._names |= {name for name in names if name}

    def hide(self, values: Iterable[str]) -> None:
        """Hide more values, from the next event on."""
        for value in values:
            if value in self._values:
                continue
            self._values.add(value)
            for form in forms(value, self._names):
                self._forms.add(form)
                start = form[:SHORTEST]
                known = self._lengths.get(start, ())
                if len(form) not in known:
                    self._lengths[start] = tuple(sorted((*known, len(form)), reverse=True))

    def text(self, text: str) -> str:
        """The text with every hidden value replaced; the same object when there is none in it."""
        while spans := self._found(text):
            # once more: what is left must not make up a value with what stood around the one that went
            text = _replaced(text, spans)
        return text

    def __call__(self, event: Event) -> None:
        self._emit(self.masked(event))

    def masked(self, event: _E) -> _E:
        """The same event without what is hidden; the same object when there is nothing in it."""
        return cast("_E", self._value(event)) if self._forms else event

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple):
            items = tuple(self._value(item) for item in value)
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        if hasattr(value, "__dataclass_fields__"):
            kind: Any = type(value)
            old = {name: getattr(value, name) for name in _searched(kind)}
            new = {name: self._value(each) for name, each in old.items()}
            return replace(value, **new) if any(new[name] is not old[name] for name in old) else value
        return value

    def _found(self, text: str) -> list[_Span]:
        """Where hidden values stand in the raw text, and where in what is shown of it; in order, none over another."""
        spans = list(self._spans(text))
        shown = text if text.isprintable() else visible(text)
        if shown != text and (seen := list(self._spans(shown))):
            at = visible_at(text)
            spans += [(at[start], at[end - 1] + 1) for start, end in seen]
        return _merged(spans)

    def _spans(self, text: str) -> Iterator[_Span]:
        starts = range(len(text) - SHORTEST + 1)
        if self._lengths.keys().isdisjoint(text[at : at + SHORTEST] for at in starts):
            return
        for at in starts:
            for length in self._lengths.get(text[at : at + SHORTEST], ()):
                if (form := text[at : at + length]) in self._forms:
                    yield at, at + len(form)
                    break


@cache
def _searched(kind: Any) -> tuple[str, ...]:
    """The fields of a dataclass that may hold foreign text."""
    return tuple(field.name for field in fields(kind) if field.name not in _VOCABULARY | _NAMES)


def _merged(spans: list[_Span]) -> list[_Span]:
    merged: list[_Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _replaced(text: str, spans: list[_Span]) -> str:
    kept: list[str] = []
    done = 0
    for start, end in spans:
        kept += (text[done:start], MASK)
        done = end
    return "".join((*kept, text[done:]))
