"""shipit for scripts in Python: a deploy as an iterator of its events, with the errors of the command line.

    from shipit import deploy

    for event in deploy("v42", environment="production", confirmed=True):
        if event.type == "log":
            print(event.fields["line"])

A deploy is a process of its own: signals, helm and credentials are what they are on the command line, and nothing of
this process is changed.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shipit.errors import (
    AfterFailed,
    Busy,
    Interrupted,
    MigrationFailed,
    MigrationTimedOut,
    Outcome,
    Refused,
    ShipitError,
    Unknown,
    UpgradeFailed,
    Usage,
)
from shipit.hints import advice

_ERRORS: dict[str, type[ShipitError]] = {
    kind.outcome.value: kind
    for kind in (
        Usage, Refused, MigrationFailed, MigrationTimedOut, UpgradeFailed, Busy, Unknown, AfterFailed, Interrupted,
    )
}  # fmt: skip
ENDS_WITHIN = 60.0
"""Seconds that an interrupted deploy may take to look at what it leaves, before it is killed."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened: a line of `--output json`. `fields` are those of its type; a log line's `time` is its own."""

    type: str
    time: datetime
    run: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """How a deploy went well. `migrations` are as in the event `result`."""

    release: str
    namespace: str
    tag: str
    revision: int
    duration: float
    migrations: tuple[Mapping[str, Any], ...]


class Deploy(Iterator[Event]):
    """A deploy under way. Its events end when it has succeeded; else the last one is followed by its error.

    Left early, by `close`, the end of a `with`, an exception or the loss of the last reference, it is interrupted as by
    Ctrl-C: what runs in the cluster is left, and the next deploy of the tag resumes it.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._last: Mapping[str, Any] = {}
        self._error: Mapping[str, Any] = {}

    def __next__(self) -> Event:
        try:
            line = self._line()
        except BaseException:
            self.close()
            raise
        if line:
            return self._event(json.loads(line))
        self._process.wait()
        self.close()
        if self._process.returncode:
            raise self._failure()
        raise StopIteration

    def _line(self) -> str:
        """The next one; "" once there is none."""
        out = self._process.stdout
        return "" if out is None or out.closed else out.readline()

    @property
    def result(self) -> Result:
        """Once the events are at their end. Raises LookupError before."""
        if self._last.get("outcome") != Outcome.DEPLOYED.value:
            raise LookupError("the deploy has not succeeded, or not ended yet")
        found = self._last
        return Result(
            found["release"],
            found["namespace"],
            found["tag"],
            found["revision"],
            found["duration_s"],
            tuple(found["migrations"]),
        )

    def wait(self) -> Result:
        """Pass over the events. Raises the deploy's error."""
        for _event in self:
            pass
        return self.result

    def close(self) -> None:
        """Interrupt it, if it runs, and wait until it has ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.communicate(timeout=ENDS_WITHIN)
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _event(self, told: dict[str, Any]) -> Event:
        kind, time, run = (told.pop(name) for name in ("type", "time", "run"))
        if kind == "result":
            self._last = told
        elif kind == "error":
            self._error = told
        return Event(kind, datetime.fromisoformat(time), run, told)

    def _failure(self) -> ShipitError:
        outcome = self._last.get("outcome", "")
        if not outcome:
            return Unknown(
                f"the deploy's process ended without a result, with code {self._process.returncode}"
            )
        kind = _ERRORS.get(outcome, ShipitError)
        told = self._error or self._last
        details = tuple(told.get("details", ()))
        hint = advice(told.get("hint", ""))
        if kind is Interrupted:
            return Interrupted(told["message"], signum=self._process.returncode - 128, hint=hint)
        return kind(told["message"], hint=hint, details=details)


def deploy(
    tag: str,
    *,
    config: Path | str | None = None,
    environment: str | None = None,
    namespace: str | None = None,
    context: str | None = None,
    kubeconfig: Path | str | None = None,
    values: Sequence[Path | str] = (),
    set: Sequence[str] = (),
    set_string: Sequence[str] = (),
    timeout: str | None = None,
    upgrade_timeout: str | None = None,
    lock_wait: str | None = None,
    message: str | None = None,
    skip_migration: bool = False,
    rerun: bool = False,
    replace_running: bool = False,
    if_changed: bool = False,
    confirmed: bool = False,
    folder: Path | str | None = None,
) -> Deploy:
    """Start `shipit deploy` of that tag in `folder` (default: the current one).

    The arguments are the flags of the same names; durations are Go's, like `"1h30m"`; `confirmed` is `--yes`. Events
    and errors come from the iterator: `Usage` and `Refused` before anything was changed, then the error that says how
    it ended, its hint the command to type next.
    """
    given = {
        "--config": config,
        "--env": environment,
        "--namespace": namespace,
        "--context": context,
        "--kubeconfig": kubeconfig,
        "--timeout": timeout,
        "--upgrade-timeout": upgrade_timeout,
        "--lock-wait": lock_wait,
        "--message": message,
    }
    switches = {
        "--skip-migration": skip_migration,
        "--rerun": rerun,
        "--replace-running": replace_running,
        "--if-changed": if_changed,
        "--yes": confirmed,
    }
    argv = [f"--tag={tag}", "--output=json"]
    argv += [f"{flag}={value}" for flag, value in given.items() if value is not None]
    argv += [f"--values={value}" for value in values]
    argv += [f"--set={assignment}" for assignment in set]
    argv += [f"--set-string={assignment}" for assignment in set_string]
    argv += [flag for flag, asked in switches.items() if asked]
    return Deploy(_start(argv, folder))


def _start(argv: list[str], folder: Path | str | None) -> subprocess.Popen[str]:
    """In a process group of its own: a Ctrl-C reaches this process alone, which hands it on once."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "shipit", "deploy", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=folder,
        process_group=0,
    )
