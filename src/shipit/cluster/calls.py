"""A call of the API as data: method, path, query, body, and the words that name it in a message."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import quote

from shipit.errors import Invalid
from shipit.model import Json

Verb = Literal["get", "list", "watch", "create", "update", "patch", "delete"]

METHODS: dict[Verb, str] = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}
_WORDS: dict[Verb, str] = {
    "get": "read",
    "list": "list",
    "watch": "watch",
    "create": "create",
    "update": "replace",
    "patch": "change",
    "delete": "delete",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """How the API serves a kind: `plural` is its name in paths and in RBAC rules."""

    api_version: str
    name: str
    plural: str
    namespaced: bool

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def root(self) -> str:
        return root_of(self.api_version)

    @property
    def resource(self) -> str:
        """As RBAC's messages write it: `jobs.batch`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


@dataclass(frozen=True, slots=True)
class Call:
    """`kind` is None for what is no object: /version, discovery."""

    verb: Verb
    path: str
    kind: Kind | None = None
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: tuple[tuple[str, str], ...] = ()
    body: Json | None = field(default=None, repr=False)
    content_type: str = "application/json"

    @property
    def method(self) -> str:
        return METHODS[self.verb]

    @property
    def dry_run(self) -> bool:
        return ("dryRun", "All") in self.query

    @property
    def secret(self) -> bool:
        """Nothing of its bodies may be shown."""
        return self.kind is not None and self.kind.name == "Secret"

    @property
    def resource(self) -> str:
        """As RBAC names it: `pods/log`, `jobs.batch`."""
        if self.kind is None:
            return self.path
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.resource

    def __str__(self) -> str:
        """In plain words: "read Job shop/migrate"."""
        word = _WORDS[self.verb]
        if self.kind is None:
            return f"{word} {self.path}"
        where = f" in namespace {self.namespace}" if self.namespace else ""
        if not self.name:
            return f"{word} {self.kind.plural}{where}"
        if self.subresource:
            return f"{word} the {self.subresource} of {self.kind.name} {self.name}{where}"
        return f"{word} {self.kind.name} {self.name}{where}"

    def asking(self, **query: str) -> Call:
        """The same call with more query parameters."""
        return replace(self, query=(*self.query, *query.items()))


def root_of(api_version: str) -> str:
    """The path under which a version of a group is served."""
    prefix = "/apis" if "/" in api_version else "/api"
    return prefix + "".join(f"/{segment(part)}" for part in api_version.split("/"))


def segment(text: str) -> str:
    """One part of a path. Raises Invalid for what would make it another path."""
    if not text or text in (".", ".."):
        raise Invalid(f"{text!r} is not a valid name of an object", reason="Invalid")
    return quote(text, safe="")


def call_for(
    verb: Verb, kind: Kind, namespace: str, name: str = "", *, subresource: str = "", body: Json | None = None
) -> Call:
    """A call about one object, or (with no name) about all of them; `create` names the object only in words."""
    namespace = namespace if kind.namespaced else ""
    path = kind.root
    if kind.namespaced:
        path += f"/namespaces/{segment(namespace)}"
    path += f"/{segment(kind.plural)}"
    if verb not in ("create", "list", "watch"):
        path += f"/{segment(name)}"
    if subresource:
        path += f"/{segment(subresource)}"
    return Call(verb, path, kind, namespace, name, subresource, body=body)
