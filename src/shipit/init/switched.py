"""Jobs that a chart renders only once a value asks for them, and the value that does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from shipit.chart import all_files, from_template, values_asked_for
from shipit.config import key_path
from shipit.errors import HelmFailed, Refused
from shipit.init.look import Look
from shipit.model import Json, as_map
from shipit.plan import Candidate, Rendering, migrations_of

_JOB = re.compile(rb"^kind:\s*[\"']?(?:Job|Pod)\b", re.MULTILINE)
_MOST_TEMPLATES, _MOST_SWITCHES = 8, 4


@dataclass(frozen=True, slots=True)
class Switched:
    """A Job, its template in the chart, the values that turn it on, and what the chart renders with them."""

    one: Candidate
    template: str
    set: Json
    rendering: Rendering


def switched_off(look: Look) -> Iterator[Switched]:
    """What is off by default, each with the fewest values that turn it on."""
    for template in islice(_templates(look), _MOST_TEMPLATES):
        asked = [key for key in values_asked_for(look.chart, template) if not _value(look.tree, key)]
        asked = sorted(asked, key=lambda key: not key.endswith("enabled"))[:_MOST_SWITCHES]
        ways = [(key,) for key in asked] + ([tuple(asked)] if len(asked) > 1 else [])
        found = (each for keys in ways for each in _turned_on(look, template, keys))
        yield from islice(found, 1)


def _templates(look: Look) -> Iterator[str]:
    """The templates with a Job of which nothing is rendered."""
    shown = {one.source for one in look.migrations}
    for path, content in all_files(look.chart):
        in_templates = path.startswith("templates/") or "/templates/" in path
        if in_templates and _JOB.search(content) and not any(from_template(each, path) for each in shown):
            yield path


def _turned_on(look: Look, template: str, keys: tuple[str, ...]) -> Iterator[Switched]:
    table: Json = {}
    for key in keys:
        _set(table, [str(part) for part in key_path(key) or ()])
    try:
        rendering = Rendering.of(look.render(look.values.with_layers(table)), "")
    except (HelmFailed, Refused):
        return
    for one in migrations_of(rendering):
        if from_template(one.source, template):
            yield Switched(one, template, table, rendering)


def _set(table: Json, path: list[str]) -> None:
    for part in path[:-1]:
        table = table.setdefault(part, {})
    table[path[-1]] = True


def _value(tree: Json, key: str) -> Any:
    here: Any = tree
    for part in key_path(key) or ():
        here = as_map(here).get(str(part))
    return here
