"""`shipit rollback`, top to bottom."""

from __future__ import annotations

from dataclasses import replace

from shipit import lock
from shipit.config import Request
from shipit.deploy.existing import refuse_what_is_in_the_way
from shipit.deploy.interrupted import DeployState, telling_states
from shipit.deploy.live import look_at_live
from shipit.deploy.notes import first_notes
from shipit.deploy.pending_release import left_pending, recover_pending_release
from shipit.deploy.recognition import as_found
from shipit.deploy.record import recorded
from shipit.deploy.release_state import newest_number
from shipit.deploy.sequence import Deployed, finish, run_and_apply
from shipit.errors import refusing
from shipit.events import Emit, Warned
from shipit.lock import Freeze, Lease, LockRecord, fenced, lease_ref
from shipit.model import Plan, World
from shipit.plan import WayBack, lists_migrations, prepare_rollback


def roll_back_to(
    request: Request, way: WayBack, world: World, emit: Emit, *, despite: Freeze | None = None
) -> Deployed:
    """Bring back the revision that was looked for: its hooks run around it, its rollout is waited for, no migration runs.
    `despite` is a freeze that somebody who rolls back has seen and doesn't heed.

    Raises the error of `errors.py` that says how it ended otherwise; `Interrupted` says what still runs.
    """
    state = DeployState(request, world, back_to=way.revision)
    why = request.identity.message or f"rollback to revision {way.revision}"
    with telling_states(state):
        record = LockRecord(request.run, "", replace(request.identity, message=why))
        ref = lease_ref(request.namespace, request.release)
        with lock.held(world, ref, record, emit, wait=request.lock_wait, despite=despite) as lease:
            ours = fenced(world, lease)
            with recorded(request, ours, lease, state, identity=record.identity, emit=emit) as recording:
                return _roll_back(request, way, ours, lease, state=state, emit=recording.emit)


def _roll_back(
    request: Request, way: WayBack, world: World, lease: Lease, *, state: DeployState, emit: Emit
) -> Deployed:
    plan = _prepare(request, way, world, lease, emit)
    plan, seen = look_at_live(plan, lease.found, world)
    state.plan = plan
    notes = first_notes(plan, seen, lease, emit)
    plan = run_and_apply(plan, world, notes, state, emit)
    finish(plan, world, notes, state, emit)
    return Deployed(plan.tag, plan.revision)


def _prepare(request: Request, way: WayBack, world: World, lease: Lease, emit: Emit) -> Plan:
    """The plan, once nothing stands in its way. Raises Refused or Busy."""
    with refusing():
        way = _from_pending(request, way, world, lease, emit)
        plan = as_found(prepare_rollback(request, way, world, lease.found, emit), world)
        refuse_what_is_in_the_way(plan, world)
    return plan


def _from_pending(request: Request, way: WayBack, world: World, lease: Lease, emit: Emit) -> WayBack:
    """Helm rolls back from a revision that a dead helm has left pending, too: and it alone says what of the app may be
    half done. Where Helm can't, or has to upgrade, that revision is removed first.
    """
    left = left_pending(request, world, lease.found, dead=lease.helm_is_gone)
    if left is None:
        return way
    newest, _ = left
    if newest.status == "pending-install" or lists_migrations(request, way.revision, world):
        recover_pending_release(request, world, lease.found, emit, dead=lease.helm_is_gone)
        return replace(way, base=newest_number(world)) if way.base == newest.number else way
    emit(
        Warned(
            f"a helm that died has left revision {newest.number} {newest.status}: helm rolls back from there"
        )
    )
    return way
