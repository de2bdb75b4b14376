"""The deploy, top to bottom: the page to read first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from shipit import lock
from shipit.config import Request
from shipit.deploy.definitions import install_definitions
from shipit.deploy.delete_policies import apply_delete_policies, delete_old_copies, make_way, may_still_run
from shipit.deploy.existing import clear_stale, refuse_what_is_in_the_way, tell_disowned
from shipit.deploy.if_changed import up_to_date
from shipit.deploy.interrupted import DeployState, Stage, telling_states
from shipit.deploy.kept_hooks import kept_hooks
from shipit.deploy.left_running import finish_running
from shipit.deploy.live import look_at_live
from shipit.deploy.notes import Notes, after_a_failure, counts_anew, first_notes
from shipit.deploy.pending_release import recover_pending_release
from shipit.deploy.prerequisites import Prerequisites
from shipit.deploy.recognition import as_found
from shipit.deploy.record import recorded
from shipit.deploy.release_state import check_still_ours
from shipit.deploy.rollout_wait import rollout_left, wait_for_rollout
from shipit.deploy.step import images_run_before, run
from shipit.deploy.upgrade import refuse_moved, upgrade, warn_of_moved_tag
from shipit.deploy.wait_for import wait_before_changes
from shipit.errors import (
    AfterFailed,
    AlreadyExists,
    MigrationFailed,
    MigrationTimedOut,
    ShipitError,
    Stopped,
    UpgradeFailed,
    refusing,
)
from shipit.events import Emit, StepChanged, Warned
from shipit.lock import Lease, LockRecord, UpgradeState, fenced, lease_ref
from shipit.model import Plan, Ref, Step, StepResult, World
from shipit.plan import ReleaseRendering, SavedPlan, check_plan, check_target, prepare, with_charts
from shipit.states import DefinitionsInstalled


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deploy that went well. `revision` is the one that is live now."""

    tag: str
    revision: int


def deploy(
    request: Request,
    world: World,
    emit: Emit,
    saved: SavedPlan | None = None,
    *,
    begins: Callable[[], None] = lambda: None,
) -> Deployed:
    """Run what comes before once with the new tag, upgrade the app with Helm, run what comes after; `saved` is the plan
    that this carries out, or refuses. `begins` is called once there is something to do and nothing speaks against it,
    before anything is changed: it may refuse, too.

    Raises the error of `errors.py` that says how it ended otherwise; `Interrupted` says what still runs.
    """
    state = DeployState(request, world)
    with telling_states(state):
        if saved is not None:
            check_target(saved, request, world)
        ensure_namespace(request, world, emit)
        record = LockRecord(request.run, request.tag, request.identity)
        ref = lease_ref(request.namespace, request.release)
        with lock.held(world, ref, record, emit, wait=request.lock_wait) as lease:
            ours = fenced(world, lease)
            with recorded(request, ours, lease, state, identity=record.identity, emit=emit) as recording:
                return _deploy(request, ours, lease, state, recording.emit, saved=saved, begins=begins)


def _deploy(
    request: Request,
    world: World,
    lease: Lease,
    state: DeployState,
    emit: Emit,
    *,
    saved: SavedPlan | None,
    begins: Callable[[], None],
) -> Deployed:
    with refusing():
        recover_pending_release(request, world, lease.found, emit, dead=lease.helm_is_gone)
        request = with_charts(request, world, emit)
        if request.if_changed and (revision := up_to_date(request, world, lease.before, emit)):
            return Deployed(request.tag, revision)
        plan = _prepare(request, world, lease, emit, saved)
        begins()
        if plan.definitions:
            install_definitions(plan, world, emit)
            plan = _prepare_with_definitions(plan, request, world, lease, emit, saved=saved)
    plan, seen = look_at_live(plan, lease.found, world)
    state.plan = plan
    for name in plan.skipped:
        emit(StepChanged(name, "skipped", "--skip-migration"))
    for each in plan.left_out:
        emit(StepChanged(each.name, "skipped", each.reason))
    notes = first_notes(plan, seen, lease, emit)
    if plan.resumed:
        notes.record = replace(notes.record, state=UpgradeState.APPLIED)
        emit(Warned(f"an earlier deploy of {plan.tag} upgraded the app and died: finishing what it left"))
        if plan.replace_running:
            clear_stale(plan, world, emit, anew=False)
        else:
            tell_disowned(plan, world, emit)
        state.images = dict(images_run_before(plan, world))
    else:
        _make_room(plan, world, notes, state, emit)
        plan = run_and_apply(plan, world, notes, state, emit)
    finish(plan, world, notes, state, emit)
    Prerequisites(lease, world, emit).settle(plan)
    return Deployed(plan.tag, plan.revision)


def _prepare(request: Request, world: World, lease: Lease, emit: Emit, saved: SavedPlan | None) -> Plan:
    """The plan, once nothing stands in its way, and it is the saved one. Raises Refused or Busy."""

    def agrees(plan: Plan, rendering: ReleaseRendering) -> None:
        if saved is not None:
            check_plan(saved, request, as_found(plan, world), rendering)

    plan = as_found(prepare(request, world, lease.found, emit, made=lease.made, agrees=agrees), world)
    refuse_what_is_in_the_way(plan, world)
    wait_before_changes(plan, world, emit)
    return plan


