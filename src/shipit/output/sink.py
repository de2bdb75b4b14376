"""A stream whose reader may go away: a closed pipe, a lost terminal or a full disk never stops a deploy."""

from __future__ import annotations

import os
from typing import TextIO

_IN_ASCII = str.maketrans({"✓": "+", "✗": "x", "–": "-", "…": "..."})


class Sink:
    """Writes to `stream` until that fails, then swallows everything; `broken` is the first error, None while all is well.

    What the stream's encoding can't hold is written in ASCII where there is something like it, else as a question mark.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.broken: Exception | None = None
        self._wait_for_slow_readers()

    @property
    def encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        try:
            return self._stream.isatty()
        except ValueError:  # closed
            return False

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        if self.broken is None:
            try:
                self._write(text)
            except (OSError, ValueError) as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        if self.broken is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._give_up(error)

    def line(self, text: str) -> None:
        self.write(text + "\n")
        self.flush()

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            self._stream.write(
                text.translate(_IN_ASCII).encode(self.encoding, "replace").decode(self.encoding)
            )

    def _wait_for_slow_readers(self) -> None:
        # A parent such as node may have left the pipe non-blocking: a full one would then look like a broken one.
        try:
            if not os.get_blocking(self._stream.fileno()):
                os.set_blocking(self._stream.fileno(), True)
        except (OSError, ValueError):  # no file descriptor behind it
            return

    def _give_up(self, error: Exception) -> None:
        self.broken = error
        # The interpreter flushes its streams when it exits, and would turn the exit code into 120 over what is left
        # in this one's buffer: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        try:
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, self._stream.fileno())
            os.close(devnull)
        except (OSError, ValueError):
            return
