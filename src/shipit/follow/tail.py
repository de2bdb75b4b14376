"""One container's log, read ahead in a thread of its own until the container has ended and nothing more comes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Literal

from shipit.errors import ApiError, Forbidden, NotFound, Unreachable
from shipit.follow.spool import Spool
from shipit.follow.stitch import Stitch, gap
from shipit.model import Container, Pod
from shipit.world import Clock, Cluster

LAST = 20
"""Lines that are kept of each container for the verdict."""
LONGEST_PAUSE = 5.0
TRIES = 6
"""How often the log of an ended container is asked for when the API server refuses to give it."""
ROTATION_EVERY = 8.0
"""Seconds in which a log can't be rotated twice: the kubelet looks every 10 s."""
SMALLEST_FILE = 1 << 20
"""Bytes below which no log is rotated: the kubelet's `containerLogMaxSize` is 10 Mi unless somebody sets it."""

_End = Literal["clean", "cut", "gone", "refused"]


class Tail:
    """Reads one container's log into the spool, under a number. `last` holds its last lines, as they were told."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        spool: Spool,
        number: int,
        *,
        pod: Pod,
        container: str,
        attempt: int,
    ) -> None:
        self.pod = pod.name
        self.container = container
        self.attempt = attempt
        self.last: deque[str] = deque(maxlen=LAST)
        self.forbidden: Forbidden | None = None
        self.over = False
        self.trouble = ""
        self._namespace = pod.namespace
        self._cluster = cluster
        self._clock = clock
        self._spool = spool
        self._number = number
        self._stitch = Stitch()
        self._guard = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ending = self._closed = False
        self._restarts = self._read_restarts = 0
        self._bytes = 0
        self._ended_at: float | None = None
        self._settled = self._whole = False
        self._stream: AbstractContextManager[Iterator[bytes]] | None = None

    @property
    def done(self) -> bool:
        """Everything that there is to read was read, or never can be."""
        thread = self._thread
        return thread is None or not thread.is_alive()

    def observe(self, container: Container, pace: float) -> None:
        """What the cluster says of the container now; reading begins, or begins again after a restart."""
        with self._guard:
            over = container.state != "running"
            begin = self.done and (self._thread is None or not over or container.restarts > self._restarts)
            self.over = over
            self._restarts = container.restarts
            self._guard.notify_all()
        if begin and self.forbidden is None and not self._closed:
            self._settled = False
            self._thread = threading.Thread(
                target=self._run, args=(pace,), name=f"log-{self.container}", daemon=True
            )
            self._thread.start()

    def vanish(self) -> None:
        """The pod is no longer there."""
        with self._guard:
            self.over = True
            self._guard.notify_all()

    def end(self) -> None:
        """Nobody will tell any more whether the container runs: a log that ends and brings nothing new is over."""
        with self._guard:
            self._ending = True
            self._guard.notify_all()

    def close(self) -> None:
        with self._guard:
            self._closed = True
            stream = self._stream
            self._guard.notify_all()
        if stream is not None:
            stream.__exit__(None, None, None)

    def join(self, timeout: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, pace: float) -> None:
        try:
            self._read_all(pace)
        except Exception as error:  # noqa: BLE001 — a thread has nobody to raise to; the gap is marked
            self.trouble = f"{type(error).__name__}: {error}"
            self._put([gap(self.trouble)])
        finally:
            self._spool.wake()

    def _read_all(self, pace: float) -> None:
        failures, pause = 0, pace
        while not self._closed:
            with self._guard:
                over = self.over or self._ending
                restarts = self._restarts
            before = self._stitch.progress
            self._meet(restarts)
            end = self._read_stream()
            new = self._stitch.progress != before
            failures = failures + 1 if end == "refused" else 0
            if end == "clean" and over and not new:
                self._settled = True
            if self._is_over(end, failures, over=over):
                self._put(self._stitch.finish())
                self._put(self._missing())
                self._ended_at = None
                return
            pause = pace if new else min(LONGEST_PAUSE, pause * 2)
            if not new or end != "clean":
                self._rest(pause, over=over)
        self._put(self._stitch.finish())

    def _is_over(self, end: _End, failures: int, *, over: bool) -> bool:
        return self._settled or self.forbidden is not None or end == "gone" or (over and failures >= TRIES)

    def _rest(self, pause: float, *, over: bool) -> None:
        """Wait, less when the container turns out to have ended."""
        with self._guard:
            if not self._closed and (self.over or self._ending) == over:
                self._guard.wait(pause)

    def _meet(self, restarts: int) -> None:
        """Before the next stream: what must not be joined with it."""
        if restarts != self._read_restarts:
            self._read_restarts = restarts
            self._put(self._stitch.finish())
        if self._ended_at is not None and self._clock.monotonic() - self._ended_at > ROTATION_EVERY:
            self._stitch.doubt()

    def _read_stream(self) -> _End:
        since = self._stitch.since()
        stream = self._cluster.log(self._namespace, self.pod, self.container, since=since, follow=True)
        opened, clean = False, False
        try:
            with stream as chunks:
                opened = True
                with self._guard:
                    self._stream = stream
                for chunk in () if self._closed else chunks:
                    self._bytes += len(chunk)
                    self._put(self._stitch.feed(chunk))
                clean = not self._closed
        except NotFound:
            return "gone"
        except Forbidden as error:
            self.forbidden = error
            return "refused"
        except Unreachable as error:
            self.trouble = error.message
        except ApiError as error:
            self.trouble = error.message
            return "refused"
        finally:
            if opened:
                self._put(self._stitch.end_of_stream(clean=clean))
                self._ended_at = self._clock.monotonic()
                self._whole = clean
        return "clean" if clean else "cut"

    def _missing(self) -> list[bytes]:
        """The mark of an end that may be missing."""
        if self._settled or self.forbidden is not None:
            return []
        if self._whole and self._bytes < SMALLEST_FILE:
            return []
        return [gap(f"pod {self.pod} was deleted, or its log removed, before the end of its log was read")]

    def _put(self, lines: list[bytes]) -> None:
        if not lines:
            return
        began = self._clock.monotonic()
        self._spool.put(self._number, b"\n".join(lines))
        if self._clock.monotonic() - began > ROTATION_EVERY:
            # The kubelet does not wait for slow readers when it rotates a log
            self._spool.put(self._number, gap("the lines came faster than they could be stored"))
