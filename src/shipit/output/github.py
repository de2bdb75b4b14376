"""The log of a GitHub Actions step, its annotations, its job summary and its outputs.

How the runner reads a log (actions/runner, ActionCommand.cs and ActionCommandManager.cs): each line of stdout and
stderr, a carriage return ends one too. A line that starts, after blanks, with `::command::` is a command, so is
`##[command]` anywhere in a line. Between `::stop-commands::<token>` and `::<token>::` nothing is a command but that
token. Logs stand between tokens; and whatever is not a command of ours could not be one outside of them either.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from shipit.events import (
    AppLogLine,
    Ended,
    Event,
    Failed,
    History,
    LogLine,
    Planned,
    Status,
    StepChanged,
    Warned,
)
from shipit.model import Clock
from shipit.output.narration import Line, Narration, failure
from shipit.output.phrases import hanging, hint_lines
from shipit.output.progress import Silence
from shipit.output.record import clock_time
from shipit.output.sanitize import one_line, pieces, scalars
from shipit.output.sink import Sink
from shipit.output.summary import LIMIT, Account

ANNOTATIONS = 10
"""GitHub shows about ten of a kind per step; one is kept for the error."""

ANNOTATION_CHARACTERS = 4000

# The runner compares by the rules of a language, which ignore some characters: hence anything but printable ASCII
# may stand inside `##[` and before `::`.
_INLINE = re.compile(r"#(?=[^!-~]*#[^!-~]*\[)")
_LEADING = re.compile(r"[^!-~]*:(?=[^!-~]*:)")


class GitHub:
    """Everything goes to stdout: the runner reads both streams, and would mix them up."""

    interval: float | None = 1.0

    def __init__(
        self, out: Sink, *, environ: Mapping[str, str], clock: Clock, run: str = "", verbose: bool = False
    ) -> None:
        self._out = out
        self._clock = clock
        self._summary_file = environ.get("GITHUB_STEP_SUMMARY", "")
        self._output_file = environ.get("GITHUB_OUTPUT", "")
        self._narration = Narration(verbose=verbose)
        self._silence = Silence(clock.monotonic())
        self._account = Account(run, clock, environ)
        self._group = ""
        self._token = ""
        self._annotated = 0

    def show(self, event: Event) -> None:
        at = self._clock.monotonic()
        self._account.note(event)
        self._write(event, self._narration.tell(event, at))
        self._out.flush()
        self._silence.broken(at)

    def tick(self) -> None:
        """Write a heartbeat when one is due: a log that stands still looks like a step that hangs."""
        at = self._clock.monotonic()
        if self._narration.progress.current and self._silence.due(at):
            self._texts([self._narration.progress.heartbeat(at)])
            self._out.flush()

    def close(self) -> None:
        """Leave neither stopped commands nor an open group behind."""
        self._resume()
        self._end_group()
        self._out.flush()

    def _write(self, event: Event, lines: list[Line]) -> None:
        texts = map(str, lines)
        match event:
            case LogLine() | AppLogLine():
                at = f"{clock_time(event.written)} " if event.written else ""
                self._foreign(f"{at}{text}" for text in texts)
            case Planned() | History() | Status():
                self._foreign(texts)
            case StepChanged():
                self._step(event, texts)
            case Warned():
                self._warn(event)
            case Failed():
                self._fail(event)
            case Ended():
                self._end(event, texts)
            case _:
                self._texts(texts)

    def _step(self, event: StepChanged, texts: Iterable[str]) -> None:
        if event.state == "started" and not self._group:  # groups don't nest: what is within one is its lines
            self._command(f"::group::{_data([one_line(event.step)])}")
            self._group = event.step
        elif event.state != "started" and event.step == self._group:
            self._end_group()
        self._texts(texts)

    def _warn(self, event: Warned) -> None:
        lines = [*pieces(event.message), *hint_lines(event.hint)]
        if self._annotated < ANNOTATIONS - 1:
            self._annotated += 1
            self._command(f"::warning::{_data(lines)}")
        else:
            self._texts(hanging("warning: ", "\n".join(lines)))

    def _fail(self, event: Failed) -> None:
        self._end_group()
        details = [piece for detail in event.details for piece in pieces(detail)]
        states = [piece for state in event.states for piece in pieces(state)]
        lines = [*pieces(event.message), *states, *details, *hint_lines(event.hint)]
        told = _shortened(lines)
        if (
            told != lines
        ):  # otherwise the runner, which prints an annotation whole, would say everything twice
            self._foreign(map(str, failure(event, log_lines=None)))
        title = f"{self._account.subject} {event.outcome}".strip()
        self._command(f"::error title={_property(title)}::{_data(told)}")

    def _end(self, event: Ended, texts: Iterable[str]) -> None:
        self._end_group()
        self._texts(texts)
        self._append("outputs", self._output_file, outputs(event))
        if (
            event.outcome != "succeeded" or self._account.record.plan
        ):  # nothing else that deploys nothing has a story
            self._append("summary", self._summary_file, self._account.summary(event, room=self._room()))

    def _room(self) -> int:
        """How many bytes the summary may still take: earlier commands of the step may have written to it."""
        try:
            return LIMIT - Path(self._summary_file).stat().st_size
        except OSError:
            return LIMIT

    def _append(self, what: str, path: str, text: str) -> None:
        if not path:
            return
        try:
            with Path(path).open("a", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            self._warn(Warned(f"can't write the step's {what}: {error}"))

    def _texts(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._out.write(f"{inert(line)}\n")

    def _foreign(self, lines: Iterable[str]) -> None:
        if not self._token:
            self._token = secrets.token_hex(16)
            self._out.write(f"::stop-commands::{self._token}\n")
        self._texts(lines)

    def _resume(self) -> None:
        if self._token:
            self._out.write(f"::{self._token}::\n")
            self._token = ""

    def _command(self, command: str) -> None:
        self._resume()
        self._out.write(f"{command}\n")

    def _end_group(self) -> None:
        if self._group:
            self._group = ""
            self._command("::endgroup::")


def inert(line: str) -> str:
    """A line that the runner takes for text, whatever it holds."""
    if "#" in line:
        line = _INLINE.sub("# ", line)
    return f"| {line}" if _LEADING.match(line) else line


def outputs(event: Ended) -> str:
    """The step's outputs in the file format of GITHUB_OUTPUT, between delimiters that no value can guess."""
    values = {
        "outcome": event.outcome,
        "exit_code": str(event.exit_code),
        "tag": event.tag,
        "revision": str(event.revision or ""),
        "duration": f"{event.duration:.1f}",
    }
    end = f"ghadelimiter_{secrets.token_hex(16)}"
    return "".join(f"{name}<<{end}\n{scalars(value)}\n{end}\n" for name, value in values.items())


def _shortened(lines: list[str]) -> list[str]:
    """The first line, which says what failed, and as many of the last ones as an annotation holds."""
    first, *rest = lines
    room = ANNOTATION_CHARACTERS - len(first)
    kept: list[str] = []
    for line in reversed(rest):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return [first[:ANNOTATION_CHARACTERS], *reversed(kept)]


def _data(lines: list[str]) -> str:
    """What follows the second `::` of a command, escaped as the runner unescapes it before it prints it."""
    text = "\n".join(inert(line) for line in lines)
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data([one_line(text)]).replace(":", "%3A").replace(",", "%2C")
