"""A release that a dead helm left pending: put back to what it was before, when nobody can be alive."""

from __future__ import annotations

from datetime import datetime

from shipit.claim import Progress
from shipit.errors import Busy, Conflict
from shipit.events import Emit, Warned
from shipit.model import Json, Ref, Revision
from shipit.request import Request
from shipit.world import World


def recover(request: Request, world: World, owed: Progress | None, emit: Emit) -> None:
    """Remove the pending revision by the UID of its Secret, if its helm is dead; only ever called under the lock.

    `owed` is what a deploy had begun whose helm is certainly gone; else a helm counts as dead once its revision is
    older than helm's timeout. Raises Busy for another: it may be alive. `helm rollback` would free the release too, but change the app before its migration.
    """
    history = world.helm.history()
    if not history or not history[-1].pending:
        return
    newest = history[-1]
    stored = world.cluster.find(
        "v1", "Secret", request.namespace, f"owner=helm,name={request.release},version={newest.number}"
    )
    if not stored or not (_is_owed(newest, owed) or _age(stored[0], world) > request.timeout):
        raise Busy(
            f"the release is {newest.status} (revision {newest.number}): helm is at work on it, or was killed",
            hint=f"helm history {request.release} -n {request.namespace}   "
            f"(a dead one is cleared by itself once it is older than {request.timeout:g} s)",
        )
    meta = stored[0]["metadata"]
    try:
        world.cluster.delete(Ref("v1", "Secret", request.namespace, meta["name"]), uid=meta["uid"])
    except Conflict as error:
        raise Busy("somebody else is at work on the release", hint="shipit logs") from error
    emit(
        Warned(
            f"revision {newest.number} was left {newest.status} by a helm that died: it was removed, the release is "
            f"back to {f'revision {newest.number - 1}' if newest.number > 1 else 'nothing installed'}"
        )
    )


def _is_owed(newest: Revision, owed: Progress | None) -> bool:
    """The upgrade, or the handover just before it, that the lock's dead holder had begun."""
    return owed is not None and owed.revision - newest.number in (0, 1)


def _age(stored: Json, world: World) -> float:
    """Seconds, by the API server's clock alone."""
    created = datetime.fromisoformat(str(stored["metadata"]["creationTimestamp"]))
    return (world.cluster.now() - created).total_seconds()
