"""One container's log, read ahead in a thread of its own until the container has ended and nothing more comes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Literal

from shipit.errors import ApiError, Forbidden, NotFound, Unreachable
from shipit.logs.buffer import Buffer
from shipit.logs.continuity import Continuity
from shipit.logs.joined import JoinedLog, gap
from shipit.model import Clock, Cluster, Container, Pod

LAST = 20
"""Lines that are kept of each container for the verdict."""
LONGEST_PAUSE = 5.0
TRIES = 6
"""How often the log of an ended container is asked for when nothing of it comes."""
ROTATION_EVERY = 8.0
"""Seconds in which a log can't be rotated twice: the kubelet looks every 10 s."""

_End = Literal["clean", "cut", "gone", "absent", "refused"]


class LogReader:
    """Reads one container's log into the buffer, under a number. `last` holds its last lines, as they were told."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        buffer: Buffer,
        number: int,
        *,
        pod: Pod,
        container: str,
        attempt: int,
        follow: bool = True,
    ) -> None:
        self.pod = pod.name
        self.container = container
        self.attempt = attempt
        self.last: deque[str] = deque(maxlen=LAST)
        self.forbidden: Forbidden | None = None
        self.over = False
        self.trouble = ""
        self.put = self.taken = 0
        self._follow = follow
        self._namespace = pod.namespace
        self._cluster = cluster
        self._clock = clock
        self._buffer = buffer
        self._number = number
        self._joined = JoinedLog()
        self._guard = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ending = self._closed = self._vanished = self._waits = False
        self._restarts = 0
        self._read_restarts: int | None = None
        self._late_for: datetime | None = None
        self._continuity = Continuity()
        self._ended_at: float | None = None
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
            if self._thread is None:
                self._first_seen(container)
            self.over = over
            self._waits = container.state == "waiting"
            self._restarts = container.restarts
            self._guard.notify_all()
        if begin and self.forbidden is None and not self._closed:
            self._continuity.settled = False
            self._thread = threading.Thread(
                target=self._run, args=(pace,), name=f"log-{self.container}", daemon=True
            )
            self._thread.start()

    def _first_seen(self, container: Container) -> None:
        """A log that was rotated has lost its beginning: that of a container that runs for long already may have."""
        ended = container.termination
        started = container.started_at or (ended.started_at if ended else None)
        if started is None or container.restarts:
            return
        if (self._cluster.now() - started).total_seconds() > ROTATION_EVERY:
            self._late_for = started

    def vanish(self) -> None:
        """The pod is no longer there."""
        with self._guard:
            self.over = self._vanished = True
            self._guard.notify_all()

    def end(self) -> None:
        """Nobody will tell any more whether the container runs: a log that ends and brings nothing new is over."""
        with self._guard:
            self._ending = True
            self._guard.notify_all()

    def stir(self) -> None:
        """Leave a stream that may hang at a file that was rotated: it ends as if all were read, and is opened anew."""
        if self._follow and not self.done and self._continuity.stalls(self._clock.monotonic()):
            self._leave()

    def close(self) -> None:
        with self._guard:
            self._closed = True
            self._guard.notify_all()
        self._leave()

    def _leave(self) -> None:
        with self._guard:
            stream = self._stream
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
            self._buffer.wake()

    def _read_all(self, pace: float) -> None:
        failures, pause, was_over = 0, pace, False
        while not self._closed:
            with self._guard:
                over = self.over or self._ending
                restarts = self._restarts
            if over and not was_over:
                failures, pause, was_over = 0, pace, True
            self._meet(restarts)
            before = self._joined.progress
            end = self._read_stream()
            new = self._joined.progress != before
            once = not self._follow and not self.over
            self._continuity.look(self._joined, clean=end == "clean", over=over, once=once, new=new)
            failures = failures + 1 if over and not new else 0
            if self._is_over(end) or failures >= TRIES:
                self._put(self._joined.finish())
                if self.forbidden is None:
                    gone = end in ("gone", "absent")
                    self._put(self._continuity.missing(self.pod, self.trouble, gone=gone))
                self._ended_at = None
                return
            pause = pace if new else min(LONGEST_PAUSE, pause * 2)
            if not new or end != "clean":
                self._rest(pause, over=over)
        self._put(self._joined.finish())

    def _is_over(self, end: _End) -> bool:
        return self._continuity.settled or self.forbidden is not None or end == "gone"

    def _rest(self, pause: float, *, over: bool) -> None:
        """Wait, less when the container turns out to have ended."""
        with self._guard:
            if not self._closed and (self.over or self._ending) == over:
                self._guard.wait(pause)

    def _meet(self, restarts: int) -> None:
        """Before the next stream: what must not be joined with it."""
        if self._read_restarts is None:
            self._read_earlier(restarts)
        elif restarts != self._read_restarts:
            self._put(self._joined.restarted())
            self._continuity.fresh = True
            if restarts > self._read_restarts + 1:
                self._put([gap("the container was restarted several times since its log was last read")])
        self._read_restarts = restarts
        if self._ended_at is not None and self._clock.monotonic() - self._ended_at > ROTATION_EVERY:
            self._joined.doubt()

    def _read_earlier(self, restarts: int) -> None:
        """What the container wrote before its last restart, as far as the kubelet keeps it: one run."""
        # While it waits for its next start, its last run is what its log shows
        kept = 0 if self._waits else 1
        if restarts > kept:
            self._put(
                [gap(f"the container was restarted {restarts} times, and not all of its logs are kept")]
            )
        if restarts and kept:
            end = self._read_stream(previous=True)
            self._put(self._joined.restarted(missed=end != "clean"))

    def _read_stream(self, *, previous: bool = False) -> _End:
        stream = self._cluster.log(
            self._namespace,
            self.pod,
            self.container,
            since=self._joined.since(),
            follow=self._follow and not previous,
            previous=previous,
        )
        opened, clean = False, False
        try:
            with stream as chunks:
                opened = True
                with self._guard:
                    self._stream = stream
                self._continuity.opened(self._clock.monotonic())
                for chunk in () if self._closed else chunks:
                    lines = self._joined.feed(chunk)
                    self._continuity.took(len(chunk), self._clock.monotonic(), news=bool(lines))
                    self._put(self._led(lines))
                clean = not self._closed
        except NotFound as error:
            self.trouble = error.message
            self._continuity.absent(self._clock.monotonic(), believed=self._ending)
            # A kubelet that has just started may not know a pod yet that is there
            return "gone" if self._vanished else "absent"
        except Forbidden as error:
            self.forbidden = error
            return "refused"
        except Unreachable as error:
            self.trouble = error.message
        except ApiError as error:
            self.trouble = error.message
            self._continuity.refused()
            return "refused"
        finally:
            with self._guard:
                self._stream = None
            if opened:
                self._put(self._led(self._joined.end_of_stream(clean=clean)))
        now = self._clock.monotonic()
        if self._continuity.ended(self._joined, now, clean=clean) and opened:
            self._ended_at = now
            self._joined.abrupt = self._continuity.abrupt
            self.trouble = "" if clean else self.trouble
        return "clean" if clean else "cut"

    def _led(self, lines: list[bytes]) -> list[bytes]:
        """The first lines of a log that was come to late, marked when they may not be its beginning."""
        if self._late_for is None or self._joined.first is None or not lines:
            return lines
        late, self._late_for = (self._joined.first - self._late_for).total_seconds(), None
        if late <= ROTATION_EVERY:
            return lines
        return [
            gap(f"the first line that is left was written {late:.0f} s after the container's start"),
            *lines,
        ]

    def _put(self, lines: list[bytes]) -> None:
        if not lines:
            return
        began = self._clock.monotonic()
        self.put += 1
        self._buffer.put(self._number, b"\n".join(lines))
        if self._clock.monotonic() - began > ROTATION_EVERY:
            # The kubelet does not wait for slow readers when it rotates a log
            self.put += 1
            self._buffer.put(self._number, gap("the lines came faster than they could be stored"))
