"""One line for each thing that a deploy needs, and a fix beside each that is missing. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from shipit import lock
from shipit.config import Request, format_duration
from shipit.errors import Forbidden, Refused, ShipitError, refusing
from shipit.events import Emit, StepChanged, Warned
from shipit.hints import kubectl, shipit
from shipit.lock import holder_of, lease_ref, no_namespace
from shipit.model import Plan, Ref, Step, World
from shipit.plan.build import build_plan, choose
from shipit.plan.charts import with_charts
from shipit.plan.own_objects import keep_own_objects
from shipit.plan.preflight import missing_verbs, storage_verbs
from shipit.plan.preparation import fresh, mask_and_check_references, rehearse, summary
from shipit.plan.provision import provide
from shipit.plan.rendering import ReleaseRendering, render_release
from shipit.plan.step_checks import check_step
from shipit.plan.step_warnings import warnings_of
from shipit.plan.verdicts import Preflight


def examine(request: Request, world: World, emit: Emit) -> None:
    """Go through everything, a failure not stopping the rest. Raises Refused when something is wrong."""
    checks = _Checks(emit)
    there = True
    planned: tuple[Plan, ReleaseRendering] | None = None

    def namespace() -> str:
        nonlocal there
        with suppress(Forbidden):  # a Role of the namespace's own doesn't let one read it
            there = world.cluster.get(Ref("v1", "Namespace", "", request.namespace)) is not None
        return _namespace(request, there=there)

    def chart() -> str:
        nonlocal planned
        whole = with_charts(request, world, emit)
        rendering = render_release(whole, world)
        plan = build_plan(whole, world, rendering, choose(whole, world, rendering, fresh(rendering)))
        planned = (provide(keep_own_objects(plan, rendering, world), rendering, world, ()), rendering)
        return _chart(planned[0])

    checks.check("helm", lambda: str(world.helm.version))
    checks.check("cluster", lambda: f"{world.cluster.context}, Kubernetes {world.cluster.check()}")
    checks.check("namespace", namespace)
    checks.check("permissions", lambda: _permissions(request, world))
    checks.check("lock", lambda: _lock(request, world))
    checks.check("chart", chart)
    preflight = Preflight(emit)
    unknown = "the chart has to pass first" if planned is None else ""
    missing = unknown or ("" if there else f"namespace {request.namespace} does not exist yet")
    checks.check("migration", lambda: _migrations(_known(planned)[0], emit), unless=unknown)
    for step in _several(planned[0]) if planned else ():
        checks.check(f"migration {step.name}", partial(_migration, step))
    checks.check("references", lambda: _references(*_known(planned), world, preflight), unless=missing)
    checks.check("dry run", lambda: _dry_run(*_known(planned), world, preflight), unless=missing)
    checks.end()


@dataclass(slots=True)
class _Checks:
    """Runs checks and tells how each ended."""

    emit: Emit
    count: int = 0
    failed: list[str] = field(default_factory=list)

    def check(self, name: str, probe: Callable[[], str], *, unless: str = "") -> None:
        """`probe` says what is well, or raises what is not; it is left out for the reason that `unless` gives."""
        self.count += 1
        if unless:
            self.emit(StepChanged(name, "skipped", unless))
            return
        try:
            with refusing():
                self.emit(StepChanged(name, "done", probe()))
        except ShipitError as error:
            self.failed.append(name)
            self.emit(StepChanged(name, "failed"))
            self.emit(Warned("; ".join((str(error), *error.details)), hint=error.hint))

    def end(self) -> None:
        if self.failed:
            raise Refused(
                f"{len(self.failed)} of {self.count} checks failed: {', '.join(self.failed)}",
                hint=shipit("doctor", why="checks again once they are fixed"),
            )


def _known(planned: tuple[Plan, ReleaseRendering] | None) -> tuple[Plan, ReleaseRendering]:
    assert planned is not None  # noqa: S101 - the check is left out otherwise
    return planned


def _namespace(request: Request, *, there: bool) -> str:
    if there:
        return request.namespace
    if request.spec.create_namespace:
        return f"{request.namespace} does not exist yet, deploy creates it"
    raise no_namespace(request.namespace)


def _chart(plan: Plan) -> str:
    objects = "1 object" if len(plan.app) == 1 else f"{len(plan.app)} objects"
    return f"renders {objects}; next revision: {plan.revision}"


def _several(plan: Plan) -> tuple[Step, ...]:
    """The migrations, where there are several: each gets a line of its own."""
    found = tuple(step for step in plan.steps if step.migration and step.watched)
    return found if len(found) > 1 else ()


def _migration(step: Step) -> str:
    check_step(step)
    when = {
        "before": "before the upgrade",
        "during": "once it is applied",
        "after": "once its pods are ready",
    }
    return f"{step.ref.title} {when[step.phase]}, within {format_duration(step.timeout)}"


def _migrations(plan: Plan, emit: Emit) -> str:
    alone = _several(plan)
    for step in plan.steps:
        if step not in alone:
            check_step(step)
    for warning in warnings_of(plan.steps):
        emit(warning)
    return "; ".join([summary(plan), *(each.reason for each in plan.left_out)])


def _permissions(request: Request, world: World) -> str:
    more = (*storage_verbs(world.helm.storage), *lock.VERBS)
    missing = missing_verbs(world.cluster, request.namespace, more)
    if missing:
        raise Refused(
            f"not allowed: {', '.join(f'{verb} {resource}' for _, resource, verb in missing)}",
            hint=kubectl(
                "create",
                "role",
                "shipit-more",
                *_role_flags(missing),
                namespace=request.namespace,
                why="and bind it; examples/rbac holds the whole Role",
            ),
        )
    return f"everything that a deploy to namespace {request.namespace} does"


def _role_flags(missing: Sequence[tuple[str, str, str]]) -> tuple[str, str]:
    """The flags of `kubectl create role` for the rules that are missing."""
    verbs = ",".join(dict.fromkeys(verb for _, _, verb in missing))
    named = dict.fromkeys(_qualified(group, resource) for group, resource, _ in missing)
    return f"--verb={verbs}", f"--resource={','.join(named)}"


def _qualified(group: str, resource: str) -> str:
    name, slash, subresource = resource.partition("/")
    return f"{name}.{group}{slash}{subresource}" if group else resource


def _lock(request: Request, world: World) -> str:
    holder = holder_of(world.cluster.get(lease_ref(request.namespace, request.release)))
    return str(holder) if holder.run else "free"


def _references(plan: Plan, rendering: ReleaseRendering, world: World, preflight: Preflight) -> str:
    mask_and_check_references(plan, world, rendering, preflight)
    return "every Secret, ConfigMap, ServiceAccount and PVC that is referenced exists"


def _dry_run(plan: Plan, rendering: ReleaseRendering, world: World, preflight: Preflight) -> str:
    rehearse(plan, world, rendering, preflight)
    return "accepted by the API server"