def _prepare_with_definitions(
    without: Plan, request: Request, world: World, lease: Lease, emit: Emit, *, saved: SavedPlan | None
) -> Plan:
    """The plan as Helm renders it now that what the chart's `crds/` bring is there. What is refused only now says so."""
    folder = request.workdir / "with-crds"
    folder.mkdir(mode=0o700)
    try:
        return _prepare(replace(request, workdir=folder), world, lease, emit, saved)
    except ShipitError as error:
        installed = DefinitionsInstalled(tuple(each.ref.name for each in without.definitions))
        error.states = (installed, *error.states)
        raise


def _make_room(plan: Plan, world: World, notes: Notes, state: DeployState, emit: Emit) -> None:
    """What earlier deploys left has ended, and is away where it is not this deploy's."""
    finish_running(plan, world, state, emit)
    lease = notes.lease
    anew = counts_anew(plan, lease.found)
    clear_stale(plan, world, emit, anew=anew)
    if anew:
        lease.note(None)


def run_and_apply(plan: Plan, world: World, notes: Notes, state: DeployState, emit: Emit) -> Plan:
    """What comes before, then the upgrade or the rollback; the lock says how far we are for whoever comes after us. The
    plan as it was carried out.
    """

    def note(begun: Plan) -> None:
        nonlocal plan
        plan = state.plan = begun
        notes.begun(plan)

    notes.migrating(plan)
    results = _run_before(plan, world, notes.lease, state, emit)
    notes.lease.prove()
    refuse_moved(plan, world, emit)
    note(plan)
    state.stage = Stage.UPGRADE
    try:
        upgrade(plan, world, emit, note)
    except UpgradeFailed:
        notes.failed(after_a_failure(plan, world))
        raise
    except Stopped as stop:
        if not stop.again:
            notes.stopped()
        raise
    notes.applied(plan)
    apply_workload_policies(plan.before, world, emit)
    delete_old_copies(plan, world, emit)
    state.images = dict(each for result in results for each in result.images)
    return plan


def _run_before(plan: Plan, world: World, lease: Lease, state: DeployState, emit: Emit) -> list[StepResult]:
    """What runs before the upgrade, with what it needs; the copies go once nothing runs that may read them."""
    prerequisites = state.prerequisites = Prerequisites(lease, world, emit)
    prerequisites.provide(plan)
    try:
        results = run_all(plan.before, plan, world, state, emit)
    except (MigrationFailed, MigrationTimedOut):
        if state.step is None or not may_still_run(state.step, world):
            prerequisites.take_copies_away(plan)
        raise
    if not plan.back_to:
        prerequisites.take_copies_away(plan)
    return results


def finish(plan: Plan, world: World, notes: Notes, state: DeployState, emit: Emit) -> None:
    """What comes once the upgrade is applied: what runs during it, the rollout where helm did not wait for it, what runs
    after it. Once all is done or something has failed nothing is owed any more, but what an install does.
    """
    state.stage = Stage.READY if notes.record.seen_ready else Stage.APPLIED
    try:
        _run_during(plan, world, state, emit)
    except AfterFailed:
        notes.failed()
        raise
    try:
        if not notes.record.seen_ready and wait_for_rollout(plan, world, emit, notes.rolling_back):
            notes.ready()
        state.stage = Stage.READY
        warn_of_moved_tag(plan, state.images, world, emit)
        run_all(plan.after, plan, world, state, emit)
    except (AfterFailed, UpgradeFailed) as error:
        left = [step for step in plan.after if not step.test]
        tested = state.step is not None and state.step.test
        notes.failed(ran=tested or (isinstance(error, UpgradeFailed) and not left))
        apply_workload_policies(plan.during, world, emit)
        raise
    except Stopped as stop:
        if not stop.again:
            notes.stopped()
        raise
    notes.settled()
    apply_workload_policies(plan.later, world, emit)


def _run_during(plan: Plan, world: World, state: DeployState, emit: Emit) -> None:
    """A step that fails here stops the deploy: the rollout is not waited for, its state is told, nothing rolled back."""
    try:
        state.images |= dict(
            each for result in run_all(plan.during, plan, world, state, emit) for each in result.images
        )
    except AfterFailed as error:
        left = (*error.states, rollout_left(plan, world, emit))
        raise AfterFailed(
            error.message, hint=error.hint, states=left, details=error.details, headline=error.headline
        ) from error


def apply_workload_policies(steps: tuple[Step, ...], world: World, emit: Emit) -> None:
    """The Jobs and Pods of an event that went well, newest first as Helm does, by their hooks' delete policies."""
    watched = [step for step in reversed(steps) if step.watched]
    apply_delete_policies(watched, {}, succeeded=True, world=world, emit=emit)


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
        if step.phase != "before":
            check_still_ours(plan, world, certain=True)
        try:
            results.append(run(step, plan, world, emit, keep=step.ref in kept))
            state.ran.append(step)
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
