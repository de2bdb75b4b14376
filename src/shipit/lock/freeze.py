"""A freeze of a release: nobody deploys it until it is lifted or over. A note on the Lease that nobody renews. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from shipit.errors import Busy
from shipit.hints import shipit
from shipit.model import Json, as_text, as_texts, metadata_of

NOTE = "shipit/freeze"
VERSION = 1
LONGEST = 1000
"""Characters of a reason."""
_FORM = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Freeze:
    """`since` and `until` are moments of the API server's clock; `until` is None where it has no end of its own."""

    who: str
    where: str
    why: str
    since: datetime
    until: datetime | None = None

    def __str__(self) -> str:
        end = f"until {_told(self.until)}" if self.until else "until it is lifted"
        return f"by {self.who} from {self.where} since {_told(self.since)}, {end}: {self.why}"


def freeze_of(body: Json | None, now: datetime) -> Freeze | None:
    """The freeze on a Lease at that moment of the API server's clock. Raises Busy for a form that is not known."""
    text = as_texts(metadata_of(body).get("annotations")).get(NOTE, "")
    if not text:
        return None
    try:
        note: Json = json.loads(text)
        if note["version"] == VERSION:
            until = _moment(note["until"]) if note["until"] else None
            found = Freeze(note["who"], note["where"], note["why"], _moment(note["since"]), until)
            return found if found.until is None or now < found.until else None
        problem = f"was written by a newer shipit (format {note['version']}, this one knows {VERSION})"
    except (ValueError, TypeError, KeyError):
        problem = "can't be read"
    raise Busy(
        f"the freeze on Lease {as_text(metadata_of(body).get('name'))} {problem}",
        hint=shipit("unlock", why="lifts it"),
    )


def with_freeze(body: Json, freeze: Freeze | None) -> Json:
    """The Lease with that freeze, or without any; all else on it stays."""
    notes = as_texts(metadata_of(body).get("annotations"))
    notes.pop(NOTE, None)
    if freeze is not None:
        notes[NOTE] = _written(freeze)
    return {**body, "metadata": {**metadata_of(body), "annotations": notes}}


def is_noted(body: Json | None) -> bool:
    """Whether anything of a freeze stands on the Lease: one that is over, or in a form that isn't known, too."""
    return NOTE in as_texts(metadata_of(body).get("annotations"))


def refuse_frozen(body: Json, now: datetime, but: Freeze | None) -> None:
    """`but` is a freeze that was seen, and is not to be heeded. Raises Busy."""
    found = freeze_of(body, now)
    if found is not None and found != but:
        raise Busy(
            f"the release is frozen {found}",
            hint=shipit("unlock", why="lifts the freeze, after a confirmation"),
        )


def _written(freeze: Freeze) -> str:
    until = freeze.until.strftime(_FORM) if freeze.until else ""
    return json.dumps(
        {
            "version": VERSION,
            "who": freeze.who,
            "where": freeze.where,
            "why": freeze.why[:LONGEST],
            "since": freeze.since.strftime(_FORM),
            "until": until,
        }
    )


def _moment(text: str) -> datetime:
    return datetime.strptime(text, _FORM).replace(tzinfo=UTC)


def _told(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
