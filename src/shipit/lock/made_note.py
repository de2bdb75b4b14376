"""What a Lease says of the objects that deploys made for their migrations, so that a later one takes them away. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable

from shipit.errors import Busy
from shipit.hints import kubectl
from shipit.model import Json, MadeObject, Ref, as_text, metadata_of

NOTE = "shipit/prerequisites"
VERSION = 1


def written(made: Iterable[MadeObject]) -> str:
    """As it stands on the Lease."""
    listed = [{**each.ref._asdict(), "uid": each.uid, "copy": each.copy} for each in made]
    return json.dumps({"version": VERSION, "made": listed})


def read(text: str, lease: Json) -> tuple[MadeObject, ...]:
    """What `written` wrote, nothing where nothing is noted. Raises Busy for a form that this shipit doesn't know."""
    if not text:
        return ()
    try:
        note: Json = json.loads(text)
        if note["version"] == VERSION:
            return tuple(
                MadeObject(
                    Ref(one["api_version"], one["kind"], one["namespace"], one["name"]),
                    one["uid"],
                    one["copy"],
                )
                for one in note["made"]
            )
        problem = f"was written by a newer shipit (format {note['version']}, this one knows {VERSION}): upgrade shipit"
    except (ValueError, TypeError, KeyError):
        problem = "can't be read"
    meta = metadata_of(lease)
    raise Busy(
        f"what an earlier deploy noted of its prerequisites on Lease {as_text(meta.get('name'))} {problem}",
        hint=kubectl(
            "annotate", "lease", as_text(meta.get("name")), f"{NOTE}-", namespace=as_text(meta.get("namespace")),
            why="removes the note: what it names then stays in the namespace",
        ),
    )  # fmt: skip
