"""All that shipit does outside itself, on one page: Helm, the cluster, the clock.

The real ones are `helm/` and `cluster/`; tests hand over small fakes. Every call is bounded in time and raises
only errors of `errors.py`: `ApiError` and its subclasses from the cluster, `HelmFailed` from Helm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from shipit.model.helm import ChartFiles, HelmExit, HelmVersion, Rendered, Revision, Storage, Values
from shipit.model.kubernetes import Job, Json, KubeEvent, Pod, Ref, Workload


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> datetime:
        """The wall clock, in UTC: for people to read, never to measure with."""

    def monotonic(self) -> float:
        """Seconds that only grow: for deadlines."""

    def sleep(self, seconds: float) -> None: ...


class HelmProcess(Protocol):
    """A helm that runs in a process group of its own and never outlives shipit."""

    def poll(self) -> HelmExit | None:
        """None while it runs."""

    def wait(self, timeout: float) -> HelmExit | None:
        """Wait up to that many seconds; None when it still runs then."""

    def stop(self) -> HelmExit:
        """Interrupt, then terminate, then kill it with its children; bounded, about 20 s at the worst."""

    def keep_alive(self) -> None:
        """Say that shipit lives and holds its lock; a helm that hears nothing for its lease is interrupted.

        Never blocks and never fails; any thread may call it.
        """


class Helm(Protocol):
    """Helm for one release in one namespace of one context."""

    @property
    def version(self) -> HelmVersion: ...

    @property
    def storage(self) -> Storage:
        """What kind of object holds a revision."""

    def chart(self, name: str, version: str, tell: Callable[[str], None]) -> ChartFiles:
        """The files of a chart: what a folder misses is built in a copy of it, any other is fetched, and but once.

        `name` is an absolute path, or what helm calls it; `version` "" for the newest. `tell` hears what takes time.
        """

    def render(self, chart: str, values: Values) -> Rendered:
        """Render like the real upgrade, with the API server's answers to `lookup`, changing nothing."""

    def render_as(self, chart: str, values: Values, *, install: bool) -> Rendered:
        """Render as if the release were not there (`install`), or as an upgrade of its first revision."""

    def render_offline(
        self, chart: str, values: Values, *, kube_version: str, api_versions: Sequence[str]
    ) -> Rendered:
        """Render a first install without the API server knowing its kinds. `api_versions` are what it serves, as charts
        ask for it: `apps/v1`, `apps/v1/Deployment`.
        """

    def definitions(self, chart: Path, values: Values) -> str:
        """What the `crds/` of a chart that has no templates hold, and those of the subcharts that are switched on."""

    def without(self, revision: int) -> Helm:
        """The same release as if its newest revision, which is pending, were not there: to look at, not to change."""

    def history(self, *, within: float | None = None) -> tuple[Revision, ...]:
        """The newest revisions, oldest first; empty when there is no release. `within` is the seconds it may take."""

    def history_of(self, release: str, namespace: str) -> tuple[Revision, ...]:
        """The same of another release, wherever Helm stores it."""

    def manifest(self, revision: int) -> str:
        """The manifest stored with a revision: documents under `# Source:` comments, hooks left out."""

    def hooks(self, revision: int) -> str:
        """The hooks stored with a revision, as documents like the manifest's."""

    def stored(self, revision: int) -> Rendered:
        """A revision with its hooks as it is stored, and in the way in which a rollback to it would be applied."""

    def values(self, revision: int, *, chart_too: bool) -> Json:
        """The values that a revision was given, and with `chart_too` those of its chart below them."""

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
        """Start `helm upgrade --install --no-hooks` of a frozen chart. Never with Helm's own rollback flags.

        Without values the live revision keeps its own: for a handover. `restores`: with these and no others, for they
        are an earlier revision's.
        """

    def rollback(self, revision: int, *, timeout: float, wait: bool = True) -> HelmProcess:
        """Start `helm rollback --no-hooks`, with `--wait` where helm is to wait for the pods."""


class Changes(Protocol):
    """A watch used as an alarm clock: what it says is never believed, only looked up."""

    def wait(self, timeout: float) -> bool:
        """Return true when something changed, false after that many seconds."""

    def close(self) -> None: ...


