"""Running helm: under a guardian, in a process group of its own, bounded in time and in what is kept of its words.

helm writes to files that have no name, not to pipes: a helm whose shipit was killed must be able to go on writing
until it has marked its release as failed, and no thread is needed to read along.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from shipit.model import HelmExit

GUARDIAN = Path(__file__).with_name("guardian.py")
STOP_WITHIN = 17.0
KILL_WITHIN = 2.0
KEPT_BYTES = 256 * 1024
KEPT_LINES = 200

Clean = Callable[[str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Command:
    """A helm to run: its binary (an absolute path), arguments, environment and folder."""

    binary: str
    args: Sequence[str]
    environ: Mapping[str, str]
    folder: Path


class Process:
    """A running helm; `world.HelmProcess`."""

    def __init__(self, command: Command, *, lease: float | None, clean: Clean, keep_output: bool) -> None:
        self._clean = clean
        self._ending = threading.Lock()
        self._speaking = threading.Lock()
        self._exit: HelmExit | None = None
        self._stdout = _nameless_file() if keep_output else None
        self._stderr = _nameless_file()
        guarded, self._control = os.pipe()
        os.set_inheritable(guarded, True)  # noqa: FBT003 - its only way to be called
        os.set_blocking(self._control, False)
        try:
            self._started = _start(command, guarded, lease or 0, self._stdout, self._stderr)
        except BaseException:
            self._close()
            raise
        finally:
            os.close(guarded)

    def poll(self) -> HelmExit | None:
        with self._ending:
            if self._exit is None:
                alive, code = self._started.is_alive()
                if not alive:
                    self._exit = self._end(code)
            return self._exit

    def wait(self, timeout: float) -> HelmExit | None:
        until = time.monotonic() + timeout
        pause = 0.005
        while (ended := self.poll()) is None and (left := until - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, 0.1)
        return ended

    def stop(self) -> HelmExit:
        """Interrupt, after 10 s terminate, after 15 s kill, with its children; returns when it is gone."""
        self._hang_up()
        return self.wait(STOP_WITHIN) or self.kill()

    def kill(self) -> HelmExit:
        """Kill it with its children at once: for a helm that changes nothing, or that nothing else could end."""
        self._say(b"k")
        ended = self.wait(KILL_WITHIN)
        if ended is None:
            self._kill_group()
            ended = self.wait(KILL_WITHIN)
        return ended or HelmExit(-signal.SIGKILL, ("helm did not end when it was killed",))

    def keep_alive(self) -> None:
        """Say that shipit lives and holds its lock; never blocks and never fails. Any thread may call it."""
        self._say(b".")

    def output(self) -> bytes:
        """What helm wrote to stdout; only once it has ended, and only if it was to be kept."""
        return b"" if self._stdout is None else _content(self._stdout)

    def close(self) -> None:
        """Let go of everything; a helm that still runs is killed."""
        if self.poll() is None:
            self.kill()
        self._close()

    def _say(self, word: bytes) -> None:
        with self._speaking:
            if self._control >= 0:
                with contextlib.suppress(BlockingIOError, BrokenPipeError):
                    os.write(self._control, word)

    def _hang_up(self) -> None:
        with self._speaking:
            if self._control >= 0:
                os.close(self._control)
                self._control = -1

    def _end(self, code: int) -> HelmExit:
        """Read what helm left behind. A guardian that died of a signal may have left helm itself behind."""
        if code < 0:
            self._kill_group()
        self._started.wait()
        text = _content(self._stderr, last=KEPT_BYTES).decode("utf-8", "replace")
        return HelmExit(code, self._clean(text)[-KEPT_LINES:])

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._started.pgid, signal.SIGKILL)

    def _close(self) -> None:
        self._hang_up()
        self._stderr.close()
        if self._stdout is not None:
            self._stdout.close()


def _start(command: Command, guarded: int, lease: float, stdout: IO[bytes] | None, stderr: IO[bytes]) -> Any:
    """Fork with sh. The exit code is read from the process: sh's own error texts hold the whole command line."""
    import sh

    with Path(os.devnull).open("r+b", buffering=0) as nothing:
        guardian = sh.Command(sys.executable)
        return guardian(
            "-I",
            "-S",
            str(GUARDIAN),
            str(guarded),
            f"{lease:g}",
            command.binary,
            *command.args,
            _bg=True,
            _bg_exc=False,
            _in=nothing,
            _out=stdout or nothing,
            _err=stderr,
            _tty_out=False,
            _new_group=True,
            _pass_fds={guarded},
            _env=dict(command.environ),
            _cwd=str(command.folder),
            _encoding="utf-8",
            _decode_errors="replace",
            _log_msg=lambda *_: "helm",
        ).process


def _nameless_file() -> IO[bytes]:
    """In memory where the system can: what helm renders holds Secrets in clear."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("shipit-helm"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _content(file: IO[bytes], *, last: int | None = None) -> bytes:
    size = file.seek(0, os.SEEK_END)
    file.seek(0 if last is None else max(0, size - last))
    return file.read()
