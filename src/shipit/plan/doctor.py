"""One line for each thing that a deploy needs, and a fix beside each that is missing. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shipit import lock
from shipit.errors import Refused, ShipitError, refusing
from shipit.events import Emit, StepChanged, Warned
from shipit.lock import lease_ref, record_of
from shipit.model import Plan, Request, World
from shipit.plan.build import build_plan
from shipit.plan.preflight import check_references, dry_run_app, dry_run_step, missing_verbs
from shipit.plan.rendering import ReleaseRendering, render_release


def examine(request: Request, world: World, emit: Emit) -> None:
    """Go through everything, a failure not stopping the rest. Raises Refused when something is wrong."""
    known: list[tuple[Plan, ReleaseRendering]] = []

    def render() -> str:
        rendering = render_release(request, world)
        plan = build_plan(request, world, rendering)
        known.append((plan, rendering))
        return f"{len(plan.app)} objects, to become revision {plan.revision}"

    checks: list[tuple[str, Callable[[], str]]] = [
        ("helm", lambda: str(world.helm.version)),
        ("cluster", lambda: f"{world.cluster.context}, Kubernetes {world.cluster.check()}"),
        ("permissions", lambda: _permissions(request, world)),
        ("lock", lambda: _lock(request, world)),
        ("chart", render),
        ("migration", lambda: _migration(_known(known)[0])),
        ("references", lambda: _references(_known(known)[0], world)),
        ("dry run", lambda: _dry_run(*_known(known), world)),
    ]
    wrong = [name for name, check in checks if not _passes(name, check, emit)]
    if wrong:
        raise Refused(
            f"{len(wrong)} of {len(checks)} checks failed: {', '.join(wrong)}",
            hint="shipit doctor, after the fixes above",
        )


def _passes(name: str, check: Callable[[], str], emit: Emit) -> bool:
    try:
        with refusing():
            emit(StepChanged(name, "done", check()))
    except ShipitError as error:
        emit(StepChanged(name, "failed", error.message))
        emit(Warned("; ".join((error.message, *error.details)), hint=error.hint))
        return False
    return True


def _permissions(request: Request, world: World) -> str:
    missing = missing_verbs(world.cluster, request.namespace, lock.VERBS)
    if missing:
        raise Refused(
            f"the caller may not: {', '.join(f'{verb} {resource}' for _, resource, verb in missing)}",
            hint=f"kubectl create role shipit-more -n {request.namespace} {_role_flags(missing)}   (whole: examples/rbac)",
        )
    return f"all that a deploy in namespace {request.namespace} does"


def _role_flags(missing: Sequence[tuple[str, str, str]]) -> str:
    """The flags of `kubectl create role` for the rules that are missing."""
    verbs = ",".join(dict.fromkeys(verb for _, _, verb in missing))
    named = dict.fromkeys(_qualified(group, resource) for group, resource, _ in missing)
    return f"--verb={verbs} --resource={','.join(named)}"


def _qualified(group: str, resource: str) -> str:
    name, slash, subresource = resource.partition("/")
    return f"{name}.{group}{slash}{subresource}" if group else resource


def _lock(request: Request, world: World) -> str:
    holder = record_of(world.cluster.get(lease_ref(request.namespace, request.release)))
    return f"held: {holder}" if holder.run else "free"


def _known(known: Sequence[tuple[Plan, ReleaseRendering]]) -> tuple[Plan, ReleaseRendering]:
    if not known:
        raise Refused("not known: the chart could not be rendered")
    return known[0]


def _migration(plan: Plan) -> str:
    before = ", ".join(step.name for step in plan.before if step.watched)
    after = ", ".join(step.name for step in plan.after if step.watched)
    return f"before the upgrade: {before or 'nothing'}; after it: {after or 'nothing'}"


def _references(plan: Plan, world: World) -> str:
    check_references(world, plan)
    return "every Secret, ConfigMap, ServiceAccount and PVC that is named is there"


def _dry_run(plan: Plan, rendering: ReleaseRendering, world: World) -> str:
    for step in (*plan.before, *plan.after):
        dry_run_step(world.cluster, step)
    unknown = dry_run_app(world.cluster, plan, rendering.live, server_side=rendering.rendered.server_side)
    return "the API server accepts all of it" + (
        f", but can't judge {', '.join(unknown)} yet" if unknown else ""
    )
