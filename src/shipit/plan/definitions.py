"""What a chart's `crds/` bring on a first install, and how the chart renders as long as that isn't there."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from shipit.chart import brings_crds, freeze, resources, split
from shipit.config import Request, parse_helm_args, switched_on
from shipit.errors import Forbidden, HelmFailed, Refused
from shipit.hints import advice
from shipit.model import Cluster, Rendered, Resource, Revision, Values, World
from shipit.plan.objects import kinds_of
from shipit.plan.tagged import tagged
from shipit.plan.verdicts import REHEARSED, Preflight, refused

APIS = "apiextensions.k8s.io"


def missing_definitions(request: Request, world: World, history: Sequence[Revision]) -> tuple[Resource, ...]:
    """What `crds/` of the chart and of its enabled subcharts hold and the cluster doesn't have, in Helm's order.

    Nothing for an upgrade, nor with `--skip-crds`: as Helm does it. What is there is left as it is.
    """
    installs = not history or history[-1].status == "uninstalled"
    chart = Path(request.chart)
    if not installs or switched_on(parse_helm_args(request.spec.helm_args), "--skip-crds"):
        return ()
    if not brings_crds(chart):
        return ()
    folder = Path(tempfile.mkdtemp(prefix="crds-", dir=request.workdir)) / "chart"
    values = tagged(request, request.values, request.chart)
    documents = split(world.helm.definitions(freeze(chart, (), (), folder), values), request.namespace)
    return tuple(each for each in resources(documents) if not _is_there(each, world.cluster))


def _is_there(definition: Resource, cluster: Cluster) -> bool:
    """By discovery, which everybody may read."""
    if kinds := kinds_of(definition.body):
        return any(cluster.namespaced(*kind) is not None for kind in kinds)
    with suppress(Forbidden):
        return cluster.get(definition.ref) is not None
    return False


def render(chart: str, values: Values, world: World, definitions: Sequence[Resource]) -> Rendered:
    """As the upgrade would render it; as far as that is possible without the API server where Helm's dry run fails
    over nothing but the kinds that these definitions bring.
    """
    try:
        return world.helm.render(chart, values)
    except HelmFailed as error:
        brought = {kind for each in definitions for kind in kinds_of(each.body)}
        if not error.unknown_kinds or not brought.issuperset(error.unknown_kinds):
            raise
    served = (*world.cluster.api_versions(), *(text for kind in sorted(brought) for text in _versions(kind)))
    try:
        return world.helm.render_offline(
            chart, values, kube_version=world.cluster.check(), api_versions=served
        )
    except HelmFailed as error:
        hint = advice("install the chart's custom resource definitions first (`kubectl apply -f`, its crds/)")
        raise HelmFailed(error.message, reason=error.reason, hint=hint, details=error.details) from error


def _versions(kind: tuple[str, str]) -> tuple[str, str]:
    """As a chart asks for them in `.Capabilities.APIVersions`."""
    return kind[0], "/".join(kind)


def check_definitions(cluster: Cluster, definitions: Sequence[Resource], preflight: Preflight) -> None:
    """The caller may create them, and the API server accepts them. Raises Refused."""
    if not definitions:
        return
    crds = [each for each in definitions if kinds_of(each.body)]
    if crds and not cluster.may("create", APIS, "customresourcedefinitions", ""):
        preflight.refuse(
            Refused(
                f"not allowed to create {', '.join(each.ref.title for each in crds)}, which the chart's crds/ bring",
                hint=advice(
                    "have somebody install them who may (`kubectl apply -f`, the chart's crds/); "
                    'helm_args = ["--skip-crds"] leaves them out'
                ),
            )
        )
        return
    for each in definitions:
        try:
            cluster.create(each.body, dry_run=True)
        except REHEARSED as error:
            preflight.refuse(refused(f"{each.ref} (from {each.source})", error))
