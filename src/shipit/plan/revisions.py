"""What a release's history says of its revisions: which one to go back to, and what each of them is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from shipit.model import Revision, SeenRevisions

ROLLBACK_TO = "Rollback to "
"""How Helm describes a revision that a rollback made, before the number of the one that it brought back."""

_DEPLOY = re.compile(r"shipit deploy of (\S+)")
_ROLLBACK = re.compile(re.escape(ROLLBACK_TO) + r"(\d+)")


def newest_good(
    history: Sequence[Revision], before: int, seen: SeenRevisions, *, but: Iterable[int] = ()
) -> int:
    """The newest one before that revision whose pods were seen ready, else the newest that was deployed and on which no
    deploy failed, 0 for none. Helm calls one `deployed` before its pods are ready, and one that never got ready too.
    """
    gone = max((each.number for each in history if each.status == "uninstalled"), default=0)
    there = [
        each.number
        for each in history
        if each.status in ("deployed", "superseded")
        and gone < each.number < before
        and each.number not in but
    ]
    ready = [number for number in there if number in seen.ready]
    calm = [number for number in there if number not in seen.failed]
    return max(ready or calm, default=0)


def same_as(history: Sequence[Revision], number: int) -> frozenset[int]:
    """The revisions that are the same as that one, itself among them: each made by a rollback to another."""
    origin = original(history, number)
    return frozenset(each.number for each in history if original(history, each.number) == origin)


def original(history: Sequence[Revision], number: int) -> int:
    """The revision that a rollback brought back by making that one; itself where no rollback made it."""
    descriptions = {each.number: each.description for each in history}
    while found := _ROLLBACK.match(descriptions.get(number, "")):
        if int(found[1]) >= number:
            break
        number = int(found[1])
    return number


def tag_of(history: Sequence[Revision], number: int) -> str:
    """The tag that was deployed with a revision, "" where its description doesn't tell."""
    origin = original(history, number)
    described = next((each.description for each in history if each.number == origin), "")
    found = _DEPLOY.match(described)
    return found[1] if found else ""


def live_release(history: Sequence[Revision]) -> tuple[int, str]:
    """The revision that is deployed and its tag: 0 when none is, "" when its tag isn't known."""
    number = next((each.number for each in reversed(history) if each.status == "deployed"), 0)
    return number, tag_of(history, number)
