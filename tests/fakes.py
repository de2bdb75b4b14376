"""A small world for unit tests: a clock that jumps, a cluster in memory whose Jobs follow a script, a scripted helm."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import yaml

from shipit.chart import split, stored_hooks
from shipit.cluster.parse import job_of, pod_of
from shipit.cluster.workloads import workload_of
from shipit.errors import AlreadyExists, ApiError, Conflict, HelmFailed, NotFound
from shipit.events import Event
from shipit.model import (
    Changes,
    ChartFiles,
    Departures,
    HelmExit,
    HelmVersion,
    Hook,
    Job,
    Json,
    KubeEvent,
    Pod,
    Ref,
    Rendered,
    Revision,
    Storage,
    Values,
    Workload,
    World,
)

START = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
NAMESPACE = "shop"
_E = TypeVar("_E")


@dataclass
class FakeClock:
    """Time that passes only when somebody sleeps; what is due on the way happens."""

    seconds: float = 0.0
    due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        until = self.seconds + max(0.0, seconds)
        while self.due and min(self.due, key=lambda entry: entry[0])[0] <= until:
            entry = min(self.due, key=lambda entry: entry[0])
            self.due.remove(entry)
            self.seconds = max(self.seconds, entry[0])
            entry[1]()
        self.seconds = until

    def later(self, seconds: float, happens: Callable[[], None]) -> None:
        self.due.append((self.seconds + seconds, happens))


@dataclass
class Recorder:
    """An Emit that keeps what it hears."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[_E]) -> list[_E]:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class FakeMask:
    hidden: set[str] = field(default_factory=set)
    spared: set[str] = field(default_factory=set)

    def hide(self, values: Iterable[str]) -> None:
        self.hidden |= set(values) - self.spared

    def spare(self, names: Iterable[str]) -> None:
        self.spared |= set(names)


@dataclass
class Script:
    """What a Job does once it was created: after `starts` seconds a pod runs, after `ends` more it ends so.

    `outcome` is complete, failed, late (its pod succeeds, and its deadline comes before the Job is Complete), or
    uncounted (its pod succeeds, and is deleted and counted as failed). `waiting` is the reason for which its container
    never starts.
    """

    starts: float = 1.0
    ends: float = 2.0
    outcome: str = "complete"
    exit_code: int = 0
    log: bytes = b""
    waiting: str = ""
    waiting_message: str = ""


