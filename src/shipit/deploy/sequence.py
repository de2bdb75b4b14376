"""The deploy, top to bottom: the page to read first."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from shipit import lock
from shipit.config import Request
from shipit.deploy.definitions import install_definitions
from shipit.deploy.delete_policies import apply_delete_policies, delete_old_copies, make_way, may_still_run
from shipit.deploy.existing import clear_stale, refuse_kept, refuse_others, refuse_running, tell_disowned
from shipit.deploy.interrupted import DeployState, Stage
from shipit.deploy.kept_hooks import kept_hooks
from shipit.deploy.left_running import finish_running
from shipit.deploy.pending_release import recover_pending_release
from shipit.deploy.release_state import newest_revision
from shipit.deploy.step import images_run_before, run
from shipit.deploy.timing import LAST_LOOK
from shipit.deploy.upgrade import refuse_moved, upgrade, wait_for_rollout, warn_of_moved_tag
from shipit.errors import (
    AfterFailed,
    AlreadyExists,
    Busy,
    HelmFailed,
    MigrationFailed,
    MigrationTimedOut,
    ShipitError,
    Stopped,
    Unknown,
    UpgradeFailed,
    refusing,
)
from shipit.events import Emit, StepChanged, Warned
from shipit.lock import Lease, LockLost, LockRecord, UpgradeRecord, UpgradeState, fenced, lease_ref
from shipit.model import Plan, Ref, Step, StepResult, World, slow_digest
from shipit.plan import prepare
from shipit.states import DefinitionsInstalled


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deploy that went well. `revision` is the one that is live now."""

    tag: str
    revision: int


def deploy(request: Request, world: World, emit: Emit) -> Deployed:
    """Run what comes before once with the new tag, upgrade the app with Helm, run what comes after.

    Raises the error of `errors.py` that says how it ended otherwise; `Interrupted` says what still runs.
    """
    state = DeployState(request, world)
    try:
        ensure_namespace(request, world, emit)
        record = LockRecord(request.run, request.tag, request.identity)
        ref = lease_ref(request.namespace, request.release)
        with lock.held(world, ref, record, emit, wait=request.lock_wait) as lease:
            return _deploy(request, fenced(world, lease), lease, state, emit)
    except Stopped as stop:
        if stop.again:
            raise
        raise state.interrupted(stop.signum) from stop
    except LockLost as lost:
        raise Busy(lost.message, hint=lost.hint, states=state.left()) from lost
    except (MigrationFailed, MigrationTimedOut, Busy) as error:
        error.states = state.looked_at(error.states)
        raise
    except (Unknown, HelmFailed) as error:  # past prepare nothing is a refusal
        states = state.looked_at(error.states) or state.left()
        raise Unknown(error.message, hint=error.hint, states=states, details=error.details) from error


def _deploy(request: Request, world: World, lease: Lease, state: DeployState, emit: Emit) -> Deployed:
    with refusing():
        recover_pending_release(request, world, lease.found, emit, dead=lease.helm_is_gone)
        plan = _prepare(request, world, lease, emit)
        if plan.definitions:
            install_definitions(plan, world, emit)
            plan = _prepare_with_definitions(plan, request, world, lease, emit)
    state.plan = plan
    for name in plan.skipped:
        emit(StepChanged(name, "skipped", "--skip-migration"))
    for each in plan.left_out:
        emit(StepChanged(each.name, "skipped", each.reason))
    if plan.resumed:
        emit(Warned(f"an earlier deploy of {plan.tag} upgraded the app and died: finishing what it left"))
        if plan.replace_running:
            clear_stale(plan, world, emit, anew=False)
        else:
            tell_disowned(plan, world, emit)
        warn_of_moved_tag(plan, dict(images_run_before(plan, world)), world, emit)
    else:
        plan = _migrate_and_upgrade(plan, world, lease, state, emit)
    _finish(plan, world, lease, state, emit)
    return Deployed(plan.tag, plan.revision)


def _prepare(request: Request, world: World, lease: Lease, emit: Emit) -> Plan:
    """The plan, once nothing stands in its way. Raises Refused or Busy."""
    plan = prepare(request, world, lease.found, emit)
    refuse_others(plan, world)
    refuse_running(plan, world)
    refuse_kept(plan, world)
    return plan


def _prepare_with_definitions(
    without: Plan, request: Request, world: World, lease: Lease, emit: Emit
) -> Plan:
    """The plan as Helm renders it now that what the chart's `crds/` bring is there. What is refused only now says so."""
    folder = request.workdir / "with-crds"
    folder.mkdir(mode=0o700)
    try:
        return _prepare(replace(request, workdir=folder), world, lease, emit)
    except ShipitError as error:
        installed = DefinitionsInstalled(tuple(each.ref.name for each in without.definitions))
        error.states = (installed, *error.states)
        raise


