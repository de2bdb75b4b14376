"""A terminal: log lines and changes scroll, below them a footer says what runs, for how long, and how it fares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import IO, assert_never, cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment, Segments
from rich.style import Style
from rich.text import Text

from shipit.events import (
    AppLogLine,
    Ended,
    Event,
    Failed,
    JobChanged,
    LogLine,
    PodChanged,
    RolloutChanged,
    Started,
    StepChanged,
    Warned,
)
from shipit.model import Clock
from shipit.output.phrases import (
    PodSigns,
    failure_lines,
    hanging,
    hint_lines,
    job_words,
    pod_words,
    result_lines,
    rollout_words,
    started_words,
    step_words,
)
from shipit.output.prefixes import Prefixes
from shipit.output.progress import Progress, Silence
from shipit.output.sanitize import one_line, pieces
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
        self._prefixes = Prefixes(verbose=verbose)
        self._signs = PodSigns()
        self._progress = Progress()
        self._silence = Silence(clock.monotonic())
        self._footer = Footer(self._progress, clock)
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
        self._explained = False

    def show(self, event: Event) -> None:
        at = self._clock.monotonic()
        if isinstance(event, LogLine | AppLogLine):
            self._waiting += self._lines(event, at)
            if len(self._waiting) >= BATCH or at - self._printed_at >= AT_ONCE:
                self._print_waiting(at)
            return
        lines = self._lines(event, at)
        self._progress.fold(event, at)
        self._print_waiting(at)
        if isinstance(event, Failed | Ended):
            self._live.stop()
        if isinstance(event, Failed):
            self._explained = True
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
        elif self._progress.current and not self._console.is_interactive and self._silence.due(at):
            self._print(self._console, [_styled(self._progress.heartbeat(at), "dim")])

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

    def _lines(self, event: Event, at: float) -> list[Segment]:
        match event:
            case LogLine() | AppLogLine():
                label = Segment(
                    f"{self._prefixes.of(event)} | ", _LOG if isinstance(event, LogLine) else _APP_LOG
                )
                return [part for piece in pieces(event.line) for part in (label, Segment(f"{piece}\n"))]
            case Started():
                return [_styled(started_words(event), "bold")]
            case StepChanged():
                words = step_words(event, self._progress.elapsed(event.step, at))
                return [_styled(words, _STEP_STYLES[event.state])]
            case JobChanged():
                return [_styled(f"{event.step}: {job_words(event)}", "dim")]
            case PodChanged():
                return [_styled(f"{event.step}: {self._signs.of(event)}{pod_words(event)}", "dim")]
            case RolloutChanged():
                return [_styled(f"rollout: {rollout_words(event)}", "dim")]
            case Warned():
                lines = [*hanging("warning: ", event.message), *hint_lines(event.hint, "  ")]
                return [_styled(line, "yellow") for line in lines]
            case Failed():
                return [_styled(line, _failure_style(line)) for line in failure_lines(event)]
            case Ended():
                *before, last = result_lines(event, explain=not self._explained)
                ending = _styled(last, "bold green" if event.exit_code == 0 else "bold red")
                return [*map(_styled, before), ending]
            case _:
                assert_never(event)


# rich believes any number: on a terminal without a column it would show nothing at all, not even an error.
_SIZES = frozenset({"COLUMNS", "LINES"})
_SIZE = re.compile(r"0*[1-9][0-9]{0,5}", re.ASCII)

_LOG = Style.parse("cyan")
_APP_LOG = Style.parse("magenta")
_STEP_STYLES = {"started": "bold", "done": "green", "failed": "red", "skipped": "dim"}


def _styled(words: str, style: str = "") -> Segment:
    return Segment(f"{one_line(words)}\n", Style.parse(style))


def _failure_style(line: str) -> str:
    if line.startswith("error: "):
        return "bold red"
    return "bold" if line.startswith("next: ") else ""


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
