"""`[on]`: the commands that a deploy runs on this machine when it starts and when it has ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from shipit.cli.local_command import LocalCommand, NotStarted, run
from shipit.cli.session import Declined, Session
from shipit.config import Config
from shipit.errors import EXIT_CODES, Outcome, Refused, ShipitError, Stopped
from shipit.events import LogLine, StepChanged, Warned
from shipit.hints import deploy_again

SECONDS = 300.0
"""How long `start` may take: the lock is held, and somebody waits."""

SECONDS_AFTERWARDS = 60.0
SECONDS_INTERRUPTED = 5.0
"""CI kills what has not ended 10 s after a cancel."""


class OnCommands:
    """The commands of one deploy. `begins` runs `start`; what was deployed is told to `success`."""

    def __init__(self, session: Session, config: Config, message: str) -> None:
        self._session = session
        self._config = config
        self._message = message
        self.begun = False

    def begins(self) -> None:
        """Raises Refused when `start` fails."""
        self.begun = True
        if problem := self._run("start", SECONDS):
            raise Refused(
                f"on.start {problem}: it decides whether a deploy may start",
                hint=deploy_again(self._session.tag, why="tries again once it lets the deploy pass"),
            )

    def ended(self, outcome: Outcome, revision: int = 0, *, exit_code: int = 0, reason: str = "") -> None:
        """Run `success` or `failure`; one that fails is a warning, whatever becomes of it."""
        name = "success" if outcome is Outcome.DEPLOYED else "failure"
        seconds = SECONDS_INTERRUPTED if outcome is Outcome.INTERRUPTED else SECONDS_AFTERWARDS
        told = {
            "OUTCOME": outcome.value,
            "EXIT_CODE": str(exit_code),
            "REASON": self._session.mask.text(reason),
        }
        told["REVISION"] = str(revision or "")
        try:
            problem = self._run(name, seconds, told)
        except Stopped:
            problem = "was ended by a signal"
        if problem:
            self._session.emit(
                Warned(f"on.{name} {problem}; the outcome of the deploy stays {outcome.value}")
            )

    def _run(self, name: str, seconds: float, told: dict[str, str] | None = None) -> str:
        """What went wrong with the command of that name, or "": there may be none."""
        words = getattr(self._config.on, name)
        if not words:
            return ""
        step, emit = f"on.{name}", self._session.emit
        emit(StepChanged(step, "started", timeout=seconds))
        command = LocalCommand(
            words, {**os.environ, **self._environment(told or {})}, self._config.path.parent
        )
        try:
            code = run(command, seconds, lambda line: emit(LogLine(step, "", "", 1, line)))
        except NotStarted as error:
            problem = f"can't be started: {error}"
        except Stopped:
            emit(StepChanged(step, "failed", "interrupted"))
            raise
        else:
            problem = f"did not end within {seconds:.0f} s, and was ended" if code is None else _ending(code)
        emit(StepChanged(step, "failed" if problem else "done", problem))
        return problem

    def _environment(self, told: dict[str, str]) -> dict[str, str]:
        session = self._session
        known = {
            "TAG": session.tag,
            "RELEASE": session.release,
            "NAMESPACE": session.namespace,
            "CONTEXT": session.common.typed.context,
            "ENV": self._config.environment or "",
            "RUN": session.run,
            "MESSAGE": self._message,
            **told,
        }
        return {f"SHIPIT_DEPLOY_{name}": value.replace("\0", "") for name, value in known.items()}


def _ending(code: int) -> str:
    return f"exited with code {code}" if code else ""


@contextmanager
def on_commands(session: Session, config: Config, message: str) -> Iterator[OnCommands]:
    """Runs `failure` when what is done within fails, and leaves the error as it is."""
    commands = OnCommands(session, config, message)
    try:
        yield commands
    except Declined:  # nothing was started
        raise
    except ShipitError as error:
        commands.ended(error.outcome, exit_code=error.exit_code, reason=str(error))
        raise
    except Stopped as stop:
        if not stop.again:
            commands.ended(Outcome.INTERRUPTED, exit_code=128 + stop.signum, reason="interrupted")
        raise
    except Exception as error:
        internal = Outcome.INTERNAL_ERROR
        commands.ended(internal, exit_code=EXIT_CODES[internal], reason=f"a bug in shipit: {error}")
        raise
