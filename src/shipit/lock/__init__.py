"""The lock of a release: who deploys it and how far that has come; one deploy at a time."""

from shipit.lock.fencing import fenced
from shipit.lock.freeze import Freeze, freeze_of
from shipit.lock.freeze import is_noted as is_frozen
from shipit.lock.lease import Lease, LockLost
from shipit.lock.record import (
    LEASE_DURATION,
    SEEMS_DEAD,
    LockRecord,
    UpgradeRecord,
    UpgradeState,
    deployer_of,
    holder_of,
    lease_ref,
    record_of,
)
from shipit.lock.take import VERBS, died_with_it, held, no_namespace, set_freeze, unlock
