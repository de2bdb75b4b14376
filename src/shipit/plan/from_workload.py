"""The Job of a migration that has no template: made from a workload that the chart renders."""

from __future__ import annotations

import re

from shipit.chart import pod_spec, resources
from shipit.config import MigrationSpec, WorkloadName, nearest, workload_name
from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import Json, Resource, as_maps, as_text, metadata_of
from shipit.plan.candidates import Candidate, Rendering
from shipit.plan.short_names import shortened
from shipit.plan.workload_pod import WorkloadPod

_UNUSABLE = re.compile(r"[^a-z0-9]+")


def made_from(spec: MigrationSpec, rendering: Rendering) -> Candidate:
    """The Job for a `[migration]` with `from`, its pods still labelled as the workload's. Raises Refused when there is
    no such workload or container.
    """
    workload = find_workload(spec.workload, rendering)
    pod = find_container(spec.container, workload)
    name = job_name(workload.ref.name, spec.name or "migrate")
    namespace = as_text(metadata_of(workload.body).get("namespace"))
    body: Json = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
        "spec": {"backoffLimit": 0, "podReplacementPolicy": "Failed", "template": pod.template(spec)},
    }
    return Candidate("Job", name, "", body, made_from=pod)


def find_workload(text: str, rendering: Rendering) -> Resource:
    """Raises Refused with the workloads that there are."""
    wanted = workload_name(text)
    there = [each for each in resources(rendering.documents) if _name_of(each) is not None]
    found = next((each for each in there if _name_of(each) == wanted), None)
    if found is not None:
        return found
    near = (
        nearest(wanted.name, [each.ref.name for each in there if each.ref.kind == wanted.kind])
        if wanted
        else ""
    )
    raise Refused(
        f"the chart renders no {wanted}, from which the migration is to be made",
        hint=advice(
            f'did you mean from = "{text.partition("/")[0]}/{near}"?'
            if near
            else "set from under [migration] to a workload that it renders"
            if there
            else "the chart renders no workload at all: is it behind a value? set = { … } under [migration] turns it on"
        ),
        details=tuple(str(_name_of(each)) for each in there),
    )


def _name_of(resource: Resource) -> WorkloadName | None:
    """As `from` would name it; None for anything but Kubernetes' own workloads."""
    group = resource.ref.api_version.rpartition("/")[0]
    word = ".".join(part for part in (resource.ref.kind.lower(), group) if part)
    return workload_name(f"{word}/{resource.ref.name}")


def find_container(name: str, workload: Resource) -> WorkloadPod:
    """The container of that name, init containers included; the first one where none is named. Raises Refused."""
    spec = pod_spec(workload.body)
    inits, others = as_maps(spec.get("initContainers")), as_maps(spec.get("containers"))
    for each, init in (*((each, False) for each in others), *((each, True) for each in inits)):
        if not name or as_text(each.get("name")) == name:
            return WorkloadPod(workload, each, init=init)
    there = [as_text(each.get("name")) for each in (*inits, *others)]
    near = nearest(name, there)
    raise Refused(
        f"{workload.ref.title} has no container {name}, from which the migration is to be made",
        hint=advice(
            f'did you mean container = "{near}"?' if near else "set container under [migration] to one that it has"
        ),
        details=(*(f"init container {as_text(each.get('name'))}" for each in inits),
                 *(f"container {as_text(each.get('name'))}" for each in others)),
    )  # fmt: skip


def job_name(workload: str, step: str) -> str:
    """`shop-migrate` for step migrate of Deployment shop: the same with each deploy, so that the next one finds it."""
    whole = f"{workload}-{step}"
    return shortened(_UNUSABLE.sub("-", whole.lower()).strip("-"))
