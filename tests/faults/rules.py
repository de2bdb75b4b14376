"""What the proxy may do to a request, and to which: faults, and rules that match them by method, path and n-th hit."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Record:
    """One request as the proxy saw it. `number` counts from 1; moments are seconds of the wall clock.

    `status` is what the client was answered, 0 when it was cut off; `upstream` what the API server answered, 0 when
    it was never asked. `fault` names what was done to it; `made` is the UID of what it created.
    """

    number: int
    who: str
    method: str
    path: str
    query: str
    body: bytes
    began: float
    upstream: int = 0
    status: int = 0
    sent: int = 0
    ended: float = 0.0
    fault: str = ""
    made: str = ""

    @property
    def dry(self) -> bool:
        return "dryRun=All" in self.query

    @property
    def writes(self) -> bool:
        """It changes something that lasts: no dry run, and no question that is asked by POST."""
        return self.method != "GET" and not self.dry and "selfsubject" not in self.path

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.number} {self.who} {self.method} {self.path}{query}"


Hook = Callable[[Record], None]


@dataclass(frozen=True, slots=True)
class Drop:
    """Cut the connection; the API server never hears of it."""


@dataclass(frozen=True, slots=True)
class Lose:
    """Forward, wait for the answer, and cut the connection instead of passing it on."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Forward, pass that many bytes of the answer on, then cut."""

    after: int


@dataclass(frozen=True, slots=True)
class Stall:
    """Forward, pass that many bytes of the answer on, then say nothing more and stay open."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait before forwarding; the request arrives even if its sender is gone by then."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drip:
    """Forward, and pass the answer on at that many bytes a second, headers first."""

    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer instead of the API server."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Forward, and cut the answer after that many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Replay:
    """Forward and remember the answer; once `stale` is set, give the remembered one to whoever asks the same."""

    stale: threading.Event


@dataclass(frozen=True, slots=True)
class Call:
    """Call a function before forwarding, and one after the answer has come; then go on, or cut.

    `cut` is for a client that is dead by then: before forwarding nothing is forwarded, afterwards nothing passed on.
    """

    before: Hook | None = None
    after: Hook | None = None
    cut: bool = False


Fault = Drop | Lose | Reset | Stall | Delay | Drip | Answer | Cutoff | Replay | Call


def refusal(status: int, reason: str, message: str, **headers: str) -> Answer:
    """An answer as the API server itself words one: a Status."""
    body = (
        f'{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"{message}",'
        f'"reason":"{reason}","code":{status}}}'
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body.encode(), {"Content-Type": "application/json", **named})


HTML = Answer(200, b"<!DOCTYPE html><html><body>Please log in</body></html>", {"Content-Type": "text/html"})


class Rule:
    """A fault, and the requests that it happens to: the `nth` that matches and, with `times`, so many from there.

    `method` is one or several separated by |, "" for all; `path` is searched for in path and query; `number` is the
    request's own; `who` is shipit or helm. `times` 0 means for ever.
    """

    def __init__(
        self,
        fault: Fault,
        method: str = "",
        path: str = "",
        *,
        who: str = "",
        nth: int = 1,
        times: int = 1,
        number: int = 0,
        where: Callable[[Record], bool] = lambda _: True,
    ) -> None:
        self.fault = fault
        self.hits: list[Record] = []
        self._method = re.compile(method)
        self._path = re.compile(path)
        self._who = who
        self._first = nth
        self._times = times
        self._number = number
        self._where = where
        self._seen = 0
        self._ended = False

    def takes(self, asked: Record) -> bool:
        """Whether this request is one of those; counts it when it matches."""
        if self._ended or not self._matches(asked):
            return False
        self._seen += 1
        if self._seen < self._first or (self._times and self._seen >= self._first + self._times):
            return False
        self.hits.append(asked)
        return True

    def end(self) -> None:
        """From now on it takes nothing."""
        self._ended = True

    def await_hit(self, within: float = 60.0, times: int = 1) -> None:
        """Wait until it took a request."""
        deadline = time.monotonic() + within
        while len(self.hits) < times:
            assert time.monotonic() < deadline, f"{self.fault} never happened"
            time.sleep(0.02)

    def _matches(self, asked: Record) -> bool:
        return (
            (not self._method.pattern or self._method.fullmatch(asked.method) is not None)
            and self._path.search(f"{asked.path}?{asked.query}") is not None
            and self._who in ("", asked.who)
            and self._number in (0, asked.number)
            and self._where(asked)
        )


class Rules:
    """The rules in force, which any thread may change; the first that takes a request is the one that counts."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._guard = threading.Lock()

    def add(self, rule: Rule) -> Rule:
        with self._guard:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        with self._guard:
            self._rules.clear()

    def of(self, asked: Record) -> Rule | None:
        with self._guard:
            return next((rule for rule in self._rules if rule.takes(asked)), None)
