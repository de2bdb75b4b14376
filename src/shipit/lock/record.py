"""What a Lease says of a release: who deploys it, since when, and how far its upgrade has come. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum

from shipit.errors import Busy
from shipit.hints import kubectl
from shipit.lock import made_note
from shipit.model import (
    RELEASE_LABEL,
    Identity,
    Json,
    MadeObject,
    MigrationRun,
    MigrationsRun,
    Ref,
    SeenRevisions,
    as_int,
    as_text,
    as_texts,
    metadata_of,
    slow_digest,
    spec_of,
)

LEASE_DURATION = 15.0
"""Seconds without a change after which a holder counts as dead."""
HELM_ENDS = 20.0
"""Seconds more where it had begun an upgrade: its helm hears of the lock's last renewal up to 5 s late, is interrupted
when it has heard nothing for LEASE_DURATION, and gets 15 s to end."""
SEEMS_DEAD = 60.0
"""Seconds after its last renewal from which the holder of another release's lock doesn't count, where clocks differ."""
NOTE_VERSION = 5
"""The form in which an upgrade is noted. Version 1 had no number, and three booleans instead of the state; version 2 no
inputs, and nothing of what was seen of revisions: helm had always waited for the pods of one that was APPLIED, but for a
first install's; version 3 no charts; version 4 not which migrations had run. A shipit that knows an older version refuses
this one: it may owe what that shipit knows nothing of.
"""
_NAMED = "shipit-"
_PREFIX = "shipit/"
_UPGRADE = _PREFIX + "progress"


class UpgradeState(StrEnum):
    """How far the upgrade of a deploy has come.

    BEGUN: its helm may be at work. INTERRUPTED: its helm was seen to end, and may have left the revision pending.
    APPLIED: the revision was made, its pods may not be ready, and what runs after it is owed. SETTLED: nothing of it is
    owed any more.
    """

    BEGUN = "begun"
    INTERRUPTED = "interrupted"
    APPLIED = "applied"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class UpgradeRecord:
    """The upgrade that a deploy begins, noted on its Lease: a successor finishes what it owes.

    `revision` is the one that the upgrade makes, `digest` the manifest's, `install` true for a first install.
    `oldest_accepted_revision` is the oldest one whose migration counts for it: an earlier one than its own where this
    upgrade was begun before, and interrupted. `handover`: the live manifest without the migration is made a revision
    of its own first. `first_install_owed`: what runs after the first install has not succeeded yet; that outlives the
    upgrade itself. `inputs` is what it was rendered from, as a slow digest that is salted with its `run`. `seen` is what
    this deploy and those before it have seen of the release's revisions, `migrations` are those that they have run.
    `charts` are the archives it was rendered from, each with its digest. The tag of a rollback is "": no deploy takes it
    for its own.
    """

    tag: str
    revision: int
    digest: str
    install: bool
    state: UpgradeState = UpgradeState.BEGUN
    oldest_accepted_revision: int = 0
    handover: bool = False
    first_install_owed: bool = False
    run: str = ""
    inputs: str = ""
    seen: SeenRevisions = field(default_factory=SeenRevisions)
    charts: tuple[str, ...] = ()
    migrations: MigrationsRun = field(default_factory=MigrationsRun)

    def is_made_from(self, inputs: str) -> bool:
        """Whether it was rendered from these inputs; of one noted by an earlier version that is not known."""
        return bool(self.inputs) and slow_digest(inputs, self.run) == self.inputs

    @property
    def owed(self) -> bool:
        """Whether a successor has something to finish, or to clear up."""
        return self.state is not UpgradeState.SETTLED

    def helm_is_gone(self, *, holder_died: bool) -> bool:
        """Whether the helm of what is owed is certainly gone: its holder died with the lock, or saw it end."""
        return self.owed and (holder_died or self.state is UpgradeState.INTERRUPTED)

    @property
    def seen_ready(self) -> bool:
        """Whether the pods of its revision were seen to be ready."""
        return self.revision in self.seen.ready

    @property
    def given_up(self) -> bool:
        """Whether a deploy failed on its revision: what of it is not done is not to be finished."""
        return self.revision in self.seen.failed

    @property
    def made(self) -> bool:
        """Whether its revision was made."""
        return self.state in (UpgradeState.APPLIED, UpgradeState.SETTLED)

    def outlived(self, revision: int) -> bool:
        """Whether the release was uninstalled since, for its next revision is that one: revisions count anew."""
        return self.revision > revision or (self.made and self.revision == revision)


@dataclass(frozen=True, slots=True)
class LockRecord:
    """What a Lease says of its holder. `run` is "" when nobody holds it, `since` is a moment of the holder's clock.

    `upgrade` is that of the last deploy that began one, the holder's own or an earlier one's; `made` is what deploys made
    for their migrations and nobody has taken away yet.
    """

    run: str
    tag: str
    identity: Identity
    since: str = ""
    upgrade: UpgradeRecord | None = None
    made: tuple[MadeObject, ...] = ()

    def __str__(self) -> str:
        what = f"deploys {self.tag}" if self.tag else "holds the lock"
        why = f" ({self.identity.message})" if self.identity.message else ""
        since = f" since {self.since[:19].replace('T', ' ')} UTC" if self.since else ""
        return f"{self.identity.who} {what} from {self.identity.where}{since}{why}"


def lease_ref(namespace: str, release: str) -> Ref:
    """Names the Lease of a release."""
    return Ref("coordination.k8s.io/v1", "Lease", namespace, f"{_NAMED}{release}")


def ref_of_lease(body: Json) -> Ref:
    """Names the Lease that this is."""
    meta = metadata_of(body)
    return Ref("coordination.k8s.io/v1", "Lease", as_text(meta.get("namespace")), as_text(meta.get("name")))


def record_of(body: Json | None) -> LockRecord:
    """What a Lease says. Raises Busy when an upgrade is noted in a form that this shipit doesn't know."""
    body = body or {}
    notes = _notes_of(body)
    upgrade = notes.get(_UPGRADE, "")
    return LockRecord(
        *_holder(body),
        upgrade=_upgrade_of(upgrade, body) if upgrade else None,
        made=made_note.read(notes.get(made_note.NOTE, ""), body),
    )


