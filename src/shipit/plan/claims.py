"""Claims that a migration mounts and one node, or one pod, has to itself: who has them now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from shipit.chart import references_of
from shipit.errors import Forbidden, Refused
from shipit.events import Warned
from shipit.hints import advice
from shipit.model import (
    Cluster,
    Json,
    Plan,
    Ref,
    Step,
    as_list,
    as_map,
    as_maps,
    as_text,
    metadata_of,
    spec_of,
)
from shipit.plan.objects import Objects
from shipit.plan.verdicts import Preflight

_SHARED = frozenset({"ReadWriteMany", "ReadOnlyMany"})
_ENDED = ("Succeeded", "Failed")


def check_claims(plan: Plan, cluster: Cluster, objects: Objects, preflight: Preflight) -> None:
    """Tell which claims keep a migration to one node. Raises Refused where a pod of the app has one to itself."""
    for step in plan.to_run:
        for claim in _exclusive(step, objects):
            _check(step, claim, cluster, preflight)


def _exclusive(step: Step, objects: Objects) -> Iterator[Json]:
    """The claims of a Job or Pod that not every node may have at once. What may not be read is no trouble."""
    names = [each.name for each in references_of(step.manifest) if each.kind == "PersistentVolumeClaim"]
    for name in dict.fromkeys(names) if step.watched else ():
        with suppress(Forbidden):
            claim = objects.get(Ref("v1", "PersistentVolumeClaim", step.ref.namespace, name))
            modes = as_list(spec_of(claim).get("accessModes"))
            if claim is not None and modes and not _SHARED & {*modes}:
                yield claim


def _check(step: Step, claim: Json, cluster: Cluster, preflight: Preflight) -> None:
    name = as_text(metadata_of(claim).get("name"))
    users = _users(step, name, cluster)
    if not users:
        return
    pods, nodes = sorted(users), sorted({*users.values()})
    used = f"PersistentVolumeClaim {name}, which {', '.join(pods[:3])}{' …' if len(pods) > 3 else ''}"  # noqa: PLR2004
    if "ReadWriteOncePod" in as_list(spec_of(claim).get("accessModes")) and step.phase == "before":
        preflight.refuse(
            Refused(
                f"{step.ref.title} can't start: it mounts {used} has to itself (ReadWriteOncePod)",
                hint=advice("leave that volume out of the migration, or use ReadWriteOnce"),
            )
        )
        return
    preflight.emit(
        Warned(
            f"{step.ref.title} mounts {used} uses on node {', '.join(nodes)}: it is ReadWriteOnce, and the migration "
            "can start only there",
            hint=advice("keep the migration on that node, or leave the volume out of it"),
        )
    )


def _users(step: Step, claim: str, cluster: Cluster) -> dict[str, str]:
    """The pods that have the claim now, each with its node; not those of an earlier try of the step."""
    found: dict[str, str] = {}
    with suppress(Forbidden):
        for pod in cluster.find("v1", "Pod", step.ref.namespace, ""):
            meta, spec = metadata_of(pod), spec_of(pod)
            node = as_text(spec.get("nodeName"))
            own = step.ref.name in (as_map(meta.get("labels")).get("job-name"), meta.get("name"))
            if (
                node
                and not own
                and as_map(pod.get("status")).get("phase") not in _ENDED
                and _mounts(spec, claim)
            ):
                found[f"Pod {as_text(meta.get('name'))}"] = node
    return found


def _mounts(spec: Json, claim: str) -> bool:
    volumes = (as_map(each.get("persistentVolumeClaim")) for each in as_maps(spec.get("volumes")))
    return any(each.get("claimName") == claim for each in volumes)
