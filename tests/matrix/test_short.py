"""A small, fixed selection of the matrix, each of the layouts and helms in it; all of it is `make matrix`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import pytest

from sandbox import Sandbox, ensure_up
from tests.matrix.__main__ import play
from tests.matrix.layouts import LAYOUTS, Layout
from tests.matrix.stories import (
    FAILED,
    INSTALL,
    TAKEN_OVER,
    UPGRADE,
    Cell,
    begun_with_bare_helm,
    begun_with_shipit,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

LAYOUT = {layout.title: layout for layout in LAYOUTS}


def until_it_fails(sandbox: Sandbox, layout: Layout, helm: str) -> Iterator[Cell]:
    """The story that shipit begins, as far as its failed upgrade."""
    with closing(begun_with_shipit(sandbox, layout, helm)) as cells:
        yield from islice(cells, 3)


SHORT = (
    (LAYOUT["post-install, post-upgrade hook Job"], "3.13", until_it_fails),
    (LAYOUT["plain Job behind a value"], "3", begun_with_bare_helm),
    (LAYOUT["Job in a chart of its own"], "3.13", begun_with_bare_helm),
    (LAYOUT["Job in a subchart"], "3", begun_with_bare_helm),
    (LAYOUT["init container, `lift`"], "4", begun_with_bare_helm),
)


def test_a_selection_of_the_matrix_comes_out_as_it_must() -> None:
    cells = play(ensure_up(), SHORT, workers=len(SHORT), began=time.monotonic())
    assert [cell.situation for cell in cells] == [INSTALL, UPGRADE, FAILED, *[TAKEN_OVER] * 4]
    assert [cell for cell in cells if cell.violated] == []