class FakeCluster:
    """Objects in memory, with UIDs, resource versions and preconditions; Jobs follow their script."""

    context = "fake"

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.objects: dict[Ref, Json] = {}
        self.scripts: dict[str, Script] = {}
        self.kube_events: dict[str, tuple[KubeEvent, ...]] = {}
        self.logs: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.forbidden: set[str] = set()
        self.unserved: set[tuple[str, str]] = set()
        self.broken: Callable[[str], ApiError | None] = lambda call: None
        self._numbers = itertools.count(1)
        self.departed: list[Json] = []
        self.patience = 30.0  # seconds that a call which nobody answers takes

    # ── the generic verbs ────────────────────────────────────────────────────────────────────────

    def check(self) -> str:
        return "v1.34.4"

    def now(self) -> datetime:
        return self.clock.now()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        outer, self.patience = self.patience, min(self.patience, seconds)
        try:
            yield
        finally:
            self.patience = outer

    def get(self, ref: Ref) -> Json | None:
        self._called(f"get {ref}")
        return copy.deepcopy(self.objects.get(ref))

    def find(self, api_version: str, kind: str, namespace: str, selector: str) -> tuple[Json, ...]:
        self._called(f"find {kind} {selector}")
        wanted = dict(part.split("=", 1) for part in selector.split(",") if part)
        return tuple(
            copy.deepcopy(body)
            for ref, body in self.objects.items()
            if (ref.api_version, ref.kind, ref.namespace) == (api_version, kind, namespace)
            and wanted.items() <= (body["metadata"].get("labels") or {}).items()
        )

    def create(self, manifest: Json, *, dry_run: bool = False) -> Json:
        ref = _ref(manifest)
        self._called(f"{'dry-' if dry_run else ''}create {ref}")
        if ref in self.objects:
            raise AlreadyExists(f"{ref} already exists", status=409, reason="AlreadyExists")
        body = copy.deepcopy(manifest)
        if dry_run:
            return body
        number = next(self._numbers)
        body["metadata"] |= {
            "uid": f"uid-{number}",
            "resourceVersion": str(number),
            "creationTimestamp": self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self.objects[ref] = body
        if ref.kind == "Job" and (script := self.scripts.get(ref.name)):
            self._play(ref, body, script)
        return copy.deepcopy(body)

    def replace(self, manifest: Json, *, dry_run: bool = False) -> Json:
        ref = _ref(manifest)
        self._called(f"{'dry-' if dry_run else ''}replace {ref}")
        current = self.objects.get(ref)
        if current is None:
            raise NotFound(f"{ref} not found", status=404)
        if manifest["metadata"].get("resourceVersion") != current["metadata"]["resourceVersion"]:
            raise Conflict("changed", status=409, reason="Conflict")
        return copy.deepcopy(current) if dry_run else self._store(ref, copy.deepcopy(manifest))

    def apply(self, manifest: Json, *, dry_run: bool = False, force: bool = False) -> Json:
        ref = _ref(manifest)
        self._called(f"{'dry-' if dry_run else ''}apply {ref}{' by force' if force else ''}")
        if dry_run:
            return copy.deepcopy(manifest)
        current = self.objects.get(ref)
        uid = current["metadata"]["uid"] if current else f"uid-{next(self._numbers)}"
        return self._store(ref, {**manifest, "metadata": {**manifest["metadata"], "uid": uid}})

    def patch(self, ref: Ref, patch: Json, *, uid: str) -> Json:
        self._called(f"patch {ref} {patch}")
        body = self._with_uid(ref, uid)
        changed = self._store(ref, _merged(body, patch))
        if patch.get("spec", {}).get("suspend"):
            self._suspend(ref, body)
        return changed

    def delete(self, ref: Ref, *, uid: str, version: str = "", propagation: str = "Foreground") -> None:
        self._called(f"delete {ref} {uid}")
        if ref in self.objects:
            found = self._with_uid(ref, uid)
            if version and found["metadata"]["resourceVersion"] != version:
                raise Conflict("changed meanwhile", status=409, reason="Conflict")
            self.clock.later(0.5, lambda: self._gone(ref, uid))

    def may(self, verb: str, group: str, resource: str, namespace: str, name: str = "") -> bool:
        return f"{verb} {resource}" not in self.forbidden

    def namespaced(self, api_version: str, kind: str) -> bool | None:
        if (api_version, kind) in self.unserved:
            return None
        return kind not in ("Namespace", "ClusterRole", "CustomResourceDefinition")

    def api_versions(self) -> tuple[str, ...]:
        return ("v1", "apps/v1")

    # ── typed views ──────────────────────────────────────────────────────────────────────────────

    def job(self, namespace: str, name: str) -> Job | None:
        body = self.get(Ref("batch/v1", "Job", namespace, name))
        return job_of(body) if body else None

    def jobs(self, namespace: str, selector: str) -> tuple[Job, ...]:
        return tuple(job_of(body) for body in self.find("batch/v1", "Job", namespace, selector))

    def pod(self, namespace: str, name: str) -> Pod | None:
        body = self.get(Ref("v1", "Pod", namespace, name))
        return pod_of(body) if body else None

    def pods(self, namespace: str, selector: str) -> tuple[Pod, ...]:
        return tuple(pod_of(body) for body in self.find("v1", "Pod", namespace, selector))

    def workload(self, ref: Ref) -> Workload | None:
        body = self.get(ref)
        return workload_of(ref, body) if body else None

    def events(self, namespace: str, uid: str) -> tuple[KubeEvent, ...]:
        self._called(f"events {uid}")
        return self.kube_events.get(uid, ())

    def changes(self, namespace: str, selector: str) -> Changes:
        return _Changes(self.clock)

    @contextmanager
    def departures(self, namespace: str, selector: str) -> Iterator[Departures]:
        yield _Departures(self)

    @contextmanager
    def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        since: datetime | None = None,
        follow: bool = True,
        tail: int | None = None,
        previous: bool = False,
    ) -> Iterator[Iterator[bytes]]:
        yield iter([self.logs.get(pod, b"")])

    # ── how Jobs live ────────────────────────────────────────────────────────────────────────────

    def _play(self, ref: Ref, body: Json, script: Script) -> None:
        uid = body["metadata"]["uid"]
        pod = Ref("v1", "Pod", ref.namespace, f"{ref.name}-{uid}")
        self.logs[pod.name] = script.log
        self._store(
            pod,
            _pod(
                pod,
                uid,
                self.clock.now(),
                {
                    "waiting": {
                        "reason": script.waiting or "ContainerCreating",
                        "message": script.waiting_message,
                    }
                },
            ),
        )
        if script.waiting:
            return
        self.clock.later(script.starts, lambda: self._run(pod, uid))
        self.clock.later(script.starts + script.ends, lambda: self._end(ref, pod, uid, script))

    def _run(self, pod: Ref, uid: str) -> None:
        if pod in self.objects:
            state = {"running": {"startedAt": _stamp(self.clock.now())}}
            self._store(pod, _pod(pod, uid, self.clock.now(), state, phase="Running", started=True))

    def _end(self, ref: Ref, pod: Ref, uid: str, script: Script) -> None:
        body = self.objects.get(ref)
        if body is None or body["metadata"]["uid"] != uid:
            return
        ended = {
            "terminated": {
                "exitCode": script.exit_code,
                "reason": "Completed" if script.exit_code == 0 else "Error",
                "startedAt": _stamp(self.clock.now()),
                "finishedAt": _stamp(self.clock.now()),
                "containerID": "containerd://x",
            }
        }
        phase = "Failed" if script.outcome == "failed" else "Succeeded"
        self._store(pod, _pod(pod, uid, self.clock.now(), ended, phase=phase, started=True))
        if script.outcome == "uncounted":
            self.clock.later(6.0, lambda: self._deadline(ref, pod))
            return
        condition = "Complete" if script.outcome == "complete" else "Failed"
        reason = {"failed": "BackoffLimitExceeded", "late": "DeadlineExceeded"}.get(script.outcome, "")
        conditions = [{"type": condition, "status": "True", "reason": reason}]
        counts = {"succeeded": 0 if script.outcome == "failed" else 1}
        self._store(ref, {**body, "status": {"conditions": conditions, **counts}})

    def _deadline(self, ref: Ref, pod: Ref) -> None:
        """The Job controller deletes a pod that it still takes for a running one."""
        del self.objects[pod]
        late = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}
        self._store(ref, {**self.objects[ref], "status": {"failed": 1, "conditions": [late]}})

    def _suspend(self, ref: Ref, body: Json) -> None:
        def stopped() -> None:
            for pod in [
                r for r, b in self.objects.items() if r.kind == "Pod" and _owner(b) == body["metadata"]["uid"]
            ]:
                self.departed.append(self.objects.pop(pod))
            status = {"conditions": [{"type": "Suspended", "status": "True"}]}
            self._store(ref, {**self.objects[ref], "status": status})

        self.clock.later(0.2, stopped)

    def _gone(self, ref: Ref, uid: str) -> None:
        if ref in self.objects and self.objects[ref]["metadata"]["uid"] == uid:
            del self.objects[ref]
        for pod in [r for r, b in self.objects.items() if r.kind == "Pod" and _owner(b) == uid]:
            del self.objects[pod]

    def _store(self, ref: Ref, body: Json) -> Json:
        body["metadata"]["resourceVersion"] = str(next(self._numbers))
        self.objects[ref] = body
        return copy.deepcopy(body)

    def _with_uid(self, ref: Ref, uid: str) -> Json:
        body = self.objects.get(ref)
        if body is None:
            raise NotFound(f"{ref} not found", status=404)
        if body["metadata"]["uid"] != uid:
            raise Conflict(f"the UID of {ref} is another", status=409, reason="Conflict")
        return body

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if error := self.broken(call):
            raise error

    def vanish(self, ref: Ref) -> None:
        """Somebody else deletes it."""
        del self.objects[ref]

    def wrote(self) -> list[str]:
        """The calls that change something, but for the record that each deploy leaves."""
        changes = [c for c in self.calls if c.split()[0] in ("create", "replace", "apply", "patch", "delete")]
        return [c for c in changes if "-history" not in c and " Event " not in c]


