"""Looks again and again at the last line of a log that may be rotated, and tells when a stream hangs at an older file."""

from __future__ import annotations

import threading
from collections.abc import Callable

from shipit.errors import ApiError
from shipit.logs.joined import JoinedLog
from shipit.logs.timestamps import is_stamped, key_of
from shipit.model import Clock, Cluster, Pod

IDLE = 1.0
"""Seconds of silence after which a stream has come to the end of what there was."""
FIRST_WITHIN = 6.0
"""Seconds in which a kubelet has found the first line that was asked for."""
ROTATES_WITHIN = 20.0
"""Seconds in which the kubelet has looked at what was written: twice as long as it takes between looks."""
RENEWED = 20.0
"""Seconds after which a stream that has brought nothing is opened anew, before its silence counts as a cut."""
LOOK_PACES = 10
"""Paces between looks: two seconds, much less than between two rotations."""


class Pulse:
    """When a log's stream last brought something; `silent` when it has brought nothing yet. Pure."""

    def __init__(self) -> None:
        self._took_at = self._news_at = 0.0
        self.silent = True

    def opened(self, now: float) -> None:
        self._took_at = now
        self.silent = True

    def took(self, now: float, *, news: bool) -> None:
        """The stream brought bytes; `news` when there were lines among them that had not come before."""
        self._took_at = now
        self.silent = False
        if news:
            self._news_at = now

    def idle(self, now: float) -> bool:
        return now - self._took_at >= IDLE

    def took_since(self, moment: float) -> bool:
        return self._took_at >= moment

    def quiet(self, now: float) -> bool:
        """Whether so much time has passed since the last line that the file that holds it is not rotated any more."""
        return now - self._news_at >= ROTATES_WITHIN

    def tires(self, now: float) -> bool:
        """Whether a stream has brought nothing for so long that its end would say nothing."""
        return self.silent and now - self._took_at >= RENEWED

    def hangs(self, looked: float, now: float, *, newer: bool) -> bool:
        """Whether an open stream should be left for a new one: the newest file held something `newer`, or nothing any
        more, when it was looked at a while ago, and the stream has brought nothing since.
        """
        if self.silent:
            return newer and now - self._took_at >= FIRST_WITHIN
        return self._took_at < looked


class Lookout:
    """A thread beside that of a container's reader. `prepare` opens a stream of the newest file, for the one that is
    read may have much to bring yet; `leave` ends that one.
    """

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        log: JoinedLog,
        prepare: Callable[[], None],
        leave: Callable[[], None],
        *,
        pod: Pod,
        container: str,
        pace: float,
    ) -> None:
        self.pulse = Pulse()
        self._cluster = cluster
        self._clock = clock
        self._log = log
        self._prepare = prepare
        self._leave = leave
        self._pod = pod
        self._container = container
        self._pace = pace
        self._filled, self._looked = True, 0.0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, or go on; doing it twice does no harm."""
        if self._thread is None:
            self._stopped = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stopped,), name=f"newest-{self._container}", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread = None

    def _run(self, stopped: threading.Event) -> None:
        while not stopped.wait(LOOK_PACES * self._pace):
            now = self._clock.monotonic()
            if not self.pulse.quiet(now):
                self._look(stopped)
            elif self.pulse.tires(now):
                self._leave()

    def _look(self, stopped: threading.Event) -> None:
        at, looked = self._cluster.now(), self._clock.monotonic()
        line = self._newest_line()
        if line is None:
            return
        newer = self._log.sighted(at, key_of(line))
        if not (line or self.pulse.silent) and (self._filled or self.pulse.took_since(self._looked)):
            self._prepare()
        self._filled, self._looked = bool(line), looked
        if (line and not newer) or stopped.wait(LOOK_PACES / 2 * self._pace):
            return
        if self.pulse.hangs(looked, self._clock.monotonic(), newer=newer):
            self._leave()

    def _newest_line(self) -> bytes | None:
        """With its time; b"" when there is none, None when it can't be had."""
        stream = self._cluster.log(self._pod.namespace, self._pod.name, self._container, follow=False, tail=1)
        try:
            with stream as chunks:
                line = b"".join(chunks)
        except ApiError:
            return None
        return line if not line or is_stamped(line) else None
