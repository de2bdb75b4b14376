"""Whether a revision is the one that an earlier deploy noted on the lock."""

from __future__ import annotations

from shipit.chart import digest, split
from shipit.config import Request
from shipit.lock import UpgradeRecord
from shipit.model import Revision, World


def is_upgrade(newest: Revision, owed: UpgradeRecord, request: Request, world: World) -> bool:
    """Whether that deploy made the revision: by its number, and by what it holds."""
    if newest.number != owed.revision:
        return False
    return digest(split(world.helm.manifest(newest.number), request.namespace)) == owed.digest


def is_handover(newest: Revision, owed: UpgradeRecord) -> bool:
    """Whether that deploy made the revision, as the one before its upgrade."""
    return owed.handover and newest.number == owed.revision - 1
