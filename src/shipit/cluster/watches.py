"""Watches: one that only wakes, and one that keeps what was last seen of pods that leave."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from shipit.cluster.api import Api
from shipit.cluster.calls import Call, call_for
from shipit.cluster.kinds import JOB, POD
from shipit.cluster.parse import pod_of
from shipit.cluster.streams import Stream, events_of
from shipit.errors import ApiError, Unreachable
from shipit.model import Clock, Json, Pod, as_map, as_text

QUIET = 60.0
"""Seconds of silence after which a watch is opened anew: it may have stalled."""
SERVED = 240
"""Seconds that the API server is asked to keep a watch open."""
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 8.0
HEALTHY = 10.0
"""Seconds that a watch must have lived for the next one to be opened without a longer pause."""
SELECTS_UID = "controller-uid="


class Alarm:
    """Wakes its owner when a Job or pod that the selector finds may have changed.

    It watches from no version: each time it is opened the API server tells all that is there, so nothing that
    happened while it was closed goes unnoticed, and no version can be too old.
    """

    def __init__(self, api: Api, clock: Clock, namespace: str, selector: str) -> None:
        self._api = api
        self._clock = clock
        self._rang = threading.Event()
        self._closed = threading.Event()
        self._streams: dict[str, Stream] = {}
        # The pods of a Job carry its UID as a label, the Job itself doesn't
        uid = selector.removeprefix(SELECTS_UID) if selector.startswith(SELECTS_UID) else ""
        for kind, labels, only in ((POD, selector, ""), (JOB, "" if uid else selector, uid)):
            call = call_for("watch", kind, namespace).asking(watch="true", timeoutSeconds=str(SERVED))
            if labels:
                call = call.asking(labelSelector=labels)
            threading.Thread(
                target=self._watch, args=(call, only), name=f"watch-{kind.plural}", daemon=True
            ).start()

    def wait(self, timeout: float) -> bool:
        rang = self._rang.wait(max(0.0, timeout))
        self._rang.clear()
        return rang

    def close(self) -> None:
        self._closed.set()
        for stream in list(self._streams.values()):
            stream.close()

    def _watch(self, call: Call, only: str) -> None:
        pause = FIRST_PAUSE
        while not self._closed.is_set():
            opened = self._clock.monotonic()
            with contextlib.suppress(ApiError):
                self._listen(call, only)
            lived = self._clock.monotonic() - opened
            pause = FIRST_PAUSE if lived >= HEALTHY else min(LONGEST_PAUSE, pause * 2)
            self._closed.wait(pause * (0.5 + secrets.randbelow(1000) / 2000))
            self._rang.set()

    def _listen(self, call: Call, only: str) -> None:
        stream = Stream(self._api, call, quiet=QUIET)
        self._streams[call.path] = stream
        with stream as chunks:
            for change, found in events_of(chunks):
                if self._closed.is_set() or change == "ERROR":
                    return
                if change != "BOOKMARK" and (
                    not only or as_text(as_map(found.get("metadata")).get("uid")) == only
                ):
                    self._rang.set()


class Leaving:
    """Keeps the last status of the pods that a selector finds, from the moment it is entered until they are gone.

    Unlike the alarm, what it saw is evidence: an event that may have been missed makes the answer None, and so does
    a pod that went without its kubelet's last word.
    """

    def __init__(self, api: Api, clock: Clock, list_pods: Callable[[], Json], watch: Call) -> None:
        self._api = api
        self._clock = clock
        self._list = list_pods
        self._call = watch
        self._guard = threading.Condition()
        self._here: dict[str, Pod] = {}
        self._gone: dict[str, Pod] = {}
        self._broken = False
        self._closed = False
        self._stream: Stream | None = None

    def __enter__(self) -> Self:
        version = self._look()
        threading.Thread(target=self._watch, args=(version,), name="departures", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard:
            self._closed = True
            stream = self._stream
        if stream is not None:
            stream.close()

    def wait(self, timeout: float) -> tuple[Pod, ...] | None:
        """Once the watch has seen all pods go, a fresh list has to agree."""
        end = self._clock.monotonic() + timeout
        while True:
            with self._guard:
                if self._broken:
                    return None
                seen = not self._here
                if not seen:
                    self._guard.wait(min(0.2, max(0.0, end - self._clock.monotonic())))
            if seen and self._agrees():
                last = tuple(self._gone.values())
                return last if all(map(_is_final, last)) else None
            if self._clock.monotonic() >= end:
                return None
            if seen:
                self._clock.sleep(0.1)

    def _agrees(self) -> bool:
        """True when the API server has no pod left; one that the watch never told of is not proven anything."""
        try:
            items = self._list().get("items") or []
        except ApiError:
            return False
        return not items

    def _look(self) -> str:
        body = self._list()
        found = [pod_of(item) for item in body.get("items") or []]
        with self._guard:
            now = {pod.uid: pod for pod in found}
            # Gone between two watches: how it ended was not seen
            self._broken = self._broken or bool(self._here.keys() - now.keys())
            self._here = now
            self._guard.notify_all()
        return as_text(as_map(body.get("metadata")).get("resourceVersion"))

    def _watch(self, version: str) -> None:
        while not self._over():
            try:
                version = self._follow(version) or self._look()
            except ApiError:
                self._clock.sleep(FIRST_PAUSE)

    def _over(self) -> bool:
        with self._guard:
            return self._closed or self._broken

    def _follow(self, version: str) -> str:
        """Follow the watch from a version; the version to go on from, "" when only a new list can tell."""
        call = self._call.asking(resourceVersion=version, allowWatchBookmarks="true")
        stream = Stream(self._api, call, quiet=QUIET)
        with self._guard:
            self._stream = stream
            if self._closed:
                return ""
        try:
            with stream as chunks:
                for change, found in events_of(chunks):
                    if change == "ERROR":
                        return ""
                    version = as_text(as_map(found.get("metadata")).get("resourceVersion")) or version
                    self._take(change, found)
        except Unreachable:
            return version
        return version

    def _take(self, change: str, found: Json) -> None:
        pod = pod_of(found)
        with self._guard:
            if change in ("ADDED", "MODIFIED"):
                self._here[pod.uid] = pod
            elif change == "DELETED":
                self._here.pop(pod.uid, None)
                self._gone[pod.uid] = pod
            self._guard.notify_all()


def pods_watch(namespace: str, selector: str) -> Call:
    """The call that watches the pods of a selector."""
    call = call_for("watch", POD, namespace).asking(watch="true", timeoutSeconds=str(SERVED))
    return call.asking(labelSelector=selector) if selector else call


def _is_final(pod: Pod) -> bool:
    """True when no container can have started after this status.

    A kubelet says of each container how it ended before it lets a pod go. It isn't asked when the pod is deleted with
    no grace (`terminationGracePeriodSeconds: 0`, or by force): what was last seen then lags behind (measured: a
    container "waiting" in it was already running).
    """
    return not pod.node or all(container.state == "terminated" for container in pod.containers)
