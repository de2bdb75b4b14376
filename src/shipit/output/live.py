"""A terminal: what has happened scrolls, below it a footer says what runs, for how long, and what is to come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import IO, cast

from rich.console import Console
from rich.live import Live
from rich.segment import Segment, Segments
from rich.style import Style as RichStyle

from shipit.events import AppLogLine, Ended, Event, Failed, LogLine, StepChanged
from shipit.model import Clock
from shipit.output.footer import Footer
from shipit.output.narration import Style
from shipit.output.progress import Progress, Silence
from shipit.output.scroll import Part, Row, Scroll
from shipit.output.signs import signs_for
from shipit.output.sink import Sink

BATCH = 500
"""Pieces of log lines per print: each print draws the footer anew."""

AT_ONCE = 0.1
"""Seconds since the last print after which a log line needn't wait for others."""


class Rich:
    """Live on a terminal that can move its cursor; elsewhere the same lines without a footer, and heartbeats.

    Foreign text goes in as `Text` and `Segment`, stripped of control codes but for its colours: rich sees no markup in
    it, the terminal no command. What scrolls is `Segment`s, which rich neither wraps nor measures: a command that is to
    be copied is whole, and a flood passes five times as fast.
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
        signs = signs_for(out.encoding)
        colors = self._console.color_system is not None and not self._console.no_color
        self._scroll = Scroll(signs, colors=colors, verbose=verbose)
        self._silence = Silence(clock.monotonic())
        self._footer = Footer(self._scroll, signs, clock)
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
        self._width = self._console.width

    def show(self, event: Event) -> None:
        at = self._clock.monotonic()
        log = isinstance(event, LogLine | AppLogLine)
        if not log:  # asking the terminal costs more than a line of a log
            self._width = self._console.width
        if isinstance(event, Failed):  # the header is no error
            self._waiting += [part for row in self._scroll.opened(self._width) for part in _segments(row)]
        lines = [part for row in self._scroll.tell(event, at, self._width) for part in _segments(row)]
        if log:
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
        self._width = self._console.width
        self._print_waiting(at)
        if self._live.is_started:
            self._live.refresh()
        elif self._progress.current and not self._console.is_interactive and self._silence.due(at):
            self._print(self._console, _segments([Part("detail", self._progress.heartbeat(at))]))

    def close(self) -> None:
        """Print what waits and give the terminal back."""
        try:
            self._print_waiting(self._clock.monotonic())
        finally:
            self._live.stop()

    @property
    def _progress(self) -> Progress:
        return self._scroll.progress

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


HUES = tuple(
    RichStyle.parse(name)
    for name in ("cyan", "magenta", "blue", "yellow", "green", "bright_cyan", "bright_magenta")
)
"""For the labels of containers, by turns; the labels differ in their words too."""


def _segments(row: Row) -> list[Segment]:
    parts = [Segment(part.text, _style(part)) for part in row]
    return [*parts, Segment("\n")]


def _style(part: Part) -> RichStyle:
    return HUES[part.hue % len(HUES)] if part.hue >= 0 else _STYLES[part.style]


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
