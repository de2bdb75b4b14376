"""Values with the tag in them: where the chart has a key for the digest beside the tag's, each gets its part."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from shipit.chart import kept_files, load_yaml, read_values
from shipit.config import Request, key_path, merged, written
from shipit.errors import Refused
from shipit.model import Json, Values, as_map, as_maps, as_text

_LISTS = ("Chart.yaml", "requirements.yaml")


def tagged(request: Request, values: Values, chart: str, tag: str = "") -> Values:
    """What a rendering of that chart gets: these values, and the tag (the deploy's, or that one) at every `tag_key`.

    Charts that know digests, as Bitnami's do, take them at `image.digest` beside `image.tag`, and put them into the
    image's name themselves: a tag with a digest in it they would write twice, or lose to a digest of their own.
    """
    tag = tag or request.tag
    name, _, digest = tag.partition("@")
    keys = request.spec.tag_keys
    if not digest:
        return values.with_tag(tag, keys)
    known = _known(values, chart)
    for key in keys:
        beside = _beside(key, known)
        values = values.with_tag(name if beside else tag, [key])
        values = values.with_tag(digest, [beside] if beside else [])
    return values


def _beside(key: str, known: Json) -> str:
    """The key for the digest, "" where the chart has none: `image.digest` for `image.tag`, `appDigest` for `appTag`."""
    path = key_path(key) or ()
    here: Any = known
    for part in path[:-1]:
        if isinstance(here, dict):
            here = here.get(part)
        else:
            here = (
                here[part] if isinstance(here, list) and isinstance(part, int) and part < len(here) else None
            )
    last = path[-1] if path else ""
    if not isinstance(here, dict) or not isinstance(last, str) or not last.lower().endswith("tag"):
        return ""
    digest = last[:-3] + ("digest" if last[-3].islower() else "Digest")
    return written((*path[:-1], digest)) if digest in here else ""


def _known(values: Values, chart: str) -> Json:
    """The chart's values and those on top of them, as far as they can be read."""
    whole: Json = {}
    with suppress(Refused):
        whole = _defaults(dict(kept_files(Path(chart))), "")
    for layer in values.layers:
        with suppress(Refused):
            whole = merged(whole, read_values(layer))
    return whole


def _defaults(files: Mapping[str, bytes], at: str) -> Json:
    """The values.yaml of the chart in that folder, with those of its subcharts under their names and aliases."""
    listed = [each for name in _LISTS for each in as_maps(_table(files, f"{at}{name}").get("dependencies"))]
    whole: Json = {}
    charts = f"{at}charts/"
    for folder in dict.fromkeys(
        path[len(charts) :].partition("/")[0] for path in files if path.startswith(charts)
    ):
        own = _defaults(files, f"{charts}{folder}/")
        name = as_text(_table(files, f"{charts}{folder}/Chart.yaml").get("name")) or folder
        aliases = [as_text(each.get("alias")) or name for each in listed if each.get("name") == name]
        whole |= dict.fromkeys(aliases or [name], own)
    return merged(whole, _table(files, f"{at}values.yaml"))


def _table(files: Mapping[str, bytes], path: str) -> Json:
    with suppress(Refused):
        return as_map(load_yaml(files.get(path, b"").decode("utf-8-sig", "replace"), path))
    return {}
