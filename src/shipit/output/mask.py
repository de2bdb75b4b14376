"""The values of Secrets, cut out of every event before anybody can read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from functools import cache
from typing import Any, TypeVar, cast

from shipit.events import Emit, Event
from shipit.output.public_words import PublicWords
from shipit.output.sanitize import visible, visible_at
from shipit.output.secret_encodings import SHORTEST, forms

_E = TypeVar("_E", bound=Event)
_Span = tuple[int, int]

MASK = "***"

# What is not searched. Words from a fixed list, never foreign text: a Secret that holds "succeeded" must not hide how
# a deploy ended. And the names by which people and scripts find things: they are no secrets, and anybody who may read
# the log may read them in the cluster.
_VOCABULARY = frozenset({"outcome", "state", "kind", "command", "run", "written", "action", "when"})
_NAMES = frozenset(
    {
        "release",
        "namespace",
        "context",
        "tag",
        "revision",
        "step",
        "job",
        "pod",
        "container",
        "name",
        "live_tag",
        "environment",
        "steps",
        "label",
    }
)

# Any SHORTEST characters hold _GRAM ones that begin at a multiple of _STRIDE: a text is looked up at those only.
_GRAM, _STRIDE = 4, 3
CUT = "…"
"""Where a long text was cut, maybe in the middle of a value."""
CUT_AFTER = 500


class Mask:
    """Is an `Emit` that hands events on to another one with every hidden value replaced by `***`: the one place that
    knows what is secret and what is public.

    Hidden is a value in the forms of `secret_encodings.py`, as the raw text holds it and as it is shown: escapes and
    control codes between its characters hide nothing from the mask. Left alone are forms under 6 characters, the fields
    that name something (release, namespace, tag, Job, pod, …), and what `PublicWords` hold: a form that stands in
    clear elsewhere, and any part of a word that does (`migrate` in the name `shopmigrate`). That is asked where a form
    is found, so that it doesn't matter which of both was told first. Nor is a hint's command searched, which is made of
    names and of what was typed: it must do what it says.

    A text is searched in a time that doesn't depend on how many forms there are.
    """

    def __init__(self, emit: Emit, values: Iterable[str] = ()) -> None:
        self._emit = emit
        self._public = PublicWords()
        self._values: set[str] = set()
        self._forms: set[str] = set()
        self._lengths: dict[str, tuple[int, ...]] = {}  # of the forms that begin so, longest first
        self._grams: set[str] = set()
        self.hide(values)

    def spare(self, texts: Iterable[str]) -> None:
        """Texts that stand in clear: neither they nor any words of theirs are hidden."""
        self._public.add(texts)

    def hide(self, values: Iterable[str]) -> None:
        """Hide more values, from the next event on."""
        for value in values:
            if value in self._values:
                continue
            self._values.add(value)
            for form in forms(value):
                self._forms.add(form)
                self._grams.update(form[at : at + _GRAM] for at in range(_STRIDE))
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
            changed: dict[str, Any] = {}
            kind: Any = type(value)
            for name in _searched(kind):
                old = getattr(value, name)
                if (new := self._value(old)) is not old:
                    changed[name] = new
            return replace(value, **changed) if changed else value
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
        for at in self._starts(text):
            lengths = self._lengths.get(text[at : at + SHORTEST])
            if lengths and (end := self._end(text, at, lengths)):
                yield at, end

    def _starts(self, text: str) -> Iterator[int]:
        """Where a form may begin."""
        grams = [text[at : at + _GRAM] for at in range(0, len(text) - _GRAM + 1, _STRIDE)]
        if self._grams.isdisjoint(grams):
            return
        for number in [number for number, gram in enumerate(grams) if gram in self._grams]:
            at = number * _STRIDE
            yield from range(max(0, at - _STRIDE + 1), at + 1)

    def _end(self, text: str, at: int, lengths: tuple[int, ...]) -> int:
        """Where the longest hidden value ends that begins there; 0 for none."""
        for end in (at + length for length in lengths):
            if end <= len(text) and text[at:end] in self._forms and self._is_secret(text, at, end):
                return end
        return self._cut(text, at)

    def _is_secret(self, text: str, start: int, end: int) -> bool:
        return not (self._public.hold(text[start:end]) or self._public.hold_around(text, start, end))

    def _cut(self, text: str, at: int) -> int:
        """The same of a value that a long text was cut in."""
        end = text.find(CUT, max(at + SHORTEST, CUT_AFTER))
        begun = text[at:end] if end >= 0 else ""
        cut = begun and any(
            form.startswith(begun) for form in tuple(self._forms)
        )  # other threads may add some
        return end if cut and self._is_secret(text, at, end) else 0


@cache
def _searched(kind: Any) -> tuple[str, ...]:
    """The fields of a dataclass that may hold foreign text."""
    numbers = {field.name for field in fields(kind) if field.type in ("int", "float")}
    return tuple(field.name for field in fields(kind) if field.name not in _VOCABULARY | _NAMES | numbers)


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