@dataclass
class _Changes:
    clock: FakeClock

    def wait(self, timeout: float) -> bool:
        self.clock.sleep(timeout)
        return True

    def close(self) -> None: ...


@dataclass
class _Departures:
    cluster: FakeCluster

    def wait(self, timeout: float) -> tuple[Pod, ...] | None:
        return tuple(pod_of(body) for body in self.cluster.departed)


@dataclass
class FakeProcess:
    """A helm that ends after some seconds of the clock."""

    clock: FakeClock
    ends_at: float
    ending: HelmExit
    at_the_end: Callable[[], None] = lambda: None
    at_a_stop: Callable[[], None] = lambda: None
    stopped: bool = False
    alive: int = 0
    _ended: bool = False

    def poll(self) -> HelmExit | None:
        if self.clock.monotonic() < self.ends_at:
            return None
        if not self._ended:
            self._ended = True
            self.at_the_end()
        return self.ending

    def wait(self, timeout: float) -> HelmExit | None:
        self.clock.sleep(min(timeout, max(0.0, self.ends_at - self.clock.monotonic())))
        return self.poll()

    def stop(self) -> HelmExit:
        if not self.stopped and not self._ended:
            self.at_a_stop()
        self.stopped = True
        return HelmExit(130, ("release shop failed: context canceled",))

    def keep_alive(self) -> None:
        self.alive += 1


