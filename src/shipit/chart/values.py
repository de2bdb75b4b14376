"""The layers of values as helm reads them."""

from __future__ import annotations

from shipit.chart.yaml import load_yaml
from shipit.errors import Refused
from shipit.model import Json, Layer


def read_values(layer: Layer) -> Json:
    """A values file, or a table as it is; nothing of what only helm can read. Raises Refused for a file that helm can't
    read either.
    """
    if isinstance(layer, dict):
        return layer
    if isinstance(layer, str):
        return {}
    try:
        found = load_yaml(layer.read_text(encoding="utf-8-sig"), str(layer))
    except UnicodeDecodeError as error:
        raise Refused(f"{layer} is not UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise Refused(f"{layer} can't be read: {error.strerror}") from error
    if not isinstance(found, dict | None):
        raise Refused(f"{layer} does not hold a table (key: value)")
    return found or {}
