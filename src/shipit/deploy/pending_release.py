"""A release that a dead helm left pending: put back to what it was before, when nobody can be alive."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from shipit.chart import resources, split
from shipit.config import Request
from shipit.errors import Busy, Conflict
from shipit.events import Emit, Warned
from shipit.hints import helm, shipit
from shipit.lock import UpgradeRecord, died_with_it, lease_ref
from shipit.model import Json, Ref, Revision, World
from shipit.plan import is_handover, is_upgrade

ANOTHERS = 3
"""How many of helm's timeouts somebody else's helm gets: it counts one for its hooks before, the upgrade, those after."""


def recover_pending_release(
    request: Request, world: World, found: UpgradeRecord | None, emit: Emit, *, dead: bool
) -> None:
    """Remove the pending revision by the UID of the object that holds it, if its helm is dead; only ever called under the lock.

    Raises Busy for one that may be alive. `helm rollback` would free the release too, but change the app before its
    migration.
    """
    left = left_pending(request, world, found, dead=dead)
    if left is None:
        return
    newest, stored = left
    meta = stored["metadata"]
    ref = Ref("v1", world.helm.storage, request.namespace, meta["name"])
    try:
        world.cluster.delete(
            ref, uid=meta["uid"], version=meta.get("resourceVersion", ""), propagation="Background"
        )
    except Conflict as error:
        raise Busy("someone else is changing the release", hint=shipit("logs")) from error
    emit(
        Warned(
            f"removed revision {newest.number}, which a helm that died had left {newest.status}; "
            + (
                f"the release is back at revision {newest.number - 1}"
                if newest.number > 1
                else "nothing is installed"
            )
        )
    )


def as_recovered(request: Request, world: World, found: UpgradeRecord | None, emit: Emit) -> World:
    """The world as `recover_pending_release` would leave it, with nothing changed.

    Raises Busy as a deploy does, for a helm or a holder of the lock that may be alive.
    """
    history = world.helm.history()
    if not history or not history[-1].pending:
        return world
    died = died_with_it(world, lease_ref(request.namespace, request.release))
    gone = found is not None and found.helm_is_gone(holder_died=died)
    left = left_pending(request, world, found, dead=gone)
    if left is None:
        return world
    newest, _ = left
    emit(
        Warned(
            f"a helm that died has left revision {newest.number} {newest.status}: a deploy removes that revision first, "
            "and this plan is made as if it were gone"
        )
    )
    return replace(world, helm=world.helm.without(newest.number))


def left_pending(
    request: Request, world: World, found: UpgradeRecord | None, *, dead: bool
) -> tuple[Revision, Json] | None:
    """The newest revision and what stores it, where a helm that is dead has left it pending.

    `found` is the upgrade that an earlier deploy had noted: its helm is certainly gone when that deploy is `dead`, else once its
    revision is older than helm's timeout. Somebody else's helm gets longer, and is alive as long as a Job of its hooks
    is. Raises Busy for one that may be alive.
    """
    history = world.helm.history()
    if not history or not history[-1].pending:
        return None
    newest = history[-1]
    kind = world.helm.storage
    stored = world.cluster.find(
        "v1", kind, request.namespace, f"owner=helm,name={request.release},version={newest.number}"
    )
    ours = found is not None and found.owed and _is_ours(newest, found, request, world)
    patience = request.spec.timeout * (1 if ours else ANOTHERS)
    if not stored or not (ours and dead):
        _refuse_living(newest, stored, patience, request, world)
    return newest, stored[0]


def _refuse_living(
    newest: Revision, stored: tuple[Json, ...], patience: float, request: Request, world: World
) -> None:
    running = _running_hook(newest, request, world)
    if stored and not running and _age(stored[0], world) > patience:
        return
    why = f"its hook {running} is running" if running else "helm is working on it, or was killed"
    raise Busy(
        f"the release is {newest.status} (revision {newest.number}): {why}",
        hint=helm(
            "history",
            request.release,
            namespace=request.namespace,
            why=f"a deploy clears a revision whose helm died, once it is {patience:g} s old",
        ),
    )


def _running_hook(newest: Revision, request: Request, world: World) -> str:
    """A Job of the revision's hooks that is there and has not ended, "" for none."""
    hooks = resources(split(world.helm.hooks(newest.number), request.namespace))
    for ref in (hook.ref for hook in hooks if hook.ref.kind == "Job"):
        found = world.cluster.job(ref.namespace, ref.name)
        if found is not None and not found.finished and not found.suspended:
            return f"Job {ref.name}"
    return ""


def _is_ours(newest: Revision, owed: UpgradeRecord, request: Request, world: World) -> bool:
    """The upgrade that the earlier deploy had begun, the handover just before it, or the rollback after it."""
    return (
        is_handover(newest, owed)
        or (newest.status == "pending-rollback" and newest.number == owed.revision + 1)
        or is_upgrade(newest, owed, request, world)
    )


def _age(stored: Json, world: World) -> float:
    """Seconds, by the API server's clock alone."""
    created = datetime.fromisoformat(str(stored["metadata"]["creationTimestamp"]))
    return (world.cluster.now() - created).total_seconds()