def _migrate_and_upgrade(plan: Plan, world: World, lease: Lease, state: DeployState, emit: Emit) -> Plan:
    """What comes before, then the upgrade; the lock says how far we are for whoever comes after us. The plan as it was
    carried out.
    """

    def note(begun: Plan) -> None:
        nonlocal plan
        plan = state.plan = begun
        lease.note(record_of(plan, UpgradeState.BEGUN))

    finish_running(plan, world, state, emit)
    anew = counts_anew(plan, lease.found)
    clear_stale(plan, world, emit, anew=anew)
    if anew:
        lease.note(None)
    results = run_all(plan.before, plan, world, state, emit)
    lease.prove()
    refuse_moved(plan, world, emit)
    note(plan)
    state.stage = Stage.UPGRADE
    try:
        upgrade(plan, world, emit, note)
    except UpgradeFailed:
        note_end(lease, record_of(plan, _after_a_failure(plan, world)), emit)
        raise
    except Stopped as stop:
        if not stop.again:
            note_end(lease, record_of(plan, UpgradeState.INTERRUPTED), emit)
        raise
    note_end(lease, record_of(plan, UpgradeState.APPLIED), emit)
    apply_workload_policies(plan.before, world, emit)
    delete_old_copies(plan, world, emit)
    warn_of_moved_tag(plan, dict(each for result in results for each in result.images), world, emit)
    return plan


def _finish(plan: Plan, world: World, lease: Lease, state: DeployState, emit: Emit) -> None:
    """What comes after the upgrade. Once it is done or has failed nothing is owed any more, but what an install does."""
    state.stage = Stage.AFTER
    settled = record_of(plan, UpgradeState.SETTLED)
    try:
        run_all(plan.after, plan, world, state, emit)
        if not plan.helm_waits:
            wait_for_rollout(plan, world, emit)
    except AfterFailed:
        note_end(lease, settled, emit)
        raise
    apply_workload_policies(plan.after, world, emit)
    note_end(lease, replace(settled, first_install_owed=False), emit)


def apply_workload_policies(steps: tuple[Step, ...], world: World, emit: Emit) -> None:
    """The Jobs and Pods of an event that went well, newest first as Helm does, by their hooks' delete policies."""
    watched = [step for step in reversed(steps) if step.watched]
    apply_delete_policies(watched, {}, succeeded=True, world=world, emit=emit)


def record_of(plan: Plan, state: UpgradeState) -> UpgradeRecord:
    """The plan's upgrade, as it is noted on the lock."""
    return UpgradeRecord(
        plan.tag,
        plan.revision,
        plan.digest,
        plan.situation.install,
        state,
        oldest_accepted_revision=plan.oldest_accepted_revision,
        handover=plan.handover is not None,
        first_install_owed=plan.situation.first_install_owed,
        run=plan.run,
        inputs=slow_digest(plan.inputs, plan.run),
    )


def counts_anew(plan: Plan, found: UpgradeRecord | None) -> bool:
    """Whether the release was uninstalled since the last deploy: then revisions count anew, and no Job of before says
    anything about this release.
    """
    if found is None:
        return False
    return found.revision > plan.revision or (found.made and found.revision == plan.revision)


def note_end(lease: Lease, upgrade: UpgradeRecord, emit: Emit) -> None:
    """Note how it ended; what has ended so is not undone by a note that can't be written."""
    try:
        lease.note(upgrade)
    except (Unknown, Busy) as error:
        emit(Warned(f"the end of this deploy could not be noted on its lock: {error.message}"))


def _after_a_failure(plan: Plan, world: World) -> UpgradeState:
    """What an upgrade that failed leaves to a successor: nothing when its revision is known to be made, else all of
    it, and a revision that may be pending by a helm that is gone.
    """
    try:
        newest = newest_revision(world, LAST_LOOK)
    except HelmFailed:
        newest = None
    made = newest is not None and not newest.pending and newest.number >= plan.revision
    return UpgradeState.SETTLED if made else UpgradeState.INTERRUPTED


def ensure_namespace(request: Request, world: World, emit: Emit) -> None:
    """Make the namespace where the configuration asks for it: the lock lives in it."""
    ref = Ref("v1", "Namespace", "", request.namespace)
    with refusing():
        if not request.spec.create_namespace or world.cluster.get(ref) is not None:
            return
        with suppress(AlreadyExists):
            world.cluster.create(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": request.namespace}}
            )
    emit(StepChanged("namespace", "done", f"created namespace {request.namespace}"))


def run_all(
    steps: tuple[Step, ...], plan: Plan, world: World, state: DeployState, emit: Emit
) -> list[StepResult]:
    """Run steps one after the other, and treat hooks by their delete policies at the end of their event.

    Jobs and Pods that succeeded stay until what comes next is done: a deploy that dies in between finds them, and
    doesn't run them again.
    """
    results: list[StepResult] = []
    made: dict[Ref, str] = {}
    kept = kept_hooks(steps, plan, world)
    for number, step in enumerate(steps):
        state.step = step
        try:
            results.append(run(step, plan, world, emit, keep=step.ref in kept))
            made[step.ref] = results[-1].uid
        except (MigrationFailed, MigrationTimedOut, AfterFailed):
            apply_delete_policies((step,), made, succeeded=False, world=world, emit=emit)
            if not may_still_run(step, world):  # else it may still need what the hooks before it made
                apply_delete_policies(steps[:number], made, succeeded=True, world=world, emit=emit)
            raise
    state.step = None
    others = [step for step in reversed(steps) if not step.watched]
    apply_delete_policies(others, made, succeeded=True, world=world, emit=emit)
    if steps is plan.before:
        make_way(steps[::-1], made, plan, world)
    return results
