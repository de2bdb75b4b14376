"""Watches and log streams: cut, stalled, garbled or closed from another thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from shipit.cluster import KubeCluster, connect
from shipit.errors import Forbidden, Invalid, NotFound, Unreachable
from tests.scripted_api import Api, Fault, Handler, Json, drops, kubeconfig, refuses, says, serving

BOUND = 10.0
PODS = "/api/v1/namespaces/shop/pods"
JOBS = "/apis/batch/v1/namespaces/shop/jobs"
LOG = f"{PODS}/migrate-1/log"
SELECTOR = "controller-uid=u1"


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as found:
        yield found


@pytest.fixture
def cluster(api: Api, tmp_path: Path) -> Iterator[KubeCluster]:
    path = kubeconfig(tmp_path, api.address)
    made = connect(kubeconfig=str(path), context=None, clock=api.clock)
    yield made
    made.close()


def streams(*chunks: bytes, then: Fault | None = None) -> Fault:
    """A stream in chunks: ended well, or by what comes then."""

    def fault(handler: Handler) -> None:
        handler.stream()
        for chunk in chunks:
            handler.chunk(chunk)
        if then is not None:
            then(handler)
        else:
            handler.wfile.write(b"0\r\n\r\n")

    return fault


def waits(event: threading.Event) -> Fault:
    def fault(handler: Handler) -> None:
        event.wait(BOUND)
        handler.drop()

    return fault


def event(type: str, uid: str = "p1", version: str = "9", **status: Any) -> bytes:
    body = {"metadata": {"uid": uid, "name": uid, "resourceVersion": version}, "status": status}
    return json.dumps({"type": type, "object": body}).encode() + b"\n"


def pods(*uids: str, version: str = "5") -> Json:
    items = [{"metadata": {"uid": uid, "name": uid}, "status": {"phase": "Pending"}} for uid in uids]
    return {"kind": "PodList", "metadata": {"resourceVersion": version}, "items": items}


# ── logs ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_log_comes_as_it_is_written_and_ends_when_it_ends(api: Api, cluster: KubeCluster) -> None:
    api.on(f"GET {LOG}", streams(b"T one\n", b"T \xff\n", b"T last"))
    with cluster.log("shop", "migrate-1", "m") as chunks:
        assert b"".join(chunks) == b"T one\nT \xff\nT last"
    assert api.asked[0].query == "container=m&timestamps=true&follow=true"


def test_a_log_is_asked_for_from_a_second_on_in_utc(api: Api, cluster: KubeCluster) -> None:
    api.on(f"GET {LOG}", streams())
    since = datetime(2026, 3, 1, 14, 0, 9, 999999, tzinfo=timezone(timedelta(hours=2)))
    with cluster.log("shop", "migrate-1", "m", since=since, follow=False, tail=20) as chunks:
        assert list(chunks) == []
    assert api.asked[0].query == "container=m&timestamps=true&sinceTime=2026-03-01T12%3A00%3A09Z&tailLines=20"


def test_the_log_before_the_last_restart_is_asked_for(api: Api, cluster: KubeCluster) -> None:
    api.on(f"GET {LOG}", streams())
    with cluster.log("shop", "migrate-1", "m", follow=False, previous=True) as chunks:
        assert list(chunks) == []
    assert api.asked[0].query == "container=m&timestamps=true&previous=true"


def test_a_log_that_is_cut_says_so_after_what_came(api: Api, cluster: KubeCluster) -> None:
    api.on(f"GET {LOG}", streams(b"T one\n", b"T tw", then=Handler.drop))
    read: list[bytes] = []
    with (
        pytest.raises(Unreachable, match="cut off an answer"),
        cluster.log("shop", "migrate-1", "m") as chunks,
    ):
        read.extend(chunks)
    assert b"".join(read) == b"T one\nT tw"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refuses(404, "NotFound", "pods migrate-1 not found"), NotFound),
        (refuses(403, "Forbidden", 'User "ci" cannot get resource "pods/log" in API group ""'), Forbidden),
        (refuses(400, "BadRequest", "container m is waiting to start: ContainerCreating"), Invalid),
        (refuses(500, "InternalError", "the node does not answer"), Unreachable),
        (says("<html>", 502), Unreachable),
        (drops(), Unreachable),
    ],
)
def test_a_log_that_can_not_be_opened(
    api: Api, cluster: KubeCluster, answer: Fault, kind: type[Exception]
) -> None:
    api.on(f"GET {LOG}", answer)
    with pytest.raises(kind), cluster.log("shop", "migrate-1", "m"):
        pass
    assert len(api.asked) == 1


def test_a_forbidden_log_is_named_as_rbac_names_it(api: Api, cluster: KubeCluster) -> None:
    api.on(f"GET {LOG}", refuses(403, "Forbidden", 'User "ci" cannot get resource "pods/log"'))
    with pytest.raises(Forbidden, match="not allowed to get pods/log in namespace shop") as caught:
        cluster.log("shop", "migrate-1", "m").__enter__()
    assert "kubectl auth can-i get pods --subresource=log -n shop" in str(caught.value.hint)


def test_leaving_from_another_thread_ends_a_read_that_hangs(api: Api, cluster: KubeCluster) -> None:
    hang = threading.Event()
    api.on(f"GET {LOG}", streams(b"T one\n", then=waits(hang)))
    stream = cluster.log("shop", "migrate-1", "m")
    read: list[bytes] = []
    reading = threading.Event()

    def follow() -> None:
        with stream as chunks:
            for chunk in chunks:
                read.append(chunk)
                reading.set()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    assert reading.wait(BOUND)
    stream.close()
    thread.join(BOUND)
    assert not thread.is_alive()
    assert read == [b"T one\n"]
    hang.set()


def test_a_stream_that_ended_well_leaves_its_connection_to_others(api: Api, cluster: KubeCluster) -> None:
    api.on(f"GET {LOG}", streams(b"T one\n"))
    api.on("GET /version", says({"gitVersion": "v1.34.4"}))
    stream = cluster.log("shop", "migrate-1", "m")
    with stream as chunks:
        list(chunks)
    assert cluster.check() == "v1.34.4"
    stream.close()
    assert cluster.check() == "v1.34.4"
    assert [request.method for request in api.asked].count("GET") == 3


def test_a_log_that_is_not_followed_has_a_deadline(api: Api, cluster: KubeCluster) -> None:
    api.on(f"GET {LOG}", streams(*[b"y"] * 100))
    with cluster.log("shop", "migrate-1", "m", follow=False) as chunks:
        for _ in range(30):
            assert next(chunks) == b"y"
            api.clock.seconds += 1
        with pytest.raises(Unreachable, match="took too long"):
            next(chunks)


# ── the alarm ────────────────────────────────────────────────────────────────────────────────────


def test_a_change_wakes(api: Api, cluster: KubeCluster) -> None:
    hang = threading.Event()
    api.on(f"WATCH {JOBS}", streams(then=waits(hang)))
    api.on(f"WATCH {PODS}", streams(event("MODIFIED"), then=waits(hang)))
    changes = cluster.changes("shop", SELECTOR)
    assert changes.wait(BOUND)
    changes.close()
    hang.set()


def test_it_watches_the_pods_by_label_and_the_job_by_its_uid(api: Api, cluster: KubeCluster) -> None:
    hang = threading.Event()
    api.on(f"WATCH {PODS}", streams(then=waits(hang)))
    api.on(f"WATCH {JOBS}", streams(event("MODIFIED", "other"), event("BOOKMARK", "u1"), then=waits(hang)))
    changes = cluster.changes("shop", SELECTOR)
    assert not changes.wait(0.2)
    changes.close()
    queries = {request.path: request.query for request in api.asked}
    assert queries[PODS] == "watch=true&timeoutSeconds=240&labelSelector=controller-uid%3Du1"
    assert queries[JOBS] == "watch=true&timeoutSeconds=240"
    hang.set()
    api.on(f"WATCH {JOBS}", streams(event("MODIFIED", "u1"), then=waits(threading.Event())))
    again = cluster.changes("shop", SELECTOR)
    assert again.wait(BOUND)
    again.close()


BROKEN = {
    "closed": streams(event("ADDED")),
    "reset": streams(event("ADDED"), b'{"type": "MODI', then=Handler.drop),
    "410": streams(event("ADDED"), b'{"type": "ERROR", "object": {"code": 410}}\n'),
    "garbage": streams(event("ADDED"), b"<html>\n"),
    "odd": streams(event("ADDED"), b'{"type": "ADDED", "object": null}\n'),
    "refused": refuses(500, "InternalError", "etcd"),
    "dropped": drops(),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN.keys())
def test_a_watch_that_breaks_is_opened_again_and_wakes(
    api: Api, cluster: KubeCluster, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipit.cluster.watches.FIRST_PAUSE", 0.01)
    hang = threading.Event()
    opened = threading.Semaphore(0)

    def good(handler: Handler) -> None:
        opened.release()
        streams(event("MODIFIED"), then=waits(hang))(handler)

    api.on(f"WATCH {JOBS}", streams(then=waits(hang)))
    api.on(f"WATCH {PODS}", fault, fault, good)
    changes = cluster.changes("shop", SELECTOR)
    assert opened.acquire(timeout=BOUND)
    assert changes.wait(BOUND)
    changes.close()
    hang.set()


# ── pods that leave ──────────────────────────────────────────────────────────────────────────────


def test_the_last_status_of_pods_that_leave_is_kept(api: Api, cluster: KubeCluster) -> None:
    left = threading.Event()
    versions = []
    last: dict[str, Any] = {
        "containerStatuses": [{"name": "m", "state": {"terminated": {"exitCode": 137, "startedAt": None}}}]
    }

    def watch(handler: Handler) -> None:
        versions.append("resourceVersion=5" in api.asked[-1].query)
        handler.stream()
        handler.chunk(event("MODIFIED", "p1", phase="Pending"))
        handler.chunk(event("DELETED", "p1", phase="Failed", **last))
        handler.chunk(event("ADDED", "p2"))
        handler.chunk(event("DELETED", "p2", phase="Failed"))
        left.wait(BOUND)
        handler.drop()

    api.on(f"GET {PODS}", says(pods("p1")), says(pods(version="12")))
    api.on(f"WATCH {PODS}", watch)
    with cluster.departures("shop", SELECTOR) as departures:
        found = departures.wait(BOUND)
    left.set()
    assert found is not None
    assert [(pod.uid, pod.phase) for pod in found] == [("p1", "Failed"), ("p2", "Failed")]
    assert not any(pod.ever_started for pod in found)
    assert versions == [True]


def test_nothing_is_proven_while_a_pod_is_there(api: Api, cluster: KubeCluster) -> None:
    hang = threading.Event()
    api.on(f"GET {PODS}", says(pods("p1")))
    api.on(f"WATCH {PODS}", streams(event("MODIFIED", "p1"), then=waits(hang)))
    with cluster.departures("shop", SELECTOR) as departures:
        assert departures.wait(0) is None
    hang.set()


@pytest.mark.parametrize(
    ("containers", "proven"),
    [
        ([], False),
        ([{"name": "m", "state": {"waiting": {"reason": "ContainerCreating"}}}], False),
        (
            [{"name": "m", "state": {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}}],
            True,
        ),
    ],
)
def test_a_pod_that_went_without_its_kubelets_last_word_proves_nothing(
    api: Api, cluster: KubeCluster, containers: list[Json], *, proven: bool
) -> None:
    body = {
        "metadata": {"uid": "p1", "name": "p1", "resourceVersion": "9"},
        "spec": {"nodeName": "n1", "containers": [{"name": "m"}]},
        "status": {"containerStatuses": containers},
    }
    gone = json.dumps({"type": "DELETED", "object": body}).encode() + b"\n"
    hang = threading.Event()
    api.on(f"GET {PODS}", says(pods("p1")), says(pods()))
    api.on(f"WATCH {PODS}", streams(gone, then=waits(hang)))
    with cluster.departures("shop", SELECTOR) as departures:
        assert (departures.wait(BOUND) is not None) is proven
    hang.set()


def test_a_pod_that_left_unseen_proves_nothing(api: Api, cluster: KubeCluster) -> None:
    gone = streams(b'{"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}\n')
    api.on(f"GET {PODS}", says(pods("p1")), says(pods(version="20")))
    api.on(f"WATCH {PODS}", gone)
    with cluster.departures("shop", SELECTOR) as departures:
        departures._guard.acquire()
        departures._guard.wait_for(lambda: departures._broken, BOUND)
        departures._guard.release()
        assert departures.wait(BOUND) is None


def test_a_watch_that_breaks_goes_on_where_it_was(api: Api, cluster: KubeCluster) -> None:
    cut = streams(event("MODIFIED", "p1", "7"), then=Handler.drop)
    rest = streams(event("DELETED", "p1", "8", phase="Failed"), then=waits(threading.Event()))
    asked: list[str] = []

    def go_on(handler: Handler) -> None:
        asked.extend(each.query for each in api.asked if "watch=true" in each.query)
        rest(handler)

    api.on(f"GET {PODS}", says(pods("p1")), says(pods(version="12")))
    api.on(f"WATCH {PODS}", cut, go_on)
    with cluster.departures("shop", SELECTOR) as departures:
        found = departures.wait(BOUND)
    assert found is not None
    assert [pod.phase for pod in found] == ["Failed"]
    assert "resourceVersion=7" in asked[1]


def test_a_job_that_never_had_a_pod_is_proven_by_an_empty_list(api: Api, cluster: KubeCluster) -> None:
    hang = threading.Event()
    api.on(f"GET {PODS}", says(pods()))
    api.on(f"WATCH {PODS}", streams(then=waits(hang)))
    with cluster.departures("shop", SELECTOR) as departures:
        assert departures.wait(BOUND) == ()
    hang.set()
