"""The live release before anything changes: which of its workloads are ready, and to which revision one can go back."""

from __future__ import annotations

from dataclasses import replace

from shipit.deploy.notes import counts_anew
from shipit.deploy.rollback import rollback_revision
from shipit.deploy.timing import ROLLOUT_LOOK_WITHIN
from shipit.errors import ApiError
from shipit.lock import UpgradeRecord
from shipit.model import Plan, Ref, SeenRevisions, World


def look_at_live(plan: Plan, found: UpgradeRecord | None, world: World) -> tuple[Plan, SeenRevisions]:
    """The plan with what is ready and the way back filled in, and what is known to have been ready of the release.

    `found` is the upgrade that an earlier deploy noted. What bare Helm or an older shipit made is known by this look.
    """
    seen = found.seen if found is not None else SeenRevisions()
    if not plan.resumed:
        anew = plan.situation.install or counts_anew(plan, found)
        seen = SeenRevisions() if anew else seen.before(plan.revision)
        ready, all_ready = _ready(plan, world)
        plan = replace(plan, ready_workloads=ready)
        if all_ready and plan.deployed == plan.base_revision:  # else what runs is a failed revision's
            seen = seen.with_ready(plan.deployed)
    return replace(plan, rollback_revision=rollback_revision(plan, seen)), seen


def _ready(plan: Plan, world: World) -> tuple[frozenset[Ref], bool]:
    """Which live workloads have pods, all of them ready; and whether that goes for all that are to have any."""
    ready: set[Ref] = set()
    every = True
    try:
        with world.cluster.within(ROLLOUT_LOOK_WITHIN):
            for ref in plan.live_workloads:
                workload = world.cluster.workload(ref)
                every = every and workload is not None and workload.done
                if workload is not None and workload.done and workload.desired:
                    ready.add(ref)
    except ApiError:
        every = False
    return frozenset(ready), every
