"""Which values of a chart may hold an image's tag, as `--set` names them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from shipit.chart import all_files, kept_files, load_yaml, read_values
from shipit.config import key_path, merged, written
from shipit.errors import Refused
from shipit.model import Json, Values, as_map, as_maps, as_text

MOST_KEYS = 40
"""Each is tried in a rendering of its own."""
_DEEPEST = 8
KeyPath = tuple[str | int, ...]
_TAG = re.compile(r"tag$|version$", re.IGNORECASE)
_NO_TAG = re.compile(r"^(?:api|kube|chart|tls|schema|min|max).?version$", re.IGNORECASE)
_USED = re.compile(r"\.Values\.((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)")
_SUBCHART = re.compile(r"charts/([^/]+)/")


def values_of_chart(chart: Path, values: Values) -> Json:
    """The chart's values, its subcharts' in their place, with those on top that were given. Raises Refused."""
    return merged(_tree(dict(kept_files(chart)), ""), given_values(values))


def given_values(values: Values) -> Json:
    """Those that the chart is given. Raises Refused."""
    tree: Json = {}
    for layer in values.layers:
        tree = merged(tree, read_values(layer))
    return tree


def candidate_keys(
    chart: Path, tree: Json, given: Json, tags: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """The values that are called like a tag, those of them that only a template names, and those that hold one of the
    `tags`; the likeliest first. Of lists only those that are `given`: Helm would replace one of the chart's own.
    """
    paths = dict.fromkeys((*_paths(tree, tags), *_in_lists(given, tags), *_used(chart)))
    ordered = sorted(paths, key=lambda path: (not str(path[-1]).lower().endswith("tag"), len(path)))
    return tuple(written(path) for path in ordered[:MOST_KEYS])


def _in_lists(tree: Json, tags: frozenset[str], above: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths through the lists of tables in these values: `images[0].tag`."""
    if len(above) >= _DEEPEST:
        return
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _in_lists(value, tags, (*above, key))
        for number, item in enumerate(value) if isinstance(value, list) else ():
            if isinstance(item, dict):
                yield from _paths(item, tags, (*above, key, number))
                yield from _in_lists(item, tags, (*above, key, number))


def _paths(tree: Json, tags: frozenset[str], above: KeyPath = ()) -> Iterator[KeyPath]:
    if len(above) >= _DEEPEST:
        return
    for key, value in tree.items():
        path = (*above, key)
        if isinstance(value, dict):
            yield from _paths(value, tags, path)
        elif not isinstance(value, list | bool) and (_is_tag(key) or str(value) in tags):
            yield path
    if "repository" in tree and not isinstance(tree["repository"], dict):
        yield (*above, "tag")


def _used(chart: Path) -> Iterator[tuple[str, ...]]:
    """What the templates name without it being in the values."""
    for file, content in all_files(chart):
        if "templates/" not in file:
            continue
        inside = _SUBCHART.match(file)
        for name in _USED.findall(content.decode("utf-8", "replace")):
            path = tuple(part for part in key_path(name) or () if isinstance(part, str))
            if path and _is_tag(path[-1]):
                below = inside is not None and path[0] != "global"
                yield (inside[1], *path) if inside is not None and below else path


def _is_tag(key: str) -> bool:
    return _TAG.search(key) is not None and not _NO_TAG.search(key)


def _tree(files: Mapping[str, bytes], at: str) -> Json:
    """The values of the chart whose files begin with `at`."""
    own = _yaml(files, f"{at}values.yaml")
    listed = as_maps(_yaml(files, f"{at}Chart.yaml").get("dependencies"))
    inside = {path[len(at) :].split("/")[1] for path in files if path.startswith(f"{at}charts/")}
    for folder in sorted(inside):
        below = f"{at}charts/{folder}/"
        if f"{below}Chart.yaml" not in files:
            continue
        name = as_text(_yaml(files, f"{below}Chart.yaml").get("name")) or folder
        called = [as_text(each.get("alias")) or name for each in listed if each.get("name") == name] or [name]
        for each in called:
            own = merged({each: _tree(files, below)}, own)
    return own


def _yaml(files: Mapping[str, bytes], path: str) -> Json:
    try:
        return as_map(load_yaml(files.get(path, b"").decode("utf-8", "replace"), path))
    except Refused:
        return {}  # helm says what is wrong with it
