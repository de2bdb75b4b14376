"""A Job's pod as the Job controller makes it, to be tried before there is a Job."""

from __future__ import annotations

import copy

from shipit.chart import pod_template_of
from shipit.model import Json, as_map, as_text, metadata_of, spec_of

GROUP = "batch.kubernetes.io"


def pod_of_job(job: Json, *, name: str, namespace: str, uid: str) -> Json:
    """The first pod of a Job of that name and UID, without a name of its own: the API server makes one, as for the
    controller.

    Its owner is named without `blockOwnerDeletion`, which some clusters let nobody set who may not finish Jobs.
    """
    template = copy.deepcopy(pod_template_of(job) or {})
    meta = metadata_of(template)
    indexed = spec_of(job).get("completionMode") == "Indexed"
    index = {f"{GROUP}/job-completion-index": "0"} if indexed else {}
    ours = {"controller-uid": uid, "job-name": name}
    labels = {**as_map(meta.get("labels")), **ours, **{f"{GROUP}/{k}": v for k, v in ours.items()}, **index}
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": True}
    meta |= {
        "generateName": f"{name}-0-" if indexed else f"{name}-",
        "namespace": namespace,
        "labels": labels,
        "annotations": {**as_map(meta.get("annotations")), **index},
        "finalizers": [f"{GROUP}/job-tracking"],
        "ownerReferences": [owner],
    }
    meta.pop("name", None)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec_of(template)}


def account_of(pod: Json) -> str:
    """The ServiceAccount that a pod runs as."""
    spec = spec_of(pod)
    return as_text(spec.get("serviceAccountName") or spec.get("serviceAccount")) or "default"


def without_account(pod: Json) -> Json:
    """The same pod as `default`: one whose account isn't there yet is refused for that alone."""
    spec = {
        key: value
        for key, value in spec_of(pod).items()
        if key not in ("serviceAccountName", "serviceAccount")
    }
    return {**pod, "spec": spec}
