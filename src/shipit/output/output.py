"""The one door to the outside: events of any thread in, one renderer's text out, and never an error back."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Protocol, Self

from shipit.events import Checked, Ended, Event, Failed, Warned
from shipit.output.sink import Sink


class Renderer(Protocol):
    """Turns events into text on its sinks. `interval` is how often, in seconds, it wants its `tick`; None: never."""

    interval: float | None

    def show(self, event: Event) -> None: ...

    def tick(self) -> None: ...

    def close(self) -> None: ...


class Output:
    """What `open_output` gives: `emit` is an `Emit`, safe to call from several threads and after a stream has gone.

    As a context manager it starts the ticks (the running clock of a footer, the heartbeats) and, however it is left,
    gives the terminal back. Quiet, it shows warnings, the error and the result only.
    """

    def __init__(
        self, renderer: Renderer, *, out: Sink, err: Sink, quiet: bool = False, pager: bool = False
    ) -> None:
        self._renderer = renderer
        self._out = out
        self._err = err
        self._quiet = quiet
        self._pager = pager
        # Re-entrant: a signal's handler may emit in the thread that it interrupted in the middle of an emit.
        self._lock = threading.RLock()
        self._left = threading.Event()
        self._ticking: threading.Thread | None = None
        self._loss_told = False

    @property
    def broken(self) -> bool:
        """True once something could not be written any more."""
        return bool(self._out.broken or self._err.broken)

    @property
    def reader_left(self) -> bool:
        """True once whoever read from a pipe has left: `| head`."""
        return isinstance(self._out.broken, BrokenPipeError)

    def emit(self, event: Event) -> None:
        wrong = isinstance(event, Checked) and event.state == "failed"
        if self._quiet and not (wrong or isinstance(event, Warned | Failed | Ended)):
            return
        with self._lock:
            self._renderer.show(event)
            self._tell_loss()

    def tick(self) -> None:
        """What the ticking thread does every `interval` seconds."""
        with self._lock:
            self._renderer.tick()
            self._tell_loss()

    def __enter__(self) -> Self:
        if self._renderer.interval is not None:
            self._ticking = threading.Thread(target=self._keep_ticking, name="shipit-output", daemon=True)
            self._ticking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        try:
            if self._ticking is not None:
                self._ticking.join()
        finally:
            with self._lock:
                self._renderer.close()
                self._tell_loss()

    def _keep_ticking(self) -> None:
        while not self._left.wait(self._renderer.interval):
            self.tick()

    def _tell_loss(self) -> None:
        if self._out.broken and not self._loss_told:
            self._loss_told = True
            if not (self._pager and self.reader_left):
                self._err.line(
                    f"shipit: can't write to stdout any more ({self._out.broken}); continuing without it"
                )
