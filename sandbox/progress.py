"""Says what is being done, how far it is and how long it has taken: live on a terminal, in lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

TTY_INTERVAL = 0.5
LINE_INTERVAL = 15.0


def clock(seconds: float) -> str:
    """`7s`, `1m05s`: short enough for the end of a line."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


class Progress:
    """Reports steps on a stream (stderr), one at a time."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._tty = self._stream.isatty()
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        """A line that stays."""
        if not self._quiet:
            self._stream.write(f"{text}\n")
            self._stream.flush()

    @contextmanager
    def step(self, text: str, done: int = 0, total: int = 0) -> Iterator[None]:
        """Show `[done/total] text` until the block ends, then how long it took."""
        label = f"[{done}/{total}] {text}" if total else text
        started = time.monotonic()
        ended = threading.Event()
        reporter = threading.Thread(target=self._report, args=(label, started, ended), daemon=True)
        if not self._quiet:
            reporter.start()
        try:
            yield
        except BaseException:
            self._end(reporter, ended, f"{label}: failed after {clock(time.monotonic() - started)}")
            raise
        self._end(reporter, ended, f"{label}: {clock(time.monotonic() - started)}")

    def _end(self, reporter: threading.Thread, ended: threading.Event, line: str) -> None:
        if self._quiet:
            return
        ended.set()
        reporter.join()
        self.say(f"\r\x1b[K{line}" if self._tty else line)

    def _report(self, label: str, started: float, ended: threading.Event) -> None:
        while not ended.wait(TTY_INTERVAL if self._tty else LINE_INTERVAL):
            now = time.monotonic()
            text = f"{label} … {clock(now - started)} ({clock(now - self._start)} in all)"
            self._stream.write(f"\r\x1b[K{text}" if self._tty else f"{text}\n")
            self._stream.flush()
