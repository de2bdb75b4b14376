"""Whether somebody else keeps this release as it is: what Flux or Argo CD manages, they change back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from shipit.chart import Document, resources
from shipit.errors import ApiError
from shipit.events import Warned
from shipit.hints import advice
from shipit.model import Cluster, Json, Plan, as_text, as_texts, metadata_of

FLUX_NAME, FLUX_NAMESPACE = "helm.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/namespace"
"""Labels that Flux' helm-controller puts on every object of a HelmRelease, so that they stand in Helm's manifest."""
ARGO_ID = "argocd.argoproj.io/tracking-id"
"""An annotation, `shop:apps/Deployment:default/shop`, on what an Application of Argo CD manages."""
ARGO_LABEL = "argocd.argoproj.io/instance"
"""What older set-ups of Argo CD have instead."""
LOOKS = 3
"""How many of the app's live objects are asked for: who manages one manages all."""


def warn_of_owner(plan: Plan, live: Sequence[Document], cluster: Cluster) -> Iterator[Warned]:
    """A warning when the live release belongs to Flux or Argo CD; `live` is its manifest."""
    bodies = [each.body for each in resources(live)]
    release = next(filter(None, map(_helm_release, bodies)), "")
    if release:
        yield Warned(
            f"Flux manages release {plan.release}: HelmRelease {release} may undo this deploy, or upgrade beside it",
            hint=advice("suspend that HelmRelease (flux suspend helmrelease), or deploy by changing it"),
        )
    application = next(filter(None, map(_application, _live_objects(plan, cluster))), "") if live else ""
    if application:
        yield Warned(
            f"Argo CD manages release {plan.release}: its next sync of Application {application} may undo this deploy",
            hint=advice("turn off the automatic sync of that Application, or deploy by changing it"),
        )


def _helm_release(body: Json) -> str:
    labels = as_texts(metadata_of(body).get("labels"))
    name, namespace = labels.get(FLUX_NAME, ""), labels.get(FLUX_NAMESPACE, "")
    return f"{namespace}/{name}" if name and namespace else name


def _application(body: Json) -> str:
    """An annotation that was copied from another object names that one, and says nothing."""
    meta = metadata_of(body)
    application, _, rest = as_texts(meta.get("annotations")).get(ARGO_ID, "").partition(":")
    if rest.endswith(f"/{as_text(meta.get('name'))}"):
        return application
    return as_texts(meta.get("labels")).get(ARGO_LABEL, "")


def _live_objects(plan: Plan, cluster: Cluster) -> Iterator[Json]:
    """Some of the app's objects as they are; what can't be read says nothing."""
    others = (each.ref for each in plan.app if each.ref.kind not in ("Secret", "Namespace"))
    for ref in list(dict.fromkeys((*plan.workloads, *others)))[:LOOKS]:
        with suppress(ApiError):
            yield cluster.get(ref) or {}
