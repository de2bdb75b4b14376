"""How a release is, for who only looks: what is live, what migrates, who holds the lock, what is owed. Reads, and what may
not be read is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from shipit import history
from shipit.chart import resources, split
from shipit.errors import HelmFailed, ShipitError, Unreachable
from shipit.events import HandChange, MigrationRunning, PastDeploy, Status, WorkloadState
from shipit.lock import LockRecord, UpgradeState, deployer_of, freeze_of, holder_of, lease_ref, record_of
from shipit.model import (
    RELEASE_LABEL,
    JobOrPod,
    Json,
    Ref,
    Resource,
    Revision,
    World,
    is_active,
    pods_of,
)
from shipit.plan.drift import by_hand
from shipit.plan.revisions import tag_of

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
_T = TypeVar("_T")


def status_of(release: str, namespace: str, world: World) -> Status:
    """How a release is now. Raises Unreachable alone."""
    looking = _Looking(release, namespace, world)
    nothing: tuple[Revision, ...] = ()
    no_objects: tuple[Resource, ...] = ()
    revisions = looking.attempt("Helm's revisions", world.helm.history, nothing)
    newest = revisions[-1] if revisions and revisions[-1].status != "uninstalled" else None
    live = looking.attempt("the live manifest", lambda: looking.live(revisions), no_objects)
    lease = looking.attempt("the lock", lambda: world.cluster.get(lease_ref(namespace, release)), None)
    noted = looking.attempt("the notes on the lock", lambda: record_of(lease), holder_of(lease))
    frozen = looking.attempt("the freeze", lambda: freeze_of(lease, world.cluster.now()), None)
    number = newest.number if newest else 0
    return Status(
        release=release,
        namespace=namespace,
        revision=number,
        helm_status=newest.status if newest else "",
        tag=tag_of(revisions, number) if newest else "",
        updated=newest.updated.strftime("%Y-%m-%dT%H:%M:%SZ") if newest and newest.updated else "",
        last_deploy=looking.attempt("past deploys", looking.last_deploy, None),
        running=looking.attempt("migrations", lambda: tuple(looking.running()), ()),
        lock=looking.lock(lease),
        frozen=str(frozen) if frozen else "",
        rollout=looking.attempt("the workloads", lambda: tuple(looking.rollout(live)), ()),
        by_hand=looking.attempt("changes by hand", lambda: looking.drift(live, revisions), ()),
        owed=tuple(_owed(noted, number, held=bool(holder_of(lease).run))),
        unknown=tuple(looking.unknown),
    )


@dataclass(slots=True)
class _Looking:
    """At one release. `unknown` are what could not be read, and why, a phrase each."""

    release: str
    namespace: str
    world: World
    unknown: list[str] = field(default_factory=list)

    def attempt(self, what: str, look: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return look()
        except Unreachable:
            raise
        except ShipitError as error:
            not_allowed = isinstance(error, HelmFailed) and error.reason == "forbidden"
            self.unknown.append(f"{what}: {'not allowed to read them' if not_allowed else error.message}")
            return otherwise

    def live(self, revisions: tuple[Revision, ...]) -> tuple[Resource, ...]:
        """What the newest deployed revision holds."""
        deployed = next((each.number for each in reversed(revisions) if each.status == "deployed"), 0)
        return resources(split(self.world.helm.manifest(deployed), self.namespace)) if deployed else ()

    def last_deploy(self) -> PastDeploy | None:
        past = history.past_deploys(self.world.cluster, self.namespace, self.release)
        return past[0] if past else None

    def running(self) -> Iterator[MigrationRunning]:
        cluster, selector = self.world.cluster, f"{RELEASE_LABEL}={self.release}"
        pods = (pod for pod in cluster.pods(self.namespace, selector) if not pod.owner_uid)
        every: tuple[JobOrPod, ...] = (*cluster.jobs(self.namespace, selector), *pods)
        for each in filter(is_active, every):
            where = tuple(
                f"{pod.name} on {pod.node}" if pod.node else pod.name
                for pod in pods_of(cluster, each)
                if not pod.finished
            )
            since = each.created.strftime("%Y-%m-%dT%H:%M:%SZ")
            yield MigrationRunning(each.ref.title, each.tag, since, where)

    def lock(self, lease: Json | None) -> str:
        """Who holds it, and whether that shipit seems to be dead; "" for nobody."""
        holder = holder_of(lease)
        if not holder.run:
            return ""
        alive = deployer_of(lease, self.world.cluster.now()) is not None
        return f"{holder}" if alive else f"{holder}; it has not been heard of for a minute or more"

    def rollout(self, live: tuple[Resource, ...]) -> Iterator[WorkloadState]:
        for each in live:
            if each.ref.kind not in _WORKLOADS:
                continue
            ref = Ref(
                each.ref.api_version, each.ref.kind, each.ref.namespace or self.namespace, each.ref.name
            )
            found = self.world.cluster.workload(ref)
            if found is not None:
                yield WorkloadState(ref.title, found.ready, found.updated, found.desired)

    def drift(self, live: tuple[Resource, ...], revisions: tuple[Revision, ...]) -> tuple[HandChange, ...]:
        """Since the live revision; where a newer one failed, what that changed can't be told from anything else."""
        if not revisions or revisions[-1].status != "deployed":
            return ()
        return by_hand(self.world.cluster, live, self.namespace, revisions[-1].number)


def _owed(noted: LockRecord, newest: int, *, held: bool) -> Iterator[str]:
    """What the next deploy has to finish or to clear up; nothing of a release that was uninstalled since, and while a
    deploy is at it only what an earlier one owes.
    """
    found = noted.upgrade
    if found is None or found.outlived(newest + 1):
        return
    what = f"{found.tag or 'a rollback'}, revision {found.revision}"
    if not held and found.state in (UpgradeState.BEGUN, UpgradeState.INTERRUPTED):
        yield f"the upgrade to {what}, was begun and did not end: the next deploy clears it up"
    elif not held and found.state is UpgradeState.APPLIED:
        yield f"what comes after the upgrade to {what}: the next deploy of that tag finishes it"
    if found.first_install_owed:
        yield "what runs after the first install: the next deploy runs it"
