"""The ConfigMap that holds the record of past deploys, read and added to. Who is faster wins, and the other tries again."""

from __future__ import annotations

from shipit.errors import Conflict, Unknown
from shipit.events import PastDeploy
from shipit.history.record import read, with_deploy, written
from shipit.model import RELEASE_LABEL, Cluster, Json, Ref, as_map, as_text

KEY = "deploys"
TRIES = 5
VERBS = (("", "configmaps", ("get", "create", "update")),)
"""What recording a deploy takes: API group, resource, verbs."""


def record_ref(namespace: str, release: str) -> Ref:
    """Names the ConfigMap of a release."""
    return Ref("v1", "ConfigMap", namespace, f"shipit-{release}-history")


def past_deploys(cluster: Cluster, namespace: str, release: str) -> tuple[PastDeploy, ...]:
    """The recorded deploys, newest first. Raises ApiError, and Busy for a record in a form that is not known."""
    ref = record_ref(namespace, release)
    return _read(cluster.get(ref), ref)


def add(cluster: Cluster, namespace: str, release: str, deploy: PastDeploy) -> None:
    """Record a deploy. Raises ApiError when that can't be written, Busy for a record in a form that is not known."""
    ref = record_ref(namespace, release)
    for _ in range(TRIES):
        body = cluster.get(ref)
        text = written(with_deploy(_read(body, ref), deploy))
        try:
            if body is None:
                cluster.create(_fresh(ref, release, text))
            else:
                cluster.replace({**body, "data": {**as_map(body.get("data")), KEY: text}})
        except Conflict:
            continue
        return
    raise Unknown(f"{ref.title} changed {TRIES} times while this deploy was added to it")


def _read(body: Json | None, ref: Ref) -> tuple[PastDeploy, ...]:
    return read(as_text(as_map(as_map(body).get("data")).get(KEY)), ref)


def _fresh(ref: Ref, release: str, text: str) -> Json:
    meta = {"name": ref.name, "namespace": ref.namespace, "labels": {RELEASE_LABEL: release}}
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": meta, "data": {KEY: text}}