@dataclass
class FakeHelm:
    """Renders what it is told to; an upgrade adds a revision, which is failed when it is stopped."""

    clock: FakeClock
    rendered: Rendered
    rendered_as: Rendered | None = None  # in the other operation; None: helm fails at it
    revisions: list[Revision] = field(default_factory=list)
    manifests: dict[int, str] = field(default_factory=dict)
    hooked: str = ""
    others: dict[tuple[str, str], list[Revision]] = field(default_factory=dict)
    crds: str = ""
    stored_hooks: dict[int, str] = field(default_factory=dict)
    upgrade_ends: HelmExit = field(default_factory=lambda: HelmExit(0))
    rollback_ends: HelmExit = field(default_factory=lambda: HelmExit(0))
    upgrade_takes: float = 3.0
    calls: list[str] = field(default_factory=list)
    processes: list[FakeProcess] = field(default_factory=list)
    version: HelmVersion = field(default_factory=lambda: HelmVersion(4, 1, 0))
    storage: Storage = "Secret"

    def chart(self, name: str, version: str, tell: Callable[[str], None]) -> ChartFiles:
        return ChartFiles(Path(name))

    def render(self, chart: str, values: Values) -> Rendered:
        self.calls.append("render")
        return self.rendered

    def render_as(self, chart: str, values: Values, *, install: bool) -> Rendered:
        self.calls.append(f"render as {'install' if install else 'upgrade'}")
        if self.rendered_as is None:
            raise HelmFailed("execution error")
        return replace(self.rendered_as, install=install)

    def render_offline(self, chart: str, values: Values, **served: Any) -> Rendered:
        self.calls.append("render offline")
        return self.rendered

    def definitions(self, chart: Path, values: Values) -> str:
        self.calls.append("definitions")
        return self.crds

    def without(self, revision: int) -> FakeHelm:
        return replace(self, revisions=[each for each in self.revisions if each.number != revision])

    def history(self, *, within: float | None = None) -> tuple[Revision, ...]:
        return tuple(self.revisions)

    def history_of(self, release: str, namespace: str) -> tuple[Revision, ...]:
        return tuple(self.others.get((release, namespace), ()))

    def manifest(self, revision: int) -> str:
        return self.manifests.get(revision, "")

    def hooks(self, revision: int) -> str:
        return self.hooked or self.stored_hooks.get(revision, "")

    def upgrade(self, chart: Path, values: Values | None, **how: Any) -> FakeProcess:
        self.calls.append(f"upgrade {chart.name.partition('-')[0]}")
        process = self._start(self.upgrade_ends, self._upgraded)
        process.at_a_stop = self._interrupted
        return process

    def stored(self, revision: int) -> Rendered:
        hooks = stored_hooks(split(self.hooks(revision), NAMESPACE))
        return Rendered(self.manifest(revision), hooks, revision, install=False, server_side=True)

    def values(self, revision: int, *, chart_too: bool) -> Json:
        return {"of": revision, **({"default": True} if chart_too else {})}

    def rollback(self, revision: int, *, timeout: float, wait: bool = True) -> FakeProcess:
        self.calls.append(f"rollback {revision}" + ("" if wait else " without waiting"))
        status = "failed" if self.rollback_ends.code else "deployed"
        return self._start(self.rollback_ends, lambda: self._made(status, f"Rollback to {revision}"))

    def _start(self, ending: HelmExit, then: Callable[[], None]) -> FakeProcess:
        process = FakeProcess(self.clock, self.clock.monotonic() + self.upgrade_takes, ending, then)
        self.processes.append(process)
        return process

    def _upgraded(self) -> None:
        self._made("deployed" if self.upgrade_ends.code == 0 else "failed")

    def _interrupted(self) -> None:
        self._made("failed")

    def _made(self, status: str, description: str = "") -> None:
        self.revisions.append(Revision(len(self.revisions) + 1, status, description=description))
        self.manifests[len(self.revisions)] = self.rendered.manifest
        self.stored_hooks[len(self.revisions)] = "".join(map(_stored, self.rendered.hooks))


