"""The live part of a terminal: the running step with its clock, what is known of it, and the steps to come."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from shipit.model import Clock
from shipit.output.layout import WIDEST
from shipit.output.progress import Progress, Running
from shipit.output.sanitize import one_line
from shipit.output.scroll import LONGEST_NAME, NAMES, Scroll
from shipit.output.signs import Signs

FACTS = 4
"""Lines about pods or workloads."""
PENDING = 4
"""Lines of steps to come."""


class Footer:
    """Never wider than the terminal, so that it can be wiped away line by line."""

    def __init__(self, scroll: Scroll, signs: Signs, clock: Clock) -> None:
        self._scroll = scroll
        self._signs = signs
        self._clock = clock

    @property
    def _progress(self) -> Progress:
        return self._scroll.progress

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        for text in self._lines(width):
            text.expand_tabs(8)
            text.truncate(width)
            yield text

    def _lines(self, width: int) -> Iterator[Text]:
        yield from (Text("".join(part.text for part in row), "bold") for row in self._scroll.opening(width))
        current = self._progress.current
        if current is not None:
            yield self._running(current, width)
            yield from self._facts()
        yield from self._pending()

    def _running(self, current: Running, width: int) -> Text:
        at = self._clock.monotonic()
        right = "   ".join(filter(None, (current.of_budget(at), self._progress.position)))
        lead = f" {self._name(current.step)} "
        room = min(width, WIDEST) - 1 - len(lead) - len(right) - 2
        known = f" {self._signs.dot} ".join(map(one_line, self._progress.summary))
        text = Text(known)
        text.expand_tabs(8)
        if room > 0:
            text.truncate(room, pad=True)
        else:
            text = Text("")
        return Text.assemble(
            (self._signs.turning(at), "cyan"), (lead, "bold"), text, ("  ", ""), (right, "dim")
        )

    def _facts(self) -> Iterator[Text]:
        """What the line of the step has no room for: each of several pods, each workload."""
        facts = self._progress.facts
        shown = facts[:FACTS] if len(facts) > 1 else []
        indent = " " * (3 + len(self._name("")))
        yield from (Text(f"{indent}{one_line(fact)}", "dim") for fact in shown)
        if shown and len(facts) > FACTS:
            yield Text(f"{indent}and {len(facts) - FACTS} more", "dim")

    def _pending(self) -> Iterator[Text]:
        pending = self._progress.pending
        shown = pending[:PENDING]
        yield from (Text(f"{self._signs.pending} {one_line(step)}", "dim") for step in shown)
        if len(pending) > PENDING:
            yield Text(f"  and {len(pending) - PENDING} more", "dim")

    def _name(self, step: str) -> str:
        wide = min(max(NAMES, self._progress.width), LONGEST_NAME)
        return f"{one_line(step):<{wide}}"
