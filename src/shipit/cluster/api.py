"""The one place for retries, backoff, deadlines and renewed credentials: every call of the API goes through here."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar

from shipit.cluster.calls import Call, Kind, call_for
from shipit.cluster.deadlines import Attempt, Deadline
from shipit.cluster.http import exchange, moment_of, open_stream
from shipit.cluster.renewal import Credentials, Session
from shipit.cluster.responses import Answer, Lost, NotSent, result_of
from shipit.errors import ApiError, IdentityChanged, Unauthorized, Unreachable
from shipit.hints import kubectl
from shipit.model import Clock, Json, as_map, as_text

T = TypeVar("T")

WITHIN = 30.0
"""Seconds that a call may take, all tries together."""
FIRST_PAUSE = 0.1
"""Seconds before the second try, twice as many before each further one, less a random part."""
LONGEST_PAUSE = 3.0
LOOK_WITHIN = 10.0
"""Seconds in which a look at what became of a write has to succeed."""
WHO = Kind("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False)
LAST_TRY = 2.0
"""Seconds before the deadline at which a call is tried a last time, whatever the server asked to wait."""


class Api:
    """The API server as seen with one set of credentials. Any thread may use it."""

    def __init__(
        self,
        connect: Callable[[Deadline], Session],
        clock: Clock,
        *,
        context: str = "",
        within: float = WITHIN,
        login_within: float = WITHIN,
    ) -> None:
        """`connect` makes a session anew: at the start, and when the credentials are no longer accepted."""
        self._clock = clock
        self._context = context
        self._within = within
        self._bounds = threading.local()
        self._connect = connect
        self._login_within = login_within
        self._user: str | None = None
        self._credentials = Credentials(self._log_in)
        self._seen: tuple[datetime, float] | None = None

    @property
    def server(self) -> str:
        return self._credentials.session.server

    def deadline(self, within: float | None = None) -> Deadline:
        """The deadline of a call, no later than what `within` allows this thread."""
        seconds = self._within if within is None else within
        bound: Deadline | None = getattr(self._bounds, "deadline", None)
        return Deadline(self._clock, seconds if bound is None else min(seconds, bound.left))

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """All calls that this thread makes inside are given up together once so many seconds have passed."""
        outer = getattr(self._bounds, "deadline", None)
        self._bounds.deadline = self.deadline(seconds)
        try:
            yield
        finally:
            self._bounds.deadline = outer

    def close(self) -> None:
        """Close the connections that wait for the next call."""
        self._credentials.session.client.close()

    def note_user(self, within: float) -> None:
        """Note whom the API server takes us for, where it says so: credentials that come later must be the same one's."""
        if self._user is None:
            self._user = self._user_of(self._credentials.session, self.deadline(within))

    def renew(self) -> None:
        """Log in anew, for the credentials were replaced. Raises ApiError, IdentityChanged for somebody else's."""
        self._credentials.renewed(self._credentials.session, self.deadline(self._login_within))

    def _log_in(self) -> Session:
        deadline = Deadline(self._clock, self._login_within)
        session = self._connect(deadline)
        user = self._user_of(session, deadline) if self._user else ""
        if user and user != self._user:
            raise IdentityChanged(
                f"the credentials are another user's by now: {user}, not {self._user}",
                hint=kubectl("auth", "whoami", why="shows who it is"),
            )
        return session

    def _user_of(self, session: Session, deadline: Deadline) -> str:
        """ "" where the API server doesn't say, as before Kubernetes 1.28."""
        review: Json = {"apiVersion": WHO.api_version, "kind": WHO.name}
        call = call_for("create", WHO, "", body=review)
        try:
            found = result_of(call, exchange(session.client, call, deadline))
        except ApiError:
            return ""
        return as_text(as_map(as_map(found.get("status")).get("userInfo")).get("username"))

    def now(self) -> datetime:
        """The API server's clock as of its last answer, ours before the first one."""
        if self._seen is None:
            return self._clock.now()
        moment, at = self._seen
        return moment + timedelta(seconds=self._clock.monotonic() - at)

    def read(self, call: Call, *, within: float | None = None) -> Json:
        """Ask until there is an answer: for what changes nothing, or the same thing when it is done twice."""
        return self.settle(call, None, within=within)

    def settle(
        self, call: Call, look: Callable[[], Json | None] | None, *, within: float | None = None
    ) -> Json:
        """Send a write; when its answer is lost, `look` says what became of it: its result, or None to send it again.

        `look` may raise what the write would have raised. A look may take LOOK_WITHIN beyond the deadline.
        """
        deadline = self.deadline(within)
        tries, lost = 0, False
        while True:
            tries += 1
            try:
                return result_of(call, self._authorized(call, deadline))
            except (NotSent, Lost) as error:
                lost = lost or isinstance(error, Lost)
                self._pause(call, error, tries, deadline, may_look=lost and look is not None)
                silence = error
            except ApiError:
                # It may be a try of ours that arrived late which stands in the way
                found = look() if look is not None and lost else None
                if found is None:
                    raise
                return found
            found = look() if look is not None and lost else None
            if found is not None:
                return found
            if not deadline.left:
                raise self._silent(call, silence, tries, lost=lost) from silence

    def stream(self, call: Call, attempt: Attempt, *, quiet: float) -> Any:
        """Open a stream, tried once: whoever follows it tries again in its own time. Raises ApiError."""
        deadline = self.deadline()
        try:
            return self._with_fresh_credentials(
                lambda session: self._streamed(session, call, deadline, attempt, quiet), deadline
            )
        except (NotSent, Lost) as error:
            raise self._silent(call, error, 1) from error

    def _streamed(
        self, session: Session, call: Call, deadline: Deadline, attempt: Attempt, quiet: float
    ) -> Any:
        opened = open_stream(session.client, call, deadline, attempt, quiet)
        if isinstance(opened, Answer):
            result_of(call, opened)
            raise Lost(f"it answered {opened.status} to a stream", status=opened.status)
        return opened

    def _authorized(self, call: Call, deadline: Deadline) -> Answer:
        def work(session: Session) -> Answer:
            answer = exchange(session.client, call, deadline)
            self._note(answer)
            if answer.status == HTTPStatus.UNAUTHORIZED:
                result_of(call, answer)
            return answer

        return self._with_fresh_credentials(work, deadline)

    def _with_fresh_credentials(self, work: Callable[[Session], T], deadline: Deadline) -> T:
        """On a 401 renew the credentials, once, and go on."""
        session = self._credentials.session
        try:
            return work(session)
        except Unauthorized:
            session = self._credentials.renewed(session, deadline)
        try:
            return work(session)
        except Unauthorized as error:
            raise Unauthorized(
                f"the API server at {self.server} does not accept the credentials of "
                f"{f'context {self._context}' if self._context else 'this machine'}",
                status=401,
                reason=error.reason,
                hint=kubectl("auth", "whoami", why="log in again; this shows whether it worked"),
            ) from error

    def _note(self, answer: Answer) -> None:
        moment = moment_of(answer)
        if moment is not None:
            self._seen = (moment, self._clock.monotonic())

    def _pause(
        self, call: Call, error: NotSent | Lost, tries: int, deadline: Deadline, *, may_look: bool
    ) -> None:
        """Wait before the next try. Raises Unreachable when there is no time left, or it would not help."""
        left = deadline.left
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 10))
        pause = max(longest * (0.5 + secrets.randbelow(1000) / 2000), error.after)
        if pause >= left > LAST_TRY:
            pause = left - LAST_TRY
        if may_look:
            pause = min(pause, left)
        elif pause >= left or (isinstance(error, NotSent) and error.hopeless):
            raise self._silent(call, error, tries) from error
        self._clock.sleep(pause)

    def _silent(self, call: Call, error: NotSent | Lost, tries: int, *, lost: bool = False) -> ApiError:
        """What it comes to. A clear no is none when an earlier answer was lost: that try may have gone through."""
        times = f" (tried {tries} times)" if tries > 1 else ""
        if not lost and isinstance(error, NotSent) and (said := error.verdict) is not None:
            return type(said)(f"{said.message}{times}", status=said.status, reason=said.reason)
        return Unreachable(
            f"can't {call} (API server {self.server}): {error.message}{times}",
            status=error.status,
            hint=kubectl("version", why="shows whether kubectl reaches it"),
        )
