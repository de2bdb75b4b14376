"""Runs work that may hang in a thread of its own; the caller waits until a deadline, then continues without it.

A socket's timeout counts from byte to byte, name resolution and credential plugins have none at all: only a second
thread bounds them. What was given up never reaches the network later: its connection is cut, and connecting anew
is refused.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from shipit.model import Clock

T = TypeVar("T")

POLL = 0.2
"""Seconds between looks at the clock, which need not be the one that the operating system waits by."""


class Deadline:
    """A moment to be done by, on a clock that only grows."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds
        self.seconds = seconds

    @property
    def left(self) -> float:
        """Seconds, 0 when there are none."""
        return max(0.0, self._end - self._clock.monotonic())


class GivenUp(Exception):
    """Raised in a thread whose caller no longer waits."""


class OutOfTime(Exception):
    """The work did not end by its deadline."""


class _Connection(Protocol):
    sock: Any


class Attempt:
    """One piece of work and the connection that it uses, to be cut from outside."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._connection: _Connection | None = None
        self._given_up = False

    def seize(self, connection: _Connection) -> None:
        """Note the connection that is about to be used. Raises GivenUp when nobody waits for it any more."""
        with self._guard:
            if self._given_up:
                raise GivenUp
            self._connection = connection

    def end(self) -> None:
        """The connection may serve others from here on: giving up no longer cuts it."""
        with self._guard:
            self._connection = None

    def give_up(self) -> None:
        """Cut the connection, whatever its thread is doing with it; any thread may call it, more than once."""
        with self._guard:
            self._given_up = True
            sock = getattr(self._connection, "sock", None)
        if isinstance(sock, socket.socket):
            # Past the TLS layer, which another thread may be reading from
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


_current = threading.local()


def current_attempt() -> Attempt | None:
    """The attempt that this thread works on."""
    found: Attempt | None = getattr(_current, "attempt", None)
    return found


def bounded(work: Callable[[], T], deadline: Deadline, attempt: Attempt | None = None) -> T:
    """Return or raise what `work` does. Raises OutOfTime when it takes longer; it is given up then."""
    attempt = attempt or Attempt()
    done = threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        _current.attempt = attempt
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 — raised again in the caller's thread
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="shipit-api", daemon=True).start()
    try:
        while not done.wait(min(POLL, deadline.left)):
            if not deadline.left:
                raise OutOfTime
    except BaseException:
        attempt.give_up()
        raise
    if errors:
        raise errors[0]
    return results[0]
