"""What the steps of a plan find when they start, and what they reference: what the steps before them make, what these
may make at run time, and what is in the cluster, where each object is looked up once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from shipit.chart import references_of
from shipit.model import Cluster, Json, Plan, Ref, Step, as_map, as_maps, as_text, spec_of

_MAKERS = frozenset(
    {
        "CronJob",
        "DaemonSet",
        "Deployment",
        "Job",
        "Pod",
        "ReplicaSet",
        "ReplicationController",
        "StatefulSet",
    }
)
"""The kinds of Kubernetes' own that run something, which may make anything."""


class Objects:
    """Reads objects, each once: a pod names one Secret for each variable that it takes from it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._found: dict[Ref, Json | None] = {}

    def get(self, ref: Ref) -> Json | None:
        """As `Cluster.get`, and with its errors."""
        if ref not in self._found:
            self._found[ref] = self._cluster.get(ref)
        return self._found[ref]


@dataclass(frozen=True, slots=True)
class Made:
    """What is there before a step starts, beside what is there now.

    `objects` are made, as they are rendered; `makers` run something, or are for a controller, and may make more.
    """

    objects: Mapping[Ref, Json] = field(default_factory=dict)
    makers: tuple[Ref, ...] = ()

    def with_object(self, ref: Ref, body: Json) -> Made:
        more = (ref,) if _makes(ref) else ()
        return replace(self, objects={**self.objects, ref: body}, makers=(*self.makers, *more))

    def holds(self, kind: str, name: str) -> bool:
        """Whether an object of that kind and name is made, in whatever namespace."""
        return any((ref.kind, ref.name) == (kind, name) for ref in self.objects)

    def brings_kind(self, api_version: str, kind: str) -> bool:
        """Whether one of these is the definition of a custom resource."""
        return any((api_version, kind) in kinds_of(body) for body in self.objects.values())


def _makes(ref: Ref) -> bool:
    """A custom resource is for its controller: an ExternalSecret, a Certificate."""
    return is_custom(ref) or ref.kind in _MAKERS


def is_custom(ref: Ref) -> bool:
    """Whether its kind is none of Kubernetes' own."""
    group = ref.api_version.rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


def kinds_of(body: Json) -> frozenset[tuple[str, str]]:
    """The API versions and the kind that a CustomResourceDefinition brings; none for another object."""
    if body.get("kind") != "CustomResourceDefinition":
        return frozenset()
    spec = spec_of(body)
    group, kind = as_text(spec.get("group")), as_text(as_map(spec.get("names")).get("kind"))
    served = (each for each in as_maps(spec.get("versions")) if each.get("served"))
    return frozenset((f"{group}/{as_text(each.get('name'))}", kind) for each in served)


def made_before(plan: Plan) -> Iterator[tuple[Step, Made]]:
    """Each step with what is made before it: prerequisites, by the steps before, and, for what runs after the upgrade,
    by the app.
    """
    made, upgraded = _with_prerequisites(plan), False
    for step in plan.steps:
        if step.phase != "before" and not upgraded:
            made, upgraded = with_app(made, plan), True
        yield step, made
        made = made.with_object(step.ref, step.manifest)


def made_before_upgrade(plan: Plan) -> Made:
    """What is made before the upgrade."""
    made = _with_prerequisites(plan)
    for step in plan.before:
        made = made.with_object(step.ref, step.manifest)
    return made


def _with_prerequisites(plan: Plan) -> Made:
    made = Made()
    for step in plan.prerequisites:
        made = made if step.of_app else made.with_object(step.ref, step.manifest)
    return made


def with_app(made: Made, plan: Plan) -> Made:
    for each in plan.app:
        made = made.with_object(each.ref, each.body)
    return made


@dataclass(frozen=True, slots=True)
class Needed:
    """An object, or a key in it, that a step needs to be there when it starts.

    `where` says what names it, "" for the pod itself; `made` is the object as something before the step makes it, None
    when nothing does; `makers` run before the step, and may make it.
    """

    step: Step
    ref: Ref
    key: str
    optional: bool
    where: str
    made: Json | None
    makers: tuple[Ref, ...]


def referenced(plan: Plan) -> Iterator[Needed]:
    """All that the Jobs and Pods of a plan reference."""
    for step, made in made_before(plan):
        for each in references_of(step.manifest) if step.watched else ():
            ref = Ref("v1", each.kind, step.ref.namespace, each.name)
            yield Needed(step, ref, each.key, each.optional, each.where, made.objects.get(ref), made.makers)


def needed(plan: Plan) -> Iterator[Needed]:
    """What they reference and nothing before them makes: no earlier hook, nor, for what runs after the upgrade, the
    app.
    """
    return (each for each in referenced(plan) if each.made is None)
