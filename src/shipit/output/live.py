"""A terminal: log lines and changes scroll, below them a footer says what runs, for how long, and how it fares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import IO, cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment, Segments
from rich.style import Style as RichStyle
from rich.text import Text

from shipit.events import AppLogLine, Ended, Event, Failed, LogLine, StepChanged
from shipit.model import Clock
from shipit.output.narration import Line, Narration, Style
from shipit.output.progress import Progress, Silence
from shipit.output.sanitize import one_line
from shipit.output.sink import Sink

BATCH = 500
"""Pieces of log lines per print: each print draws the footer anew."""

AT_ONCE = 0.1
"""Seconds since the last print after which a log line needn't wait for others."""

FOOTER_LINES = 8


class Footer:
    """The running step with its clock, and a line for each thing known of it; never wider than the terminal."""

    def __init__(self, progress: Progress, clock: Clock) -> None:
        self._progress = progress
        self._clock = clock

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for text in self._lines():
            text.expand_tabs(8)
            text.truncate(options.max_width, overflow="ellipsis")
            yield text

    def _lines(self) -> Iterator[Text]:
        current = self._progress.current
        if current is None:
            return
        yield Text.assemble((one_line(current.step), "bold"), "  ", current.clock(self._clock.monotonic()))
        facts = self._progress.facts
        shown = facts if len(facts) < FOOTER_LINES else facts[: FOOTER_LINES - 2]
        yield from (Text(f"  {fact}", "dim") for fact in shown)
        if len(shown) < len(facts):
            yield Text(f"  and {len(facts) - len(shown)} more", "dim")


class Rich:
    """Live on a terminal that can move its cursor; elsewhere the same lines without a footer, and heartbeats.

    Foreign text goes in as `Text` and `Segment`, stripped of control codes: rich sees no markup in it, the terminal no
    command. What scrolls is `Segment`s, which rich neither wraps nor measures: the terminal folds a wide line, a copied
    one is whole, and a flood passes five times as fast.
    """

    interval: float | None = 0.125

    def __init__(
        self,
        out: Sink,
        err: Sink,
        *,
        environ: Mapping[str, str],
        clock: Clock,
        verbose: bool = False,
        no_color: bool = False,
    ) -> None:
        self._console = _console(out, environ, no_color=no_color)
        self._errors = _console(err, environ, no_color=no_color)
        self._clock = clock
        self._narration = Narration(verbose=verbose)
        self._silence = Silence(clock.monotonic())
        self._footer = Footer(self._narration.progress, clock)
        # Its refresh is ours to call: rich's own thread would take its lock and ours in the other order.
        self._live = Live(
            console=self._console,
            get_renderable=lambda: self._footer,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._waiting: list[Segment] = []
        self._printed_at = clock.monotonic()

    def show(self, event: Event) -> None:
        at = self._clock.monotonic()
        lines = [part for line in self._narration.tell(event, at) for part in _segments(line)]
        if isinstance(event, LogLine | AppLogLine):
            self._waiting += lines
            if len(self._waiting) >= BATCH or at - self._printed_at >= AT_ONCE:
                self._print_waiting(at)
            return
        self._print_waiting(at)
        if isinstance(event, Failed | Ended):
            self._live.stop()
        if isinstance(event, Failed):
            self._print(self._errors, lines)
            return
        self._waiting = lines
        self._print_waiting(at)
        if isinstance(event, StepChanged) and self._console.is_interactive:
            self._live.start()

    def tick(self) -> None:
        """Print what waits, move the footer's clock on; without a footer, write a heartbeat when one is due."""
        at = self._clock.monotonic()
        self._print_waiting(at)
        if self._live.is_started:
            self._live.refresh()
        elif self._narration.progress.current and not self._console.is_interactive and self._silence.due(at):
            self._print(self._console, _segments(Line("detail", self._narration.progress.heartbeat(at))))

    def close(self) -> None:
        """Print what waits and give the terminal back."""
        try:
            self._print_waiting(self._clock.monotonic())
        finally:
            self._live.stop()

    def _print_waiting(self, at: float) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._print(self._console, waiting)
            self._printed_at = at
            self._silence.broken(at)

    def _print(self, console: Console, pieces: list[Segment]) -> None:
        console.print(Segments(pieces), end="", soft_wrap=True)


# rich believes any number: on a terminal without a column it would show nothing at all, not even an error.
_SIZES = frozenset({"COLUMNS", "LINES"})
_SIZE = re.compile(r"0*[1-9][0-9]{0,5}", re.ASCII)

_STYLES: dict[Style, RichStyle] = {
    "log": RichStyle.parse("cyan"),
    "app_log": RichStyle.parse("magenta"),
    "heading": RichStyle.parse("bold"),
    "done": RichStyle.parse("green"),
    "failed": RichStyle.parse("red"),
    "detail": RichStyle.parse("dim"),
    "warning": RichStyle.parse("yellow"),
    "error": RichStyle.parse("bold red"),
    "hint": RichStyle.parse("bold"),
    "plain": RichStyle.null(),
    "good": RichStyle.parse("bold green"),
    "bad": RichStyle.parse("bold red"),
    "added": RichStyle.parse("green"),
    "removed": RichStyle.parse("red"),
}


def _segments(line: Line) -> list[Segment]:
    style = _STYLES[line.style]
    if line.label:
        return [Segment(line.label, style), Segment(f"{line.text}\n")]
    return [Segment(f"{line.text}\n", style)]


def _console(sink: Sink, environ: Mapping[str, str], *, no_color: bool) -> Console:
    terminal = sink.isatty()
    colors = terminal or bool(environ.get("FORCE_COLOR"))
    return Console(
        file=cast("IO[str]", sink),
        force_terminal=colors,
        # FORCE_COLOR asks for colours; a footer needs a real terminal that can move its cursor.
        force_interactive=terminal and environ.get("TERM", "") not in ("dumb", "unknown", ""),
        no_color=no_color or bool(environ.get("NO_COLOR")),
        legacy_windows=False,
        _environ={
            name: value for name, value in environ.items() if name not in _SIZES or _SIZE.fullmatch(value)
        },
    )