class Departures(Protocol):
    """A watch, opened before pods are made to leave, that keeps what was last seen of each."""

    def wait(self, timeout: float) -> tuple[Pod, ...] | None:
        """The last status of every pod, once all of them are gone; None when that can't be said in time."""


class Cluster(Protocol):
    """The API server. Reads are retried within their deadline; a write is tried again only where that is safe."""

    @property
    def context(self) -> str: ...

    def check(self) -> str:
        """The server's version; raises Unreachable or Unauthorized."""

    def now(self) -> datetime:
        """The API server's clock, as of its last answer: for the age of what it made, whatever our clock says."""

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """All calls that this thread makes inside are given up together once so many seconds have passed."""

    def get(self, ref: Ref) -> Json | None:
        """The object, None when it (or its kind) isn't there."""

    def find(self, api_version: str, kind: str, namespace: str, selector: str) -> tuple[Json, ...]:
        """The objects that a label selector finds."""

    def create(self, manifest: Json, *, dry_run: bool = False) -> Json:
        """POST. `AlreadyExists` when the name is taken; when the answer is lost, the truth is looked up: the object
        counts as ours when it carries the same `shipit/run` and `shipit/hash` annotations. The dry run of an object
        with those also refuses fields that the API server doesn't know: it would drop a misspelt `backoffLimit`."""

    def replace(self, manifest: Json, *, dry_run: bool = False) -> Json:
        """PUT. `Conflict` when its `metadata.resourceVersion` is not the newest."""

    def apply(self, manifest: Json, *, dry_run: bool = False, force: bool = False) -> Json:
        """Server-side apply as field manager `helm`; `force` takes fields from other managers, else `Conflict`."""

    def patch(self, ref: Ref, patch: Json, *, uid: str) -> Json:
        """A merge patch of the object with that UID; `Conflict` when it is another one by now."""

    def delete(self, ref: Ref, *, uid: str, version: str = "", propagation: str = "Foreground") -> None:
        """Ask for the deletion of the object with that UID; nothing when it is gone, `Conflict` for a successor, and
        for one that has changed since the resource `version`, where that is given.
        """

    def may(self, verb: str, group: str, resource: str, namespace: str, name: str = "") -> bool:
        """SelfSubjectAccessReview. `resource` may name a subresource: `pods/log`."""

    def namespaced(self, api_version: str, kind: str) -> bool | None:
        """Whether objects of that kind live in a namespace; None when the API server doesn't know the kind."""

    def api_versions(self) -> tuple[str, ...]:
        """What is served: each API version, and each custom resource's kind behind it (`cert-manager.io/v1/Issuer`)."""

    def job(self, namespace: str, name: str) -> Job | None: ...

    def jobs(self, namespace: str, selector: str) -> tuple[Job, ...]: ...

    def pod(self, namespace: str, name: str) -> Pod | None: ...

    def pods(self, namespace: str, selector: str) -> tuple[Pod, ...]: ...

    def workload(self, ref: Ref) -> Workload | None:
        """A Deployment, StatefulSet or DaemonSet; None when it isn't there."""

    def events(self, namespace: str, uid: str) -> tuple[KubeEvent, ...]:
        """The Events about the object with that UID, oldest first."""

    def changes(self, namespace: str, selector: str) -> Changes:
        """Watch the Jobs and pods that a selector finds."""

    def departures(self, namespace: str, selector: str) -> AbstractContextManager[Departures]:
        """Watch the pods that a selector finds until they are deleted."""

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
    ) -> AbstractContextManager[Iterator[bytes]]:
        """A container's log as chunks of bytes, each line led by the kubelet's RFC 3339 time and a blank.

        `tail` asks for that many last lines, `previous` for the run before the last restart. Entering raises
        `NotFound` when the pod is gone, another ApiError when the log can't be opened; reading raises `Unreachable`
        when the stream was cut or fell silent, and ends when it ended: only the container's state tells whether there
        is more. Leaving, which any thread may do, closes the connection.
        """


class Mask(Protocol):
    """What must never be shown."""

    def hide(self, values: Iterable[str]) -> None:
        """Replace these in everything that is shown from now on, in whatever form they are written."""

    def spare(self, texts: Iterable[str]) -> None:
        """Texts that are public: neither they nor any words of theirs are replaced, whatever `hide` was or is told."""


@dataclass(frozen=True, slots=True)
class World:
    helm: Helm
    cluster: Cluster
    clock: Clock
    mask: Mask
