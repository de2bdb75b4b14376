"""A command on this machine: bounded in time, shown as it writes, and ended with whoever runs it."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

INTERRUPT, TERMINATE = 2.0, 2.0
"""Seconds that a command has to end after SIGINT, and its whole group then after SIGTERM, before it is killed."""

LOOK_EVERY = 0.1
LONGEST_LINE = 16 * 1024
MOST_LINES = 1000
_CHUNK = 64 * 1024


class NotStarted(Exception):
    """There is no such program, or it can't be run: why, without its arguments."""


@dataclass(frozen=True, slots=True)
class LocalCommand:
    """The program and its arguments; a program without a `/` is looked for in PATH, any other from `folder`, where it
    runs too.
    """

    words: Sequence[str]
    environ: Mapping[str, str]
    folder: Path


def run(command: LocalCommand, seconds: float, show: Callable[[str], None]) -> int | None:
    """Its exit code, None when it was ended because it ran longer than that; `show` gets each line that it writes.

    It has nothing to read. Whatever this is left by, the command ends: its guardian sees to it, should this very
    process be killed. Raises NotStarted.
    """
    lines = Lines(show)
    control = _start(command)
    with control as process:
        until = time.monotonic() + seconds
        code = None
        while code is None and time.monotonic() < until:
            _read(process, lines, LOOK_EVERY)
            code = process.poll()
        while _read(process, lines, 0):  # what it wrote last; a child that it left behind is not waited for
            pass
        lines.end()
    return code


@contextlib.contextmanager
def _started(
    words: list[str], command: LocalCommand, fenced: int, control: int
) -> Iterator[subprocess.Popen[bytes]]:
    """A guarded process. Hanging up ends it."""
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(command.environ),
            cwd=command.folder,
            pass_fds=(fenced,),
            process_group=0,
        )
    except OSError as error:
        os.close(control)
        raise NotStarted(error.strerror) from error
    finally:
        os.close(fenced)
    try:
        yield process
    finally:
        os.close(control)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _start(command: LocalCommand) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    from shipit.helm import GUARDIAN

    program = _program(command)
    fenced, control = os.pipe()
    guarded = (str(fenced), "0", f"{INTERRUPT:g}", f"{TERMINATE:g}", program, *command.words[1:])
    return _started([sys.executable, "-I", "-S", str(GUARDIAN), *guarded], command, fenced, control)


def _program(command: LocalCommand) -> str:
    """The path of the program. Raises NotStarted."""
    name = command.words[0]
    path = str(command.folder / name) if "/" in name else shutil.which(name, path=command.environ.get("PATH"))
    if path is None:
        raise NotStarted(f"no program {name} in PATH")
    if not Path(path).is_file():
        raise NotStarted(f"no such file: {path}")
    if not os.access(path, os.X_OK):
        raise NotStarted(f"{path} is not executable; chmod +x {path}")
    return path


def _read(process: subprocess.Popen[bytes], lines: Lines, seconds: float) -> bool:
    """Read what there is, waiting for it as long as that; False when there was nothing."""
    out = process.stdout
    if out is None or out.closed:
        time.sleep(seconds)
        return False
    ready, _, _ = select.select([out], [], [], seconds)
    if not ready:
        return False
    found = os.read(out.fileno(), _CHUNK)
    if not found:
        out.close()
    lines.feed(found)
    return bool(found)


class Lines:
    """Makes lines of what comes in pieces, the last one without a newline too; no more than people read."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._begun = b""
        self._told = 0

    def feed(self, found: bytes) -> None:
        *whole, self._begun = (self._begun + found).split(b"\n")
        for line in whole:
            self._tell(line)
        if len(self._begun) > LONGEST_LINE:
            self.end()

    def end(self) -> None:
        if self._begun:
            self._tell(self._begun)
            self._begun = b""

    def _tell(self, line: bytes) -> None:
        self._told += 1
        if self._told <= MOST_LINES:
            self._show(line.decode("utf-8", "replace"))
        elif self._told == MOST_LINES + 1:
            self._show(f"… it writes more than {MOST_LINES:,} lines; the rest is not shown")
