"""The form in which past deploys are recorded: versioned, bounded, and without anything that a chart or an app said. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

from shipit.errors import Busy
from shipit.events import MigrationResult, PastDeploy
from shipit.hints import kubectl
from shipit.model import Json, Ref

VERSION = 1
KEPT = 50
"""Deploys that are kept."""
MOST_BYTES = 256 << 10
"""What they may take together: a ConfigMap holds 1 MiB."""
LONGEST = 500
"""Characters of a text that somebody typed."""
MOST_MIGRATIONS = 50


def with_deploy(past: Sequence[PastDeploy], deploy: PastDeploy) -> tuple[PastDeploy, ...]:
    """The record, newest first, with one more deploy; the same run is recorded once."""
    others = [each for each in past if each.id != deploy.id]
    return (_bounded(deploy), *others)[:KEPT]


def _bounded(deploy: PastDeploy) -> PastDeploy:
    texts = {
        name: getattr(deploy, name)[:LONGEST] for name in ("who", "where", "tag", "message", "environment")
    }
    return replace(deploy, migrations=deploy.migrations[:MOST_MIGRATIONS], **texts)


def written(past: Sequence[PastDeploy]) -> str:
    """As it stands in the ConfigMap; the oldest make room where all would not fit."""
    kept: list[Json] = []
    size = 0
    for each in past:
        entry = asdict(each)
        size += len(json.dumps(entry))
        if kept and size > MOST_BYTES:
            break
        kept.append(entry)
    return json.dumps({"version": VERSION, "deploys": kept})


def read(text: str, ref: Ref) -> tuple[PastDeploy, ...]:
    """What `written` wrote, nothing for an empty text. Raises Busy for a form that this shipit doesn't know: it is neither
    shown nor overwritten.
    """
    if not text:
        return ()
    try:
        note: Json = json.loads(text)
        if note["version"] == VERSION:
            return tuple(_deploys(note["deploys"]))
        problem = f"was written by a newer shipit (format {note['version']}, this one knows {VERSION}): upgrade shipit"
    except (ValueError, TypeError, KeyError):
        problem = "can't be read"
    raise Busy(
        f"the record of past deploys in {ref.title} {problem}",
        hint=kubectl("get", "configmap", ref.name, "-o", "yaml", namespace=ref.namespace, why="shows it"),
    )


def _deploys(entries: Sequence[Json]) -> Iterator[PastDeploy]:
    for entry in entries:
        migrations = tuple(MigrationResult(**each) for each in entry["migrations"])
        yield PastDeploy(**{**entry, "migrations": migrations})
