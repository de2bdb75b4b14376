"""The lock of a release: a Lease that is taken, kept, noted on, lost or given back.

A holder is judged by whether its Lease changes while we look, never by comparing clocks. A holder that cannot prove
its Lease any more stops before its next change: `Lease.prove` is called by `fencing.py` ahead of every write.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from shipit.errors import ApiError, Busy, Conflict, NotFound, Refused, ShipitError, Stopped, Unknown
from shipit.events import Emit, StepChanged, Warned
from shipit.hints import kubectl, shipit
from shipit.lock.record import (
    HELM_ENDS,
    LEASE_DURATION,
    LockRecord,
    UpgradeRecord,
    UpgradeState,
    holder_of,
    record_of,
    ref_of_lease,
    with_holder,
    without_holder,
)
from shipit.model import (
    Clock,
    Cluster,
    Identity,
    Json,
    Ref,
    World,
    as_int,
    as_text,
    metadata_of,
    spec_of,
)

RENEWAL = 3.0
"""Seconds between renewals."""
RENEWED_WITHIN = 5.0
"""Seconds after which a renewal in the background is given up: whoever has to prove the lock doesn't wait for it."""
PROVEN_FOR = 9.0
"""Seconds after a renewal was sent during which the lock is certainly ours: well below LEASE_DURATION."""
POLL = 0.5
VERBS = (("coordination.k8s.io", "leases", ("create", "get", "update")),)
"""What holding the lock takes: API group, resource, verbs."""
END_WITHIN = 5.0
"""Seconds that giving the lock back may take on the way out."""


class Lease:
    """A lock that is held. `found` is the upgrade that an earlier deploy had noted on it, None for none; `taken_over`
    is true when that deploy died with the lock.
    """

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        body: Json,
        record: LockRecord,
        *,
        sent: float,
        taken_over: bool = False,
    ) -> None:
        self.taken_over = taken_over
        self._cluster = cluster
        self._clock = clock
        self._body = body
        self._record = record
        self._renewed = sent
        self._guard = threading.Lock()
        self._lost: LockRecord | None = None
        self._ended = threading.Event()
        self._at_renewal: list[Callable[[], None]] = []
        self.found = record.upgrade

    def at_renewal(self, call: Callable[[], None]) -> None:
        """Call this whenever the lock was renewed, in whatever thread that happens."""
        self._at_renewal.append(call)

    @property
    def helm_is_gone(self) -> bool:
        """Whether the helm of what is owed is certainly gone: its holder died with the lock, or saw it end."""
        found = self.found
        return (
            found is not None and found.owed and (self.taken_over or found.state is UpgradeState.INTERRUPTED)
        )

    @property
    def certain(self) -> float:
        """Seconds for which nobody else can have the lock."""
        return max(0.0, LEASE_DURATION - (self._clock.monotonic() - self._renewed))

    def prove(self) -> None:
        """Make sure that the lock is ours for the next seconds. Raises Busy (somebody else has it) or Unknown."""
        if self._lost is None and self._clock.monotonic() - self._renewed < PROVEN_FOR:
            return
        self._renew()

    def note(self, upgrade: UpgradeRecord | None) -> None:
        """Write how far the upgrade is onto the Lease, at once. Raises as `prove`."""
        self._record = replace(self._record, upgrade=upgrade)
        self._renew()

    def keep(self) -> None:
        """Renew until the end, in a thread of its own; trouble of any kind shows at the next `prove`."""
        while not self._ended.wait(RENEWAL):
            with contextlib.suppress(ShipitError), self._cluster.within(RENEWED_WITHIN):
                self._renew()

    def end(self, *, give_back: bool = True) -> None:
        """Give the lock back; what was noted stays for a successor. Never raises: a Lease runs out by itself.

        One whose helm may still be ending is not given back: whoever comes next waits until it has run out.
        """
        self._ended.set()
        if not give_back:
            return
        giving_back = threading.Thread(target=self._give_back, name="lease-end", daemon=True)
        giving_back.start()
        giving_back.join(END_WITHIN)

    def _give_back(self) -> None:
        with self._guard, contextlib.suppress(ApiError):
            if self._lost is None:
                self._cluster.replace(without_holder(self._body, self._record))

    def _renew(self) -> None:
        with self._guard:
            if self._lost is not None:
                raise _lost_to(self._lost)
            sent = self._clock.monotonic()
            try:
                self._body = self._cluster.replace(with_holder(self._body, self._record, self._clock.now()))
            except (Conflict, NotFound):
                self._look()
            except ApiError as error:
                raise Unknown(
                    f"the lock of the release could not be renewed: {error.message}",
                    hint=shipit("logs"),
                ) from error
            self._renewed = sent
        if self._clock.monotonic() - sent <= RENEWED_WITHIN:  # old news would keep a helm alive for too long
            for call in self._at_renewal:
                call()

    def _look(self) -> None:
        """After a conflict: ours still (an answer was lost), or somebody else's."""
        ref = ref_of_lease(self._body)
        body = self._cluster.get(ref)
        holder = holder_of(body) if body else None
        if body is None or holder is None or holder.run != self._record.run:
            self._lost = holder or LockRecord("", "", Identity("nobody", "nowhere"))
            raise _lost_to(self._lost)
        self._body = self._cluster.replace(with_holder(body, self._record, self._clock.now()))


