"""The step that installs what a chart's `crds/` bring, as Helm does before it installs the rest."""

from __future__ import annotations

from shipit.deploy.timing import wait_while
from shipit.errors import AlreadyExists, Refused
from shipit.events import Emit, StepChanged
from shipit.hints import kubectl
from shipit.model import Json, Plan, World
from shipit.plan import kinds_of

SERVED_WITHIN = 60.0
"""Seconds that a kind gets to be served once its definition is there: Helm's own patience."""
LOOK = kubectl("get", "customresourcedefinitions", why="says why in their conditions")


def install_definitions(plan: Plan, world: World, emit: Emit) -> None:
    """Create what isn't there, and wait until its kinds are served. Raises Refused when they are not."""
    names = ", ".join(each.ref.title for each in plan.definitions)
    emit(StepChanged("crds", "started", f"installing {names}"))
    for each in plan.definitions:
        try:
            world.cluster.create(each.body)
        except AlreadyExists:
            continue  # Helm leaves it as it is, too
    left = ", ".join(filter(None, (wait_until_served(each.body, world) for each in plan.definitions)))
    if left:
        raise Refused(unserved(left), hint=LOOK)
    emit(StepChanged("crds", "done", f"installed {names}"))


def wait_until_served(body: Json, world: World) -> str:
    """Wait until the API server serves what a CustomResourceDefinition brings; what it doesn't serve then, "" for all."""
    kinds = sorted(kinds_of(body))

    def missing() -> str | None:
        left = [
            f"{kind} in {version}"
            for version, kind in kinds
            if world.cluster.namespaced(version, kind) is None
        ]
        return ", ".join(left) or None

    return wait_while(world.clock, world.clock.monotonic() + SERVED_WITHIN, missing) or ""


def unserved(left: str) -> str:
    return f"the API server does not serve {left} {SERVED_WITHIN:g} s after its definition was created"
