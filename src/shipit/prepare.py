"""Everything that can be known before anything changes: rendered once, chosen, checked, frozen into a Plan."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from shipit.chart import check_stored_size, freeze, freeze_live
from shipit.checks import check_permissions, check_references, dry_run_app, dry_run_step
from shipit.choose import Chosen, check_tag, choose
from shipit.dressing import dressed, job_hash
from shipit.errors import ApiError, HelmFailed, Refused
from shipit.events import Emit, StepChanged, Warned
from shipit.lock import Progress
from shipit.manifest import Document, candidates, digest, ref_of, resources, split, without, workloads
from shipit.model import HelmVersion, Json, Plan, Rendered, Resource, Revision, Step
from shipit.podtemplate import uses_tag
from shipit.request import Request, Wanted
from shipit.world import World


def prepare(request: Request, world: World, owed: Progress | None, emit: Emit) -> Plan:
    """Render the release with the new tag and check all of it. Changes nothing; raises Refused.

    `owed` is the upgrade that an earlier deploy noted and did not finish: when it is this very one, and it has come,
    the plan `resumes` with what runs after it.
    """
    emit(StepChanged("prepare", "started", f"rendering {request.release} with {request.tag}"))
    with refusing():
        drawing = draw(request, world)
        plan = _resumed(request, world, drawing, owed) or plan_of(request, world, drawing)
        _check(plan, world, drawing, emit)
    emit(StepChanged("prepare", "done", _summary(plan)))
    return plan


@dataclass(frozen=True, slots=True)
class Drawing:
    """The one rendering, beside the release as it is: `live` is the manifest that Helm compares with."""

    rendered: Rendered
    documents: tuple[Document, ...]
    history: tuple[Revision, ...]
    live: tuple[Document, ...]

    @property
    def newest(self) -> int:
        return self.history[-1].number if self.history else 0

    @property
    def deployed(self) -> int:
        """The newest revision that is deployed, 0 for none."""
        return next((each.number for each in reversed(self.history) if each.status == "deployed"), 0)


def draw(request: Request, world: World) -> Drawing:
    """Render the release with the tag, once, and read what Helm has of it."""
    history = world.helm.history()
    rendered = world.helm.render(request.chart, request.values)
    if history:  # after `uninstall --keep-history` Helm renders revision 1, but goes on counting
        rendered = replace(rendered, revision=max(rendered.revision, history[-1].number + 1))
    drawing = Drawing(rendered, split(rendered.manifest, request.namespace), history, ())
    number = drawing.deployed or drawing.newest
    return replace(drawing, live=split(world.helm.manifest(number), request.namespace)) if number else drawing


def _resumed(request: Request, world: World, drawing: Drawing, owed: Progress | None) -> Plan | None:
    """The plan that finishes what a dead deploy owes: its upgrade has come, and it is the one that we would make."""
    if (
        owed is None
        or (owed.tag, owed.revision) != (request.tag, drawing.deployed)
        or owed.revision != drawing.newest
    ):
        return None
    rendered = replace(drawing.rendered, install=owed.install, revision=owed.revision)
    plan = plan_of(request, world, replace(drawing, rendered=rendered, live=()))
    return replace(plan, resumes=True, install=False) if plan.digest == owed.digest else None


@contextmanager
def refusing() -> Iterator[None]:
    """Before anything changed, whatever helm or the API server says is a refusal."""
    try:
        yield
    except (ApiError, HelmFailed) as error:
        raise Refused(error.message, hint=error.hint, details=error.details) from error


def _choose(
    request: Request, world: World, rendered: Rendered, documents: Sequence[Document]
) -> tuple[Chosen, ...]:
    own = [_own_rendering(entry, entry.values, request, world) for entry in request.wanted]
    chosen = choose(request.wanted, rendered, documents, own, optional=request.skip_migration)
    for entry in request.wanted:
        _check_template(entry, request, chosen)
    if not request.skip_migration:
        check_tag(chosen, request.tag, request.tag_key)
        _check_coincidence(request, world, chosen)
    return chosen


def _own_rendering(
    entry: Wanted, values: tuple[Path, ...] | None, request: Request, world: World
) -> tuple[Document, ...] | None:
    """The rendering of a migration with a chart or values of its own; None when it is in the release's."""
    if values is None:
        return None
    return split(world.helm.render(entry.chart or request.chart, values).manifest, request.namespace)


