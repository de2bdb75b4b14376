"""To which revision a rollback goes, and what has migrated since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shipit.config import Request
from shipit.errors import Refused, refusing
from shipit.hints import advice, helm
from shipit.lock import UpgradeRecord, lease_ref, record_of
from shipit.model import Revision, SeenRevisions, World
from shipit.plan.migrations_since import MigrationsSince, migrations_since
from shipit.plan.revisions import newest_good, same_as, tag_of


@dataclass(frozen=True, slots=True)
class WayBack:
    """A rollback to `revision`, which was deployed as `tag` ("" where that is not known), from the newest one, `base`.

    That may be one that a helm has left pending: then the app may be half of it.
    """

    revision: int
    tag: str
    base: int
    since: MigrationsSince


def look_back(request: Request, revision: int, world: World) -> WayBack:
    """To which revision a rollback goes, 0 to let shipit choose, and what has migrated since. Raises Refused."""
    with refusing():
        history = world.helm.history()
        settled = history[:-1] if history and history[-1].pending else history
        if not settled:
            raise Refused(
                f"there is no release {request.release} in namespace {request.namespace}",
                hint=advice("is it in another namespace or context? a deploy installs it"),
            )
        found = record_of(world.cluster.get(lease_ref(request.namespace, request.release))).upgrade
        found = None if found is None or found.outlived(history[-1].number + 1) else found
        target = _target(request, history, revision, found)
        since = migrations_since(target, settled, found, request, world)
    return WayBack(target, tag_of(history, target), history[-1].number, since)


def _target(request: Request, history: Sequence[Revision], revision: int, found: UpgradeRecord | None) -> int:
    newest = history[-1]
    hint = helm("history", request.release, namespace=request.namespace, why="shows the revisions")
    if not revision:
        if target := _chosen(history, found):
            return target
        raise Refused(f"there is no revision before {newest.number} to roll back to", hint=hint)
    if revision == newest.number and newest.status != "uninstalled":
        raise Refused(f"revision {revision} is the newest already", hint=hint)
    if all(each.number != revision for each in history):
        there = f"{history[0].number} to {newest.number}" if len(history) > 1 else f"{newest.number}"
        raise Refused(f"there is no revision {revision} of {request.release}: Helm has {there}", hint=hint)
    return revision


def _chosen(history: Sequence[Revision], found: UpgradeRecord | None) -> int:
    """The newest good one before the live one, 0 for none; after a rollback that died the one that it was going to."""
    died = found is not None and found.owed and not found.tag and found.revision == history[-1].number
    if died and len(history) > 1:
        history = history[:-1]
    newest = history[-1]
    seen = found.seen if found is not None else SeenRevisions()
    same = same_as(history, newest.number) if newest.status in ("deployed", "superseded") else ()
    return newest_good(history, newest.number, seen, but=same)
