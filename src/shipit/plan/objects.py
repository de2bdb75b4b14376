"""What the steps of a plan reference, and who makes it: each object is looked up once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shipit.chart import references_of
from shipit.model import Cluster, Json, Plan, Ref, Step


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
class Needed:
    """An object that a step needs to be there when it starts. `where` says what names it, "" for the pod itself."""

    step: Step
    ref: Ref
    optional: bool
    where: str


def needed(plan: Plan) -> Iterator[Needed]:
    """What the Jobs and Pods of a plan reference and nothing before them makes: no earlier hook, nor, for what runs
    after the upgrade, the app.
    """
    made: set[tuple[str, str]] = set()
    for phase in (plan.before, plan.after):
        for step in phase:
            if not step.watched:
                made.add((step.ref.kind, step.ref.name))
                continue
            for each in references_of(step.manifest):
                if (each.kind, each.name) not in made:
                    ref = Ref("v1", each.kind, step.ref.namespace, each.name)
                    yield Needed(step, ref, each.optional, each.where)
        made |= {(step.ref.kind, step.ref.name) for step in phase}
        made |= {(each.ref.kind, each.ref.name) for each in plan.app}
