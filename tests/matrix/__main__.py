"""Play the whole matrix, and write down what was measured: `python -m tests.matrix`, which `make matrix` calls."""

from __future__ import annotations

import argparse
import datetime
import itertools
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox import Sandbox, ensure_up
from tests.matrix.layouts import LAYOUTS, Layout
from tests.matrix.stories import HELMS, SITUATIONS, STORIES, Cell, Story, told
from tests.matrix.table import as_markdown

PAGE = Path(__file__).parents[2] / "docs" / "matrix.md"
WORKERS = 8
"""Most of a story is waiting for pods, not work for this machine."""


def main(argv: Sequence[str]) -> int:
    args = _arguments(argv)
    layouts = [each for each in LAYOUTS if not args.only or args.only in each.title]
    sandbox, began = ensure_up(), time.monotonic()
    helms = args.helm or HELMS
    which = itertools.product(layouts, helms, STORIES)
    cells = play(sandbox, which, workers=args.workers, began=began)
    violated = sum(cell.violated for cell in cells)
    missing = len(layouts) * len(helms) * len(SITUATIONS) - len(cells)
    sys.stdout.write(f"{len(cells)} cells, {violated} not as they must be, {missing} missing\n")
    if not args.only and not args.helm:
        today = datetime.datetime.now(datetime.UTC).date()
        PAGE.write_text(as_markdown(cells, LAYOUTS, today), encoding="utf-8")
    return int(violated + missing > 0)


def play(
    sandbox: Sandbox, which: Iterable[tuple[Layout, str, Story]], *, workers: int, began: float
) -> list[Cell]:
    """Stories of layouts with helms, side by side, each in a namespace of its own. `began` is on the monotonic clock.

    Of a story that breaks off, a line says why; its other cells are missing.
    """

    def one(each: tuple[Layout, str, Story]) -> list[Cell]:
        layout, helm, story = each
        found = []
        try:
            for cell in story(sandbox, layout, helm):
                sys.stdout.write(told(cell, began))
                sys.stdout.flush()
                found.append(cell)
        except (AssertionError, subprocess.SubprocessError) as error:
            sys.stdout.write(f"Helm {helm}  {layout.title}: broke off: {error}\n")
        return found

    with ThreadPoolExecutor(workers) as pool:
        played = pool.map(one, which)
        return [cell for cells in played for cell in cells]


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", help="only layouts with this in their title")
    parser.add_argument("--helm", nargs="+", choices=HELMS, help="only with these helms")
    parser.add_argument("--workers", type=int, default=WORKERS, help="how many stories side by side")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
