"""What the live release lists and hooks own from now on: Helm leaves it in place when it is no longer listed."""

from __future__ import annotations

from shipit.errors import ApiError, Conflict, Unknown
from shipit.model import Cluster, Plan, Ref, World
from shipit.plan import kept_by_helm

TRIES = 5
"""A controller may write at the very moment: a token's, an endpoint's."""


def keep_taken_over(plan: Plan, world: World) -> None:
    """Mark it so that Helm keeps it; what isn't there needs no mark. Raises Unknown: the upgrade was not started."""
    for ref in plan.taken_over:
        try:
            _keep(ref, world.cluster)
        except ApiError as error:
            raise Unknown(
                f"the upgrade was not started: {ref} becomes a hook's, and whether it is marked for Helm to leave it is "
                f"not known: {error.message}",
                hint=plan.again(why="continues with the upgrade"),
                states=(plan.ran_before, plan.app_before),
            ) from error


def _keep(ref: Ref, cluster: Cluster) -> None:
    for number in range(1, TRIES + 1):
        found = cluster.get(ref)
        try:
            if found is not None:
                cluster.replace(kept_by_helm(found))
        except Conflict:
            if number == TRIES:
                raise
        else:
            return
