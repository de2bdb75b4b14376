"""One run of a command: its output, its signals, its private folder, and how an error becomes an exit code."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer

from shipit.cli.clock import SystemClock
from shipit.cli.options import Common, OutputKind
from shipit.cli.report import record_for, write_report
from shipit.cli.signals import Signals
from shipit.ending import ending_of
from shipit.errors import Interrupted, Outcome, ShipitError, Usage
from shipit.events import Checked, Ended, Event, Failed, MigrationResult, StepChanged, Warned
from shipit.hints import NO_HINT, Hint, advice, deploy_again, shipit
from shipit.output import Mask, Output, Record, open_output

SHOWS_HOW = "shows how it is used"
"""Why to type `--help`."""


class Declined(Exception):
    """The answer to a question was no: nothing went wrong, and nothing was done."""


@dataclass(slots=True)
class Session:
    """What a command needs beside its flags. `emit` masks secrets; `run` names this run; `again` is the command to type
    when it was left without a look at what it leaves.

    `on_terminal`: all that is told goes to somebody who sits there, nothing of it into a file, a log or a pipe. `record`
    keeps what is told for a report.
    """

    common: Common
    output: Output
    run: str
    clock: SystemClock
    mask: Mask
    results: list[MigrationResult] = field(default_factory=list)
    release: str = ""
    namespace: str = ""
    tag: str = ""
    again: Hint = NO_HINT
    on_terminal: bool = False
    record: Record | None = None

    def emit(self, event: Event) -> None:
        if isinstance(event, StepChanged) and event.result is not None:
            self.results.append(event.result)
        if self.record is not None:
            self.record.note(self.mask.masked(self._completed(event)))
        self.mask(self._completed(event, self._shows))

    def _completed(self, event: Event, shows: Callable[[str], bool] = lambda _value: False) -> Event:
        """With the flags that were typed in its hint; of `--set`s only the values that `shows` lets pass."""
        if isinstance(event, Checked | Warned | Failed | Ended):
            return replace(event, hint=self.common.typed.complete(event.hint, shows=shows))
        return event

    def _shows(self, value: str) -> bool:
        """Whether a hint may repeat this value of a `--set`."""
        return self.on_terminal and self.mask.text(value) == value

    def for_file(self, ended: Ended) -> Ended:
        """The result as a file may hold it: masked, and without any value of `--set`."""
        return self.mask.masked(replace(ended, hint=self.common.typed.complete(ended.hint)))

    def ended(
        self,
        outcome: Outcome,
        exit_code: int,
        started: float,
        message: str,
        hint: Hint = NO_HINT,
        *,
        revision: int = 0,
    ) -> Ended:
        return Ended(
            outcome=outcome.value,
            exit_code=exit_code,
            release=self.release,
            namespace=self.namespace,
            tag=self.tag,
            revision=revision,
            duration=self.clock.monotonic() - started,
            migrations=tuple(self.results),
            message=message,
            hint=hint,
        )


@dataclass(frozen=True, slots=True)
class Done:
    """A command that went well, in words."""

    message: str
    revision: int = 0
    outcome: Outcome = Outcome.SUCCEEDED
    hint: Hint = NO_HINT
    exit_code: int = 0


def conduct(
    common: Common,
    work: Callable[[Session], Done],
    *,
    tag: str = "",
    report: Path | None = None,
    pager: bool = False,
) -> None:
    """Do a command's work, tell how it ended, and leave with the outcome's exit code; `pager` as for `open_output`."""
    session = _open(common, tag, pager=pager)
    session.record = record_for(report, session.clock)
    started = session.clock.monotonic()
    signals = Signals(lambda: session.output.__exit__(None, None, None))
    done, failed = None, None
    with session.output, _dead_threads_told(session):
        signals.listen()
        try:
            done = work(session)
            signals.held = True
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last stop of a bug: said as one
            signals.held = True
            failed = error
        if isinstance(failed, Declined):
            ended = session.ended(Outcome.INTERRUPTED, 130, started, str(failed))
            session.emit(ended)
        elif done is None:
            ended = _fail(session, _told(session, failed), started)
        else:  # a signal that came after the end changes nothing about it
            ended = session.ended(
                done.outcome, done.exit_code, started, done.message, done.hint, revision=done.revision
            )
            session.emit(ended)
        if report is not None:
            write_report(report, session.for_file(ended), session.record, session.clock)
    signals.end()
    raise typer.Exit(ended.exit_code)


@contextlib.contextmanager
def _dead_threads_told(session: Session) -> Iterator[None]:
    """An exception that ends a thread in the background is a bug: a warning of ours, not a traceback."""

    def tell(died: threading.ExceptHookArgs) -> None:
        if died.exc_type is SystemExit:
            return
        found = _bug(session, died.exc_value)
        trace = "".join(traceback.format_exception(found)) if session.common.verbose else ""
        # The output's own thread may have died of what it was to show
        with contextlib.suppress(Exception):
            session.emit(Warned(f"{found.message}\n{trace}".rstrip(), found.hint))

    before, threading.excepthook = threading.excepthook, tell
    try:
        yield
    finally:
        threading.excepthook = before


def _open(common: Common, tag: str, *, pager: bool = False) -> Session:
    run = secrets.token_hex(6)
    clock = SystemClock()
    output = open_output(
        common.output.value,
        stdout=sys.stdout,
        stderr=sys.stderr,
        environ=os.environ,
        clock=clock,
        run=run,
        quiet=common.quiet,
        verbose=common.verbose,
        no_color=common.no_color,
        pager=pager,
    )
    on_terminal = common.output is not OutputKind.JSON and sys.stdout.isatty() and sys.stderr.isatty()
    again = deploy_again(tag, why="checks the state and resumes") if tag else NO_HINT
    mask = Mask(output.emit)
    return Session(common, output, run, clock, mask, tag=tag, again=again, on_terminal=on_terminal)


def _fail(session: Session, error: ShipitError, started: float) -> Ended:
    if session.common.verbose:
        trace = session.mask.text("".join(traceback.format_exception(error)))
        error.details = (*error.details, *trace.splitlines())
    states = tuple(map(str, error.states))
    ending = ending_of(error, session.common.typed.command, session.tag)
    session.emit(Failed(error.outcome.value, error.message, error.hint, error.details, states, ending))
    ended = session.ended(error.outcome, error.exit_code, started, str(error), error.hint)
    session.emit(ended)
    return ended


def _told(session: Session, error: BaseException | None) -> ShipitError:
    match error:
        case ShipitError():
            return error
        case KeyboardInterrupt():
            return _interrupted(error, session.again)
        case _:
            return _bug(session, error)


def _interrupted(stop: KeyboardInterrupt, again: Hint) -> Interrupted:
    signum = getattr(stop, "signum", signal.SIGINT)
    if not getattr(stop, "again", False):
        return Interrupted("interrupted", signum=signum)
    return Interrupted(
        "interrupted twice: left without checking what is still running", signum=signum, hint=again
    )


def _bug(session: Session, error: BaseException | None) -> ShipitError:
    text = f"a bug in shipit: {type(error).__name__}: {error}"
    hint = advice(
        "please report this" if session.common.verbose else "run it again with -v and report the output"
    )
    found = ShipitError(text, hint=hint)
    found.__cause__ = error
    return found


def usage_exit(error: Any, argv: list[str]) -> int:
    """A command line that can't be understood (click's exception), told like any other error."""
    session = _open(Common(output=_output_of(argv)), "")
    with session.output:
        return _fail(session, _misunderstood(error, argv), session.clock.monotonic()).exit_code


def _misunderstood(error: Any, argv: list[str]) -> Usage:
    context = error.ctx
    words = context.command_path.split()[1:] if context else []
    said = str(error.format_message())
    message = said[:1].lower() + said[1:].rstrip(".")
    if strays := _strays(error, argv):
        message += f"; got an unexpected argument: {' '.join(strays)}"
    return Usage(message, hint=shipit(*words, "--help", why=SHOWS_HOW))


def _strays(error: Any, argv: list[str]) -> list[str]:
    """Arguments beside a missing option: the tag of `shipit deploy v1`."""
    context = error.ctx
    if context is None or not hasattr(error, "param_type"):  # click's MissingParameter alone has it
        return []
    own = argv[argv.index(context.info_name) + 1 :] if context.info_name in argv else []
    return list(context.command.make_parser(context).parse_args(own)[1])


def _output_of(argv: list[str]) -> OutputKind:
    """What `-o` asks for in a command line that was not understood; else the variable; else what fits."""
    asked = [word for flag, word in pairwise(argv) if flag in ("-o", "--output")]
    asked += [found[1] for word in argv if (found := re.fullmatch(r"(?:-o|--output=)(.+)", word))]
    kinds = {kind.value: kind for kind in OutputKind}
    known = [kinds[word] for word in (*asked, os.environ.get("SHIPIT_OUTPUT", "")) if word in kinds]
    return known[0] if known else OutputKind.AUTO
