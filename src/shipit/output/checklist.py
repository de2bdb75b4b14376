"""A checklist: a line for each check, and below what is wrong the command that mends it."""

from __future__ import annotations

from collections.abc import Iterator

from shipit.events import Checked
from shipit.output.phrases import hanging, hint_lines
from shipit.output.sanitize import one_line, pieces

MARKS = {"ok": "✓", "failed": "✗", "skipped": "–"}
WIDTH = 14


def check_lines(event: Checked) -> Iterator[str]:
    """`✓ helm          4.1.4`; what belongs to it hangs below its words."""
    lead = f"{MARKS[event.state]} {one_line(event.name):<{WIDTH}}"
    yield from hanging(lead.rstrip() + " " * max(1, WIDTH + 2 - len(lead.rstrip())), event.message) or [lead]
    below = " " * (WIDTH + 2)
    for detail in event.details:
        yield from (f"{below}{piece}" for piece in pieces(detail))
    yield from hint_lines(event.hint, below)
