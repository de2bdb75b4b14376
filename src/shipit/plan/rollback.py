"""What a rollback would do: the revision that is brought back, its hooks around it, checked like a deploy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from shipit.chart import (
    Document,
    check_stored_size,
    digest,
    for_event,
    freeze_live,
    is_frozen,
    resources,
    split,
    without,
    workloads,
)
from shipit.config import MigrationSpec, Request
from shipit.errors import Busy, refusing
from shipit.events import Emit, StepChanged, Warned
from shipit.hints import rollback_again
from shipit.lock import UpgradeRecord
from shipit.model import (
    Phase,
    Plan,
    Resource,
    Situation,
    Start,
    Step,
    Values,
    World,
)
from shipit.plan.build import step_of
from shipit.plan.candidates import Rendering, of_hook, plain_of
from shipit.plan.fingerprints import fingerprints
from shipit.plan.names import with_fixed_names
from shipit.plan.own_objects import keep_own_objects
from shipit.plan.picks import named
from shipit.plan.preparation import check, outline
from shipit.plan.rendering import ReleaseRendering
from shipit.plan.revisions import tag_of
from shipit.plan.secret_values import values_told
from shipit.plan.selection import SelectedObject
from shipit.plan.verdicts import Preflight
from shipit.plan.way_back import WayBack


def prepare_rollback(
    request: Request, way: WayBack, world: World, found: UpgradeRecord | None, emit: Emit
) -> Plan:
    """What the rollback would do, checked like a deploy. Changes nothing; raises Refused, and Busy when the release has
    moved since the way back was looked for.
    """
    emit(StepChanged("prepare", "started", f"reading revision {way.revision} of {request.release}"))
    with refusing():
        rendering = _read(request, way, world)
        plan = keep_own_objects(_plan(request, way, world, rendering, found), rendering, world)
        emit(outline(plan))
        plan = check(plan, world, rendering, Preflight(emit, warns=request.spec.preflight == "warn"))
        for warning in _warnings(plan, rendering):
            emit(warning)
    emit(StepChanged("prepare", "done", summary(plan, way)))
    return plan


def _read(request: Request, way: WayBack, world: World) -> ReleaseRendering:
    """The revision that is brought back as a rendering of the release, `live` what is there now. Raises Busy."""
    history = world.helm.history()
    newest = history[-1].number if history else 0
    if newest != way.base:
        raise Busy(
            f"someone else moved the release meanwhile: revision {newest} instead of {way.base}; the rollback to "
            f"revision {way.revision} was not started",
            hint=rollback_again(way.revision, why=f"starts over on top of revision {newest}"),
        )
    stored = world.helm.stored(way.revision)
    live = split(world.helm.manifest(newest), request.namespace)
    return ReleaseRendering(stored, split(stored.manifest, request.namespace), history, live)


def lists_migrations(request: Request, revision: int, world: World) -> bool:
    """Whether a revision holds a migration that Helm would run with it: then Helm can't roll back to it."""
    return bool(_migrations_in(request, split(world.helm.manifest(revision), request.namespace)))


def _plan(
    request: Request, way: WayBack, world: World, rendering: ReleaseRendering, found: UpgradeRecord | None
) -> Plan:
    live, revision = rendering.live, rendering.newest + 1
    jobs = _migrations_in(request, rendering.documents)
    app = without(rendering.documents, jobs)
    steps = _steps(request, way, rendering, digest(app))
    owed = found is not None and not found.outlived(revision) and found.first_install_owed
    plan = Plan(
        release=request.release,
        namespace=request.namespace,
        run=request.run,
        tag=way.tag,
        situation=Situation(Start.FRESH, revision, install=False, first_install_owed=owed),
        revision=revision,
        base_revision=rendering.newest,
        before=tuple(step for step in steps if step.phase == "before"),
        during=tuple(step for step in steps if step.phase == "during"),
        after=tuple(step for step in steps if step.phase == "after"),
        chart=Path(),
        values=Values(),
        digest=digest(app),
        app=tuple(resources(app)),
        workloads=workloads(app),
        timeout=request.spec.timeout,
        max_restarts=request.spec.max_restarts,
        wait_for_jobs=request.spec.waits_for_jobs,
        history=rendering.history,
        live_workloads=workloads(live),
        previous_jobs=tuple(each.ref for each in (*jobs, *_migrations_in(request, live))),
        helm_waits=not any(step.phase == "during" for step in steps),
        back_to=way.revision,
        helm_rolls_back=not jobs,
        live_tag=tag_of(rendering.history, rendering.newest),
    )
    return _with_chart(plan, request, world, app) if jobs else plan


