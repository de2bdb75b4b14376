"""What helm is told of values: a private file for each table, and assignments in the order in which helm takes them.

Helm reads every number of a values file as a float, in whatever form YAML or JSON write it, and of `--set-json` as
well: a template prints 2500000 as `2.5e+06` (measured with Helm 3.13, 3.22 and 4.3). Only `--set` makes integers. So
the large integers of a table are assigned as well. They show in the process list, as nothing else of a table does:
what a file takes from `${VAR}` is text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipit.chart import read_values
from shipit.config import KeyPath, merged, written
from shipit.helm.files import write_values
from shipit.model import Json, Layer, Values

SMALLEST_LARGE = 1_000_000
"""From here on a float is printed with an exponent."""
_MOST_LEVELS = 30  # of a key, for Helm


@dataclass(frozen=True, slots=True)
class ValueFlags:
    """`below` stands before a user's own helm flags, `above` behind them: of two assignments helm takes the later.

    Whatever their places, helm takes --values first, then --set-json, --set, --set-string, --set-file, --set-literal.
    """

    below: tuple[str, ...] = ()
    above: tuple[str, ...] = ()


def value_flags(values: Values, folder: Path) -> ValueFlags:
    """The flags for these values; their tables are written below `folder`, which is private."""
    files = [_named(layer, folder) for layer in values.layers]
    return ValueFlags(
        below=(
            *(f"--values={_csv(name)}" for name in files),
            *(f"--set={written(path)}={number}" for path, number in large_integers(values).items()),
        ),
        above=(
            *(f"--set={each}" for each in values.set),
            *(f"--set-string={each}" for each in values.set_string),
        ),
    )


def _named(layer: Layer, folder: Path) -> str:
    """As helm finds it; of a URL nothing is changed."""
    match layer:
        case dict():
            return str(write_values(folder, layer).absolute())
        case Path():
            return str(layer.absolute())
    return layer


def large_integers(values: Values) -> Mapping[KeyPath, int]:
    """The large integers of the tables among the layers that no layer above replaces."""
    own: dict[KeyPath, int] = {}
    whole: Json = {}
    for layer in values.layers:
        if isinstance(layer, dict):
            own |= dict(_large(layer))
        if own:
            whole = merged(whole, read_values(layer))
    return {path: number for path, number in _large(whole) if own.get(path) == number}


def _large(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, int]]:
    match value:
        case dict():
            for key, each in value.items():
                if key:  # no assignment can name the empty one
                    yield from _large(each, (*path, key))
        case list():
            for index, each in enumerate(value):
                yield from _large(each, (*path, index))
        case int() if (
            not isinstance(value, bool) and abs(value) >= SMALLEST_LARGE and len(path) <= _MOST_LEVELS
        ):
            yield path, value


def _csv(text: str) -> str:
    """Helm reads `--values` as a line of CSV: a path with a comma or a quote must be quoted."""
    if not any(sign in text for sign in ',"\n'):
        return text
    return '"' + text.replace('"', '""') + '"'
