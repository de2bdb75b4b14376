"""The world as the holder of a lock may use it: every change proves the lock first, and helm lives by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from shipit.lock.lease import Lease
from shipit.model import (
    ChartFiles,
    Cluster,
    Helm,
    HelmExit,
    HelmProcess,
    HelmVersion,
    Json,
    Ref,
    Rendered,
    Revision,
    Storage,
    Values,
    World,
)


def fenced(world: World, lease: Lease) -> World:
    """The same world, in which every write raises Busy or Unknown once the lock can't be proven."""
    return replace(world, helm=_Helm(world.helm, lease), cluster=_Cluster(world.cluster, lease))


@dataclass(frozen=True, slots=True)
class _Process:
    """A helm that is stopped when the lock is not ours any more."""

    inner: HelmProcess
    lease: Lease

    def poll(self) -> HelmExit | None:
        self._prove()
        return self.inner.poll()

    def wait(self, timeout: float) -> HelmExit | None:
        self._prove()
        return self.inner.wait(timeout)

    def stop(self) -> HelmExit:
        return self.inner.stop()

    def keep_alive(self) -> None:
        self.inner.keep_alive()

    def _prove(self) -> None:
        try:
            self.lease.prove()
        except BaseException:
            self.inner.stop()
            raise


@dataclass(frozen=True, slots=True)
class _Helm:
    inner: Helm
    lease: Lease

    @property
    def version(self) -> HelmVersion:
        return self.inner.version

    @property
    def storage(self) -> Storage:
        return self.inner.storage

    def chart(self, name: str, version: str, tell: Callable[[str], None]) -> ChartFiles:
        return self.inner.chart(name, version, tell)

    def render(self, chart: str, values: Values) -> Rendered:
        return self.inner.render(chart, values)

    def render_as(self, chart: str, values: Values, *, install: bool) -> Rendered:
        return self.inner.render_as(chart, values, install=install)

    def render_offline(
        self, chart: str, values: Values, *, kube_version: str, api_versions: Sequence[str]
    ) -> Rendered:
        return self.inner.render_offline(chart, values, kube_version=kube_version, api_versions=api_versions)

    def definitions(self, chart: Path, values: Values) -> str:
        return self.inner.definitions(chart, values)

    def without(self, revision: int) -> Helm:
        return self.inner.without(revision)

    def history(self, *, within: float | None = None) -> tuple[Revision, ...]:
        return self.inner.history(within=within)

    def history_of(self, release: str, namespace: str) -> tuple[Revision, ...]:
        return self.inner.history_of(release, namespace)

    def manifest(self, revision: int) -> str:
        return self.inner.manifest(revision)

    def hooks(self, revision: int) -> str:
        return self.inner.hooks(revision)

    def stored(self, revision: int) -> Rendered:
        return self.inner.stored(revision)

    def values(self, revision: int, *, chart_too: bool) -> Json:
        return self.inner.values(revision, chart_too=chart_too)

    def upgrade(
        self,
        chart: Path,
        values: Values | None,
        *,
        timeout: float,
        wait: bool,
        description: str = "",
        restores: bool = False,
    ) -> HelmProcess:
        self.lease.prove()
        started = self.inner.upgrade(
            chart, values, timeout=timeout, wait=wait, description=description, restores=restores
        )
        return _kept_alive(started, self.lease)

    def rollback(self, revision: int, *, timeout: float, wait: bool = True) -> HelmProcess:
        self.lease.prove()
        return _kept_alive(self.inner.rollback(revision, timeout=timeout, wait=wait), self.lease)


def _kept_alive(process: HelmProcess, lease: Lease) -> HelmProcess:
    """Each renewal of the lock keeps helm alive, and nothing else: a successor knows when it has ended."""
    lease.at_renewal(process.keep_alive)
    return _Process(process, lease)


class _Cluster:
    """Reads go through as they are; writes that are no dry run prove the lock first."""

    def __init__(self, inner: Cluster, lease: Lease) -> None:
        self._inner = inner
        self._lease = lease
        self.check = inner.check
        self.now = inner.now
        self.within = inner.within
        self.get = inner.get
        self.find = inner.find
        self.may = inner.may
        self.namespaced = inner.namespaced
        self.api_versions = inner.api_versions
        self.job = inner.job
        self.jobs = inner.jobs
        self.pod = inner.pod
        self.pods = inner.pods
        self.workload = inner.workload
        self.events = inner.events
        self.changes = inner.changes
        self.departures = inner.departures
        self.log = inner.log

    @property
    def context(self) -> str:
        return self._inner.context

    def create(self, manifest: Json, *, dry_run: bool = False) -> Json:
        with self._proven(dry_run=dry_run):
            return self._inner.create(manifest, dry_run=dry_run)

    def replace(self, manifest: Json, *, dry_run: bool = False) -> Json:
        with self._proven(dry_run=dry_run):
            return self._inner.replace(manifest, dry_run=dry_run)

    def apply(self, manifest: Json, *, dry_run: bool = False, force: bool = False) -> Json:
        with self._proven(dry_run=dry_run):
            return self._inner.apply(manifest, dry_run=dry_run, force=force)

    def patch(self, ref: Ref, patch: Json, *, uid: str) -> Json:
        with self._proven():
            return self._inner.patch(ref, patch, uid=uid)

    def delete(self, ref: Ref, *, uid: str, version: str = "", propagation: str = "Foreground") -> None:
        with self._proven():
            self._inner.delete(ref, uid=uid, version=version, propagation=propagation)

    @contextmanager
    def _proven(self, *, dry_run: bool = False) -> Iterator[None]:
        """A change is sent, and sent again, only while nobody else can have the lock."""
        if dry_run:
            yield
            return
        self._lease.prove()
        with self._inner.within(self._lease.certain):
            yield
