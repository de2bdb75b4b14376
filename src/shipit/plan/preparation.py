"""Everything that can be known before anything changes: rendered once, selected, checked, frozen into a Plan."""

from __future__ import annotations

from dataclasses import replace

from shipit.chart import digest
from shipit.config import Request
from shipit.errors import refusing
from shipit.events import Emit, Event, StepChanged
from shipit.lock import UpgradeRecord
from shipit.model import Plan, Situation, Start, World
from shipit.plan.build import build_plan
from shipit.plan.definitions import check_definitions
from shipit.plan.gitops import warn_of_owner
from shipit.plan.noted_upgrade import is_handover, is_upgrade
from shipit.plan.objects import Objects
from shipit.plan.own_objects import keep_own_objects
from shipit.plan.preflight import check_permissions, check_references
from shipit.plan.rehearsal import rehearse_app, rehearse_steps
from shipit.plan.rendering import ReleaseRendering, render_release
from shipit.plan.secret_values import mask_secrets
from shipit.plan.step_checks import check_step
from shipit.plan.step_warnings import warnings_of
from shipit.plan.verdicts import Preflight


def prepare(request: Request, world: World, found: UpgradeRecord | None, emit: Emit) -> Plan:
    """Render the release with the new tag and check all of it. Changes nothing; raises Refused.

    `found` is the upgrade that an earlier deploy noted on the lock.
    """
    emit(StepChanged("prepare", "started", f"rendering {request.release} with {request.tag}"))
    with refusing():
        rendering = render_release(request, world)
        plan = _resumed(request, world, rendering, found) or build_plan(
            request, world, rendering, _situation(request, world, rendering, found)
        )
        plan = keep_own_objects(plan, rendering, world)
        plan = _check(plan, world, rendering, Preflight(emit, warns=request.spec.preflight == "warn"))
    emit(StepChanged("prepare", "done", summary(plan)))
    return plan


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


def _resumed(
    request: Request, world: World, rendering: ReleaseRendering, found: UpgradeRecord | None
) -> Plan | None:
    """The plan that finishes what a dead deploy owes: its upgrade has come, and it is the one that we would make."""
    if found is None or not found.owed or found.tag != request.tag:
        return None
    if not found.revision == rendering.deployed == rendering.newest:
        return None
    if digest(rendering.live) != found.digest:
        return None  # somebody else made that revision
    owed = found.install or found.first_install_owed
    plan = build_plan(
        request, world, rendering, Situation(Start.RESUMED, found.revision, found.install, owed)
    )
    return plan if plan.digest == found.digest else None


def mask_and_check_references(
    plan: Plan, world: World, rendering: ReleaseRendering, preflight: Preflight
) -> Plan:
    """Mask the Secrets of a plan before anything foreign is shown, and see that what it references is there."""
    objects = Objects(world.cluster)
    mask_secrets(plan, rendering.live, world, objects)
    return check_references(plan, objects, preflight)


def rehearse(plan: Plan, world: World, rendering: ReleaseRendering, preflight: Preflight) -> None:
    """Try in dry runs what a deploy will create and apply. What the app holds is refused in any case."""
    check_definitions(world.cluster, plan.definitions, preflight)
    rehearse_steps(world.cluster, plan, preflight)
    rehearse_app(world.cluster, plan, rendering.live, rendering.rendered, Preflight(preflight.emit))


def _check(plan: Plan, world: World, rendering: ReleaseRendering, preflight: Preflight) -> Plan:
    if plan.definitions:  # all of it is told once they are there
        preflight = replace(preflight, emit=_unheard)
    check_permissions(world.cluster, plan, world.helm.storage, preflight)
    plan = mask_and_check_references(plan, world, rendering, preflight)
    for step in plan.steps:
        check_step(step)
    for warning in (*warnings_of(plan.steps), *warn_of_owner(plan, rendering.live, world.cluster)):
        preflight.emit(warning)
    rehearse(plan, world, rendering, preflight)
    return plan


def _unheard(event: Event) -> None: ...


def summary(plan: Plan) -> str:
    """What runs before and after the upgrade, by the names of the steps."""
    before = ", ".join(step.name for step in plan.before if step.watched) or "nothing"
    after = ", ".join(step.name for step in plan.after if step.watched)
    return f"before the upgrade: {before}" + (f"; after it: {after}" if after else "")
