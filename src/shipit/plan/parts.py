"""The objects of a plan as two renderings of one chart are compared: what they are called, and what the chart renders
anew each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shipit.chart import canonical
from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import Json, Plan, Resource, as_map, metadata_of

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a plan. `key` names it by what it is called, `place` by where it comes from; `title` is for people."""

    key: str
    place: str
    title: str
    body: Json

    def without(self, paths: Sequence[Path]) -> str:
        """What it says but for these fields."""
        body: Any = self.body
        for path in paths:
            body = _without(body, path)
        return canonical(body)


def parts_of(plan: Plan) -> tuple[Part, ...]:
    """The steps' objects, in their order, then the app's."""
    steps = (
        Part(f"step {number}", f"step {number}", step.ref.title, _undressed(step.manifest))
        for number, step in enumerate(plan.steps, 1)
    )
    return (*steps, *app_parts(plan.app))


def app_parts(app: Sequence[Resource]) -> tuple[Part, ...]:
    """The app's objects, in their order."""
    seen: Counter[str] = Counter()
    found = []
    for each in app:
        place = f"{each.ref.kind} of {each.source}"
        seen[place] += 1
        found.append(Part("/".join(each.ref.identity), f"{place} {seen[place]}", each.ref.title, each.body))
    return tuple(found)


def paired(ones: Sequence[Part], others: Sequence[Part]) -> tuple[tuple[Part | None, Part | None], ...]:
    """Each with its like: of the same name, else from the same place; None where there is none."""
    by_key = {each.key: each for each in others}
    known = {each.key for each in ones} & by_key.keys()
    by_place = {each.place: each for each in others if each.key not in known}
    pairs: list[tuple[Part | None, Part | None]] = []
    for one in ones:
        other = by_key.get(one.key) if one.key in known else by_place.pop(one.place, None)
        pairs.append((one, other))
    found = {other.key for _, other in pairs if other is not None}
    return (*pairs, *((None, each) for each in others if each.key not in found))


def volatile_paths(first: Sequence[Part], second: Sequence[Part]) -> dict[str, tuple[Path, ...]]:
    """By the key of each object what two renderings say differently of it. Raises Refused when one has other objects."""
    found: dict[str, tuple[Path, ...]] = {}
    for one, other in paired(first, second):
        if one is None or other is None:
            title = (one or other).title  # type: ignore[union-attr]
            raise Refused(
                f"the chart renders other objects each time: {title} is in one of two renderings only",
                hint=advice("what it will render can't be known, nor saved"),
            )
        if paths := tuple(_differing(one.body, other.body, ())):
            found[one.key] = paths
    return found


def written(title: str, path: Path) -> str:
    """`Secret session: data.key`"""
    return f"{title}: {'.'.join(map(str, path))}"


def _undressed(manifest: Json) -> Json:
    """Without what names the run: shipit's notes are others with each."""
    meta = metadata_of(manifest)
    notes = {
        key: value for key, value in as_map(meta.get("annotations")).items() if not key.startswith("shipit/")
    }
    return {**manifest, "metadata": {**meta, "annotations": notes}}


def _differing(one: Any, other: Any, path: Path) -> Iterator[Path]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys((*one, *other)):
            if key in one and key in other:
                yield from _differing(one[key], other[key], (*path, key))
            else:
                yield (*path, key)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from _differing(mine, theirs, (*path, number))
    elif canonical(one) != canonical(other):
        yield path


def _without(value: Any, path: Path) -> Any:
    """The value without what stands there; what isn't there is left out already."""
    first, *rest = path
    if isinstance(value, dict) and first in value:
        kept = {key: each for key, each in value.items() if key != first}
        return {**kept, first: _without(value[first], tuple(rest))} if rest else kept
    if isinstance(value, list) and isinstance(first, int) and first < len(value):
        inner = [_without(value[first], tuple(rest))] if rest else ["volatile"]
        return [*value[:first], *inner, *value[first + 1 :]]
    return value
