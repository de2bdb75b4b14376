"""Reading JSON that anybody may have written: whatever is missing or of another shape counts as absent."""

from __future__ import annotations

from typing import Any

from shipit.model.kubernetes import Json


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
