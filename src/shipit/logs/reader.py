"""One container's log, read ahead in a thread of its own until the container has ended and nothing more comes."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime

from shipit.errors import ApiError, Forbidden, NotFound, Unreachable
from shipit.logs.buffer import Buffer
from shipit.logs.continuity import UNKNOWN_FOR, Continuity, End, Trust
from shipit.logs.joined import JoinedLog
from shipit.logs.lookout import Lookout
from shipit.logs.shown import NOTHING, Shown, gap
from shipit.logs.sightings import ROTATION_EVERY
from shipit.logs.spares import Spares, Stream
from shipit.logs.timestamps import UNTIMED
from shipit.model import Clock, Cluster, Container, Pod

LONGEST_PAUSE = 5.0
TRIES = 6
"""How often the log of an ended container is asked for when nothing of it comes."""


class LogReader:
    """Reads one container's log into the buffer, under a number."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        buffer: Buffer,
        number: int,
        *,
        pod: Pod,
        container: str,
        pace: float,
        follow: bool = True,
    ) -> None:
        self.forbidden: Forbidden | None = None
        self.over = False
        self.trouble = ""
        self._pod = pod
        self._container = container
        self._pace = pace
        self._follow = follow
        self._cluster = cluster
        self._clock = clock
        self._buffer = buffer
        self._number = number
        self._joined = JoinedLog()
        self._spares = Spares(self._open, cluster.now)
        self._lookout = Lookout(
            cluster,
            clock,
            self._joined,
            self._spares.prepare,
            self._leave_hanging,
            pod=pod,
            container=container,
            pace=pace,
        )
        self._continuity = Continuity()
        self._guard = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ending = self._closed = self._vanished = self._waits = False
        self._restarts = 0
        self._read_restarts: int | None = None
        self._late_for: datetime | None = None
        self._stream: Stream | None = None
        self._wordy_since: float | None = None
        self._words_told = ""

    @property
    def done(self) -> bool:
        """Everything that there is to read was read, or never can be."""
        thread = self._thread
        return thread is None or not thread.is_alive()

    def observe(self, container: Container) -> None:
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
            self._thread = threading.Thread(target=self._run, name=f"log-{self._container}", daemon=True)
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

    def close(self) -> None:
        with self._guard:
            self._closed = True
            self._guard.notify_all()
        self._spares.close()
        self._leave()

    def _leave_hanging(self) -> None:
        # Of a container that has ended a stream ends by itself
        if not self.over:
            self._leave()

    def _leave(self) -> None:
        with self._guard:
            stream = self._stream
        if stream is not None:
            stream.__exit__(None, None, None)

    def join(self, timeout: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._read_all()
        except Exception as error:  # noqa: BLE001 — a thread has nobody to raise to; the gap is marked
            self.trouble = f"{type(error).__name__}: {error}"
            self._put([gap(self.trouble)])
        finally:
            self._lookout.stop()
            self._spares.drop()
            self._buffer.wake()

    def _read_all(self) -> None:
        failures, pause, was_over = 0, self._pace, False
        while not self._closed:
            with self._guard:
                over = self.over or self._ending
                restarts = self._restarts
            if over and not was_over:
                failures, pause, was_over = 0, self._pace, True
            self._meet(restarts)
            end, shown = self._read_stream()
            once = not self._follow and not self.over
            now, believed = self._clock.monotonic(), self._ending
            idle = self._lookout.pulse.idle(now) or self._joined.passed
            self._continuity.ended(end, shown, now, idle=idle, over=over, once=once, believed=believed)
            self._tell_words(shown, over=over)
            failures = failures + 1 if over and not shown.news else 0
            if self.forbidden is not None or self._continuity.settled or end is End.GONE or failures >= TRIES:
                self._end_with(end)
                return
            pause = self._pace if shown.news else min(LONGEST_PAUSE, pause * 2)
            if not shown.news or end is not End.CLEAN:
                self._rest(pause, over=over)
        self._put(self._joined.finish())

    def _tell_words(self, shown: Shown, *, over: bool) -> None:
        """What the kubelet says instead of the log, once it says so for a while: at first the container may just have
        ended, and its log be removed after it was read to its end. Of one that has ended, a gap tells it, if there is one.
        """
        if over or shown.news or not shown.words:
            self._wordy_since = None
            return
        now = self._clock.monotonic()
        self._wordy_since = now if self._wordy_since is None else self._wordy_since
        if now - self._wordy_since > UNKNOWN_FOR and shown.words != self._words_told:
            self._words_told = shown.words
            self._put([UNTIMED + f"[shipit: {self.trouble}]".encode()])

    def _end_with(self, end: End) -> None:
        self._put(self._joined.finish())
        if self.forbidden is None:
            gone = end in (End.GONE, End.ABSENT)
            self._put(self._continuity.missing(self._pod.name, self.trouble, gone=gone))

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
            self._restart(missed=self._continuity.trust is Trust.BROKEN)
            if restarts > self._read_restarts + 1:
                self._put([gap("the container was restarted several times since its log was last read")])
        self._read_restarts = restarts

    def _read_earlier(self, restarts: int) -> None:
        """What the container wrote before its last restart, as far as the kubelet keeps it: one run."""
        # While it waits for its next start, its last run is what its log shows
        kept = 0 if self._waits else 1
        if restarts > kept:
            self._put(
                [gap(f"the container was restarted {restarts} times, and not all of its logs are kept")]
            )
        if restarts and kept:
            end, _ = self._read_stream(previous=True)
            self._restart(missed=end is not End.CLEAN)

    def _restart(self, *, missed: bool) -> None:
        """The container ended and another one runs in its place: what follows is another log."""
        self._spares.drop()
        self._put(self._joined.restart())
        if missed:
            self._put([gap("the container was restarted, and its log before that was not read to its end")])
        self._continuity = Continuity()

    def _read_stream(self, *, previous: bool = False) -> tuple[End, Shown]:
        """Read one stream to its end: what became of it, and what it showed of the log."""
        spare = self._spares.take()
        stream = spare or self._open(previous=previous)
        end, shown, opened = End.CUT, NOTHING, False
        try:
            with stream as chunks:
                opened = True
                with self._guard:
                    self._stream = stream
                self._joined.begin(self._continuity.trust.value, spare.at if spare else self._cluster.now())
                self._read(() if self._closed else chunks)
                end = End.CUT if self._closed else End.CLEAN
        except ApiError as error:
            end = self._failed(error)
        finally:
            with self._guard:
                self._stream = None
            if opened:
                lines, shown = self._joined.end(self._cluster.now(), clean=end is End.CLEAN)
                self._put(self._led(lines))
        if shown.words:
            self.trouble = f"the kubelet says: {shown.words}"
        elif end is End.CLEAN and (shown.met or shown.news):
            self.trouble = ""
        return end, shown

    def _open(self, *, previous: bool = False) -> Stream:
        return self._cluster.log(
            self._pod.namespace,
            self._pod.name,
            self._container,
            since=self._joined.since(),
            follow=self._follow and not previous,
            previous=previous,
        )

    def _read(self, chunks: Iterable[bytes]) -> None:
        pulse = self._lookout.pulse
        pulse.opened(self._clock.monotonic())
        for chunk in chunks:
            lines = self._joined.feed(chunk, self._spares.at)
            pulse.took(self._clock.monotonic(), news=bool(lines))
            self._put(self._led(lines))
            if self._joined.large:
                self._lookout.start()
                self._spares.drop(self._joined.latest or self._cluster.now())
            if self._joined.passed:
                return

    def _failed(self, error: ApiError) -> End:
        if isinstance(error, Forbidden):
            self.forbidden = error
            return End.REFUSED
        self.trouble = error.message
        if isinstance(error, NotFound):
            return End.GONE if self._vanished else End.ABSENT
        return End.CUT if isinstance(error, Unreachable) else End.REFUSED

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
        self._buffer.put(self._number, lines)
        if self._clock.monotonic() - began > ROTATION_EVERY:
            # The kubelet does not wait for slow readers when it rotates a log
            self._buffer.put(self._number, [gap("the lines came faster than they could be stored")])
