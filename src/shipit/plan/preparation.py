"""Everything that can be known before anything changes: rendered once, selected, checked, frozen into a Plan."""

from __future__ import annotations

from dataclasses import replace

from shipit.chart import digest
from shipit.errors import Refused, refusing
from shipit.events import Emit, StepChanged, Warned
from shipit.lock import UpgradeRecord
from shipit.model import Plan, Request, Step, World
from shipit.plan.build import build_plan
from shipit.plan.noted_upgrade import is_handover, is_upgrade
from shipit.plan.preflight import check_permissions, check_references, dry_run_app, dry_run_step
from shipit.plan.rendering import ReleaseRendering, render_release


def prepare(request: Request, world: World, noted: UpgradeRecord | None, emit: Emit) -> Plan:
    """Render the release with the new tag and check all of it. Changes nothing; raises Refused.

    `noted` is the upgrade that an earlier deploy noted. When it is this very one, not finished, and it has come, the
    plan `resumes` with what runs after it. When it was interrupted, the migration that ran for it counts. What runs
    after a first install is owed until it has succeeded: Helm calls the next try an upgrade, and would skip it.
    """
    owed = noted if noted is not None and not noted.over else None
    emit(StepChanged("prepare", "started", f"rendering {request.release} with {request.tag}"))
    with refusing():
        rendering = render_release(request, world)
        if noted is not None and noted.owes_install and 0 < rendering.newest <= noted.revision:
            rendering = replace(rendering, rendered=replace(rendering.rendered, owes_install=True))
        plan = _resumed(request, world, rendering, owed) or build_plan(
            request, world, rendering, counts_from=_interrupted(request, world, rendering, owed)
        )
        _check(plan, world, rendering, emit)
    emit(StepChanged("prepare", "done", _summary(plan)))
    return plan


def _resumed(
    request: Request, world: World, rendering: ReleaseRendering, owed: UpgradeRecord | None
) -> Plan | None:
    """The plan that finishes what a dead deploy owes: its upgrade has come, and it is the one that we would make."""
    if owed is None or (owed.tag, owed.revision, owed.revision) != (
        request.tag,
        rendering.deployed,
        rendering.newest,
    ):
        return None
    if digest(rendering.live) != owed.digest:
        return None  # somebody else made that revision
    rendered = replace(rendering.rendered, install=owed.install, revision=owed.revision)
    plan = build_plan(request, world, replace(rendering, rendered=rendered, live=()))
    return replace(plan, resumes=True) if plan.digest == owed.digest else None


def _interrupted(
    request: Request, world: World, rendering: ReleaseRendering, owed: UpgradeRecord | None
) -> int:
    """The oldest revision whose migration counts, when a dead deploy of this tag had begun this upgrade, 0 otherwise.

    Its helm was stopped with it, and marked the revision as failed; an upgrade that failed by itself is noted as over.
    """
    newest = rendering.history[-1] if rendering.history else None
    if newest is None or newest.status != "failed" or owed is None or owed.made or owed.tag != request.tag:
        return 0
    ours = is_upgrade(newest, owed, request, world) or is_handover(newest, owed)
    return owed.counts_from if ours else 0


def _check(plan: Plan, world: World, rendering: ReleaseRendering, emit: Emit) -> None:
    steps = (*plan.before, *plan.after)
    check_permissions(world.cluster, plan.namespace, steps)
    check_references(world, plan)
    for step in steps:
        _refuse_manual_selector(step)
        dry_run_step(world.cluster, step)
        _warn(step, emit)
    unknown = dry_run_app(world.cluster, plan, rendering.live, server_side=rendering.rendered.server_side)
    if unknown:
        emit(
            Warned(
                f"can't be checked before the chart's own kinds and namespaces exist: {', '.join(unknown)}"
            )
        )


def _refuse_manual_selector(step: Step) -> None:
    """Its pods carry no label of their Job, so that they can't be told from another's."""
    if step.ref.kind == "Job" and step.manifest.get("spec", {}).get("manualSelector"):
        raise Refused(
            f"Job {step.ref.name} has a manualSelector: its pods can't be told from another Job's",
            hint="leave manualSelector and selector out of the Job's spec",
        )


def _warn(step: Step, emit: Emit) -> None:
    limit = step.manifest.get("spec", {}).get("backoffLimit", 6)
    if step.migration and step.ref.kind == "Job" and limit != 0:
        emit(
            Warned(
                f"Job {step.ref.name} may run up to {limit + 1} times: its backoffLimit is {limit}",
                hint="backoffLimit: 0 in the Job's spec runs it once",
            )
        )


def _summary(plan: Plan) -> str:
    before = ", ".join(step.name for step in plan.before if step.watched) or "nothing"
    after = ", ".join(step.name for step in plan.after if step.watched)
    return f"before the upgrade: {before}" + (f"; after it: {after}" if after else "")
