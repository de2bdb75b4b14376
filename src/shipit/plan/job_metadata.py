"""An object as shipit creates it: where it lives, whose it is, and which deploy made it."""

from __future__ import annotations

import copy
import hashlib

from shipit.chart import canonical, ref_of
from shipit.model import (
    HASH_ANNOTATION,
    NOTES_VERSION,
    RELEASE_LABEL,
    REVISION_ANNOTATION,
    RUN_ANNOTATION,
    TAG_ANNOTATION,
    VERSION_ANNOTATION,
    Json,
    as_map,
)

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
RELEASE_NAME_ANNOTATION = "meta.helm.sh/release-name"
RELEASE_NAMESPACE_ANNOTATION = "meta.helm.sh/release-namespace"
HOOK_ANNOTATION = "helm.sh/hook"
RESOURCE_POLICY_ANNOTATION = "helm.sh/resource-policy"

HASH_DIGITS = 16

# What the same Job may differ in from one render to the next: its place, what dresses it, and its name, which
# charts make from random characters or the date.
_UNHASHED = ("name", "generateName", "namespace", "labels", "annotations")
_OWN_METADATA = frozenset(
    {
        MANAGED_BY_LABEL,
        RELEASE_NAME_ANNOTATION,
        RELEASE_NAMESPACE_ANNOTATION,
        RESOURCE_POLICY_ANNOTATION,
    }
)


def with_metadata(
    body: Json, *, release: str, namespace: str, run: str, tag: str, hash: str, revision: int
) -> Json:
    """A Job or Pod as it is created; any other hook's object only gets its namespace.

    Helm's ownership metadata lets a later `helm upgrade` of a chart that lists the Job pass, and
    `helm.sh/resource-policy: keep` stops Helm from deleting it. The pod template stays as it was rendered: a Job's
    pods are found by its UID. Two deploys give the same Job the same name, so that only one can create it.
    """
    found = placed(body, namespace)
    if found.get("kind") not in ("Job", "Pod"):
        return found
    found = owned(found, release, namespace)
    metadata = as_map(found["metadata"])
    metadata["labels"] |= {RELEASE_LABEL: release}
    metadata["annotations"] |= {
        RESOURCE_POLICY_ANNOTATION: "keep",
        RUN_ANNOTATION: run,
        TAG_ANNOTATION: tag,
        HASH_ANNOTATION: hash,
        REVISION_ANNOTATION: str(revision),
        VERSION_ANNOTATION: str(NOTES_VERSION),
    }
    return found


def owned(body: Json, release: str, namespace: str) -> Json:
    """With Helm's ownership metadata."""
    metadata = as_map(body.get("metadata"))
    labels = {**as_map(metadata.get("labels")), MANAGED_BY_LABEL: "Helm"}
    annotations = {
        **as_map(metadata.get("annotations")),
        RELEASE_NAME_ANNOTATION: release,
        RELEASE_NAMESPACE_ANNOTATION: namespace,
    }
    return {**body, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


def placed(body: Json, namespace: str) -> Json:
    """A copy with the namespace it will live in; none for a kind that has none."""
    found = copy.deepcopy(body)
    metadata = {key: value for key, value in as_map(found.get("metadata")).items() if key != "namespace"}
    if place := ref_of(body, namespace).namespace:
        metadata["namespace"] = place
    return {**found, "metadata": metadata}


def job_hash(body: Json) -> str:
    """What earlier versions noted of a Job or Pod, as 16 hexadecimal digits: the rendered object, but for its name.

    Their Jobs are known again by it; the same before and after it was with_metadata.
    """
    metadata = as_map(body.get("metadata"))
    kept = {key: value for key, value in metadata.items() if key not in _UNHASHED}
    for part in ("labels", "annotations"):
        own = {k: v for k, v in as_map(metadata.get(part)).items() if not _is_metadata_of_shipit(str(k))}
        kept |= {part: own} if own else {}
    plain = {key: value for key, value in body.items() if key not in ("metadata", "status")} | {
        "metadata": kept
    }
    return hashlib.sha256(canonical(plain).encode("utf-8", "surrogatepass")).hexdigest()[:HASH_DIGITS]


def _is_metadata_of_shipit(key: str) -> bool:
    return key in _OWN_METADATA or key.startswith("shipit/")
