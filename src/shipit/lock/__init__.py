"""The lock of a release: who deploys it and how far that has come; one deploy at a time."""

from shipit.lock.fencing import fenced
from shipit.lock.lease import VERBS, Lease, LockLost, held, unlock
from shipit.lock.record import LEASE_DURATION, LockRecord, UpgradeRecord, lease_ref, record_of

__all__ = [
    "LEASE_DURATION",
    "VERBS",
    "Lease",
    "LockLost",
    "LockRecord",
    "UpgradeRecord",
    "fenced",
    "held",
    "lease_ref",
    "record_of",
    "unlock",
]
