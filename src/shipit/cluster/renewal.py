"""Credentials that ran out are renewed once for all the threads that met the 401, and none waits longer than it may."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shipit.cluster.deadlines import POLL, Deadline
from shipit.errors import ApiError, ShipitError, Unauthorized, Unreachable


@dataclass(frozen=True, slots=True)
class Session:
    """A client of the kubernetes library and the server that it talks to, its address fit to be shown."""

    client: Any
    server: str


@dataclass(slots=True)
class _Renewal:
    """A login under way, or how it failed."""

    done: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None


class Credentials:
    """The session of the moment. `log_in` makes one, in its own time: it may ask somebody to log in."""

    def __init__(self, log_in: Callable[[], Session]) -> None:
        self._log_in = log_in
        self._guard = threading.Lock()
        self._running: _Renewal | None = None
        self.session = log_in()

    def renewed(self, old: Session, deadline: Deadline) -> Session:
        """The session that takes the place of `old`.

        A renewal that outlives the deadline goes on, for whoever asks next. Raises Unauthorized, or Unreachable: other
        than at the start, when nothing was changed yet, no kubeconfig is bad enough for a refusal.
        """
        renewal = self._renewal(old)
        if renewal is None:
            return self.session
        while not renewal.done.wait(min(POLL, deadline.left)):
            if not deadline.left:
                raise Unreachable(
                    f"the credentials expired, and renewing them took more than {deadline.seconds:.3g} s: "
                    "the credential plugin hangs or waits for a login"
                )
        if renewal.error is not None:
            raise _told(renewal.error) from renewal.error
        return self.session

    def _renewal(self, old: Session) -> _Renewal | None:
        """The renewal to wait for, begun when there is none; None when it is done already."""
        with self._guard:
            if self.session is not old:
                return None
            if self._running is None:
                self._running = _Renewal()
                threading.Thread(
                    target=self._renew, args=(self._running,), name="shipit-login", daemon=True
                ).start()
            return self._running

    def _renew(self, renewal: _Renewal) -> None:
        try:
            self.session = self._log_in()
        except Exception as error:  # noqa: BLE001 - raised again in the threads that wait for it
            renewal.error = error
        finally:
            with self._guard:
                self._running = None
            renewal.done.set()


def _told(error: Exception) -> Exception:
    if isinstance(error, ApiError):
        return type(error)(error.message, status=error.status, reason=error.reason, hint=error.hint)
    if isinstance(error, ShipitError):
        return Unauthorized(f"the credentials expired: {error.message}", hint=error.hint)
    if isinstance(error, OSError):
        return Unauthorized(f"the credentials expired: {(error.strerror or str(error)).lower()}")
    return error
