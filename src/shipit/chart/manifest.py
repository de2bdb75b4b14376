"""A rendered manifest: its documents, where each comes from, what it holds, and what is left without some of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shipit.chart.yaml import load_yaml
from shipit.errors import Refused
from shipit.model import Json, Ref, Resource, as_map, as_maps, as_text

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")

# Kinds of Kubernetes' own that live in no namespace (`kubectl api-resources --namespaced=false`, 1.27 to 1.34).
# A chart's own kinds are taken for namespaced until the API server says otherwise.
CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterTrustBundle",
        "CustomResourceDefinition",
        "DeviceClass",
        "FlowSchema",
        "IPAddress",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PodSecurityPolicy",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceSlice",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    }
)

# Kubernetes ends a document at any line that begins with `---` and drops the rest of that line; Helm, which writes
# the manifest, leaves nothing else there.
_SEPARATOR = re.compile(r"^---(?:[ \t].*)?\r?(?:\n|\Z)", re.MULTILINE)
_SOURCE = re.compile(r"# Source: (?P<source>[^\r\n]*)\r?(?:\n|\Z)")
# What Helm calls a template when its post-renderer has lost it
_GENERATED = re.compile(r"(?:.*/)?generated-by-postrender-[^/]*\.yaml")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a manifest: `text` is Helm's to the byte, without the `# Source:` line and the last newline.

    `source` is the template's path with the chart in front (`shop/charts/db/templates/x.yaml`), "" when a
    post-renderer lost it. `resources` is the object itself, or what a `kind: List` holds.
    """

    source: str
    text: str
    body: Json
    ref: Ref
    resources: tuple[Resource, ...]


def split(manifest: str, namespace: str = "") -> tuple[Document, ...]:
    """The documents of a manifest as Helm renders it; those that hold nothing but comments are dropped.

    `namespace` is the release's: where an object that names none will live. Raises Refused for what isn't YAML or
    no object, naming the template and the line.
    """
    documents: list[Document] = []
    source = ""
    for chunk in _SEPARATOR.split(manifest):
        text = chunk.removesuffix("\n")
        matched = _SOURCE.match(text)
        # Helm 3 leaves a `---` that followed another one between the source and its document
        source = known_source(matched["source"].strip()) if matched else source
        text = text[matched.end() :] if matched else text
        if document := _document(source, text, namespace):
            documents.append(document)
        source = source if not text.strip() else ""
    return tuple(documents)


def ref_of(body: Json, namespace: str = "") -> Ref:
    """What an object is called, in that namespace when it names none and its kind has one."""
    metadata = as_map(body.get("metadata"))
    api_version, kind = as_text(body.get("apiVersion")), as_text(body.get("kind"))
    place = "" if cluster_scoped(api_version, kind) else as_text(metadata.get("namespace")) or namespace
    return Ref(api_version, kind, place, as_text(metadata.get("name")))


def cluster_scoped(api_version: str, kind: str) -> bool:
    """True for a kind of Kubernetes' own that lives in no namespace."""
    group = api_version.rpartition("/")[0]
    return kind in CLUSTER_SCOPED and ("." not in group or group.endswith(".k8s.io"))


def generated_name(body: Json) -> str:
    """What begins the name that the API server would make, "" for an object that has one of its own."""
    metadata = as_map(body.get("metadata"))
    return "" if as_text(metadata.get("name")) else as_text(metadata.get("generateName"))


def known_source(source: str) -> str:
    """A template's path as Helm tells it; "" for the name that stands for one that a post-renderer has lost."""
    return "" if _GENERATED.fullmatch(source) else source


def from_template(source: str, template: str) -> bool:
    """Whether a document's source is that template, named from the chart's folder or with the chart in front."""
    wanted = template.removeprefix("./")
    return bool(wanted) and wanted in (source, source.partition("/")[2])


def resources(documents: Iterable[Document]) -> tuple[Resource, ...]:
    """Every object, those inside a `kind: List` too."""
    return tuple(resource for document in documents for resource in document.resources)


def candidates(documents: Iterable[Document]) -> tuple[Resource, ...]:
    """The Jobs and bare Pods that are no hooks: any of them may be the migration."""
    return tuple(each for each in resources(documents) if _runs_to_an_end(each.ref))


def _runs_to_an_end(ref: Ref) -> bool:
    return (ref.api_version, ref.kind) == ("v1", "Pod") or (
        ref.kind == "Job" and ref.api_version.startswith("batch/")
    )


def workloads(documents: Iterable[Document]) -> tuple[Ref, ...]:
    """The Deployments, StatefulSets and DaemonSets, in the manifest's order."""
    return tuple(
        each.ref
        for each in resources(documents)
        if each.ref.kind in WORKLOADS and each.ref.api_version.startswith("apps/")
    )


def without(documents: Iterable[Document], gone: Collection[Ref | Resource]) -> tuple[Document, ...]:
    """The documents less these objects, or all that are called so; every other stays as it is, to the byte.

    Only a `kind: List` that also holds something else is written anew.
    """
    refs = {each for each in gone if isinstance(each, Ref)}
    objects = [each for each in gone if isinstance(each, Resource)]
    kept = (
        (each, tuple(r for r in each.resources if r.ref not in refs and r not in objects))
        for each in documents
    )
    return tuple(
        document if rest == document.resources else _rewritten(document, rest)
        for document, rest in kept
        if rest or not document.resources
    )


def with_bodies(documents: Iterable[Document], bodies: Mapping[Ref, Json]) -> tuple[Document, ...]:
    """The documents with other bodies for these objects; every other stays as it is, to the byte."""
    found = []
    for document in documents:
        now = tuple(replace(r, body=bodies.get(r.ref, r.body)) for r in document.resources)
        found.append(document if now == document.resources else _rewritten(document, now))
    return tuple(found)


def digest(documents: Iterable[Document]) -> str:
    """Names what the documents say, as 64 hexadecimal digits; comments, layout, order and templates don't count."""
    lines = sorted(canonical(each.body) for each in resources(documents))
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def canonical(value: Any) -> str:
    """JSON that is the same text for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def _document(source: str, text: str, namespace: str) -> Document | None:
    body = load_yaml(text, source or "the rendered manifest")
    if body is None:
        return None
    if not isinstance(body, dict):
        raise Refused(f"{source or 'the rendered manifest'}: not a Kubernetes object, but {_kind_of(body)}")
    found = tuple(Resource(ref_of(each, namespace), each, source) for each in _items(body))
    return Document(source, text, body, ref_of(body, namespace), found)


def _items(body: Json) -> tuple[Json, ...]:
    items = body.get("items")
    if not (as_text(body.get("kind")).endswith("List") and isinstance(items, list)):
        return (body,)
    return tuple(inner for each in as_maps(items) for inner in _items(each))


def _rewritten(document: Document, rest: tuple[Resource, ...]) -> Document:
    alone = document.resources and document.resources[0].body == document.body
    body = rest[0].body if alone else {**document.body, "items": [each.body for each in rest]}
    # JSON is YAML, but for the characters that YAML wants escaped
    text = _UNPRINTABLE.sub(_escaped, json.dumps(body, indent=2, ensure_ascii=False))
    return Document(document.source, text, body, document.ref, rest)


def _escaped(matched: re.Match[str]) -> str:
    return f"\\u{ord(matched[0]):04x}"


def _kind_of(value: Any) -> str:
    return "a list" if isinstance(value, list) else f"`{str(value)[:60]}`"
