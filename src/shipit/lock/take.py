"""Taking the lock of a release, from nobody or from a dead holder, and breaking it.

A holder is judged by whether its Lease changes while we look, never by comparing clocks.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

from shipit.errors import ApiError, Busy, Conflict, NotFound, Refused, Stopped
from shipit.events import Emit, StepChanged, Warned
from shipit.hints import kubectl, shipit
from shipit.lock.freeze import Freeze, freeze_of, refuse_frozen, with_freeze
from shipit.lock.lease import Lease
from shipit.lock.record import (
    HELM_ENDS,
    LEASE_DURATION,
    LockRecord,
    UpgradeState,
    holder_of,
    record_of,
    ref_of_lease,
    with_holder,
    without_holder,
)
from shipit.model import Clock, Cluster, Json, Ref, World, as_int, as_text, metadata_of, spec_of

POLL = 0.5
VERBS = (("coordination.k8s.io", "leases", ("create", "get", "update")),)
"""What holding the lock takes: API group, resource, verbs."""


@contextlib.contextmanager
def held(
    world: World,
    ref: Ref,
    record: LockRecord,
    emit: Emit,
    *,
    wait: float = 0.0,
    despite: Freeze | None = None,
) -> Iterator[Lease]:
    """Hold a release's lock. `wait` is how many seconds to wait for a living holder, `despite` a freeze that was seen and
    is not to be heeded.

    Raises Busy when a living holder keeps it or the release is frozen, Refused when its namespace isn't there or the Lease can't be used.
    """
    try:
        lease = take(world, ref, record, emit, wait=wait, despite=despite)
    except ApiError as error:  # nothing was changed: should the Lease be ours all the same, it runs out
        raise Refused(f"the lock of the release can't be taken: {error.message}", hint=error.hint) from error
    keeper = threading.Thread(target=lease.keep, name="lease", daemon=True)
    keeper.start()
    hurried = False
    try:
        yield lease
    except Stopped as stop:
        hurried = stop.again
        raise
    finally:
        lease.end(give_back=not hurried)


def take(
    world: World, ref: Ref, record: LockRecord, emit: Emit, *, wait: float, despite: Freeze | None = None
) -> Lease:
    """Take the lock, from nobody or from a dead holder; see `held`."""
    clock, watcher, announced = world.clock, _Watcher(world.clock), ""
    started = clock.monotonic()
    while True:
        body = _read(world.cluster, ref)
        refuse_frozen(body, world.cluster.now(), despite)
        holder = record_of(body)
        if not holder.run or holder.run == record.run or watcher.dead(body):
            lease = _try_take(world, body, record, holder)
            if lease is not None:
                if holder.run and holder.run != record.run:
                    emit(Warned(f"took over the lock of a dead deploy: {holder}"))
                return lease
            watcher = _Watcher(clock)
            continue
        left = wait - (clock.monotonic() - started)
        if watcher.alive and left <= 0:
            raise _held_by(holder)
        told = f"{holder}; {'waiting for it to end' if watcher.alive else 'checking that it is alive'}"
        if announced != told:
            announced = told
            emit(StepChanged("lock", "started", told, timeout=left if watcher.alive else None))
        clock.sleep(POLL)


def died_with_it(world: World, ref: Ref) -> bool:
    """Whether a lock's holder is dead, False where nobody holds it: known as late as one who takes it would know it.

    Raises Busy for a living holder.
    """
    watcher = _Watcher(world.clock)
    while True:
        body = world.cluster.get(ref) or {}
        holder = holder_of(body)
        if not holder.run or watcher.dead(body):
            return bool(holder.run)
        if watcher.alive:
            raise _held_by(holder)
        world.clock.sleep(POLL)


def _held_by(holder: LockRecord) -> Busy:
    return Busy(
        f"another deploy holds the lock: {holder}",
        hint=shipit(
            "watch",
            why="shows what it is doing; --lock-wait 10m waits for it, a dead holder's lock is taken over automatically",
        ),
    )


class _Watcher:
    """Watches a Lease that somebody holds: two changes mean alive, none for its duration means dead.

    One change proves nothing: a renewal that was under way when its holder was killed may still arrive.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = ""
        self._since = 0.0
        self._changes = -1

    @property
    def alive(self) -> bool:
        return self._changes > 1

    def dead(self, body: Json) -> bool:
        version = as_text(metadata_of(body).get("resourceVersion"))
        now = self._clock.monotonic()
        if version != self._seen:
            self._changes += 1
            self._seen, self._since = version, now
            return False
        duration = as_int(spec_of(body).get("leaseDurationSeconds")) or LEASE_DURATION
        upgrade = record_of(body).upgrade
        helm_may_run = upgrade is not None and upgrade.state is UpgradeState.BEGUN
        return now - self._since >= duration + (HELM_ENDS if helm_may_run else 0.0)


def _read(cluster: Cluster, ref: Ref) -> Json:
    """The Lease, made (held by nobody) when it isn't there."""
    body = cluster.get(ref)
    if body is not None:
        return body
    fresh: Json = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "spec": {},
    }
    try:
        return cluster.create(fresh)
    except Conflict:
        return cluster.get(ref) or fresh
    except NotFound as error:
        raise no_namespace(ref.namespace) from error


def no_namespace(name: str) -> Refused:
    """The lock lives in the release's namespace: there is none without it."""
    return Refused(
        f"namespace {name} does not exist",
        hint=kubectl("create", "namespace", name, why="or set create_namespace = true under [release]"),
    )


def _try_take(world: World, body: Json, record: LockRecord, holder: LockRecord) -> Lease | None:
    """The Lease with us as its holder, None when somebody was faster."""
    ours = replace(record, upgrade=holder.upgrade, made=holder.made)
    sent = world.clock.monotonic()
    try:
        taken = world.cluster.replace(with_holder(body, ours, world.clock.now(), acquire=True))
    except Conflict:
        latest = world.cluster.get(ref_of_lease(body))
        if latest is None or holder_of(latest).run != record.run:
            return None
        taken = latest
    dead = bool(holder.run and holder.run != record.run)
    return Lease(world.cluster, world.clock, taken, ours, sent=sent, taken_over=dead, before=holder)


def unlock(cluster: Cluster, ref: Ref, seen: LockRecord) -> None:
    """Break the lock that was seen, by compare-and-swap. Raises Busy when it changed hands meanwhile."""
    current = cluster.get(ref)
    holder = holder_of(current)
    if current is None or not holder.run:
        return
    try:
        if holder.run != seen.run:
            raise Conflict("changed hands")
        cluster.replace(without_holder(current))
    except Conflict as error:
        raise Busy(f"the lock changed hands meanwhile: {holder}", hint=shipit("unlock")) from error


def set_freeze(cluster: Cluster, ref: Ref, wanted: Freeze | None) -> Json:
    """Note a freeze on the Lease, which is made where there is none, or lift what is there; the Lease as it is then.

    Raises Busy when somebody else has frozen the release, Refused when that can't be written.
    """
    try:
        while True:
            body = _read(cluster, ref)
            found = freeze_of(body, cluster.now()) if wanted is not None else None
            if wanted is not None and found is not None and found.who != wanted.who:
                refuse_frozen(body, cluster.now(), None)
            with contextlib.suppress(Conflict):
                return cluster.replace(with_freeze(body, wanted))
    except ApiError as error:
        raise Refused(
            f"the lock of the release can't be written: {error.message}", hint=error.hint
        ) from error
