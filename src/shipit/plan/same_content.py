"""Whether a hook and an object of the app's, of one name, say the same, whatever dresses them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from shipit.model import Json, as_map, as_text

COPIED = ("ConfigMap", "Secret")
"""Kinds of which a migration can get a copy: its pods name them, and nothing else has to know them."""


def say_the_same(hook: Json, own: Json) -> bool:
    """A ConfigMap or Secret by what a pod gets of it; anything else by all but its metadata."""
    if hook.get("kind") in COPIED:
        return dict(_data(hook)) == dict(_data(own))
    return _undressed(hook) == _undressed(own)


def covers(live: Any, rendered: Any) -> bool:
    """Whether a live value is the rendered one, but for what the API server has added to maps."""
    if isinstance(rendered, dict) and isinstance(live, dict):
        return all(covers(live.get(key), value) for key, value in rendered.items())
    if isinstance(rendered, list) and isinstance(live, list):
        return len(live) == len(rendered) and all(map(covers, live, rendered))
    return bool(live == rendered) or not (live or rendered)


def _undressed(body: Json) -> Json:
    return {key: value for key, value in body.items() if key not in ("apiVersion", "metadata", "status")}


def _data(body: Json) -> Iterator[tuple[str, bytes]]:
    """What a ConfigMap or Secret holds, as a pod gets it."""
    encoded = "binaryData" if body.get("kind") == "ConfigMap" else "data"
    plain = "data" if body.get("kind") == "ConfigMap" else "stringData"
    yield from ((str(key), _decoded(value)) for key, value in as_map(body.get(encoded)).items())
    yield from ((str(key), _text(value).encode()) for key, value in as_map(body.get(plain)).items())


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode("".join(_text(value).split()), validate=True)
    except (binascii.Error, ValueError):
        return _text(value).encode()


def _text(value: Any) -> str:
    return as_text(value) if isinstance(value, str) or value is None else str(value)
