"""What a Lease says of a lock: who holds it, since when, and how far its deploy has come. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from shipit.model import Identity, Json, Ref

LEASE_DURATION = 15.0
"""Seconds without a change after which a holder counts as dead."""
HELM_ENDS = 20.0
"""Seconds more where it had begun an upgrade: its helm hears of the lock's last renewal up to 5 s late, is interrupted
when it has heard nothing for LEASE_DURATION, and gets 15 s to end."""
_PREFIX = "shipit/"


@dataclass(frozen=True, slots=True)
class UpgradeRecord:
    """The upgrade that a deploy begins, noted on its Lease: a successor finishes what it owes.

    `revision` is the one that the upgrade makes, `digest` the manifest's; `install` when it is a first install,
    `owes_install` as long as what runs after that has not succeeded, `handover` when the live manifest is upgraded
    without the migration first, as a revision of its own; `made` once the revision has been made: what ran before it
    counts for no other; `over` once nothing is owed any more; `stranded` when its helm was seen to end and the
    revision may be left pending. `counts_from` is the oldest revision whose migration counts for it: an earlier one
    than its own where this upgrade was begun before, and interrupted.
    """

    tag: str
    revision: int
    digest: str
    install: bool
    counts_from: int = 0
    made: bool = False
    over: bool = False
    stranded: bool = False
    handover: bool = False
    owes_install: bool = False

    @property
    def upgrading(self) -> bool:
        """Whether its helm may be at work."""
        return not (self.made or self.over or self.stranded)


@dataclass(frozen=True, slots=True)
class LockRecord:
    """What a Lease says of its holder. `run` is "" when nobody holds it, `since` is a moment of the holder's clock."""

    run: str
    tag: str
    identity: Identity
    since: str = ""
    progress: UpgradeRecord | None = None

    def __str__(self) -> str:
        what = f"deploys {self.tag} " if self.tag else "holds the lock "
        why = f" ({self.identity.message})" if self.identity.message else ""
        return f"{self.identity.who} {what}from {self.identity.where} since {self.since}{why}"


def lease_ref(namespace: str, release: str) -> Ref:
    """Names the Lease of a release."""
    return Ref("coordination.k8s.io/v1", "Lease", namespace, f"shipit-{release}")


def ref_of_lease(body: Json) -> Ref:
    """Names the Lease that this is."""
    meta = body["metadata"]
    return Ref("coordination.k8s.io/v1", "Lease", meta["namespace"], meta["name"])


def record_of(body: Json | None) -> LockRecord:
    """What a Lease says; an unreadable note counts as none."""
    body = body or {}
    notes: dict[str, str] = body.get("metadata", {}).get("annotations") or {}
    spec: dict[str, Any] = body.get("spec") or {}
    identity = Identity(
        notes.get(_PREFIX + "who", "somebody"),
        notes.get(_PREFIX + "where", "somewhere"),
        notes.get(_PREFIX + "message", ""),
    )
    return LockRecord(
        run=spec.get("holderIdentity") or "",
        tag=notes.get(_PREFIX + "tag", ""),
        identity=identity,
        since=str(spec.get("acquireTime") or ""),
        progress=_progress_of(notes.get(_PREFIX + "progress", "")),
    )


def _progress_of(text: str) -> UpgradeRecord | None:
    try:
        return UpgradeRecord(**json.loads(text)) if text else None
    except (ValueError, TypeError):
        return None


def with_holder(body: Json, record: LockRecord, now: datetime, *, acquire: bool = False) -> Json:
    """The Lease as it is written by its holder; `acquire` when it wasn't his before."""
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = dict(body.get("spec") or {})
    if acquire and spec.get("holderIdentity") != record.run:
        spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
    if acquire:
        spec["acquireTime"] = stamp
    spec |= {"holderIdentity": record.run, "leaseDurationSeconds": int(LEASE_DURATION), "renewTime": stamp}
    return {**body, "metadata": {**body["metadata"], "annotations": _notes(body, record)}, "spec": spec}


def _notes(body: Json, record: LockRecord) -> dict[str, str]:
    old: dict[str, str] = dict(body["metadata"].get("annotations") or {})
    own = {
        "who": record.identity.who,
        "where": record.identity.where,
        "message": record.identity.message,
        "tag": record.tag,
    }
    notes = old | {_PREFIX + key: value for key, value in own.items()}
    if record.progress is not None:
        notes[_PREFIX + "progress"] = json.dumps(asdict(record.progress))
    else:
        notes.pop(_PREFIX + "progress", None)
    return notes


def without_holder(body: Json, record: LockRecord) -> Json:
    """The Lease that nobody holds; what was noted stays."""
    spec = {key: value for key, value in (body.get("spec") or {}).items() if key != "holderIdentity"}
    return {
        **body,
        "metadata": {**body["metadata"], "annotations": _notes(body, record)},
        "spec": spec,
    }
