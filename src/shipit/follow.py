"""A pod's logs, for now: each container's stream once, from its start to its end."""

from __future__ import annotations

import queue
import threading
from typing import Self

from shipit.errors import ApiError
from shipit.events import Emit, LogLine
from shipit.model import Pod
from shipit.world import Clock, Cluster


class Follower:
    """Reads the logs of a step's pods in threads, and tells them in its caller's."""

    def __init__(self, cluster: Cluster, clock: Clock, step: str, emit: Emit) -> None:
        self._cluster = cluster
        self._step = step
        self._emit = emit
        self._lines: queue.Queue[LogLine] = queue.Queue()
        self._tails: dict[tuple[str, str], threading.Thread] = {}
        self._attempts: list[str] = []
        self._last: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None: ...

    def watch(self, pods: tuple[Pod, ...]) -> None:
        for pod in pods:
            if pod.uid not in self._attempts:
                self._attempts.append(pod.uid)
            attempt = self._attempts.index(pod.uid) + 1
            for container in pod.containers:
                key = (pod.uid, container.name)
                if container.ever_started and key not in self._tails:
                    tail = threading.Thread(target=self._read, args=(pod, container.name, attempt), daemon=True)
                    self._tails[key] = tail
                    tail.start()

    def _read(self, pod: Pod, container: str, attempt: int) -> None:
        def put(line: bytes) -> None:
            text = line.partition(b" ")[2].decode("utf-8", "replace")
            self._lines.put(LogLine(self._step, pod.name, container, attempt, text))

        rest = b""
        try:
            with self._cluster.log(pod.namespace, pod.name, container) as chunks:
                for chunk in chunks:
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        put(line)
        except ApiError:
            pass
        if rest:
            put(rest)

    def pass_on(self) -> None:
        while not self._lines.empty():
            line = self._lines.get()
            self._last = [*self._last[-19:], line.line]
            self._emit(line)

    def finish(self, timeout: float) -> None:
        for tail in self._tails.values():
            tail.join(timeout)
        self.pass_on()

    def last_lines(self) -> tuple[str, ...]:
        return tuple(self._last)


def tail_lines(cluster: Cluster, namespace: str, pod: str, container: str, lines: int) -> tuple[str, ...]:
    """The last lines of a container's log as it is; empty when it can't be read."""
    try:
        with cluster.log(namespace, pod, container, follow=False) as chunks:
            text = b"".join(chunks).decode("utf-8", "replace")
    except ApiError:
        return ()
    return tuple(line.partition(" ")[2] for line in text.splitlines()[-lines:])
