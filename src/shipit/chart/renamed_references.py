"""A pod template that takes its ConfigMaps and Secrets under other names."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from shipit.chart.pod_template import containers, pod_spec
from shipit.model import Json, as_map, as_maps, as_text

Names = Mapping[tuple[str, str], str]
"""Kind and name of an object → the name under which it is to be taken."""


def with_references(body: Json, names: Names) -> Json:
    """A copy of a Job or Pod that takes these ConfigMaps and Secrets under their new names: in the environment of its
    containers, in volumes and as pull secrets.
    """
    found = copy.deepcopy(body)
    for kind, source, key in _sources(found):
        if isinstance(source, dict) and (new := names.get((kind, as_text(source.get(key))))):
            source[key] = new
    return found


def _sources(body: Json) -> Iterator[tuple[str, Any, str]]:
    """Every place that names a ConfigMap or Secret: its kind, the map that holds the name, and under which key."""
    spec = pod_spec(body)
    for entry in as_maps(spec.get("imagePullSecrets")):
        yield "Secret", entry, "name"
    for container in containers(body):
        for entry in as_maps(container.get("env")):
            source = as_map(entry.get("valueFrom"))
            yield "Secret", source.get("secretKeyRef"), "name"
            yield "ConfigMap", source.get("configMapKeyRef"), "name"
        for entry in as_maps(container.get("envFrom")):
            yield "Secret", entry.get("secretRef"), "name"
            yield "ConfigMap", entry.get("configMapRef"), "name"
    for volume in as_maps(spec.get("volumes")):
        yield "Secret", volume.get("secret"), "secretName"
        yield "ConfigMap", volume.get("configMap"), "name"
        yield "Secret", as_map(volume.get("csi")).get("nodePublishSecretRef"), "name"
        for source in as_maps(as_map(volume.get("projected")).get("sources")):
            yield "Secret", source.get("secret"), "name"
            yield "ConfigMap", source.get("configMap"), "name"
