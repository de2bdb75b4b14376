"""Which migrations have run since a revision, as far as that is known: by the Lease, by the Jobs, by Helm's history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shipit.chart import TEST, Document, is_frozen, resources, split, stored_hooks
from shipit.config import Request
from shipit.lock import UpgradeRecord
from shipit.model import RELEASE_LABEL, JobOrPod, MigrationRun, Revision, World
from shipit.plan.candidates import Rendering, plain_of
from shipit.plan.job_metadata import HOOK_ANNOTATION
from shipit.plan.revisions import ROLLBACK_TO

_OF_UPGRADES = frozenset(("pre-install", "post-install", "pre-upgrade", "post-upgrade"))
_OF_ROLLBACKS = frozenset(("pre-rollback", "post-rollback"))


@dataclass(frozen=True, slots=True)
class MigrationsSince:
    """`ran` are those that ran, or began to, `unknown` what is not known, a phrase each."""

    ran: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether any ran, or may have."""
        return bool(self.ran or self.unknown)


def migrations_since(
    revision: int,
    history: Sequence[Revision],
    found: UpgradeRecord | None,
    request: Request,
    world: World,
) -> MigrationsSince:
    """`found` is what the last deploy noted on the Lease, None where nothing of it says anything about this release."""
    noted = found.migrations.ran if found is not None else ()
    known = {(each.revision, each.tag) for each in noted}
    others = [
        MigrationRun(job.revision, job.tag or "an unknown tag", job.name)
        for job in _jobs(request, world)
        if (job.revision, job.tag) not in known
    ]
    ran = [str(each) for each in (*noted, *others) if each.revision > revision]
    later = [each for each in history if each.number > revision]
    unknown = (_unnoted(each, found, request, world) for each in later if not _is_noted(each.number, found))
    return MigrationsSince(tuple(dict.fromkeys(ran)), tuple(filter(None, unknown)))


def _jobs(request: Request, world: World) -> Iterator[JobOrPod]:
    """What shipit has made of this release and is still there, of migrations or of hooks of installs and upgrades."""
    selector = f"{RELEASE_LABEL}={request.release}"
    found: tuple[JobOrPod, ...] = (
        *world.cluster.jobs(request.namespace, selector),
        *(each for each in world.cluster.pods(request.namespace, selector) if not each.owner_uid),
    )
    for each in found:
        events = {event.strip() for event in each.annotations.get(HOOK_ANNOTATION, "").split(",")} - {""}
        if not each.never_started and not (events and events <= {*_OF_ROLLBACKS, TEST, "test-success"}):
            yield each


def _is_noted(number: int, found: UpgradeRecord | None) -> bool:
    """Whether a deploy of ours made that revision, and noted what it ran."""
    if found is None or not 0 < found.migrations.since <= number:
        return False
    ran = {each.revision for each in found.migrations.ran}
    return number in {*found.seen.ready, *found.seen.failed, *ran, found.revision}


def _unnoted(each: Revision, found: UpgradeRecord | None, request: Request, world: World) -> str:
    """What is not known of a revision that no deploy has noted, "" where nothing of it can have migrated."""
    documents = split(world.helm.manifest(each.number), request.namespace)
    hooks = split(world.helm.hooks(each.number), request.namespace)
    events = _OF_ROLLBACKS if each.description.startswith(ROLLBACK_TO) else _OF_UPGRADES
    names = [
        hook.name for hook in stored_hooks(hooks) if hook.kind in ("Job", "Pod") and events & set(hook.events)
    ]
    if _of_shipit((*documents, *hooks)):
        since = found.migrations.since if found is not None else 0
        if events is _OF_ROLLBACKS or 0 < since <= each.number:
            return ""
        return f"revision {each.number} was made by a shipit that did not note its migrations"
    names += [one.name for one in plain_of(Rendering((), documents)) if one.ends]
    if not names:
        return ""
    return f"revision {each.number} was made without shipit, and may have run {', '.join(names)}"


def _of_shipit(documents: Sequence[Document]) -> bool:
    return bool(resources(documents)) and any(map(is_frozen, documents))