def holder_of(body: Json | None) -> LockRecord:
    """Who holds a Lease, whatever is noted on it."""
    return LockRecord(*_holder(body or {}))


def deployer_of(body: Json | None, now: datetime) -> LockRecord | None:
    """Who deploys a release at `now`, None when nobody does or its holder seems to be dead.

    By the holder's own clock, as the Lease is looked at once: a little wrong is wrong on the careful side.
    """
    holder = holder_of(body)
    renewed = str(((body or {}).get("spec") or {}).get("renewTime") or "")
    try:
        age = (now - datetime.fromisoformat(renewed)).total_seconds()
    except (ValueError, TypeError):
        return None
    return holder if holder.run and age < SEEMS_DEAD else None


def _notes_of(body: Json) -> dict[str, str]:
    return as_texts(metadata_of(body).get("annotations"))


def _holder(body: Json) -> tuple[str, str, Identity, str]:
    notes = _notes_of(body)
    spec = spec_of(body)
    identity = Identity(
        notes.get(_PREFIX + "who", "someone"),
        notes.get(_PREFIX + "where", "an unknown host"),
        notes.get(_PREFIX + "message", ""),
    )
    return (
        as_text(spec.get("holderIdentity")),
        notes.get(_PREFIX + "tag", ""),
        identity,
        as_text(spec.get("acquireTime")),
    )


