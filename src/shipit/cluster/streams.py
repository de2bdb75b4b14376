"""Answers that don't end by themselves: a container's log, and watches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from shipit.cluster.api import Api
from shipit.cluster.calls import Call
from shipit.cluster.deadlines import Attempt
from shipit.cluster.http import chunks_of
from shipit.cluster.responses import Lost
from shipit.errors import Unreachable
from shipit.model import Json

MOST_EVENT = 16 << 20
"""Bytes that one event of a watch may have: ten times the largest object that etcd takes."""


class Stream:
    """An open answer as a context manager over its chunks; leaving it, from any thread, closes the connection.

    Opened when it is entered, where it raises what can't be opened. Reading raises Unreachable when the answer was
    cut, silent for `quiet` seconds or longer than `within`, and ends quietly when it ended or was closed.
    """

    def __init__(self, api: Api, call: Call, *, quiet: float, within: float | None = None) -> None:
        self._api = api
        self._call = call
        self._quiet = quiet
        self._within = within
        self._attempt = Attempt()
        self._closed = False

    def __enter__(self) -> Iterator[bytes]:
        return self._read(self._api.stream(self._call, self._attempt, quiet=self._quiet))

    def _read(self, response: Any) -> Iterator[bytes]:
        deadline = self._api.deadline(self._within) if self._within is not None else None
        try:
            for chunk in chunks_of(response):
                yield chunk
                if deadline is not None and not deadline.left:
                    raise Lost("it took too long")
            self._attempt.end()
        except Lost as error:
            if not self._closed:
                raise Unreachable(
                    f"the API server cut off an answer ({self._call}): {error.message}"
                ) from error
        finally:
            response.close()

    def close(self) -> None:
        self._closed = True
        self._attempt.give_up()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def events_of(chunks: Iterator[bytes]) -> Iterator[tuple[str, Json]]:
    """The events of a watch: type and object. Raises Unreachable for what is no event; ends as the stream does."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MOST_EVENT:
            raise Unreachable(f"the API server sent a watch event of more than {MOST_EVENT >> 20} MiB")
        for line in lines:
            yield _event(line)


def _event(line: bytes) -> tuple[str, Json]:
    try:
        event = json.loads(line)
        found = event["object"]
        if not isinstance(found, dict):
            raise TypeError
        return str(event["type"]), found
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Unreachable("the API server sent something that is not a watch event") from error
