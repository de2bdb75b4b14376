"""What a deploy of one rendering would do: the steps around the upgrade, and the frozen chart that Helm gets."""

from __future__ import annotations

from collections.abc import Sequence
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
from shipit.choose import Chosen
from shipit.draw import Drawing, pick
from shipit.dressing import dressed, job_hash
from shipit.model import Json, Plan, Request, Resource, Step, World


def plan_of(request: Request, world: World, drawing: Drawing, *, counts_from: int = 0) -> Plan:
    """What a deploy of that rendering would do. Raises Refused when the migration or the tag isn't there.

    `counts_from` is the oldest revision whose migration counts for it, 0 for its own.
    """
    rendered = drawing.rendered
    chosen = pick(request, world, rendered, drawing.documents)
    app = _app(drawing.documents, chosen)
    retired = _retired(chosen, app, drawing.live, request.namespace)
    handover = bool(retired and drawing.deployed)
    revision = rendered.revision + (1 if handover else 0)
    steps = [(one, _step(one, request, revision)) for one in chosen]
    kept = [step for one, step in steps if not (request.skip_migration and one.migration)]
    owes_install = rendered.install or rendered.owes_install
    named = digest(app)
    chart = freeze(
        Path(request.chart), app, rendered.hooks, request.workdir / f"app-{named[:16]}", notes=rendered.notes
    )
    check_stored_size(chart, request.values, world.helm.version)
    return Plan(
        release=request.release,
        namespace=request.namespace,
        run=request.run,
        tag=request.tag,
        revision=revision,
        live=drawing.newest,
        install=rendered.install,
        before=tuple(step for step in kept if step.phase == "before"),
        after=tuple(step for step in kept if step.phase == "after"),
        chart=chart,
        values=request.values,
        digest=named,
        app=tuple(resources(app)),
        workloads=workloads(app),
        timeout=request.timeout,
        handover=_handover(request, world, drawing, retired) if handover else None,
        back_to=_before(drawing, handover=handover),
        rolls_back=request.rollback_on_failure,
        foreign=tuple(resource.ref for resource in retired),
        rerun=request.rerun,
        replace_running=request.replace_running,
        waits=not (owes_install and any(step.phase == "after" and step.watched for step in kept)),
        counts_from=counts_from or revision,
        owes_install=owes_install,
        skipped=tuple(step.name for one, step in steps if request.skip_migration and one.migration),
    )


def _app(documents: Sequence[Document], chosen: Sequence[Chosen]) -> tuple[Document, ...]:
    """What Helm gets: the rendering without the migrations that are no hooks."""
    taken = {one.resource.ref for one in chosen if one.resource is not None}
    for one in chosen:
        if one.resource is not None and one.wanted.values is not None and not one.wanted.chart:
            # the chart was rendered twice: the same Job may have got another name
            same = [each.ref for each in candidates(documents) if each.source == one.resource.source]
            taken |= set(same if len(same) == 1 else ())
    return without(documents, taken)


def _retired(
    chosen: Sequence[Chosen], app: Sequence[Document], live: Sequence[Document], namespace: str
) -> tuple[Resource, ...]:
    """The migration Jobs that the live revision lists, because bare Helm made it.

    By name, or by template where the chart names them anew each time: but not a Job that the app keeps.
    """
    refs = {ref_of(one.body, namespace) for one in chosen}
    sources = {one.resource.source for one in chosen if one.resource is not None}
    kept = {each.ref for each in resources(app)}
    return tuple(
        each
        for each in candidates(live)
        if each.ref in refs or (each.source in sources and each.ref not in kept)
    )


def _before(drawing: Drawing, *, handover: bool) -> int:
    """The revision to go back to: the handover's rather than bare Helm's, which would run the old migration again."""
    return drawing.rendered.revision if handover else drawing.deployed


def _handover(request: Request, world: World, drawing: Drawing, retired: Sequence[Resource]) -> Path:
    """The live revision without its migration Jobs, its hooks kept: `helm rollback` to it must work as before."""
    live = next(each for each in drawing.history if each.number == drawing.deployed)
    rest = without(drawing.live, {resource.ref for resource in retired})
    hooks = split(world.helm.hooks(live.number), request.namespace)
    folder = request.workdir / "handover"
    return freeze_live((*rest, *hooks), folder, chart=live.chart, app_version=live.app_version)


def _step(one: Chosen, request: Request, revision: int) -> Step:
    watched = one.kind in ("Job", "Pod")
    body = _lasting(one.body) if one.kind == "Job" else one.body
    # the same object of a pre- and a post- hook is two steps: what the one has done, the other has not
    hash = job_hash(one.body) + ("-after" if one.phase == "after" else "") if watched else ""  # noqa: A001
    manifest = dressed(
        body,
        release=request.release,
        namespace=request.namespace,
        run=request.run,
        tag=request.tag,
        hash=hash,
        revision=revision,
    )
    return Step(
        name=one.name,
        ref=ref_of(manifest, request.namespace),
        manifest=manifest,
        phase=one.phase,
        timeout=one.wanted.timeout,
        start_timeout=one.wanted.start_timeout,
        hash=hash,
        hook=one.hook,
        migration=one.migration,
        on_timeout=one.wanted.on_timeout,
    )


def _lasting(body: Json) -> Json:
    """Without ttlSecondsAfterFinished: a Job that goes by itself can't be read, nor recognised by the next deploy."""
    spec = {key: value for key, value in (body.get("spec") or {}).items() if key != "ttlSecondsAfterFinished"}
    return {**body, "spec": spec}
