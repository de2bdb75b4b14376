"""Pure: a workload's pod, cut down to the container that migrates and what that needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import UNSET

from shipit.chart import pod_spec, pod_template_of
from shipit.config import MigrationSpec
from shipit.model import Json, Resource, as_int, as_map, as_maps, as_text, metadata_of, spec_of

_OF_SERVING = ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle")
_OF_STARTING_AGAIN = ("restartPolicy", "restartPolicyRules", "resizePolicy")
_OF_A_TERMINAL = ("stdin", "stdinOnce", "tty")
_OF_REPLICAS = (
    "topologySpreadConstraints",  # how they lie beside each other: one pod does not spread
    "hostname",
    "subdomain",  # the name by which others find one of them
    "setHostnameAsFQDN",
    "readinessGates",
    "schedulingGates",  # nobody would take them away
    "activeDeadlineSeconds",  # of a Pod: as long as the app may run
    "ephemeralContainers",
)
_READ_ONLY = ("configMap", "secret", "projected", "downwardAPI", "image")
"""Kinds of volumes that no container can write to."""
_OF_CONTAINERS = (
    "container.apparmor.security.beta.kubernetes.io/",
    "kubectl.kubernetes.io/default-container",
)
"""Annotations that name a container, which must be there."""


@dataclass(frozen=True, slots=True)
class WorkloadPod:
    """The pod of a workload, and the container of it that migrates."""

    workload: Resource
    picked: Json
    init: bool

    @property
    def spec(self) -> Json:
        return pod_spec(self.workload.body)

    @property
    def name(self) -> str:
        return as_text(self.picked.get("name"))

    @property
    def sidecar(self) -> bool:
        return self.init and is_sidecar(self.picked)

    @property
    def beside(self) -> tuple[Json, ...]:
        """The init containers that stay: native sidecars, and those which run before it and write to a volume that it,
        or one that stays, mounts.
        """
        inits = [each for each in as_maps(self.spec.get("initContainers")) if each != self.picked]
        wanted = mounted(self.picked).union(*(mounted(each) for each in inits if is_sidecar(each)))
        kept: list[Json] = []
        for each in reversed(inits):
            prepares = self._runs_before(each) and bool(self.written(each) & wanted)
            if is_sidecar(each) or prepares:
                kept.append(each)
                wanted |= mounted(each)
        return tuple(reversed(kept))

    @property
    def left_out(self) -> tuple[Json, ...]:
        """What runs before it in the workload's pods, or beside it, and is not in the Job's."""
        before = [each for each in as_maps(self.spec.get("initContainers")) if self._runs_before(each)]
        beside = () if self.init else as_maps(self.spec.get("containers"))
        return tuple(each for each in (*before, *beside) if each not in (self.picked, *self.beside))

    @property
    def claim_templates(self) -> dict[str, str]:
        """The volumes that a StatefulSet gives each replica: their names, and the claims of the first replica."""
        spec, name = spec_of(self.workload.body), self.workload.ref.name
        first = as_int(as_map(spec.get("ordinals")).get("start"))
        templates = as_maps(spec.get("volumeClaimTemplates"))
        volumes = [as_text(metadata_of(each).get("name")) for each in templates]
        return {volume: f"{volume}-{name}-{first}" for volume in volumes if volume}

    def written(self, container: Json) -> frozenset[str]:
        """The names of the volumes that a container may write to."""
        fixed = {
            as_text(each.get("name"))
            for each in as_maps(self.spec.get("volumes"))
            if any(as_map(each.get(kind)) for kind in _READ_ONLY)
            or as_map(each.get("persistentVolumeClaim")).get("readOnly") is True
        }
        mounts = (each for each in as_maps(container.get("volumeMounts")) if each.get("readOnly") is not True)
        devices = as_maps(container.get("volumeDevices"))
        return frozenset(as_text(each.get("name")) for each in (*mounts, *devices)) - fixed

    def template(self, spec: MigrationSpec) -> Json:
        """The pod template of the Job. It still carries the workload's labels."""
        picked = _migrating(self.picked, spec)
        beside = [_without_host_ports(each) for each in self.beside]
        used = frozenset[str]().union(*(mounted(each) for each in (picked, *beside)))
        pod = {key: value for key, value in self.spec.items() if key not in _OF_REPLICAS}
        if not as_int(pod.get("terminationGracePeriodSeconds"), 1):
            del pod[
                "terminationGracePeriodSeconds"
            ]  # a pod that is gone at once may still run, and proves nothing
        if spec.resources is not UNSET:
            pod.pop("resources", None)  # of all its containers together
        affinity = as_map(pod.get("affinity")).get("nodeAffinity")  # the rest is about the app's other pods
        pod |= {
            "restartPolicy": "Never",
            "initContainers": beside,
            "containers": [picked],
            "volumes": list(self._volumes(used)),
            "affinity": {"nodeAffinity": affinity} if affinity else None,
        }
        whole = {"metadata": self._metadata(), "spec": {k: v for k, v in pod.items() if v not in (None, [])}}
        return whole if whole["metadata"] else {"spec": whole["spec"]}

    def _runs_before(self, container: Json) -> bool:
        inits = as_maps(self.spec.get("initContainers"))
        if container not in inits:
            return False
        return not self.init or inits.index(container) < inits.index(self.picked)

    def _volumes(self, used: frozenset[str]) -> Iterator[Json]:
        claims = self.claim_templates
        for each in as_maps(self.spec.get("volumes")):
            if as_text(each.get("name")) in used - claims.keys():
                yield each
        for name, claim in claims.items():
            if name in used:
                yield {"name": name, "persistentVolumeClaim": {"claimName": claim}}

    def _metadata(self) -> Json:
        meta = metadata_of(pod_template_of(self.workload.body))
        labels, notes = as_map(meta.get("labels")), as_map(meta.get("annotations"))
        alien = (*_OF_CONTAINERS, "helm.sh/", "meta.helm.sh/", "kubectl.kubernetes.io/last-applied")
        notes = {key: value for key, value in notes.items() if not str(key).startswith(alien)}
        return {key: value for key, value in (("labels", labels), ("annotations", notes)) if value}


def is_sidecar(container: Json) -> bool:
    """An init container that keeps running beside the others."""
    return container.get("restartPolicy") == "Always"


def mounted(container: Json) -> frozenset[str]:
    """The names of the volumes that a container has."""
    found = (*as_maps(container.get("volumeMounts")), *as_maps(container.get("volumeDevices")))
    return frozenset(as_text(each.get("name")) for each in found)


def _migrating(container: Json, spec: MigrationSpec) -> Json:
    """A command of one's own leaves none of the old arguments behind: they were another program's."""
    gone = [*_OF_SERVING, *_OF_STARTING_AGAIN, *_OF_A_TERMINAL]
    given = {"command": spec.command, "args": spec.args, "resources": spec.resources}
    said = {key: list(v) if isinstance(v, tuple) else v for key, v in given.items() if v is not UNSET}
    if "command" in said:
        gone.append("args")
    return {key: value for key, value in container.items() if key not in gone} | said


def _without_host_ports(container: Json) -> Json:
    """The app's own pods may hold them on that node."""
    ports = [{k: v for k, v in port.items() if k != "hostPort"} for port in as_maps(container.get("ports"))]
    return {**container, "ports": ports} if ports else container
