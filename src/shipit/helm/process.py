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


@dataclass(frozen=True, slots=True)
class Patience:
    """How long helm may take to end, in seconds: after an interrupt, then after a SIGTERM to all of its group."""

    interrupt: float = 10.0
    terminate: float = 5.0


PATIENCE = Patience()


class Process:
    """A running helm; `world.HelmProcess`. It is interrupted when it hears nothing for `lease` seconds."""

    def __init__(
        self,
        command: Command,
        *,
        lease: float | None,
        clean: Clean,
        keep_output: bool = False,
        patience: Patience = PATIENCE,
    ) -> None:
        self._clean = clean
        self._patience = patience
        self._ending = threading.Lock()
        self._speaking = threading.Lock()
        self._exit: HelmExit | None = None
        self._output = b""
        self._stdout = _nameless_file() if keep_output else None
        self._stderr = _nameless_file()
        fenced, self._control = os.pipe()
        os.set_inheritable(fenced, True)  # noqa: FBT003 - its only way to be called
        os.set_blocking(self._control, False)
        try:
            words = _guarded(command, fenced, lease or 0, patience)
            self._started = _start(words, command, fenced, self._stdout, self._stderr)
        except BaseException:
            self._close()
            raise
        finally:
            os.close(fenced)

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
        """Interrupt, then terminate, then kill, with its children; returns when it is gone, after 20 s at most."""
        self._hang_up()
        return self.wait(self._patience.interrupt + self._patience.terminate + 1) or self.kill()

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
        return self._output

    def close(self) -> None:
        """Kill a helm that still runs; one that was seen to end needs no closing."""
        if self.poll() is None:
            self.kill()

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
        self._output = _content(self._stdout) if self._stdout else b""
        self._close()
        return HelmExit(code, self._clean(text)[-KEPT_LINES:])

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._started.pgid, signal.SIGKILL)

    def _close(self) -> None:
        self._hang_up()
        self._stderr.close()
        if self._stdout is not None:
            self._stdout.close()


def _guarded(command: Command, control: int, lease: float, patience: Patience) -> list[str]:
    seconds = (f"{each:g}" for each in (lease, patience.interrupt, patience.terminate))
    return ["-I", "-S", str(GUARDIAN), str(control), *seconds, command.binary, *command.args]


def _start(
    words: list[str], command: Command, control: int, stdout: IO[bytes] | None, stderr: IO[bytes]
) -> Any:
    """Fork with sh. The exit code is read from the process: sh's own error texts hold the whole command line."""
    import sh

    with Path(os.devnull).open("r+b", buffering=0) as nothing:
        return sh.Command(sys.executable)(
            *words,
            _bg=True,
            _bg_exc=False,
            _in=nothing,
            _out=stdout or nothing,
            _err=stderr,
            _tty_out=False,
            _new_group=True,
            _pass_fds={control},
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