def _upgrade_of(text: str, body: Json) -> UpgradeRecord:
    try:
        note: Json = json.loads(text)
        version = note.pop("version", 1)
        if version == 1:
            note = _from_version_1(note)
        if version in range(1, NOTE_VERSION + 1):
            own = {
                "state": UpgradeState(note["state"]),
                "seen": _seen_of(note.get("seen") or {}),
                "charts": tuple(map(str, note.get("charts") or ())),
                "migrations": _migrations_of(note.get("migrations") or {}),
            }
            return UpgradeRecord(**note | own)
        problem = (
            f"was written by a newer shipit (format {version}, this one knows {NOTE_VERSION}): upgrade shipit"
        )
    except (ValueError, TypeError, AttributeError, KeyError):
        problem = "can't be read"
    ref = ref_of_lease(body)
    raise Busy(
        f"what an earlier deploy noted on Lease {ref.name} {problem}",
        hint=kubectl(
            "annotate", "lease", ref.name, f"{_UPGRADE}-", namespace=ref.namespace,
            why="removes the note: only when you know that no migration or hook is still owed",
        ),
    )  # fmt: skip


def _seen_of(note: Json) -> SeenRevisions:
    return (
        SeenRevisions(tuple(map(int, note["ready"])), tuple(map(int, note["failed"])))
        if note
        else SeenRevisions()
    )


def _migrations_of(note: Json) -> MigrationsRun:
    if not note:
        return MigrationsRun()
    return MigrationsRun(int(note["since"]), tuple(MigrationRun(**each) for each in note["ran"]))


def _from_version_1(note: Json) -> Json:
    """Its flags, the strongest first: nothing owed, revision made, helm seen to end."""
    states = (
        ("over", UpgradeState.SETTLED),
        ("made", UpgradeState.APPLIED),
        ("stranded", UpgradeState.INTERRUPTED),
    )
    state = next((state for flag, state in states if note.get(flag)), UpgradeState.BEGUN)
    return {
        "tag": note["tag"],
        "revision": note["revision"],
        "digest": note["digest"],
        "install": note["install"],
        "state": state,
        "oldest_accepted_revision": note.get("counts_from", 0),
        "handover": note.get("handover", False),
        "first_install_owed": note.get("owes_install", False),
    }


def with_holder(body: Json, record: LockRecord, now: datetime, *, acquire: bool = False) -> Json:
    """The Lease as it is written by its holder; `acquire` when it wasn't theirs before."""
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = dict(spec_of(body))
    if acquire and spec.get("holderIdentity") != record.run:
        spec["leaseTransitions"] = as_int(spec.get("leaseTransitions")) + 1
    if acquire:
        spec["acquireTime"] = stamp
    spec |= {"holderIdentity": record.run, "leaseDurationSeconds": int(LEASE_DURATION), "renewTime": stamp}
    meta = {**metadata_of(body), "labels": _with_release(body), "annotations": _with_notes(body, record)}
    return {**body, "metadata": meta, "spec": spec}


def _with_release(body: Json) -> dict[str, str]:
    """Its labels with the release's, by which all that shipit keeps of a release is found."""
    release = ref_of_lease(body).name.removeprefix(_NAMED)
    return as_texts(metadata_of(body).get("labels")) | {RELEASE_LABEL: release}


def _with_notes(body: Json, record: LockRecord) -> dict[str, str]:
    own = {
        "who": record.identity.who,
        "where": record.identity.where,
        "message": record.identity.message,
        "tag": record.tag,
    }
    notes = _notes_of(body) | {_PREFIX + key: value for key, value in own.items()}
    if record.upgrade is not None:
        notes[_UPGRADE] = json.dumps({"version": NOTE_VERSION, **asdict(record.upgrade)})
    else:
        notes.pop(_UPGRADE, None)
    notes.pop(made_note.NOTE, None)
    return notes | ({made_note.NOTE: made_note.written(record.made)} if record.made else {})


def without_holder(body: Json, record: LockRecord | None = None) -> Json:
    """The Lease that nobody holds; what is noted stays, and is written once more where its holder gives it back."""
    spec = {key: value for key, value in spec_of(body).items() if key != "holderIdentity"}
    freed = {**body, "spec": spec}
    return (
        {**freed, "metadata": {**metadata_of(body), "annotations": _with_notes(body, record)}}
        if record
        else freed
    )
