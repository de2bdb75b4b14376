"""The credential plugin, which the kubernetes client starts and waits for without a bound: ended with whoever gave it up.

The client hands out no process. Linux knows which ones a thread has started; elsewhere the plugin is left behind.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path


class Plugin:
    """Whatever process the thread that is `at_it` has started."""

    def __init__(self) -> None:
        self._thread: int | None = None

    @contextlib.contextmanager
    def at_it(self) -> Iterator[None]:
        """The client logs in here, in this thread; the plugin does not outlive shipit either."""
        self._thread = threading.get_native_id()
        atexit.register(self.end)
        try:
            yield
        finally:
            self._thread = None
            atexit.unregister(self.end)

    def end(self) -> None:
        """Terminate it, if it runs; any thread may call it."""
        if self._thread is None:
            return
        with contextlib.suppress(OSError):
            started = Path(f"/proc/self/task/{self._thread}/children").read_text(encoding="ascii")
            for each in started.split():
                os.kill(int(each), signal.SIGTERM)