def _check_template(entry: Wanted, request: Request, chosen: Sequence[Chosen]) -> None:
    """A template that renders nothing on a first install must at least be there."""
    folder = Path(entry.chart or request.chart)
    if not entry.template or any(one.wanted is entry for one in chosen) or (folder / entry.template).exists():
        return
    there = sorted(str(path.relative_to(folder)) for path in folder.glob("templates/**/*.y*ml"))
    raise Refused(
        f"the chart {folder} has no template {entry.template}",
        hint="name one of the chart's templates under [migration]",
        details=tuple(there),
    )


def _check_coincidence(request: Request, world: World, chosen: Sequence[Chosen]) -> None:
    """The tag may stand in the image because the chart writes it there, not because we set it: render with another.

    Only asked when the chart or the values hold that very text: then a coincidence is possible.
    """
    tagged = [one for one in chosen if one.migration and uses_tag(one.body, request.tag)]
    if not tagged or not _written(request):
        return
    try:
        probed = world.helm.render(request.chart, request.probe)
        own = [_own_rendering(entry, entry.probe, request, world) for entry in request.wanted]
    except HelmFailed:
        return  # the chart looks at the tag, and takes only some: it does reach it
    again = choose(request.wanted, probed, split(probed.manifest, request.namespace), own)
    if any(one.migration and uses_tag(one.body, request.tag) for one in again) and not any(
        one.migration and uses_tag(one.body, PROBE_TAG) for one in again
    ):
        raise Refused(
            f"{' and '.join(request.tag_key)} does not reach the image of the migration: "
            f"it reads {request.tag} because the chart says so",
            hint="set tag_key under [release] to the value that holds the tag",
        )


PROBE_TAG = "shipit-probe"


def _written(request: Request) -> bool:
    """Whether a chart or values hold the tag beside where we set it, but for an apiVersion; a packed chart may."""
    own = [(entry.chart or request.chart, entry.values) for entry in request.wanted if entry.values]
    sources = [(request.chart, request.values), *own]
    ours = {values[-1] for _, values in sources}
    places = {Path(chart) for chart, _ in sources} | {path for _, values in sources for path in values}
    found = re.compile(rb"^(?!\s*apiVersion:).*" + re.escape(request.tag.encode()), re.MULTILINE)
    for place in places - ours:
        files = place.rglob("*") if place.is_dir() else [place]
        if any(f.suffix == ".tgz" or found.search(f.read_bytes()) for f in files if f.is_file()):
            return True
    return any(file.read_bytes().count(request.tag.encode()) > len(request.tag_key) for file in ours)


def plan_of(request: Request, world: World, drawing: Drawing) -> Plan:
    """What a deploy of that rendering would do. Raises Refused when the migration or the tag isn't there."""
    rendered = drawing.rendered
    chosen = _choose(request, world, rendered, drawing.documents)
    app = _app(drawing.documents, chosen)
    retired = _retired(chosen, app, drawing.live, request.namespace)
    handover = bool(retired and drawing.deployed)
    revision = rendered.revision + (1 if handover else 0)
    steps = [(one, _step(one, request, revision)) for one in chosen]
    kept = [step for one, step in steps if not (request.skip_migration and one.migration)]
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
        chart=_freeze(request, app, rendered, world.helm.version),
        values=request.values,
        digest=digest(app),
        app=tuple(resources(app)),
        workloads=workloads(app),
        timeout=request.timeout,
        handover=_handover(request, world, drawing, retired) if handover else None,
        rollback_to=_before(drawing, handover=handover) if request.rollback_on_failure else 0,
        foreign=tuple(resource.ref for resource in retired),
        rerun=request.rerun,
        replace_running=request.replace_running,
        waits=not (rendered.install and any(step.phase == "after" and step.watched for step in kept)),
        skipped=tuple(step.name for one, step in steps if request.skip_migration and one.migration),
    )


def _freeze(request: Request, app: Sequence[Document], rendered: Rendered, helm: HelmVersion) -> Path:
    folder = request.workdir / ("install" if rendered.install else "upgrade")
    chart = freeze(Path(request.chart), app, rendered.hooks, folder, notes=rendered.notes)
    check_stored_size(chart, request.values, helm)
    return chart


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


def _check(plan: Plan, world: World, drawing: Drawing, emit: Emit) -> None:
    steps = (*plan.before, *plan.after)
    check_permissions(world.cluster, plan.namespace, steps)
    check_references(world, plan.namespace, plan.before)
    for step in steps:
        dry_run_step(world.cluster, step)
        _warn(step, emit)
    unknown = dry_run_app(world.cluster, plan, drawing.live, server_side=drawing.rendered.server_side)
    if unknown:
        emit(
            Warned(
                f"can't be checked before the chart's own kinds and namespaces exist: {', '.join(unknown)}"
            )
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
