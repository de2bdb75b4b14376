"""The lock of a release as its holder has it: a Lease that is kept, noted on, lost or given back.

A holder that cannot prove its Lease any more stops before its next change: `Lease.prove` is called by `fencing.py`
ahead of every write.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from shipit.errors import ApiError, Busy, Conflict, NotFound, ShipitError, Unknown
from shipit.hints import shipit
from shipit.lock.record import (
    LEASE_DURATION,
    LockRecord,
    UpgradeRecord,
    holder_of,
    ref_of_lease,
    with_holder,
    without_holder,
)
from shipit.model import (
    Clock,
    Cluster,
    Identity,
    Json,
    MadeObject,
    uid_of,
)

RENEWAL = 3.0
"""Seconds between renewals."""
RENEWED_WITHIN = 5.0
"""Seconds after which a renewal in the background is given up: whoever has to prove the lock doesn't wait for it."""
PROVEN_FOR = 9.0
"""Seconds after a renewal was sent during which the lock is certainly ours: well below LEASE_DURATION."""
END_WITHIN = 5.0
"""Seconds that giving the lock back may take on the way out."""


class Lease:
    """A lock that is held. `found` is the upgrade that an earlier deploy had noted on it, None for none; `taken_over`
    is true when that deploy died with the lock. `before` is what the Lease said when it was taken.
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
        before: LockRecord | None = None,
    ) -> None:
        self.taken_over = taken_over
        self.before = before or record
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
        return self.found is not None and self.found.helm_is_gone(holder_died=self.taken_over)

    @property
    def uid(self) -> str:
        """The UID of the Lease object."""
        return uid_of(self._body)

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

    @property
    def made(self) -> tuple[MadeObject, ...]:
        """What deploys made for their migrations, as it is noted."""
        return self._record.made

    def note_made(self, made: Iterable[MadeObject]) -> None:
        """Write it onto the Lease, at once. Raises as `prove`."""
        noted = tuple(made)
        if noted != self._record.made:
            self._record = replace(self._record, made=noted)
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
