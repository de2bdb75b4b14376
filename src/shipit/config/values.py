"""The values that shipit lays over a chart's: the file's tables, the flags, and the tag."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shipit.config.overlay import merged
from shipit.config.settings import Config, Migration
from shipit.config.strvals import Assignment, assign, key_path
from shipit.config.validators import shown
from shipit.errors import Usage
from shipit.model import Json


def values_files(config: Config, migration: Migration | None = None) -> tuple[Path, ...]:
    """The values files for helm, lowest first: the release's and those of --values, then the migration's."""
    return (*config.release.values, *(migration.values if migration else ()))


def overlay_values(
    config: Config, tag: str, load_yaml: Callable[[str], Any], migration: Migration | None = None
) -> Json:
    """The one table for helm's last values file: what beats `values_files`, for the app or for a migration's render.

    Lowest first: `[release] set`, `[migration] set`, --set, --set-string, and the tag, as text, at every `tag_key`.
    Sets beat values files wherever they stand, as with helm. Where an item of a list is set, the rest of the list is
    taken from the values files, which `load_yaml` decodes. Raises Usage, and what `load_yaml` raises.

    Helm reads an integer of a values file as a float: a template that prints one of seven digits or more without
    `int64` prints `1.2345678e+07`, where `helm --set` would print the digits (seen with Helm 3.13, 3.22 and 4.3).
    """
    values = merged(copy.deepcopy(config.release.set), copy.deepcopy(migration.set if migration else {}))
    tags = tuple(
        Assignment(key_path(key, "tag_key"), tag, f"tag_key {key}") for key in config.release.tag_key
    )
    assignments = (*config.release.assignments, *tags)
    base: Json = {}
    if any(isinstance(part, int) for each in assignments for part in each.path):
        for path in values_files(config, migration):
            base = merged(base, _read(path, load_yaml))
    for each in assignments:
        assign(values, each, base)
    return values


def _read(path: Path, load_yaml: Callable[[str], Any]) -> Json:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Usage(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Usage(f"{path}: is not UTF-8 (byte {error.start})") from error
    found = load_yaml(text)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Usage(f"{path}: holds {shown(found)}; a values file holds a table (key: value)")
    return found
