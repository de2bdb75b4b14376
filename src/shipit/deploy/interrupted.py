"""Where a deploy is, and what it says of that when it ends before its time."""

from __future__ import annotations

from dataclasses import dataclass

from shipit.deploy.existing import find_existing
from shipit.deploy.upgrade import untouched, where_it_stands
from shipit.errors import Interrupted, ShipitError
from shipit.model import Plan, Request, Step, World, is_active

LAST_LOOK = 5.0
"""Seconds for the look at what still runs."""


@dataclass(slots=True)
class DeployState:
    """Where a deploy is, so that an interrupt can say what it left behind."""

    request: Request
    world: World
    plan: Plan | None = None
    step: Step | None = None
    stage: str = "before"

    def interrupted(self, signum: int) -> Interrupted:
        """What still runs, in which state the app is, and how to pick it up."""
        hint = f"shipit deploy --tag {self.request.tag}"
        if self._watched() is not None:
            hint += "   (picks it up where it is; or watch it: shipit logs --follow)"
        return Interrupted(self.so_far("interrupted"), signum=signum, hint=hint)

    def so_far(self, end: str, *, ours: bool = True) -> str:
        """How it ended, with what still runs and in which state the app is: one whose lock is not `ours` any more may not
        be the last that touched it.
        """
        if self.plan is None:
            return f"{end} before anything changed"
        app = self._app(self.plan) if ours or self.stage != "before" else untouched(self.plan, self.world)
        if app in end:
            return end
        step = self._watched()
        left = f"; {self._left(step, self.plan)}" if step else ""
        return f"{end}{left}; {app}"

    def _watched(self) -> Step | None:
        """The Job or Pod that is being run."""
        return self.step if self.plan and self.step and self.step.watched else None

    def _app(self, plan: Plan) -> str:
        match self.stage:
            case "before":
                return plan.app_now
            case "upgrade":
                return where_it_stands(plan, self.world)
            case _:
                return plan.app_then

    def _left(self, step: Step, plan: Plan) -> str:
        what = f"{step.ref.kind} {step.ref.name}"
        try:
            with self.world.cluster.within(LAST_LOOK):
                found = find_existing(step, plan, self.world)
        except ShipitError as error:
            return f"whether {what} still runs is not known ({error.message})"
        if found is None:
            return f"{what} is not there"
        what = f"{step.ref.kind} {found.name}"
        if (found.tag, found.hash) != (plan.tag, step.hash):
            return f"{what} of {found.tag or 'another deploy'} is still there, that of {plan.tag} was not created"
        return f"{what} still runs" if is_active(found) else f"{what} has ended"
