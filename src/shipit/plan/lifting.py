"""Pure: the app without the init containers that shipit runs as a Job in their stead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shipit.chart import Document, pod_spec, resources, with_bodies, with_pod_spec
from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import Json, Ref, as_maps, as_text
from shipit.plan.selection import SelectedObject
from shipit.plan.workload_pod import WorkloadPod, mounted

_KEEP = advice("leave lift out: then it runs in the app's pods as well, after the migration")


def without_lifted(app: Sequence[Document], selected: Sequence[SelectedObject]) -> tuple[Document, ...]:
    """What Helm gets. Raises Refused where the app's pods need what is lifted."""
    bodies: dict[Ref, Json] = {}
    for pod in _lifted(selected):
        ref = pod.workload.ref
        there = next((each.body for each in resources(app) if each.ref == ref), None)
        if there is None:
            raise Refused(
                f"init container {pod.name} can't be lifted: the release's own rendering has no {ref.title}",
                hint=_KEEP,
            )
        _check_unshared(pod)
        bodies[ref] = _without(bodies.get(ref, there), pod.name)
    return with_bodies(app, bodies) if bodies else tuple(app)


def _lifted(selected: Sequence[SelectedObject]) -> Iterator[WorkloadPod]:
    for one in selected:
        pod = one.candidate.made_from
        if pod is None or not one.spec.lift:
            continue
        if not pod.init or pod.sidecar:
            what = "keeps running beside the others" if pod.init else "is the app"
            raise Refused(
                f"container {pod.name} of {pod.workload.ref.title} can't be lifted: it {what}, "
                "and only an init container that ends can be taken out",
                hint=advice("leave lift out, or set container under [migration] to an init container"),
            )
        yield pod


def _check_unshared(pod: WorkloadPod) -> None:
    """What it leaves behind in a volume would be missing in the app's pods."""
    written = pod.written(pod.picked)
    others = (each for field in ("initContainers", "containers") for each in as_maps(pod.spec.get(field)))
    for each in others:
        shared = sorted(written & mounted(each)) if each != pod.picked else []
        if shared:
            raise Refused(
                f"init container {pod.name} of {pod.workload.ref.title} can't be lifted: "
                f"it may write to volume {shared[0]}, which container {as_text(each.get('name'))} mounts",
                hint=advice("leave lift out, or mount that volume readOnly in the init container"),
            )


def _without(body: Json, container: str) -> Json:
    """A pod without init containers has no empty list of them."""
    spec = pod_spec(body)
    left = [each for each in as_maps(spec.get("initContainers")) if each.get("name") != container]
    rest = {key: value for key, value in spec.items() if key != "initContainers"}
    return with_pod_spec(body, rest | ({"initContainers": left} if left else {}))
