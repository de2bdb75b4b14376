"""One line for each thing that a deploy needs, and a fix beside each that is missing. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from shipit import lock
from shipit.config import Request, format_duration
from shipit.errors import Forbidden, Refused
from shipit.events import Emit
from shipit.hints import shipit
from shipit.lock import holder_of, lease_ref, no_namespace
from shipit.model import Cluster, Plan, Ref, Step, Storage, World
from shipit.plan.build import build_plan, choose
from shipit.plan.charts import with_charts
from shipit.plan.checklist import PERMISSIONS, Checklist
from shipit.plan.own_objects import keep_own_objects
from shipit.plan.preflight import missing_verbs, storage_verbs
from shipit.plan.preparation import fresh, mask_and_check_references, rehearse, summary
from shipit.plan.provision import provide
from shipit.plan.rendering import ReleaseRendering, render_release
from shipit.plan.step_checks import check_step
from shipit.plan.step_warnings import warnings_of
from shipit.plan.verdicts import Preflight

ROLE = "shipit-missing"
"""What the Role is called that holds missing permissions."""
CHART_FIRST = "the chart has to pass first"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a release is to be: what can be looked at without helm."""

    namespace: str
    release: str
    storage: Storage = "Secret"
    create_namespace: bool = False


def examine_cluster(place: Place, cluster: Cluster, checks: Checklist) -> bool:
    """Namespace, permissions and lock; whether the namespace is there."""
    there = True

    def namespace() -> str:
        nonlocal there
        with suppress(Forbidden):  # a Role of the namespace's own doesn't let one read it
            there = cluster.get(Ref("v1", "Namespace", "", place.namespace)) is not None
        return _namespace(place, there=there)

    checks.check("namespace", namespace)
    checks.check(PERMISSIONS, lambda: _permissions(place, cluster))
    checks.check("lock", lambda: _lock(place, cluster), unless="" if there else _not_there(place))
    return there


def examine_chart(request: Request, world: World, checks: Checklist, *, there: bool) -> None:
    """The chart, what migrates, and what the API server says of both; `there`: the namespace is."""
    planned: tuple[Plan, ReleaseRendering] | None = None

    def chart() -> str:
        nonlocal planned
        whole = with_charts(request, world, checks.emit)
        rendering = render_release(whole, world)
        plan = build_plan(whole, world, rendering, choose(whole, world, rendering, fresh(rendering)))
        planned = (provide(keep_own_objects(plan, rendering, world), rendering, world, ()), rendering)
        return _chart(planned[0])

    checks.check("chart", chart)
    preflight = Preflight(checks.emit)
    unknown = CHART_FIRST if planned is None else ""
    missing = unknown or ("" if there else _not_there(Place(request.namespace, request.release)))
    checks.check("migration", lambda: _migrations(_known(planned)[0], checks.emit), unless=unknown)
    for step in _several(planned[0]) if planned else ():
        checks.check(f"migration {step.name}", partial(_migration, step))
    checks.check("references", lambda: _references(*_known(planned), world, preflight), unless=missing)
    checks.check("dry run", lambda: _dry_run(*_known(planned), world, preflight), unless=missing)


def leave_out(checks: Checklist, names: Sequence[str], why: str) -> None:
    """Tell of checks that can't be made, for `why`."""
    for name in names:
        checks.check(name, str, unless=why)


def missing_role(place: Place, cluster: Cluster) -> str:
    """The Role, as YAML, that holds what the caller may not do in the namespace; "" when nothing is missing."""
    rules: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    found: dict[tuple[str, str], list[str]] = {}
    for group, resource, verb in _missing(place, cluster):
        found.setdefault((group, resource), []).append(verb)
    for (group, resource), verbs in found.items():
        rules.setdefault((group, tuple(verbs)), []).append(resource)
    if not rules:
        return ""
    lines = [
        f'- apiGroups: ["{group}"]\n  resources: {_listed(resources)}\n  verbs: {_listed(verbs)}'
        for (group, verbs), resources in rules.items()
    ]
    head = (
        f"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: {ROLE}\n"
        f"  namespace: {place.namespace}\nrules:\n"
    )
    return head + "\n".join(lines)


def _listed(words: Sequence[str]) -> str:
    return f"[{', '.join(words)}]"


def _missing(place: Place, cluster: Cluster) -> tuple[tuple[str, str, str], ...]:
    return missing_verbs(cluster, place.namespace, (*storage_verbs(place.storage), *lock.VERBS))


def _not_there(place: Place) -> str:
    return f"namespace {place.namespace} does not exist yet"


def _known(planned: tuple[Plan, ReleaseRendering] | None) -> tuple[Plan, ReleaseRendering]:
    assert planned is not None  # noqa: S101 - the check is left out otherwise
    return planned


def _namespace(place: Place, *, there: bool) -> str:
    if there:
        return place.namespace
    if place.create_namespace:
        return f"{place.namespace} does not exist yet, deploy creates it"
    raise no_namespace(place.namespace)


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


def _permissions(place: Place, cluster: Cluster) -> str:
    found: dict[str, list[str]] = {}
    for _, resource, verb in _missing(place, cluster):
        found.setdefault(resource, []).append(verb)
    told = [f"{', '.join(verbs)} {resource}" for resource, verbs in found.items()]
    if told:
        raise Refused(
            f"not allowed: {'; '.join(told)}",
            hint=shipit("doctor", "--role", why="prints the Role that is missing, for kubectl apply -f -"),
        )
    return f"everything that a deploy to namespace {place.namespace} does"


def _lock(place: Place, cluster: Cluster) -> str:
    holder = holder_of(cluster.get(lease_ref(place.namespace, place.release)))
    return str(holder) if holder.run else "free"


def _references(plan: Plan, rendering: ReleaseRendering, world: World, preflight: Preflight) -> str:
    mask_and_check_references(plan, world, rendering, preflight)
    return "every Secret, ConfigMap, ServiceAccount and PVC that is referenced exists"


def _dry_run(plan: Plan, rendering: ReleaseRendering, world: World, preflight: Preflight) -> str:
    rehearse(plan, world, rendering, preflight)
    return "accepted by the API server"
