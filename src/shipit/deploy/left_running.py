"""What an earlier try of this deploy left running behind its upgrade, where the app is now upgraded again."""

from __future__ import annotations

from dataclasses import replace

from shipit.deploy.interrupted import DeployState
from shipit.deploy.recognition import find_existing, is_this_deploys
from shipit.deploy.step import run
from shipit.events import Emit, Warned
from shipit.model import Plan, World, is_active


def finish_running(plan: Plan, world: World, state: DeployState, emit: Emit) -> None:
    """Follow it to its end before anything else runs: two migrations never overlap. Raises AfterFailed.

    It belongs to the upgrade before ours, after which it runs once more.
    """
    for step in (step for step in plan.later if step.watched):
        found = find_existing(step, plan, world)
        if found is None or not (is_active(found) and is_this_deploys(found, step, plan)):
            continue
        emit(
            Warned(
                f"{step.ref.kind} {found.name} of an earlier try of {plan.tag} still runs: waiting for its end, "
                "before the app is upgraded again"
            )
        )
        state.step = step
        run(step, replace(plan, revision=found.revision), world, emit)
    state.step = None
