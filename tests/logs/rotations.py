"""Play migrations whose logs the kubelet rotates, many times over: `python -m tests.logs.rotations burst slow --times 20`.

Every line has to come, once and in order, without a mark; where lines are lost, the mark has to stand just there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, cast

from sandbox import Sandbox, ensure_up
from shipit.cli.clock import SystemClock
from shipit.cluster import KubeCluster, connect
from shipit.errors import Unreachable
from shipit.events import Emit, Event, LogLine
from shipit.logs.follower import Follower
from shipit.model import Cluster, Json
from tests.e2e.kit import fresh_namespace

MARK = "[shipit: some log lines may be missing here"
TEXT = "of a migration that says more than anybody would like to read"


@dataclass(frozen=True, slots=True)
class Kind:
    """A migration that counts up its lines. `blind`: after how many lines nobody can read them, for how many seconds;
    `late`: seconds after which it is followed. Either loses lines.
    """

    script: str
    count: int
    blind: tuple[int, float] = (0, 0)
    late: float = 0.0

    @property
    def loses(self) -> bool:
        return bool(self.late or self.blind[1])


def counting(first: str, count: int) -> str:
    """Shell that writes so many lines at once, numbered from `first` on."""
    return f"seq {first} $(({first} + {count} - 1)) | sed 's/$/ {TEXT}/'"


def bursts(count: int, pause: float, times: int) -> str:
    return f"i=0; while [ $i -lt {times * count} ]; do {counting('$i', count)}; i=$((i+{count})); sleep {pause}; done"


def slowly(pause: float, lines: int, times: int, padding: int = 130_000) -> str:
    """More than a file holds, and then a line at a time, while the kubelet rotates it."""
    line = f'echo "$i {TEXT}"; i=$((i+1)); sleep {pause}'
    slow = f"n=0; while [ $n -lt {lines} ]; do {line}; n=$((n+1)); done"
    pad = f"{counting('$i', padding)}; i=$((i+{padding}))"
    return f"i=0; k=0; while [ $k -lt {times} ]; do {pad}; {slow}; k=$((k+1)); done"


# What is rotated before anybody has asked for the log can't be had any more
SOON = "sleep 2; "
KINDS = {
    "burst": Kind(SOON + bursts(200_000, 12, 3), 600_000),
    "flood": Kind(f"{SOON}{counting('0', 600_001)}; sleep 12", 600_001),
    "slow": Kind(SOON + slowly(1, 24, 2), 2 * 130_024),
    "slower": Kind(SOON + slowly(2.6, 10, 2), 2 * 130_010),
    "sparse": Kind(SOON + slowly(40, 2, 1), 130_002),
    "blind": Kind(SOON + bursts(150_000, 3, 12), 1_800_000, blind=(200_000, 25)),
    "blind-burst": Kind(SOON + bursts(200_000, 12, 4), 800_000, blind=(200_000, 30)),
    "late": Kind(bursts(150_000, 3, 10), 1_500_000, late=25),
}


@dataclass
class Heard:
    """What came of the numbered lines: each is compared with the one that was next; `latest` is how many seconds after
    its writing one was shown, at the most.
    """

    next: int = 0
    lost: int = 0
    marks: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    took: float = 0.0
    latest: float = 0.0
    _marked: bool = False
    _part: str = ""

    def __call__(self, event: Event) -> None:
        if not isinstance(event, LogLine):
            return
        if event.line.startswith(MARK):
            self.marks.append(f"{time.monotonic() - self.began:.1f} before {self.next}: {event.line}")
            self._marked, self._part = True, ""
            return
        if self._part:
            self.wrong.append(f"no line: {self._part!r}")
            self._part = ""
        number = event.line.partition(" ")[0]
        if event.line != f"{number} {TEXT}":
            # Of a line at a gap there may be a part
            self._part = "" if self._marked else event.line
            return
        self._took(int(number), event.written)

    def _took(self, number: int, written: str) -> None:
        if not number % 1000:
            late = datetime.now(UTC) - datetime.fromisoformat(written[:26]).replace(tzinfo=UTC)
            self.latest = max(self.latest, late.total_seconds())
        if number > self.next and self._marked:
            self.lost += number - self.next
        elif number != self.next:
            self.wrong.append(f"{number} came where {self.next} was next")
        self.next, self._marked = number + 1, False

    def end(self, kind: Kind) -> None:
        if self._marked:
            self.lost += kind.count - self.next
        elif self.next != kind.count:
            self.wrong.append(f"the end is missing: {self.next} of {kind.count}")
        if kind.loses and not self.lost:
            self.wrong.append("no line was lost: nothing was proven")
        if not kind.loses and self.marks:
            self.wrong.append(f"{len(self.marks)} marks where nothing is missing")
        self.took = time.monotonic() - self.began

    def as_text(self, name: str, notes: list[str]) -> str:
        first = f"{name:12} {self.next:8} lines {self.lost:8} lost {len(self.marks):3} marks"
        first += f" {self.took:6.1f} s, a line up to {self.latest:.1f} s late"
        rest = (*self.wrong[:20], *self.marks, *notes) if self.wrong else ()
        return "".join(f"{line}\n" for line in (first, *(f"    {each}" for each in rest)))


@dataclass
class Streams:
    """A cluster whose log streams are noted, and refused or cut while nobody is to see them."""

    cluster: KubeCluster
    kind: Kind
    heard: Heard
    notes: list[str] = field(default_factory=list)
    blind_until: float = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cluster, name)

    def log(self, *args: Any, **asked: Any) -> OneStream:
        return OneStream(self, args, asked)

    def blind(self) -> bool:
        after, seconds = self.kind.blind
        if seconds and not self.blind_until and self.heard.next >= after:
            self.blind_until = time.monotonic() + seconds
        return time.monotonic() < self.blind_until


class OneStream:
    def __init__(self, streams: Streams, args: tuple[Any, ...], asked: dict[str, Any]) -> None:
        self._streams, self._asked = streams, asked
        self._inner = streams.cluster.log(*args, **asked)
        self._opened = self._at()
        self._size, self._first, self._last = 0, b"", self._opened
        self._how = "ended"

    def _at(self) -> float:
        return time.monotonic() - self._streams.heard.began

    def __enter__(self) -> Iterator[bytes]:
        if self._streams.blind():
            raise Unreachable("nobody sees anything")
        return self._read(self._inner.__enter__())

    def _read(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        try:
            for chunk in chunks:
                if self._streams.blind():
                    raise Unreachable("nobody sees anything")
                self._size += len(chunk)
                self._first = self._first or chunk[:45]
                self._last = self._at()
                yield chunk
        except Unreachable as error:
            self._how = error.message
            raise
        finally:
            since = self._asked.get("since")
            since = since.isoformat()[11:19] if isinstance(since, datetime) else "-"
            self._streams.notes.append(
                f"{self._opened:6.1f} – {self._at():6.1f}  since {since}  {self._size:9} bytes"
                f" until {self._last:6.1f}  {self._how}  {self._first!r}"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._how = "left"
        self._inner.__exit__(kind, error, trace)


def a_job(namespace: str, *containers: Json, retries: int = 0, **pod: object) -> Json:
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "containers": list(containers),
        **pod,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "namespace": namespace},
        "spec": {"backoffLimit": retries, "template": {"spec": spec}},
    }


def sh(script: str, name: str = "m") -> Json:
    return {"name": name, "image": "registry.sandbox/busybox:v1", "command": ["sh", "-c", script]}


def follow(cluster: Cluster, job: Json, emit: Emit, *, late: float = 0.0) -> None:
    """Make a Job and follow it to its end, as a step does."""
    namespace = job["metadata"]["namespace"]
    uid = cluster.create(job)["metadata"]["uid"]
    time.sleep(late)
    selector = f"controller-uid={uid}"
    changes = cluster.changes(namespace, selector)
    with Follower(cluster, SystemClock(), "migrate", emit) as follower:
        while True:
            seen = cluster.job(namespace, "migrate")
            assert seen is not None
            follower.watch(cluster.pods(namespace, selector))
            if seen.finished:
                break
            follower.pass_on()
            changes.wait(0.2)
        follower.finish(60)
    changes.close()


def cluster_of(sandbox: Sandbox) -> KubeCluster:
    return connect(kubeconfig=str(sandbox.kubeconfig), context=sandbox.context or None, clock=SystemClock())


def play(name: str, sandbox: Sandbox) -> tuple[Heard, list[str]]:
    """One run of a kind: what was heard, and the streams that brought it."""
    kind, kube = KINDS[name], fresh_namespace(sandbox)
    heard = Heard()
    streams = Streams(cluster_of(sandbox), kind, heard)
    try:
        follow(cast(Cluster, streams), a_job(kube.namespace, sh(kind.script)), heard, late=kind.late)
    finally:
        kube.kubectl("delete", "namespace", kube.namespace, "--wait=false", check=False)
    heard.end(kind)
    return heard, streams.notes


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.logs.rotations", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"one of {', '.join(KINDS)}; all by default")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="how many at a time")
    args = parser.parse_args(argv)
    kinds, sandbox, bad = args.kinds or list(KINDS), ensure_up(), 0
    with ProcessPoolExecutor(args.workers) as pool:
        runs = [(name, pool.submit(play, name, sandbox)) for _ in range(args.times) for name in kinds]
        for name, run in runs:
            heard, notes = run.result()
            bad += bool(heard.wrong)
            sys.stdout.write(heard.as_text(name, notes))
            sys.stdout.flush()
    sys.stdout.write(f"{len(runs)} runs, {bad} of them wrong\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
