"""What of a rendering shipit may run, and which of it is the same in another rendering of the chart."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from shipit.chart import Document, candidates, canonical, generated_name, load_yaml, pod_spec, split
from shipit.model import Hook, Json, Rendered, Resource, as_map, as_text
from shipit.plan.workload_pod import WorkloadPod

AROUND = frozenset(f"{when}-{operation}" for when in ("pre", "post") for operation in ("install", "upgrade"))
"""The events of hooks that a deploy runs."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A chart as it was rendered once: its hooks, and the documents that are none."""

    hooks: tuple[Hook, ...] = ()
    documents: tuple[Document, ...] = ()

    @classmethod
    def of(cls, rendered: Rendered, namespace: str) -> Rendering:
        """`namespace` is the release's. Raises Refused for a manifest that can't be read."""
        return cls(rendered.hooks, split(rendered.manifest, namespace))

    @property
    def sourceless(self) -> bool:
        """A post-renderer has lost which template anything is of."""
        return not any(each.source for each in self.documents)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A hook of any kind, a Job or Pod that is none, or a Job that is made from a workload.

    `name` is what its metadata says, or what begins the name that the API server would make; `source` is its
    template, "" where that is not known.
    """

    kind: str
    name: str
    source: str
    body: Json
    hook: Hook | None = None
    resource: Resource | None = None
    made_from: WorkloadPod | None = None

    @property
    def runs(self) -> bool:
        return self.kind in ("Job", "Pod")

    @property
    def ends(self) -> bool:
        """False for a Pod whose containers the kubelet starts again and again: an app, unless somebody names it."""
        return self.kind == "Job" or pod_spec(self.body).get("restartPolicy") in ("Never", "OnFailure")

    @property
    def stem(self) -> str:
        """Its template's name, "" where that is not known."""
        return PurePosixPath(self.source).stem

    @property
    def label(self) -> str:
        """Its own name, where the API server would not make it; else its template's."""
        named = as_text(as_map(self.body.get("metadata")).get("name"))
        return named or self.stem or self.name.rstrip("-.")

    def __str__(self) -> str:
        """As it is listed for somebody who has to choose."""
        hooked = f" (hook {','.join(self.hook.events)})" if self.hook else ""
        return f"{self.source}: {self.kind} {self.name}{hooked}".removeprefix(": ")


def of_hook(hook: Hook) -> Candidate:
    body = load_yaml(hook.manifest, hook.path)
    found = body if isinstance(body, dict) else {}
    return Candidate(hook.kind, hook.name or generated_name(found), hook.path, found, hook=hook)


def of_resource(resource: Resource) -> Candidate:
    name = resource.ref.name or generated_name(resource.body)
    return Candidate(resource.ref.kind, name, resource.source, resource.body, resource=resource)


def hooks_of(rendering: Rendering) -> tuple[Candidate, ...]:
    """Every hook that a deploy would run in one of its operations."""
    return tuple(of_hook(hook) for hook in rendering.hooks if AROUND & set(hook.events))


def plain_of(rendering: Rendering) -> tuple[Candidate, ...]:
    """The Jobs and Pods that are no hooks."""
    return tuple(map(of_resource, candidates(rendering.documents)))


def migrations_of(rendering: Rendering) -> tuple[Candidate, ...]:
    """All that may be the migration: the Jobs and Pods, hooks or not."""
    return (*(each for each in hooks_of(rendering) if each.runs), *plain_of(rendering))


def counterparts(ours: Sequence[Candidate], theirs: Sequence[Candidate]) -> tuple[Candidate | None, ...]:
    """For each of ours the one of another rendering that is the same object, None where that one has none.

    It has the same name; else, for charts make names from random characters and dates, it does the same, or is in the
    same place of the same template.
    """
    found: dict[int, Candidate] = {}
    left = list(theirs)
    for key in _KEYS:
        for number, one in enumerate(ours):
            if number in found or (wanted := key(one)) is None:
                continue
            same = next((other for other in left if key(other) == wanted), None)
            if same is not None:
                found[number] = same
                left.remove(same)
    return tuple(found.get(number) for number in range(len(ours)))


def _by_name(one: Candidate) -> Hashable:
    metadata = as_map(one.body.get("metadata"))
    name = as_text(metadata.get("name"))
    return (one.kind, as_text(metadata.get("namespace")), name) if name else None


def _by_doing(one: Candidate) -> Hashable:
    doing = {key: value for key, value in one.body.items() if key != "metadata"}
    return (one.kind, one.source, canonical(doing))


def _by_place(one: Candidate) -> Hashable:
    return (one.kind, one.source)


_KEYS: tuple[Callable[[Candidate], Hashable], ...] = (_by_name, _by_doing, _by_place)
