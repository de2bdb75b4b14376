"""A chart rendered without a cluster: what an install and an upgrade hold, and which images run where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from shipit.chart import containers, file_in, image, load_yaml, pod_spec
from shipit.errors import HelmFailed, Refused
from shipit.init.value_keys import candidate_keys, given_values, values_of_chart
from shipit.model import Json, Rendered, Resource, Values, as_map, as_maps, as_text
from shipit.plan import Candidate, Rendering, counterparts, migrations_of

_CHANGES = re.compile(r"\.Release\.Revision\b|\bnow\b|\bdate\b")
_STAND_IN = "0.0.1"


class Render(Protocol):
    """Renders the chart as an install or an upgrade of a release that isn't anywhere. Raises HelmFailed."""

    def __call__(self, given: Values, *, upgrade: bool = False) -> Rendered: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image runs. `own`: it is not a subchart's; `first`: it is an init container."""

    kind: str
    name: str
    source: str
    container: str
    image: str
    own: bool = field(compare=False, default=True)
    first: bool = field(compare=False, default=False)

    @property
    def repository(self) -> str:
        return image(self.image).repository

    @property
    def tag(self) -> str:
        return image(self.image).tag

    @property
    def spot(self) -> tuple[str, str, str, str]:
        """The same in each rendering, whatever the names and the tags there."""
        return (self.source, self.kind, self.container, self.repository)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Look:
    """`values` are those that it renders with: what was given, and a stand-in where it asks for a tag.

    `patterns` give for each migration that is called otherwise in each rendering a pattern of its name; `upgrades`: some
    are rendered for upgrades only.
    """

    chart: Path
    render: Render
    values: Values
    keys: tuple[str, ...]
    tree: Json
    install: Rendering
    migrations: tuple[Candidate, ...]
    patterns: dict[int, str]
    upgrades: bool

    @property
    def workloads(self) -> tuple[Resource, ...]:
        """The objects that run pods, other than Jobs and hooks."""
        found = (one for each in self.install.documents for one in each.resources)
        return tuple(one for one in found if one.ref.kind != "Job" and containers(one.body))

    def called(self, one: Candidate) -> str:
        """A migration's name, or its pattern."""
        return self.patterns.get(id(one)) or one.name

    def with_pattern(self, place: Place) -> Place:
        """The place, called by the pattern of its name where it has one."""
        for one in self.migrations:
            if id(one) in self.patterns and place.spot in (
                each.spot for each in places(one.source, one.body)
            ):
                return replace(place, name=self.patterns[id(one)])
        return place


def look_at(chart: Path, values: Values, render: Render) -> Look:
    """Raises HelmFailed, with its words, for a chart that can't be rendered, Refused for what it renders."""
    tree, given = values_of_chart(chart, values), given_values(values)
    values, first = _renderable(values, candidate_keys(chart, tree, given), render)
    install, again = (Rendering.of(each, "") for each in (first, render(values)))
    upgrade, upgraded = (_upgrade(values, render) or install for _ in range(2))
    both = migrations_of(install)
    more = tuple(_more(upgrade, upgraded, both))
    found = [*zip(both, counterparts(both, migrations_of(again)), strict=True), *more]
    patterns = {id(one): text for one, other in found if (text := _pattern(one, other, chart))}
    keys = candidate_keys(chart, tree, given, frozenset(each.tag for each in all_places(install)) - {""})
    migrations = tuple(one for one, _ in found)
    return Look(chart, render, values, keys, tree, install, migrations, patterns, upgrades=bool(more))


def all_places(rendering: Rendering) -> tuple[Place, ...]:
    """Every container of what a chart renders."""
    bodies = [(one.source, one.body) for each in rendering.documents for one in each.resources]
    bodies += [(each.path, as_map(load_yaml(each.manifest))) for each in rendering.hooks]
    return tuple(place for source, body in bodies for place in places(source, body))


def places(source: str, body: Json) -> Iterator[Place]:
    """The containers of one object."""
    first = [each.get("name") for each in as_maps(pod_spec(body).get("initContainers"))]
    name = as_text(as_map(body.get("metadata")).get("name"))
    own = "/charts/" not in source
    for each in containers(body):
        if text := as_text(each.get("image")):
            inside = as_text(each.get("name"))
            kind = as_text(body.get("kind"))
            yield Place(kind, name, source, inside, text, own=own, first=each.get("name") in first)


def _renderable(values: Values, keys: Sequence[str], render: Render) -> tuple[Values, Rendered]:
    """With a stand-in for the tag where the chart does not render without one."""
    try:
        return values, render(values)
    except HelmFailed as error:
        if error.reason != "render":
            raise
        for some in [(key,) for key in keys] + [tuple(keys)]:
            filled = values.with_tag(_STAND_IN, some)
            with suppress(HelmFailed):
                return filled, render(filled)
        raise


def _upgrade(values: Values, render: Render) -> Rendering | None:
    try:
        return Rendering.of(render(values, upgrade=True), "")
    except (HelmFailed, Refused):  # it asks the cluster for what an install made
        return None


def _more(
    upgrade: Rendering, again: Rendering, known: Sequence[Candidate]
) -> Iterator[tuple[Candidate, Candidate | None]]:
    """What only an upgrade renders."""
    ours = migrations_of(upgrade)
    for one, there, other in zip(
        ours, counterparts(ours, known), counterparts(ours, migrations_of(again)), strict=True
    ):
        if there is None:
            yield one, other


def _pattern(one: Candidate, other: Candidate | None, chart: Path) -> str:
    """A pattern for a name that another rendering has otherwise, "" for one that stays."""
    if other is not None and other.name != one.name:
        same = 0
        while one.name[same : same + 1] == other.name[same : same + 1] != "":
            same += 1
        return one.name[: one.name.rfind("-", 0, same + 1) + 1 or same] + "*"
    if not re.search(r"\d", one.name) or not _CHANGES.search(_text(chart, one.source)):
        return ""
    return re.sub(r"\d+", "*", one.name)


def _text(chart: Path, source: str) -> str:
    return file_in(chart, source.partition("/")[2]).decode("utf-8", "replace")