@dataclass
class Fakes:
    """All of a world, and its parts by name."""

    clock: FakeClock
    cluster: FakeCluster
    helm: FakeHelm
    mask: FakeMask
    told: Recorder

    @property
    def world(self) -> World:
        return World(self.helm, self.cluster, self.clock, self.mask)


def fakes(rendered: Rendered | None = None) -> Fakes:
    clock = FakeClock()
    helm = FakeHelm(clock, rendered or Rendered("", (), 1, install=True, server_side=True))
    return Fakes(clock, FakeCluster(clock), helm, FakeMask(), Recorder())


def _ref(body: Json) -> Ref:
    meta = body["metadata"]
    name = meta.get("name") or meta["generateName"] + "abcde"
    return Ref(body["apiVersion"], body["kind"], meta.get("namespace", ""), name)


def _merged(body: Json, patch: Json) -> Json:
    merged = copy.deepcopy(body)
    for key, value in patch.items():
        merged[key] = _merged(merged.get(key) or {}, value) if isinstance(value, dict) else value
    return merged


def _stored(hook: Hook) -> str:
    """As Helm prints it: what it knows of a hook stands in its annotations."""
    body = yaml.safe_load(hook.manifest)
    notes = {"helm.sh/hook": ",".join(hook.events), "helm.sh/hook-weight": str(hook.weight)}
    if hook.delete_policies:
        notes["helm.sh/hook-delete-policy"] = ",".join(hook.delete_policies)
    body["metadata"]["annotations"] = {**body["metadata"].get("annotations", {}), **notes}
    return f"---\n# Source: {hook.path}\n{json.dumps(body)}\n"


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _owner(body: Json) -> str:
    return str(body["metadata"].get("labels", {}).get("controller-uid", ""))


def _pod(
    ref: Ref, owner: str, now: datetime, state: Json, *, phase: str = "Pending", started: bool = False
) -> Json:
    status = {"name": "migrate", "image": "shop:v1", "state": state, "ready": False, "restartCount": 0}
    if started:
        status |= {"containerID": "containerd://x", "imageID": "shop@sha256:1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "uid": f"pod-of-{owner}",
            "creationTimestamp": _stamp(now),
            "labels": {"controller-uid": owner},
            "ownerReferences": [{"kind": "Job", "uid": owner, "controller": True, "name": "job"}],
        },
        "spec": {"containers": [{"name": "migrate", "image": "shop:v1"}]},
        "status": {"phase": phase, "containerStatuses": [status]},
    }
