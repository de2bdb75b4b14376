"""What a Job or Pod does, in parts with a name each: what it runs, with what, and nothing that only dresses it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from shipit.chart import canonical, pod_spec
from shipit.model import Json, as_map, as_maps, as_text

Content = Callable[[str, str], Any]
"""What the hook's object of that kind and name holds; None where no hook makes it, and its name is all there is."""

# Where a pod's spec names another object: the key that holds the reference, the kind, and the keys of its name.
_REFERENCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "secretKeyRef": ("Secret", ("name",)),
    "secretRef": ("Secret", ("name",)),
    "nodePublishSecretRef": ("Secret", ("name",)),
    "secret": ("Secret", ("secretName", "name")),
    "azureFile": ("Secret", ("secretName",)),
    "configMapKeyRef": ("ConfigMap", ("name",)),
    "configMapRef": ("ConfigMap", ("name",)),
    "configMap": ("ConfigMap", ("name",)),
    "persistentVolumeClaim": ("PersistentVolumeClaim", ("claimName",)),
}


class Part(NamedTuple):
    """`title` is for people; it may hold a name that is another one in the next rendering."""

    title: str
    value: Any


Doing = dict[str, Part]


def doing_of(body: Json, content: Content) -> Doing:
    """The parts of what it does, by keys that stay the same when names change with each rendering.

    Per container the image, command, arguments, environment and mounts; the account and the volumes; what the hooks'
    objects among them hold, whatever they are called. Labels, annotations, resources and its own name don't count.
    """
    named = _Named(content)
    spec = pod_spec(body)
    parts: Doing = {}
    for kind, field in (("init container", "initContainers"), ("container", "containers")):
        for each in as_maps(spec.get(field)):
            parts |= dict(_container(f"{kind} {as_text(each.get('name'))}", each, named))
    for volume in as_maps(spec.get("volumes")):
        title = f"volume {as_text(volume.get('name'))}"
        parts[title] = Part(title, named.replaced(volume))
    account = as_text(spec.get("serviceAccountName") or spec.get("serviceAccount")) or "default"
    parts["account"] = Part("serviceAccountName", named.name("ServiceAccount", account))
    return parts | named.contents


def doing_digest(doing: Doing) -> str:
    """Names it as 64 hexadecimal digits."""
    values = {key: part.value for key, part in doing.items()}
    return hashlib.sha256(canonical(values).encode("utf-8", "surrogatepass")).hexdigest()


def content_of(body: Json) -> Any:
    """What an object holds, apart from its metadata: the same for `data` and `stringData`."""
    kind = as_text(body.get("kind"))
    if kind == "Secret":
        return dict(sorted({**_decoded(body.get("data")), **as_map(body.get("stringData"))}.items()))
    if kind == "ConfigMap":
        return {key: as_map(body.get(key)) for key in ("data", "binaryData")}
    return as_map(body.get("spec"))


class _Named:
    """Names of hooks' objects, replaced by their number; what they hold becomes a part of its own."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._numbers: dict[tuple[str, str], str] = {}
        self.contents: Doing = {}

    def name(self, kind: str, name: str) -> str:
        if (kind, name) not in self._numbers:
            held = self._content(kind, name)
            key = name if held is None else f"hook {kind} {len(self.contents)}"
            self._numbers[kind, name] = key
            if held is not None:
                self.contents[key] = Part(f"{kind} {name}", held)
        return self._numbers[kind, name]

    def replaced(self, value: Any) -> Any:
        """The value with every reference to a hook's object replaced."""
        if isinstance(value, list):
            return [self.replaced(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {key: self._entry(key, each) for key, each in value.items()}

    def _entry(self, key: str, value: Any) -> Any:
        inner = self.replaced(value)
        if key not in _REFERENCES or not isinstance(inner, dict):
            return inner
        kind, names = _REFERENCES[key]
        there = {each: self.name(kind, as_text(inner[each])) for each in names if as_text(inner.get(each))}
        return inner | there


def _container(title: str, body: Json, named: _Named) -> Iterator[tuple[str, Part]]:
    for field in ("image", "command", "args", "workingDir", "envFrom", "volumeMounts", "volumeDevices"):
        yield f"{title} {field}", Part(f"{title}: {field}", named.replaced(body.get(field)))
    env = as_maps(body.get("env"))
    yield f"{title} env", Part(f"{title}: env", [as_text(each.get("name")) for each in env])
    for each in env:
        name = as_text(each.get("name"))
        yield f"{title} env {name}", Part(f"{title}: env {name}", named.replaced(each))


def _decoded(data: Any) -> Json:
    """What can't be decoded stays as it is."""
    found: Json = {}
    for key, value in as_map(data).items():
        try:
            found[key] = base64.b64decode("".join(str(value).split()), validate=True).decode()
        except (binascii.Error, ValueError):
            found[key] = str(value)
    return found
