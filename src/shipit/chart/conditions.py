"""Which values decide whether a template renders anything, read from its text: a hint for people, no more."""

from __future__ import annotations

import re
from pathlib import Path

from shipit.chart.source import file_in
from shipit.chart.yaml import load_yaml
from shipit.errors import Refused
from shipit.model import as_map, as_maps, as_text

_CONDITION = re.compile(r"\{\{-?\s*(?:else\s+)?(?:if|with)\b(.*?)\}\}", re.DOTALL)
_VALUE = re.compile(r"\.Values\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_SUBCHART = re.compile(r"charts/([^/]+)/")


def values_asked_for(chart: Path, template: str) -> tuple[str, ...]:
    """The values that turn its subchart on and that its conditions read, as `--set` names them.

    Nothing for what can't be read: a subchart may be packed.
    """
    paths = (template.removeprefix("./"), template.partition("/")[2])
    inside = next((each for each in paths if each and _read(chart, each)), paths[0])
    subchart = _SUBCHART.match(inside)
    below = subchart[1] if subchart else ""
    own = [
        name for condition in _CONDITION.findall(_read(chart, inside)) for name in _VALUE.findall(condition)
    ]
    found = [name if not below or name.startswith("global.") else f"{below}.{name}" for name in own]
    return tuple(dict.fromkeys([*(_conditions_of(chart, below) if below else ()), *found]))


def _conditions_of(chart: Path, subchart: str) -> list[str]:
    """A dependency's `condition`: paths with commas between them."""
    try:
        listed = as_maps(as_map(load_yaml(_read(chart, "Chart.yaml"))).get("dependencies"))
    except Refused:
        return []
    mine = [each for each in listed if subchart in (each.get("alias"), each.get("name"))]
    return [
        path for each in mine for path in as_text(each.get("condition")).replace(" ", "").split(",") if path
    ]


def _read(chart: Path, path: str) -> str:
    try:
        return file_in(chart, path).decode("utf-8", "replace")
    except Refused:
        return ""
