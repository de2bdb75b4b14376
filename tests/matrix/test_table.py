"""The table says what was measured, and what was not."""

from __future__ import annotations

import datetime

from tests.matrix.layouts import LAYOUTS
from tests.matrix.stories import HELMS, SITUATIONS, UPGRADE, Cell, Measured
from tests.matrix.table import as_markdown

DUE = Measured(1, 0, "v2", "deployed")
DAY = datetime.date(2026, 11, 30)


def row(*cells: Cell) -> str:
    """The table's text for the upgrade in the first layout."""
    lines = as_markdown(cells, LAYOUTS[:1], DAY).splitlines()
    (line,) = (each for each in lines if each.startswith(f"| {LAYOUTS[0].title} |"))
    return line.split(" | ")[1 + SITUATIONS.index(UPGRADE)].removesuffix(" |")


def cell(helm: str, measured: Measured) -> Cell:
    return Cell(LAYOUTS[0].title, helm, UPGRADE, measured, DUE)


def test_what_is_the_same_with_all_helms_is_told_once() -> None:
    assert row(*(cell(helm, DUE) for helm in HELMS)) == "1 pod, exit 0, v2, deployed"


def test_what_differs_is_told_for_each_helm_beside_what_was_due() -> None:
    twice = Measured(2, 0, "v2", "deployed")
    told = row(cell("3.13", DUE), cell("3", twice))
    assert told == (
        "Helm 3.13: 1 pod, exit 0, v2, deployed"
        "<br>Helm 3: 2 pods, exit 0, v2, deployed **(due: 1 pod, exit 0, v2, deployed)**"
        "<br>Helm 4: not measured"
    )


def test_the_head_counts_the_cells_that_are_not_as_they_must_be() -> None:
    page = as_markdown([cell("3", DUE), cell("4", Measured(0, 0, "v2", "deployed"))], LAYOUTS, DAY)
    assert "2 cells on a real Kubernetes" in page
    assert "1 not as they must be" in page