class LockLost(Busy):
    """Somebody else has the lock now, or nobody: its old holder stops before its next change."""


def _lost_to(record: LockRecord) -> LockLost:
    text = f"{record}" if record.run else "it was broken or removed"
    return LockLost(f"the lock of the release was lost: {text}", hint=shipit("logs"))


@contextlib.contextmanager
def held(world: World, ref: Ref, record: LockRecord, emit: Emit, *, wait: float = 0.0) -> Iterator[Lease]:
    """Hold a release's lock. `wait` is how many seconds to wait for a living holder.

    Raises Busy when a living holder keeps it, Refused when its namespace isn't there or the Lease can't be used.
    """
    try:
        lease = take(world, ref, record, emit, wait=wait)
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


def take(world: World, ref: Ref, record: LockRecord, emit: Emit, *, wait: float) -> Lease:
    """Take the lock, from nobody or from a dead holder; see `held`."""
    clock, watcher, announced = world.clock, _Watcher(world.clock), ""
    started = clock.monotonic()
    while True:
        body = _read(world.cluster, ref)
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
            raise Busy(
                f"another deploy holds the lock: {holder}",
                hint=shipit(
                    "logs",
                    "--follow",
                    why="shows what it is doing; --lock-wait 10m waits for it, a dead holder's lock is taken over "
                    "automatically",
                ),
            )
        if watcher.alive and announced != holder.run:
            announced = holder.run
            emit(StepChanged("lock", "started", f"waiting for {holder}", timeout=left))
        clock.sleep(POLL)


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
        raise Refused(
            f"namespace {ref.namespace} does not exist",
            hint=kubectl(
                "create", "namespace", ref.namespace, why="or set create_namespace = true under [release]"
            ),
        ) from error


def _try_take(world: World, body: Json, record: LockRecord, holder: LockRecord) -> Lease | None:
    """The Lease with us as its holder, None when somebody was faster."""
    ours = replace(record, upgrade=holder.upgrade)
    sent = world.clock.monotonic()
    try:
        taken = world.cluster.replace(with_holder(body, ours, world.clock.now(), acquire=True))
    except Conflict:
        latest = world.cluster.get(ref_of_lease(body))
        if latest is None or holder_of(latest).run != record.run:
            return None
        taken = latest
    dead = bool(holder.run and holder.run != record.run)
    return Lease(world.cluster, world.clock, taken, ours, sent=sent, taken_over=dead)


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
