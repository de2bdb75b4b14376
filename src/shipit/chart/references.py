"""What a pod can't start without: every Secret, ConfigMap, ServiceAccount and claim that its template names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from shipit.chart.pod_template import containers, pod_spec
from shipit.model import Json, as_map, as_maps, as_text

Kind = Literal["Secret", "ConfigMap", "ServiceAccount", "PersistentVolumeClaim"]


@dataclass(frozen=True, slots=True)
class Reference:
    """One object that a pod template names. `key` is "" when the whole object is meant.

    `optional`: the pod starts without it. `where` says who needs it: `container migrate, env DATABASE_URL`.
    """

    kind: Kind
    name: str
    key: str = ""
    optional: bool = False
    where: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f", key {self.key}" if self.key else "")


def references_of(body: Json) -> tuple[Reference, ...]:
    """Everything that a Job, CronJob, workload or Pod names, each once, in the order of its template.

    The account `default` is there in every namespace and isn't named. A missing `imagePullSecrets` entry is
    optional, as for the kubelet: it pulls without.
    """
    spec = pod_spec(body)
    found = [*_account(spec), *_pull_secrets(spec)]
    for volume in as_maps(spec.get("volumes")):
        found += _volume(volume)
    for container in containers(body):
        found += _environment(container)
    unique: dict[tuple[str, str, str, bool], Reference] = {}
    for each in found:
        unique.setdefault((each.kind, each.name, each.key, each.optional), each)
    return tuple(unique.values())


def _account(spec: Json) -> Iterator[Reference]:
    name = as_text(spec.get("serviceAccountName") or spec.get("serviceAccount"))
    if name and name != "default":
        yield Reference("ServiceAccount", name, where="serviceAccountName")


def _pull_secrets(spec: Json) -> Iterator[Reference]:
    for entry in as_maps(spec.get("imagePullSecrets")):
        if name := as_text(entry.get("name")):
            yield Reference("Secret", name, optional=True, where="imagePullSecrets")


def _environment(container: Json) -> Iterator[Reference]:
    who = f"container {as_text(container.get('name'))}"
    for entry in as_maps(container.get("env")):
        source, where = as_map(entry.get("valueFrom")), f"{who}, env {as_text(entry.get('name'))}"
        yield from _one("Secret", source.get("secretKeyRef"), where, keyed=True)
        yield from _one("ConfigMap", source.get("configMapKeyRef"), where, keyed=True)
    for entry in as_maps(container.get("envFrom")):
        yield from _one("Secret", entry.get("secretRef"), f"{who}, envFrom")
        yield from _one("ConfigMap", entry.get("configMapRef"), f"{who}, envFrom")


def _volume(volume: Json) -> Iterator[Reference]:
    where = f"volume {as_text(volume.get('name'))}"
    yield from _files("Secret", volume.get("secret"), where, "secretName")
    yield from _files("ConfigMap", volume.get("configMap"), where)
    for source in as_maps(as_map(volume.get("projected")).get("sources")):
        yield from _files("Secret", source.get("secret"), where)
        yield from _files("ConfigMap", source.get("configMap"), where)
    if claim := as_text(as_map(volume.get("persistentVolumeClaim")).get("claimName")):
        yield Reference("PersistentVolumeClaim", claim, where=where)
    yield from _driver_secrets(volume, where)


def _driver_secrets(volume: Json, where: str) -> Iterator[Reference]:
    """The Secrets of storage drivers: `azureFile.secretName`, `csi.nodePublishSecretRef`, `cephfs.secretRef`, …"""
    if name := as_text(as_map(volume.get("azureFile")).get("secretName")):
        yield Reference("Secret", name, where=where)
    for source in map(as_map, volume.values()):
        yield from _one("Secret", source.get("nodePublishSecretRef"), where)
        yield from _one("Secret", source.get("secretRef"), where)


def _one(kind: Kind, source: Any, where: str, *, keyed: bool = False) -> Iterator[Reference]:
    named = as_map(source)
    if name := as_text(named.get("name")):
        key = as_text(named.get("key")) if keyed else ""
        yield Reference(kind, name, key, named.get("optional") is True, where)


def _files(kind: Kind, source: Any, where: str, name_key: str = "name") -> Iterator[Reference]:
    """A volume source: the whole object, or the keys that its `items` list."""
    named = as_map(source)
    name, optional = as_text(named.get(name_key)), named.get("optional") is True
    keys = [as_text(entry.get("key")) for entry in as_maps(named.get("items"))]
    if name:
        yield from (Reference(kind, name, key, optional, where) for key in keys or [""])
