"""What a rollout waits for beside the app's workloads: found in what is applied, and judged one by one."""

from __future__ import annotations

from dataclasses import dataclass, field

from shipit.deploy.timing import FORBIDDEN_FOR
from shipit.diagnosis import Finding, is_unjudged, is_waited_for, waits_for_a_consumer, why_waiting
from shipit.errors import ApiError, Forbidden
from shipit.model import Plan, Ref, World

HELM_4 = 4
"""It waits for no Service's address."""


@dataclass(slots=True)
class Waited:
    """Claims, addresses, Pods and, where asked for, Jobs. `unjudged` is of kinds that only their users know."""

    world: World
    refs: tuple[Ref, ...]
    unjudged: tuple[Ref, ...] = ()
    own: bool = False
    _forbidden: dict[Ref, float] = field(default_factory=dict)

    def look(self, ref: Ref) -> tuple[bool, Finding | None]:
        """Whether an object is waited for no more, and what it waits for. Raises ApiError."""
        cluster = self.world.cluster
        body = cluster.get(ref)
        if body is None:
            return self.own, None  # helm has yet to make it
        if why_waiting(ref, body, ()) is None:
            return True, None
        events = cluster.events(ref.namespace, str(body["metadata"].get("uid", "")))
        if self.own and waits_for_a_consumer(ref, events):
            return True, None
        return False, why_waiting(ref, body, events)

    def gives_up(self, ref: Ref, error: ApiError) -> bool:
        """Whether what may not be looked at, however often one asks, is not waited for: then it is named as unjudged."""
        if not (self.own and isinstance(error, Forbidden)):
            return False
        now = self.world.clock.monotonic()
        if now - self._forbidden.setdefault(ref, now) < FORBIDDEN_FOR:
            return False
        self.unjudged = (*self.unjudged, ref)
        return True


def waited_for(plan: Plan, world: World, *, own: bool) -> Waited:
    """What is waited for by helm, or by shipit in its stead (`own`)."""
    services = own or world.helm.version.major < HELM_4
    refs = tuple(
        each.ref
        for each in plan.app
        if is_waited_for(each.ref, each.body, jobs=plan.wait_for_jobs, services=services)
    )
    return Waited(world, refs, tuple(each.ref for each in plan.app if is_unjudged(each.ref)), own=own)