def _with_chart(plan: Plan, request: Request, world: World, app: Sequence[Document]) -> Plan:
    """With the revision without its migration as a chart, its hooks and values kept: `helm rollback` to what comes of
    it must work as before.
    """
    target = next(each for each in plan.history if each.number == plan.back_to)
    hooks = split(world.helm.hooks(target.number), request.namespace)
    whole, given = (world.helm.values(target.number, chart_too=each) for each in (True, False))
    world.mask.hide(values_told(whole))
    chart = freeze_live(
        (*app, *hooks),
        request.workdir / "rollback",
        chart=target.chart,
        app_version=target.app_version,
        values=whole,
    )
    values = Values((given,) if given else ())
    check_stored_size(chart, values, world.helm.version)
    return replace(plan, chart=chart, values=values)


def _migrations_in(request: Request, documents: Sequence[Document]) -> tuple[Resource, ...]:
    """The migration Jobs and Pods that a revision of bare Helm lists: what `[migration]` names, else all that end. Helm would run
    them again, or fail over them. What shipit has made lists none.
    """
    if any(map(is_frozen, documents)):
        return ()
    rendering = Rendering((), tuple(documents))
    plain = plain_of(rendering)
    specs = [spec for spec in request.migrations if spec.picks and not spec.workload]
    chosen = [one for spec in specs for one in named(spec, plain, rendering)]
    return tuple(one.resource for one in chosen or plain if one.resource is not None and one.ends)


def _steps(request: Request, way: WayBack, rendering: ReleaseRendering, named_app: str) -> tuple[Step, ...]:
    """The hooks of the rollback, as Helm runs them: those of the revision that is brought back."""
    spec = request.migrations[0] if request.migrations else MigrationSpec()
    own = MigrationSpec(timeout=spec.timeout, start_timeout=spec.start_timeout)
    late: Phase = "after" if request.spec.waits_first else "during"
    hooks = rendering.rendered.hooks
    around: tuple[tuple[str, Phase], ...] = (("pre-rollback", "before"), ("post-rollback", late))
    selected = [
        SelectedObject(one.label, one, phase, own, migration=False)
        for event, phase in around
        for one in map(of_hook, for_event(hooks, event))
    ]
    objects = with_fixed_names(selected, request.release)
    inputs = f"rollback to {way.revision} of {named_app}"
    known = fingerprints(objects, hooks, inputs, request.namespace)
    tagged, revision = replace(request, tag=way.tag), rendering.newest + 1
    return tuple(
        step_of(one, tagged, revision, known_by) for one, known_by in zip(objects, known, strict=True)
    )


def _warnings(plan: Plan, rendering: ReleaseRendering) -> tuple[Warned, ...]:
    """What Helm would do, and is not done here."""
    if plan.helm_rolls_back:
        return ()
    app = {each.ref.identity for each in plan.app}
    jobs = [each.ref.title for each in resources(rendering.documents) if each.ref.identity not in app]
    told = [
        Warned(
            f"{', '.join(jobs)} of revision {plan.back_to} is left out of what is applied: a rollback runs no migration"
        )
    ]
    newest = plan.history[-1]
    known = app | {each.identity for each in plan.previous_jobs}
    left = [each.ref.title for each in resources(rendering.live) if each.ref.identity not in known]
    if newest.status == "failed" and left:
        told.append(
            Warned(f"{', '.join(left)}, which the failed revision {newest.number} may have made, stays")
        )
    return tuple(told)


def summary(plan: Plan, way: WayBack) -> str:
    """What would be done, and what is known of the database."""
    tagged = f" ({way.tag})" if way.tag else ""
    names = [", ".join(step.name for step in steps if step.watched) for steps in (plan.before, plan.later)]
    hooks = [f"{when} it: {found}" for when, found in zip(("before", "after"), names, strict=True) if found]
    schema = () if way.since.any else (f"no migration ran since revision {way.revision}",)
    return "; ".join((f"back to revision {way.revision}{tagged}", *hooks, *schema))
