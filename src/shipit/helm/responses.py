"""Pure: helm's JSON and version text → our types. Raises HelmFailed for an answer that is none."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from shipit.chart import known_source
from shipit.errors import HelmFailed
from shipit.hints import advice
from shipit.model import HelmVersion, Hook, Json, Rendered, Revision

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")
_FRACTION = re.compile(r"(\.\d{1,6})\d*")
SHOWN = 200


def version(text: str) -> HelmVersion:
    """`v3.19.2+gabc`, `v4.0.0-rc.1`, and the `v3.19` that some builds print."""
    found = _VERSION.match(text.strip())
    if found is None:
        raise HelmFailed(
            f"helm did not say its version, but: {text.strip()[:SHOWN] or 'nothing'}",
            hint=advice("name a helm binary in SHIPIT_HELM"),
        )
    return HelmVersion(*(int(part or 0) for part in found.groups()))


def rendered(text: str) -> Rendered:
    """A release as `upgrade --dry-run=server --output=json` prints it.

    Helm says `pending-install` when it would install: there is no release, or only an uninstalled one whose history
    was kept; it calls that one revision 1 as well, but stores it as the next one. A release whose only revision failed
    is upgraded. `apply_method` is Helm 4's; Helm 3 has none and
    merges on the client side.
    """
    release = _object(_decoded(text, "rendering"), "rendering")
    info = _object(release.get("info") or {}, "rendering")
    return Rendered(
        manifest=str(release.get("manifest") or ""),
        hooks=tuple(_hook(each) for each in release.get("hooks") or ()),
        revision=int(release.get("version") or 0),
        install=info.get("status") == "pending-install",
        server_side=release.get("apply_method") == "ssa",
        notes=str(info.get("notes") or ""),
    )


def table(text: str, what: str) -> Json:
    """`helm get values` or `metadata` as JSON; empty for the `null` that Helm prints for no values."""
    return _object(_decoded(text, what) or {}, what)


def history(text: str) -> tuple[Revision, ...]:
    """`helm history --output=json`, oldest first."""
    lines = _decoded(text, "history")
    if not isinstance(lines, list):
        raise _no_answer("history", text)
    return tuple(
        sorted((_revision(_object(line, "history")) for line in lines), key=lambda each: each.number)
    )


def _hook(answer: Json) -> Hook:
    return Hook(
        name=str(answer.get("name") or ""),
        kind=str(answer.get("kind") or ""),
        path=known_source(str(answer.get("path") or "")),
        manifest=str(answer.get("manifest") or ""),
        events=tuple(answer.get("events") or ()),
        weight=int(answer.get("weight") or 0),
        delete_policies=tuple(answer.get("delete_policies") or ()),
    )


def _revision(line: Json) -> Revision:
    return Revision(
        number=int(line.get("revision") or 0),
        status=str(line.get("status") or "unknown"),
        chart=str(line.get("chart") or ""),
        app_version=str(line.get("app_version") or ""),
        description=str(line.get("description") or ""),
        updated=_moment(str(line.get("updated") or "")),
    )


def _moment(text: str) -> datetime | None:
    """RFC 3339 with Go's nine digits of a second; None for what isn't one."""
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _decoded(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise _no_answer(what, text) from None


def _object(value: Any, what: str) -> Json:
    if not isinstance(value, dict):
        raise _no_answer(what, str(value))
    return value


def _no_answer(what: str, text: str) -> HelmFailed:
    """What it printed instead is not shown: it may hold Secrets."""
    size = len(text)
    return HelmFailed(
        f"helm's answer ({what}) is not the JSON that it should be ({size} characters)",
        hint=advice("if a helm plugin or wrapper prints to stdout, name the plain helm in SHIPIT_HELM"),
    )
