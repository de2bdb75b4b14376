"""A Job that was made from a workload, made to fit beside the app: its labels, its volumes, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from shipit.chart import Document, pod_spec, pod_template_of, with_pod_spec
from shipit.errors import Forbidden
from shipit.events import Warned
from shipit.hints import advice
from shipit.model import Cluster, Json, Ref, as_int, as_map, as_maps, as_text, metadata_of, spec_of
from shipit.plan.selection import SelectedObject
from shipit.plan.selectors import policies_that_miss, unselected
from shipit.plan.workload_pod import WorkloadPod


def settled(
    one: SelectedObject, documents: Sequence[Document], namespace: str, cluster: Cluster
) -> SelectedObject:
    """`documents` are those of the chart and of the live release. What isn't made from a workload stays as it is."""
    pod = one.candidate.made_from
    if pod is None:
        return one
    labels = as_map(metadata_of(pod_template_of(one.body)).get("labels"))
    kept = unselected(labels, documents)
    body = _with_labels(one.body, kept)
    absent = _absent_claims(one, pod, namespace, cluster) if one.phase == "before" else frozenset()
    if absent:
        body = _with_empty_volumes(body, absent)
    called = f"Job {as_text(metadata_of(body).get('name'))}"
    told = (
        *_of_what_is_left_out(called, pod),
        *_of_the_app(pod, lifted=one.spec.lift),
        *_of_claims(called, pod, body, absent),
        *_of_policies(called, policies_that_miss(labels, kept, documents)),
    )
    return replace(one, candidate=replace(one.candidate, body=body), told=told)


def _with_labels(job: Json, labels: Json) -> Json:
    template = dict(pod_template_of(job) or {})
    meta = {key: value for key, value in metadata_of(template).items() if key != "labels"}
    meta |= {"labels": labels} if labels else {}
    template |= {"metadata": meta}
    return {**job, "spec": {**job["spec"], "template": template}}


def _absent_claims(one: SelectedObject, pod: WorkloadPod, namespace: str, cluster: Cluster) -> frozenset[str]:
    """The volumes of a StatefulSet's claim templates whose claim is not there yet: its controller makes it later."""
    place = pod.workload.ref.namespace or namespace
    used = {as_text(each.get("name")) for each in as_maps(pod_spec(one.body).get("volumes"))}
    absent = set[str]()
    for volume, claim in pod.claim_templates.items():
        with suppress(Forbidden):
            if volume in used and cluster.get(Ref("v1", "PersistentVolumeClaim", place, claim)) is None:
                absent.add(volume)
    return frozenset(absent)


def _with_empty_volumes(job: Json, names: frozenset[str]) -> Json:
    spec = pod_spec(job)
    volumes = [
        {"name": each["name"], "emptyDir": {}} if each.get("name") in names else each
        for each in as_maps(spec.get("volumes"))
    ]
    return with_pod_spec(job, {**spec, "volumes": volumes})


def _of_what_is_left_out(job: str, pod: WorkloadPod) -> Iterator[Warned]:
    names = ", ".join(as_text(each.get("name")) for each in pod.left_out)
    if names:
        yield Warned(
            f"{job} is made from {'init container' if pod.init else 'container'} {pod.name} of "
            f"{pod.workload.ref.title} without its other containers: {names}",
            hint=advice(
                "if it needs one of them, a database proxy for example, make that a native sidecar "
                "(an init container with restartPolicy: Always): those it keeps"
            ),
        )


def _of_the_app(pod: WorkloadPod, *, lifted: bool) -> Iterator[Warned]:
    """What becomes of an init container that migrates in each pod."""
    if not pod.init or pod.sidecar:
        return
    where = f"init container {pod.name} of {pod.workload.ref.title}"
    if lifted:
        yield Warned(f"{where} is left out of the app's pods; helm upgrade without shipit puts it back")
    else:
        yield Warned(
            f"{where} still runs in each of the app's pods, after the migration",
            hint=advice("lift = true under [migration] leaves it out of them"),
        )


def _of_claims(job: str, pod: WorkloadPod, body: Json, absent: frozenset[str]) -> Iterator[Warned]:
    claims = {as_text(each.get("name")) for each in as_maps(pod_spec(body).get("volumes"))}
    for volume, claim in pod.claim_templates.items():
        if volume in absent:
            yield Warned(
                f"{job} gets an empty volume {volume}, for {pod.workload.ref.title} has not made its claim {claim} yet: "
                "what it writes there is lost",
                hint=advice('phase = "during" under [migration] runs it once the claim is there'),
            )
        elif volume in claims and as_int(spec_of(pod.workload.body).get("replicas"), 1) > 1:
            yield Warned(
                f"{job} takes volume {volume} from the first replica of {pod.workload.ref.title}: claim {claim}"
            )


def _of_policies(job: str, policies: tuple[str, ...]) -> Iterator[Warned]:
    if policies:
        yield Warned(
            f"{job} does not carry the labels by which {', '.join(policies)} lets the app's pods through",
            hint=advice("let it look at a label that no Service, PodDisruptionBudget or workload selects"),
        )
