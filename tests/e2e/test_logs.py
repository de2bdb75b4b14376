"""Logs on a real kubelet: whole and in order, through rotations, cuts, retries and restarts."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from sandbox import Sandbox
from shipit.cli.clock import SystemClock
from shipit.cluster import KubeCluster
from shipit.events import Event, LogLine
from shipit.logs.follower import Follower, tail_lines
from shipit.model import Json
from tests.e2e.kit import Kube
from tests.logs.rotations import a_job, cluster_of, follow, play, sh

# containerd 1.6 drops the end of what a process wrote just before it ended, on a busy machine: the writers linger.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture
def cluster(sandbox: Sandbox) -> KubeCluster:
    return cluster_of(sandbox)


@dataclass
class Told:
    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def logs(self) -> list[LogLine]:
        return [event for event in self.events if isinstance(event, LogLine)]

    def of(self, container: str, attempt: int = 1) -> list[str]:
        return [each.line for each in self.logs if (each.container, each.attempt) == (container, attempt)]


def followed(cluster: KubeCluster, job: Json, *, meanwhile: threading.Thread | None = None) -> Told:
    """Make a Job and follow it to its end; `meanwhile` is started at its first line."""
    told = Told()

    def emit(event: Event) -> None:
        told(event)
        if meanwhile is not None and not meanwhile.ident:
            meanwhile.start()

    follow(cluster, job, emit)
    return told


@pytest.mark.parametrize("kind", ["burst", "slow", "blind"])
def test_a_log_that_is_rotated_is_whole_or_marked_where_lines_are_missing(
    sandbox: Sandbox, kind: str
) -> None:
    """See `tests/logs/rotations.py`, which plays more of them, and many times over."""
    heard, streams = play(kind, sandbox)
    assert not heard.wrong, heard.as_text(kind, streams)


def test_600001_lines_at_full_speed_through_a_rotation_arrive_once_each_and_in_order(
    cluster: KubeCluster, kube: Kube
) -> None:
    text = "line & of a migration that says more than anybody would like to read"
    # What is rotated before anybody has asked for the log can't be had any more
    flood = f"sleep 2; seq 0 600000 | sed 's/.*/{text}/'"
    writer = f"{flood}; while [ ! -f /log/rotated ]; do sleep 0.2; done"
    # Ends only once the kubelet has rotated the log, which it looks at every 10 s
    watcher = "sleep 15; touch /log/rotated"
    mount = {"volumeMounts": [{"name": "log", "mountPath": "/log"}]}
    job = a_job(
        kube.namespace,
        {**sh(writer), **mount},
        {**sh(watcher, "w"), **mount},
        volumes=[{"name": "log", "emptyDir": {}}],
    )
    began = time.monotonic()
    told = followed(cluster, job)
    took = time.monotonic() - began
    assert told.of("m") == [text.replace("&", str(n)) for n in range(600_001)]
    left = kube.kubectl("logs", "job/migrate", "-c", "m")
    assert len(left.splitlines()) < 600_001, "the log was not rotated: nothing was proven"
    assert took < 60


def test_long_lines_that_a_rotation_splits_arrive_whole(cluster: KubeCluster, kube: Kube) -> None:
    count, size = 9_000, 20_480
    grow = "x=xxxxxxxxxx; for i in 1 2 3 4 5 6 7 8 9 10 11; do x=$x$x; done; i=0"
    half = f'n=0; while [ $n -lt {count // 2} ]; do echo "$i $x"; i=$((i+1)); n=$((n+1)); done'
    told = followed(cluster, a_job(kube.namespace, sh(f"{grow}; sleep 2; {half}; sleep 11; {half}")))
    assert told.of("m") == [f"{n} {'x' * size}" for n in range(count)]
    assert len(kube.kubectl("logs", "job/migrate").splitlines()) < count


def test_hostile_bytes_and_a_last_line_without_newline(cluster: KubeCluster, kube: Kube) -> None:
    script = r"printf 'one\n\n\377\376 bad\nhalf\rwhole\n\033[31mred\nlast'"
    told = followed(cluster, a_job(kube.namespace, sh(script)))
    assert told.of("m") == ["one", "", "\ufffd\ufffd bad", "half\rwhole", "\x1b[31mred", "last"]


def test_every_pod_is_an_attempt_and_init_containers_and_sidecars_are_told(
    cluster: KubeCluster, kube: Kube
) -> None:
    sidecar = {**sh("echo beside; sleep 1000", "beside"), "restartPolicy": "Always"}
    init = [sh("echo first", "wait"), sidecar]
    told = followed(cluster, a_job(kube.namespace, sh("echo main; exit 3"), retries=1, initContainers=init))
    for attempt in (1, 2):
        assert told.of("wait", attempt) == ["first"]
        assert told.of("beside", attempt) == ["beside"]
        assert told.of("m", attempt) == ["main"]
    assert len({each.pod for each in told.logs}) == 2


def test_a_container_that_is_restarted_is_told_each_time(cluster: KubeCluster, kube: Kube) -> None:
    script = "n=$(cat /s/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > /s/n; echo try $n; [ $n -ge 3 ]"
    mounted = {**sh(script), "volumeMounts": [{"name": "s", "mountPath": "/s"}]}
    volumes = [{"name": "s", "emptyDir": {}}]
    job = a_job(kube.namespace, mounted, retries=5, restartPolicy="OnFailure", volumes=volumes)
    assert followed(cluster, job).of("m") == ["try 1", "try 2", "try 3"]


def test_a_pod_deleted_in_the_middle_leaves_what_it_wrote(cluster: KubeCluster, kube: Kube) -> None:
    script = (
        'trap "echo told to stop; exit 1" TERM; for i in 1 2 3; do echo $i; done; while :; do sleep 0.1; done'
    )
    job = a_job(kube.namespace, sh(script), terminationGracePeriodSeconds=20)
    kill = threading.Thread(
        target=lambda: kube.kubectl("delete", "pod", "-l", "job-name=migrate", "--wait=false"), daemon=True
    )
    told = followed(cluster, job, meanwhile=kill)
    lines = told.of("m")
    assert lines == ["1", "2", "3", "told to stop"]


def test_a_log_that_is_still_being_written_is_left_when_shipit_stops_waiting(
    cluster: KubeCluster, kube: Kube
) -> None:
    told, clock = Told(), SystemClock()
    job = cluster.create(a_job(kube.namespace, sh("while :; do echo on and on; done")))
    selector = f"controller-uid={job['metadata']['uid']}"
    with Follower(cluster, clock, "migrate", told) as follower:
        while not told.logs:
            follower.watch(cluster.pods(kube.namespace, selector))
            follower.pass_on()
            clock.sleep(0.05)
        began = clock.monotonic()
        follower.finish(1)
        assert clock.monotonic() - began < 10
    *whole, last = [
        line for line in told.of("m") if not line.startswith("[shipit: some log lines may be missing")
    ]
    assert set(whole) == {"on and on"}
    assert "on and on".startswith(last)
    pod = told.logs[0].pod
    assert [line for _, line in tail_lines(cluster, kube.namespace, pod, "m", 3)] == ["on and on"] * 3


def test_the_last_lines_of_a_container_are_had_without_the_rest(cluster: KubeCluster, kube: Kube) -> None:
    told = followed(cluster, a_job(kube.namespace, sh("seq 1 100000; printf end; sleep 1")))
    last = tail_lines(cluster, kube.namespace, told.logs[0].pod, "m", 2)
    assert [line for _, line in last] == ["100000", "end"]
    assert tail_lines(cluster, kube.namespace, "no-such-pod", "m", 2) == ()
