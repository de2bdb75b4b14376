"""The one table: each layout in each situation, with what was measured; where the helms differ, each says its own."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

from tests.matrix.layouts import Layout
from tests.matrix.stories import HELMS, SITUATIONS, Cell, Measured


def as_markdown(cells: Iterable[Cell], layouts: Sequence[Layout], day: datetime.date) -> str:
    """`docs/matrix.md`."""
    found = {(cell.layout, cell.situation, cell.helm): cell for cell in cells}
    violated = sum(cell.violated for cell in found.values())
    lines = [
        "# Layouts and situations",
        "",
        (
            f"Measured on {day:%Y-%m-%d} with `make matrix`: {len(found)} cells on a real Kubernetes, with Helm 3.13, the "
            f"newest Helm 3 and Helm 4; {violated} not as they must be."
        ),
        "",
        (
            "Each cell says how many pods migrated in it, how shipit (or helm) exited, the tag that the app has "
            "then, and the status of the release's last revision. Where the helms differ, each is told."
        ),
        "",
        f"| the migration is a | {' | '.join(SITUATIONS)} |",
        "|---|" + "---|" * len(SITUATIONS),
        *(_row(layout.title, found) for layout in layouts),
        "",
        "What bare Helm does afterwards:",
        "",
        *(f"- **{layout.title}**: {layout.note}" for layout in layouts),
        "",
    ]
    return "\n".join(lines)


def _row(layout: str, found: dict[tuple[str, str, str], Cell]) -> str:
    texts = []
    for situation in SITUATIONS:
        measured = {
            helm: _text(found[layout, situation, helm])
            for helm in HELMS
            if (layout, situation, helm) in found
        }
        texts.append(_merged(measured))
    return f"| {layout} | {' | '.join(texts)} |"


def _merged(texts: dict[str, str]) -> str:
    if len(texts) == len(HELMS) and len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "<br>".join(f"Helm {helm}: {texts.get(helm, 'not measured')}" for helm in HELMS)


def _text(cell: Cell) -> str:
    return _told(cell.measured) + (f" **(due: {_told(cell.due)})**" if cell.violated else "")


def _told(what: Measured) -> str:
    pods = f"{what.pods} pod{'' if what.pods == 1 else 's'}"
    return f"{pods}, exit {what.code}, {what.tag}, {what.status}"
