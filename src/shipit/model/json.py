"""Reading JSON that anybody may have written: whatever is missing, null or of another shape counts as absent."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from shipit.model.kubernetes import Json

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def as_map(value: Any) -> Json:
    """The map, empty for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The list, empty for anything else."""
    return value if isinstance(value, list) else []


def as_maps(value: Any) -> list[Json]:
    """The maps of a list."""
    return [item for item in as_list(value) if isinstance(item, dict)]


def as_text(value: Any) -> str:
    """The text, "" for anything else."""
    return value if isinstance(value, str) else ""


def as_texts(value: Any) -> dict[str, str]:
    """A map of texts, as labels and annotations are."""
    return {str(key): as_text(item) for key, item in as_map(value).items()}


def as_int(value: Any, default: int = 0) -> int:
    """The whole number, `default` for anything else: an integer that a chart computed may be written `3.0`."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return int(value)
    return default


def as_time(value: Any) -> datetime | None:
    """RFC 3339, in UTC. The epoch means "never": containerd reports it for a process that couldn't be started."""
    try:
        found = datetime.fromisoformat(value)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if found > EPOCH else None


def metadata_of(body: Json | None) -> Json:
    """An object's metadata, empty where it has none."""
    return as_map(as_map(body).get("metadata"))


def spec_of(body: Json | None) -> Json:
    """An object's spec, empty where it has none."""
    return as_map(as_map(body).get("spec"))


def uid_of(body: Json | None) -> str:
    """The UID of an object that the API server answered with, "" for one that has none."""
    return as_text(metadata_of(body).get("uid"))
