"""Writes, and what became of them when their answer was lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shipit.cluster.api import LOOK_WITHIN, Api
from shipit.cluster.calls import Call, Kind, call_for
from shipit.cluster.kinds import Kinds
from shipit.errors import AlreadyExists, Conflict, Invalid, NotFound
from shipit.model import (
    HASH_ANNOTATION,
    RUN_ANNOTATION,
    Json,
    Ref,
    as_text,
    as_texts,
    metadata_of,
    uid_of,
)

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
FIELD_MANAGER = "shipit"
HELM = "helm"


class Writes:
    """The half of `world.Cluster` that changes things. A write is sent again only when it certainly did not happen."""

    def __init__(self, api: Api, kinds: Kinds, default_namespace: str) -> None:
        self._api = api
        self._kinds = kinds
        self._namespace = default_namespace

    def create(self, manifest: Json, *, dry_run: bool = False) -> Json:
        call = self._call("create", manifest, dry_run=dry_run).asking(fieldManager=FIELD_MANAGER)
        if dry_run:
            return self._api.read(call.asking(fieldValidation="Strict") if _marks(manifest) else call)
        return self._api.settle(call, lambda: self._made(call, manifest))

    def _made(self, call: Call, manifest: Json) -> Json | None:
        """After a lost answer: ours, nobody's, or somebody else's."""
        if not call.name:
            raise Conflict(f"can't tell whether it was created: it has no name to look for ({call})")
        found = self._look(call)
        if found is None:
            return None
        if _marks(manifest) and _marks(found) == _marks(manifest):
            return found
        if not _marks(manifest) and _covers(found, manifest):
            return found
        raise AlreadyExists(
            f"{call.kind and call.kind.name} {call.name} exists", status=409, reason="AlreadyExists"
        )

    def replace(self, manifest: Json, *, dry_run: bool = False) -> Json:
        call = self._call("update", manifest, dry_run=dry_run).asking(fieldManager=FIELD_MANAGER)
        if dry_run:
            return self._api.read(call.asking(fieldValidation="Warn"))
        return self._api.settle(call, lambda: self._replaced(call, manifest))

    def _replaced(self, call: Call, manifest: Json) -> Json | None:
        """After a lost answer: not done when the version is the old one, done when what is there is what was sent."""
        found = self._look(call)
        if found is None:
            raise NotFound(
                f"{call.kind and call.kind.name} {call.name} is gone", status=404, reason="NotFound"
            )
        sent = as_text(metadata_of(manifest).get("resourceVersion"))
        if sent and as_text(metadata_of(found).get("resourceVersion")) == sent:
            return None
        if _covers(found, manifest):
            return found
        raise Conflict(
            f"{call.kind and call.kind.name} {call.name} was changed by someone else",
            status=409,
            reason="Conflict",
        )

    def apply(self, manifest: Json, *, dry_run: bool = False, force: bool = False) -> Json:
        """Applied twice it is the same as once."""
        call = self._call("patch", manifest, dry_run=dry_run).asking(fieldManager=HELM)
        call = call.asking(force="true") if force else call
        return self._api.read(replace(call, content_type=APPLY_PATCH))

    def patch(self, ref: Ref, patch: Json, *, uid: str) -> Json:
        """The UID in the patch is a precondition; patched twice it is the same as once."""
        kind = self._kinds.need(ref.api_version, ref.kind)
        body = {**patch, "metadata": {**metadata_of(patch), "uid": uid}}
        call = call_for("patch", kind, ref.namespace or self._namespace, ref.name, body=body)
        call = replace(call, content_type=MERGE_PATCH).asking(fieldManager=FIELD_MANAGER)
        try:
            return self._api.read(call)
        except Invalid as error:
            found = self._look(call)
            if found is not None and uid_of(found) != uid:
                raise Conflict(
                    f"{ref} was replaced meanwhile (UID {uid_of(found)})",
                    status=409,
                    reason="Conflict",
                ) from error
            raise

    def delete(self, ref: Ref, *, uid: str, version: str = "", propagation: str = "Foreground") -> None:
        kind = self._kinds.find(ref.api_version, ref.kind)
        if kind is None:
            return
        options: Json = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": {"uid": uid, **({"resourceVersion": version} if version else {})},
        }
        call = call_for("delete", kind, ref.namespace or self._namespace, ref.name, body=options)
        try:
            self._api.settle(call, lambda: self._leaving(call, uid))
        except NotFound:
            return

    def _leaving(self, call: Call, uid: str) -> Json | None:
        """After a lost answer: done when it is gone, another one, or on its way out."""
        found = self._look(call)
        meta = metadata_of(found)
        if found is None or meta.get("uid") != uid or meta.get("deletionTimestamp"):
            return {"kind": "Status", "status": "Success"}
        return None

    def _look(self, call: Call) -> Json | None:
        if call.kind is None or not call.name:
            return None
        try:
            return self._api.read(call_for("get", call.kind, call.namespace, call.name), within=LOOK_WITHIN)
        except NotFound:
            return None

    def _call(self, verb: Any, manifest: Json, *, dry_run: bool) -> Call:
        """Raises NotFound for a kind that isn't served, Invalid for what names no kind."""
        api_version, kind = as_text(manifest.get("apiVersion")), as_text(manifest.get("kind"))
        if not api_version or not kind:
            raise Invalid("the object has no apiVersion or no kind", reason="Invalid")
        served: Kind = self._kinds.need(api_version, kind)
        meta = metadata_of(manifest)
        namespace = as_text(meta.get("namespace")) or self._namespace
        call = call_for(verb, served, namespace, as_text(meta.get("name")), body=manifest)
        return call.asking(dryRun="All") if dry_run else call


def _marks(body: Json) -> tuple[str, str] | None:
    notes = as_texts(metadata_of(body).get("annotations"))
    marks = (notes.get(RUN_ANNOTATION, ""), notes.get(HASH_ANNOTATION, ""))
    return marks if any(marks) else None


_SERVERS_OWN = frozenset(
    {"resourceVersion", "generation", "managedFields", "creationTimestamp", "uid", "selfLink"}
)


def _covers(found: Any, sent: Any) -> bool:
    """Everything that was sent is there; what the API server adds by itself doesn't count."""
    if found is None:
        return not sent
    if isinstance(sent, dict):
        return isinstance(found, dict) and all(
            _covers(found.get(key), value) for key, value in sent.items() if key not in _SERVERS_OWN
        )
    if isinstance(sent, list):
        return isinstance(found, list) and len(found) == len(sent) and all(map(_covers, found, sent))
    return bool(found == sent)
