"""What a deploy of one rendering would do: the steps around the upgrade, and the frozen chart that Helm gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shipit.chart import (
    Document,
    candidates,
    check_stored_size,
    digest,
    freeze,
    freeze_live,
    ref_of,
    resources,
    split,
    without,
    workloads,
)
from shipit.config import Request
from shipit.model import Fingerprint, Phase, Plan, Resource, Situation, Start, Step, World
from shipit.plan.charts import digests_of
from shipit.plan.fingerprints import fingerprints
from shipit.plan.inputs import inputs_of
from shipit.plan.job_metadata import with_metadata
from shipit.plan.job_spec import as_created
from shipit.plan.lifting import without_lifted
from shipit.plan.own_objects import taken_over
from shipit.plan.provision import prerequisite_steps
from shipit.plan.rendering import ReleaseRendering, select_checked
from shipit.plan.revisions import tag_of
from shipit.plan.selection import SelectedObject, Selection
from shipit.plan.tagged import tagged


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of a rendering is run around the upgrade in a situation, and the app that Helm gets."""

    situation: Situation
    selection: Selection
    app: tuple[Document, ...]


def choose(request: Request, world: World, rendering: ReleaseRendering, situation: Situation) -> Chosen:
    """Take a rendering apart. Raises Refused when the migration or the tag isn't there."""
    selection = select_checked(request, world, situation, rendering)
    app = without(rendering.documents, selection.taken)
    return Chosen(situation, selection, without_lifted(app, selection.objects))


def build_plan(request: Request, world: World, rendering: ReleaseRendering, chosen: Chosen) -> Plan:
    """What a deploy of that rendering would do. Its frozen chart is built in `workdir`, which takes one."""
    rendered, situation = rendering.rendered, chosen.situation
    selected, app = chosen.selection.objects, chosen.app
    inputs = inputs_of(request, rendering)
    resumed = situation.start is Start.RESUMED
    retired = () if resumed else _retired(selected, app, rendering.live, request.namespace)
    taken = () if resumed else taken_over(selected, app, rendering.live, request.namespace)
    handover = bool((retired or taken) and rendering.deployed)
    revision = situation.revision + (1 if handover else 0)
    known = fingerprints(selected, rendered.hooks, inputs, request.namespace)
    steps = [
        (one, step_of(one, request, revision, known_by))
        for one, known_by in zip(selected, known, strict=True)
    ]
    kept = [step for one, step in steps if not (request.skip_migration and one.migration)]
    named = digest(app)
    chart = freeze(
        Path(request.chart), app, rendered.hooks, request.workdir / f"app-{named[:16]}", notes=rendered.notes
    )
    values = tagged(request, request.values, request.chart)
    check_stored_size(chart, values, world.helm.version)
    return Plan(
        release=request.release,
        namespace=request.namespace,
        run=request.run,
        tag=request.tag,
        situation=situation,
        revision=revision,
        base_revision=rendering.newest,
        before=tuple(step for step in kept if step.phase == "before"),
        during=tuple(step for step in kept if step.phase == "during"),
        after=tuple(step for step in kept if step.phase == "after"),
        chart=chart,
        values=values,
        digest=named,
        app=tuple(resources(app)),
        workloads=workloads(app),
        timeout=request.spec.timeout,
        handover=_handover(request, world, rendering, (*retired, *taken)) if handover else None,
        taken_over=tuple(resource.ref for resource in taken),
        rollback_revision=situation.revision if handover else rendering.deployed,
        rollback_on_failure=request.spec.rollback_on_failure,
        max_restarts=request.spec.max_restarts,
        wait_for_jobs=request.spec.waits_for_jobs,
        history=rendering.history,
        live_workloads=workloads(rendering.live),
        previous_jobs=tuple(resource.ref for resource in retired),
        rerun=request.rerun,
        replace_running=request.replace_running,
        helm_waits=not any(step.phase == "during" for step in kept),
        skipped=tuple(step.name for one, step in steps if request.skip_migration and one.migration),
        left_out=chosen.selection.left_out,
        definitions=rendering.definitions,
        prerequisites=prerequisite_steps(selected, request),
        inputs=inputs,
        charts=digests_of(request),
        live_tag=tag_of(rendering.history, rendering.newest),
    )


def _retired(
    selected: Sequence[SelectedObject], app: Sequence[Document], live: Sequence[Document], namespace: str
) -> tuple[Resource, ...]:
    """The migration Jobs and Pods that the live revision lists, because bare Helm made it.

    By name, or by template where the chart names them anew each time: but not one that the app keeps.
    """
    refs = {ref_of(one.body, namespace) for one in selected}
    sources = {(one.kind, one.resource.source) for one in selected if one.resource and one.resource.source}
    kept = {each.ref for each in resources(app)}
    return tuple(
        each
        for each in candidates(live)
        if each.ref in refs or ((each.ref.kind, each.source) in sources and each.ref not in kept)
    )


def _handover(
    request: Request, world: World, rendering: ReleaseRendering, retired: Sequence[Resource]
) -> Path:
    """The live revision without its migration Jobs and what else becomes a hook, its hooks kept: `helm rollback` to it must work as before."""
    live = next(each for each in rendering.history if each.number == rendering.deployed)
    rest = without(rendering.live, {resource.ref for resource in retired})
    hooks = split(world.helm.hooks(live.number), request.namespace)
    folder = request.workdir / "handover"
    return freeze_live((*rest, *hooks), folder, chart=live.chart, app_version=live.app_version)


def step_of(one: SelectedObject, request: Request, revision: int, known_by: Fingerprint) -> Step:
    """An object as it is run, for the upgrade or rollback that makes that revision."""
    retries = one.spec.backoff_limit if one.migration else None
    body = as_created(one.body, retries) if one.kind == "Job" else one.body
    manifest = with_metadata(
        body,
        release=request.release,
        namespace=request.namespace,
        run=request.run,
        tag=request.tag,
        hash=known_by.note(request.run) if one.kind in ("Job", "Pod") else "",
        revision=revision,
    )
    return Step(
        name=one.name,
        ref=ref_of(manifest, request.namespace),
        manifest=manifest,
        phase=_phase(one, request),
        timeout=one.spec.timeout,
        start_timeout=one.spec.start_timeout,
        fingerprint=known_by,
        hook=one.hook,
        migration=one.migration,
        test=one.test,
        told=one.told,
        on_timeout=one.spec.on_timeout,
        retries=retries,
        needs=tuple(each.ref for each in one.needs),
        wait_for=one.spec.awaits(request.namespace) if one.migration else (),
    )


def _phase(one: SelectedObject, request: Request) -> Phase:
    """With `--wait` in `helm_args` post-hooks wait for the pods, as they do under helm; an explicit phase counts more."""
    waits_first = one.by_hook and request.spec.waits_first
    return "after" if one.phase == "during" and waits_first else one.phase
