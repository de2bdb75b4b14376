"""What a signal does: the first one stops what is going on; the second one leaves without waiting for helm's end, which
its guardian sees to, or a look at what still runs; the third one leaves everything.
"""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from shipit.errors import Stopped

SAME_WITHIN = 0.1
"""Seconds in which the same signal again is the same request: `timeout` sends it to its child and to the whole group,
and so may a runner and a wrapper. Nobody presses Ctrl-C twice so fast.
"""
RESTORED_WITHIN = 1.0
"""Seconds that giving the terminal back may take when everything is left."""


class Signals:
    """Raises Stopped in the main thread. Once `held` is set signals are only counted: the outcome is known by then, and
    nothing keeps it from being written.
    """

    def __init__(self, restore: Callable[[], None]) -> None:
        """`restore` gives the terminal back; it may hang."""
        self.held = False
        self._restore = restore
        self._heard = 0
        self._last: tuple[int, float] = (0, 0.0)
        self._ours: list[signal.Signals] = []

    def listen(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # `nohup` has SIGHUP ignored, a script SIGINT in what it starts in the background: they mean it
            if signum == signal.SIGTERM or signal.getsignal(signum) is not signal.SIG_IGN:
                signal.signal(signum, self._hear)
                self._ours.append(signum)

    def end(self) -> None:
        """The outcome is told: the exit code stays what it is, while the interpreter ends too."""
        for signum in self._ours:
            signal.signal(signum, signal.SIG_IGN)

    def _hear(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        now = time.monotonic()
        (last, at), self._last = self._last, (signum, now)
        if last == signum and now - at < SAME_WITHIN:
            return
        told = signal.SIGTERM if signum == signal.SIGHUP else signum
        self._heard += 1
        if self._heard > 2:  # noqa: PLR2004
            self._leave(told)
        if not self.held:
            raise Stopped(told, again=self._heard > 1)

    def _leave(self, signum: int) -> None:
        """Leave this instant or, for the terminal's sake, a little later.

        The thread that was interrupted may hold any lock, the output's and those of `threading` too: nothing here
        waits for one without a bound.
        """
        restored = _thread.allocate_lock()
        restored.acquire()

        def restore() -> None:
            try:
                self._restore()
            finally:
                restored.release()

        _thread.start_new_thread(restore, ())
        restored.acquire(timeout=RESTORED_WITHIN)
        os._exit(128 + signum)
