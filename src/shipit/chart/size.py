"""Whether a release fits into the one Secret (of at most 1 MiB) that Helm stores it in, known before anything changes."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

from shipit.chart.yaml import load_yaml
from shipit.errors import Refused, ShipitError
from shipit.hints import advice
from shipit.model import HelmVersion, Json, Values

MOST_STORED = 1024 * 1024
_MOMENT = "1970-01-01T00:00:00.000000000Z"
_MODTIME = HelmVersion(4, 0, 0)  # stores when each file was changed
_NONE = Values()


def stored_size(chart: Path, values: Values = _NONE, helm: HelmVersion = _MODTIME) -> int:
    """About how many bytes Helm stores for a revision of this frozen chart: base64 of gzip of the release as JSON.

    The documents count twice, as files of the chart, in base64, and as the manifest. It is what Helm itself stores, or
    up to 4 % more (Helm 3.22 and 4.3, 500 objects), as Go compresses better. Against the chart as it was, freezing adds
    2 to 16 % when each object has a template of its own, and nearly doubles it when a loop makes them all.
    """
    files = [path for path in sorted(chart.rglob("*")) if path.is_file()]
    own = {path.relative_to(chart).as_posix(): path.read_bytes() for path in files}
    release = {
        "name": "",
        "info": {"first_deployed": _MOMENT, "last_deployed": _MOMENT, "deleted": "", "description": ""},
        "chart": {
            "metadata": _loaded(own.get("Chart.yaml", b"")),
            "lock": _loaded(own.get("Chart.lock", b"")),
            "templates": [
                _file(name, data, helm) for name, data in own.items() if name.startswith("templates/")
            ],
            "values": _loaded(own.get("values.yaml", b"")),
            "schema": None,
            "files": [_file(name, data, helm) for name, data in own.items() if _stored(name)],
        },
        "config": [
            *(_loaded(layer.read_bytes()) if isinstance(layer, Path) else layer for layer in values.layers),
            *values.set,
            *values.set_string,
        ],
        "manifest": _manifest(own),
        "version": 1,
    }
    text = json.dumps(release, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return len(base64.b64encode(gzip.compress(text, compresslevel=9)))


def check_stored_size(chart: Path, values: Values = _NONE, helm: HelmVersion = _MODTIME) -> None:
    """Raises Refused when the release would not fit."""
    size = stored_size(chart, values, helm)
    if size > MOST_STORED:
        raise Refused(
            f"the release is too big for Helm to store: about {size / 1024:.0f} KiB compressed, "
            f"the limit is {MOST_STORED // 1024} KiB",
            hint=advice(
                "split the chart, or move big files out of it: into an image or a ConfigMap of their own"
            ),
        )


def _stored(name: str) -> bool:
    """Subcharts are not stored; values, metadata and templates lie elsewhere in the release."""
    first = name.partition("/")[0]
    return first not in ("Chart.yaml", "Chart.lock", "values.yaml", "templates", "charts")


def _manifest(own: dict[str, bytes]) -> str:
    templates = {name.split("/")[1]: name for name in own if name.startswith("templates/")}
    return "".join(
        f"---\n# Source: {templates.get(name.removeprefix('shipit/'), '')}\n{data.decode('utf-8', 'replace')}\n"
        for name, data in own.items()
        if name.startswith("shipit/")
    )


def _file(name: str, data: bytes, helm: HelmVersion) -> Json:
    modified = {"modtime": "1970-01-01T00:00:00Z"} if helm >= _MODTIME else {}
    return {"name": name, **modified, "data": base64.b64encode(data).decode()}


def _loaded(text: bytes) -> Any:
    try:
        return load_yaml(text.decode("utf-8", "replace"))
    except ShipitError:
        return text.decode("utf-8", "replace")
