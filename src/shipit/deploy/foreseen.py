"""What a deploy would do, step by step, as people read it: what runs, what is there already, what has to go. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from shipit.chart import dump_yaml
from shipit.config import Request
from shipit.deploy.existing import gives_way
from shipit.deploy.recognition import find_existing, is_this_deploys
from shipit.events import PlannedStep
from shipit.model import (
    HASH_ANNOTATION,
    RUN_ANNOTATION,
    Job,
    JobOrPod,
    Json,
    Plan,
    Step,
    World,
    as_map,
    is_active,
    metadata_of,
)
from shipit.plan import shown


def steps_of(plan: Plan, request: Request, world: World, *, namespace_there: bool) -> tuple[PlannedStep, ...]:
    """Everything that is done, in its order; what is left out comes last."""
    return (
        *_made_first(plan, request, namespace_there=namespace_there),
        *(() if plan.resumed else (_step(step, plan, world) for step in plan.before)),
        *(() if plan.resumed else _helm(plan)),
        *(_step(step, plan, world) for step in plan.later),
        *(PlannedStep(name, "skip", "before", reason="--skip-migration") for name in plan.skipped),
        *(PlannedStep(each.name, "skip", "before", reason=each.reason) for each in plan.left_out),
    )


def deleted(plan: Plan, world: World, *, anew: bool) -> tuple[str, ...]:
    """The Jobs and Pods of earlier deploys that make room, in words."""
    return tuple(_called(each) for each in gives_way(plan, world, anew=anew))


def _made_first(plan: Plan, request: Request, *, namespace_there: bool) -> Iterator[PlannedStep]:
    if not namespace_there:
        yield PlannedStep("namespace", "create", "before", f"Namespace {request.namespace}")
    for each in plan.definitions:
        yield PlannedStep("crds", "install", "before", each.ref.title)


def _helm(plan: Plan) -> Iterator[PlannedStep]:
    if plan.handover is not None:
        taken = ", ".join(ref.title for ref in (*plan.previous_jobs, *plan.taken_over))
        reason = f"a revision of its own takes {taken} out of the live manifest"
        yield PlannedStep("handover", "handover", "upgrade", timeout=plan.timeout, reason=reason)
    waits = (
        "waits for the pods"
        if plan.helm_waits
        else "applies; shipit waits for the pods once what follows has run"
    )
    back = plan.rollback_revision if plan.rolls_back else 0
    reason = f"{waits}; rolled back to revision {back} when it fails" if back else waits
    yield PlannedStep("upgrade", "upgrade", "upgrade", timeout=plan.timeout, reason=reason)


def _step(step: Step, plan: Plan, world: World) -> PlannedStep:
    action, reason = _action(step, plan, world)
    return PlannedStep(
        name=step.name,
        action=action,
        when=step.phase,
        object=step.ref.title,
        timeout=step.timeout if step.watched else None,
        start_timeout=step.start_timeout if step.watched else None,
        reason="; ".join(part for part in (reason, step.remark) if part),
        manifest=dump_yaml(shown(_undated(step.manifest))),
    )


def _action(step: Step, plan: Plan, world: World) -> tuple[str, str]:
    if step.of_app:
        return "keep", "the app's own object serves"
    if not step.watched:
        return (
            ("create", "")
            if world.cluster.get(step.ref) is None
            else ("replace", "the one that is there goes")
        )
    found = find_existing(step, plan, world)
    if found is None or found.deleting or not is_this_deploys(found, step, plan):
        return "run", ""
    if is_active(found):
        return "attach", "an earlier try of this deploy has started it, and it runs"
    return "accept", "an earlier try of this deploy has completed it"


def _undated(manifest: Json) -> Json:
    """Without the notes that only the deploy itself can make."""
    meta = metadata_of(manifest)
    gone = (RUN_ANNOTATION, HASH_ANNOTATION)
    notes = {key: value for key, value in as_map(meta.get("annotations")).items() if key not in gone}
    return {**manifest, "metadata": {**meta, **({"annotations": notes} if notes else {})}}


def _called(found: JobOrPod) -> str:
    what = f"{found.ref.title}" + (f" of {found.tag}" if found.tag else "")
    if is_active(found):
        return f"{what}, which is {'suspended' if isinstance(found, Job) and found.suspended else 'still running'}"
    return f"{what}, which has {'succeeded' if found.has_succeeded else 'ended'}"
