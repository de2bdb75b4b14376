"""A migration in a chart of its own, beside the app's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from shipit.init.look import Look
from shipit.init.migration import Proposal, Row, proposals
from shipit.init.tags import reached


def of_other_chart(look: Look, cwd: Path, written: str) -> Proposal | None:
    """What migrates in another chart than the app's, called as the file will; None for a chart that has no such Job."""
    found = proposals(look, cwd)[0]
    if not found.found or look.workloads:
        return None
    keys = frozenset(
        key
        for key, places in reached(look, found.turned_on).items()
        if {each.spot for each in places} & {each.spot for each in found.runs}
    )
    first, *also = (_in_chart(each, written, keys) for each in (found, *found.also))
    return replace(first, label=f"{found.label} in {written}", also=tuple(also))


def _in_chart(found: Proposal, written: str, keys: frozenset[str]) -> Proposal:
    rows = [row for row in found.rows if row.key != "first_install"]
    at = 1 if rows and rows[0].key == "name" else 0
    rows.insert(at, Row("chart", written, "a chart of its own"))
    return replace(found, rows=tuple(rows), keys=keys)
