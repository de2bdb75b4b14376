"""Can helm set the tag where `tag_key` says, and is it there because we set it?"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shipit.chart import chart_files, read_values, uses_tag
from shipit.config import Request, key_path, merged, written
from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import Json, Layer, Values
from shipit.plan.candidates import Candidate, counterparts

PROBE_TAG = "shipit-probe"
PROBE_DIGEST = f"@sha256:{'0' * 64}"

LARGEST_FILE = 5 * 1024 * 1024

_ABSENT = object()


def check_tag_keys(request: Request) -> None:
    """Helm must be able to set the tag in the values that it gets. Raises Refused."""
    for values in _given(request):
        if _is_helms(values.layers):
            continue
        whole: Json = {}
        try:
            for layer in values.layers:
                whole = merged(whole, read_values(layer))
        except Refused:
            return  # it is helm's to refuse, in its own words
        for key in request.spec.tag_keys:
            _check_key(key, whole)


def _check_key(key: str, whole: Json) -> None:
    """Measured: helm replaces a list that only the chart's own values hold, and sets nothing below what is no table."""
    here: Any = whole
    path = key_path(key) or ()
    for number, part in enumerate(path):
        at = written(path[:number])
        if isinstance(part, int):
            if not isinstance(here, list):
                raise Refused(
                    f"tag_key {key} names an item of the list {at}, but no values file holds that list: "
                    "helm would replace the chart's own list, and the rest of the item would be lost",
                    hint=advice(f"copy {at} from the chart's values.yaml into a values file"),
                )
            here = here[part] if part < len(here) else _ABSENT
        elif isinstance(here, dict):
            here = here.get(part, _ABSENT)
        elif here is not _ABSENT and isinstance(path[number - 1], str):
            what = "null" if here is None else "a list" if isinstance(here, list) else "a single value"
            raise Refused(
                f"tag_key {key} can't be set: {at} is {what} in the values, not a table",
                hint=advice(f"remove {at} from the values files, or make it a table"),
            )
        else:
            here = _ABSENT


def check_coincidence(
    tagged: Sequence[Candidate],
    rendered: Sequence[Candidate],
    probed: Sequence[Candidate],
    tag: str,
    tag_keys: Sequence[str],
) -> None:
    """What shows the tag must show another one in the rendering that was `probed` with it, or not be there at all.

    `tagged` are the objects of one migration in the rendering with the tag, of all those that may be it. Raises Refused.
    """
    pairs = zip(rendered, counterparts(rendered, probed), strict=True)
    again = [same for one, same in pairs if one in tagged]
    if again and all(same is not None and uses_tag(same.body, tag) for same in again):
        raise Refused(
            f"{' and '.join(tag_keys)} does not reach the image of the migration: "
            f"it reads {tag} because the chart says so",
            hint=advice("set tag_key under [release] to the value that holds the tag"),
        )


def is_written(request: Request) -> bool:
    """Whether a chart or values hold the tag beside what we set, but for an apiVersion; a packed chart may."""
    tag = request.tag.rpartition("@")[2]  # the digest, where there is one: tag and digest may stand apart
    given = _given(request)
    if any(tag in text for values in given for text in (*values.set, *values.set_string)):
        return True
    layers = [layer for values in given for layer in values.layers]
    if _is_helms(layers):
        return True
    if any(tag in str(layer) for layer in layers if isinstance(layer, dict)):
        return True
    charts = {Path(request.chart), *(Path(request.chart_of(entry)) for entry in request.migrations)}
    files = {layer for layer in layers if isinstance(layer, Path)}
    found = re.compile(rb"^(?!\s*apiVersion:).*" + re.escape(tag.encode()), re.MULTILINE)
    read = itertools.chain(files, *map(chart_files, charts))
    return any(f.suffix == ".tgz" or found.search(f.read_bytes()) for f in read if _is_small_file(f))


def _is_helms(layers: Sequence[Layer]) -> bool:
    """Whether some of them only helm can read: they may hold anything."""
    return any(isinstance(layer, str) for layer in layers)


def _is_small_file(path: Path) -> bool:
    """Helm loads no chart with a larger one."""
    return path.is_file() and path.stat().st_size <= LARGEST_FILE


def _given(request: Request) -> list[Values]:
    """The values of every rendering."""
    alone = [entry for entry in request.migrations if entry.renders_alone]
    return [request.values, *map(request.values_of, alone)]
