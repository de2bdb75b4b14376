"""Everything that can be known before anything changes: rendered once, selected, checked, frozen into a Plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from shipit.chart import Document, digest, ref_of, resources, split, stored_hooks
from shipit.config import Request
from shipit.errors import refusing
from shipit.events import Compared, Emit, Event, Outlined, StepChanged, Warned
from shipit.lock import UpgradeRecord
from shipit.model import UNKNOWN, MadeObject, Plan, Situation, Start, Step, World, get_job_or_pod
from shipit.plan.build import Chosen, build_plan, choose
from shipit.plan.changes import changes_of
from shipit.plan.charts import with_charts
from shipit.plan.claims import check_claims
from shipit.plan.definitions import check_definitions
from shipit.plan.fingerprints import fingerprints
from shipit.plan.gitops import warn_of_owner
from shipit.plan.inputs import inputs_of
from shipit.plan.job_metadata import placed
from shipit.plan.noted_upgrade import is_handover, is_upgrade
from shipit.plan.objects import Objects
from shipit.plan.own_objects import keep_own_objects
from shipit.plan.preflight import check_permissions, check_references, warn_unrecorded
from shipit.plan.provision import provide
from shipit.plan.rehearsal import rehearse_app, rehearse_prerequisites, rehearse_steps
from shipit.plan.rendering import ReleaseRendering, render_release
from shipit.plan.secret_values import mask_secrets
from shipit.plan.step_checks import check_step
from shipit.plan.step_warnings import warnings_of
from shipit.plan.verdicts import Preflight


def prepare(
    request: Request,
    world: World,
    found: UpgradeRecord | None,
    emit: Emit,
    *,
    made: Sequence[MadeObject] = (),
    agrees: Callable[[Plan, ReleaseRendering], None] = lambda _plan, _rendering: None,
) -> Plan:
    """Render the release with the new tag and check all of it. Changes nothing; raises Refused.

    `found` is the upgrade that an earlier deploy noted on the lock, `made` what earlier ones made for their migrations;
    `agrees` raises where this is not what was planned.
    """
    plan, rendering = draft(request, world, found, emit, made)
    emit(outline(plan))
    with refusing():
        agrees(plan, rendering)
        plan = check(plan, world, rendering, Preflight(emit, warns=request.spec.preflight == "warn"))
    emit(StepChanged("prepare", "done", summary(plan)))
    if not plan.resumed:
        emit(compared(plan, rendering.live))
    return plan


def compared(plan: Plan, live: Sequence[Document]) -> Compared:
    """What becomes of the objects of the live manifest and of the new one."""
    changes = changes_of(plan, resources(live))
    changed = sum(each.action in ("create", "change") for each in changes)
    return Compared(changes, len(plan.app) - changed)


def draft(
    request: Request,
    world: World,
    found: UpgradeRecord | None,
    emit: Emit,
    made: Sequence[MadeObject] = (),
) -> tuple[Plan, ReleaseRendering]:
    """The first half of `prepare`: what would be done, without the references and rehearsals. Charts that aren't
    here yet are fetched.
    """
    with refusing():
        request = with_charts(request, world, emit)
    emit(StepChanged("prepare", "started", f"rendering {request.release} with {request.tag}"))
    with refusing():
        rendering = render_release(request, world)
        applied = found if found is not None and _is_applied(request, rendering, found) else None
        resumed = _resumed(request, world, rendering, applied) if applied else None
        if resumed is not None:
            rendering, chosen = resumed
        else:
            if applied is not None:
                emit(_overtaken(request, applied))
            situation = _situation(request, world, rendering, found)
            chosen = choose(request, world, rendering, situation)
        plan = build_plan(request, world, rendering, chosen)
        return provide(keep_own_objects(plan, rendering, world), rendering, world, made), rendering


def fresh(rendering: ReleaseRendering, *, first_install_owed: bool = False) -> Situation:
    """A deploy that sets in with nothing of its own; `first_install_owed` is what an earlier one had not finished."""
    rendered = rendering.rendered
    owed = rendered.install or first_install_owed
    return Situation(Start.FRESH, rendered.revision, rendered.install, owed)


def _situation(
    request: Request, world: World, rendering: ReleaseRendering, found: UpgradeRecord | None
) -> Situation:
    """Where a deploy sets in whose upgrade has not come yet.

    What runs after a first install is owed until it has succeeded: Helm calls the next try an upgrade, and would skip
    it. A migration that ran for this upgrade counts when its helm was stopped with its deploy, and marked the revision
    as failed; an upgrade that failed by itself is noted as settled.
    """
    if found is None:
        return fresh(rendering)
    situation = fresh(
        rendering, first_install_owed=found.first_install_owed and 0 < rendering.newest <= found.revision
    )
    newest = rendering.history[-1] if rendering.history else None
    if newest is None or newest.status != "failed" or found.made or found.tag != request.tag:
        return situation
    if not (is_upgrade(newest, found, request, world) or is_handover(newest, found)):
        return situation
    return replace(situation, start=Start.RETRIED, oldest_accepted_revision=found.oldest_accepted_revision)


def _is_applied(request: Request, rendering: ReleaseRendering, found: UpgradeRecord) -> bool:
    """Whether a dead deploy of this tag owes what comes after its upgrade, which is live: nobody else made it."""
    return (
        found.owed
        and not found.given_up
        and found.tag == request.tag
        and found.revision == rendering.deployed == rendering.newest
        and digest(rendering.live) == found.digest
    )


def _resumed(
    request: Request, world: World, rendering: ReleaseRendering, applied: UpgradeRecord
) -> tuple[ReleaseRendering, Chosen] | None:
    """How the upgrade that a dead deploy has applied is finished, None when ours would be another one.

    Made from the same inputs, it is what Helm has stored, its hooks too, whatever the chart renders anew each time;
    made from others, it is the same if the app is, and what ran before it.
    """
    inputs = inputs_of(request, rendering)
    owed = applied.install or applied.first_install_owed
    situation = Situation(Start.RESUMED, applied.revision, applied.install, owed)
    same = applied.is_made_from(inputs)
    if same:
        hooks = stored_hooks(split(world.helm.hooks(applied.revision), request.namespace))
        rendering = replace(rendering, rendered=replace(rendering.rendered, hooks=hooks))
    chosen = choose(request, world, rendering, situation)
    if same or (digest(chosen.app) == applied.digest and _has_run(request, world, rendering, chosen, inputs)):
        return rendering, replace(chosen, app=rendering.live)
    return None


def _has_run(
    request: Request, world: World, rendering: ReleaseRendering, chosen: Chosen, inputs: str
) -> bool:
    """Whether every Job and Pod that would run before the upgrade is there, of this tag, and the same."""
    known = fingerprints(chosen.selection.objects, rendering.rendered.hooks, inputs, request.namespace)
    for one, known_by in zip(chosen.selection.objects, known, strict=True):
        if known_by is UNKNOWN or one.phase != "before" or (request.skip_migration and one.migration):
            continue
        ref = ref_of(placed(one.body, request.namespace), request.namespace)
        found = get_job_or_pod(world.cluster, ref)
        if found is None or found.tag != request.tag or not known_by.is_noted(found.fingerprint, found.run):
            return False
    return True


def _overtaken(request: Request, applied: UpgradeRecord) -> Warned:
    return Warned(
        f"an earlier deploy of {request.tag} upgraded the app (revision {applied.revision}) and died before it was "
        "through; the chart renders another app or another migration now: the app is upgraded again, and what comes "
        "after runs then"
    )


def mask_and_check_references(
    plan: Plan, world: World, rendering: ReleaseRendering, preflight: Preflight
) -> Plan:
    """Mask the Secrets of a plan before anything foreign is shown, and see that what it references is there, and free."""
    objects = Objects(world.cluster)
    mask_secrets(plan, rendering.live, world, objects)
    plan = check_references(plan, objects, preflight)
    check_claims(plan, world.cluster, objects, preflight)
    return plan


def rehearse(plan: Plan, world: World, rendering: ReleaseRendering, preflight: Preflight) -> None:
    """Try in dry runs what a deploy will create and apply. What the app holds is refused in any case."""
    check_definitions(world.cluster, plan.definitions, preflight)
    rehearse_prerequisites(world.cluster, plan, preflight)
    rehearse_steps(world.cluster, plan, preflight)
    if not plan.resumed:  # else the app is applied
        rehearse_app(world.cluster, plan, rendering.live, rendering.rendered, Preflight(preflight.emit))


def check(plan: Plan, world: World, rendering: ReleaseRendering, preflight: Preflight) -> Plan:
    """All that can be refused of a plan, and is worth a warning. Raises Refused."""
    if plan.definitions:  # all of it is told once they are there
        preflight = replace(preflight, emit=_unheard)
    check_permissions(world.cluster, plan, world.helm.storage, preflight)
    warn_unrecorded(world.cluster, plan, preflight)
    plan = look_over(plan, world, rendering, preflight)
    rehearse(plan, world, rendering, preflight)
    return plan


def look_over(plan: Plan, world: World, rendering: ReleaseRendering, preflight: Preflight) -> Plan:
    """What can be checked by reading alone. Raises Refused."""
    plan = mask_and_check_references(plan, world, rendering, preflight)
    for step in plan.to_run:
        check_step(step)
    for warning in (*warnings_of(plan.to_run), *warn_of_owner(plan, rendering.live, world.cluster)):
        preflight.emit(warning)
    return plan


def _unheard(event: Event) -> None: ...


def outline(plan: Plan) -> Outlined:
    """What is live, and what is to come: Jobs and Pods by their steps, what helm does, and the rollout where helm
    doesn't wait for it.
    """
    helms = () if plan.resumed else (*(("handover",) if plan.handover else ()), plan.operation)
    before = () if plan.resumed else plan.before
    rollout = () if plan.helm_waits else ("rollout",)
    during, after = ([step.name for step in steps if step.watched] for steps in (plan.during, plan.after))
    steps = (*(step.name for step in before if step.watched), *helms, *during, *rollout, *after)
    return Outlined(plan.live_tag, plan.base_revision, steps)


def summary(plan: Plan) -> str:
    """What runs around the upgrade, by the names of the steps, with what is made for it, and what of it runs while old
    pods still serve.
    """
    made = ", ".join(step.ref.title for step in plan.prerequisites if not step.of_app)
    before, during, after = (_names(steps) for steps in (plan.before, plan.during, plan.after))
    old = "" if plan.situation.install else ", while pods of the live tag still serve"
    return "; ".join(
        (
            f"before the upgrade: {before or 'nothing'}" + (f", with {made} made for it" if made else ""),
            *([f"once it is applied{old}: {during}"] if during else []),
            *([f"once its pods are ready: {after}"] if after else []),
        )
    )


def _names(steps: tuple[Step, ...]) -> str:
    return ", ".join(step.name for step in steps if step.watched)
