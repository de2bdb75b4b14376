"""Where a deploy or a rollback is, and in which state it leaves things when it ends before its time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto

from shipit.config import Request
from shipit.deploy.prerequisites import Prerequisites
from shipit.deploy.recognition import find_existing, is_same
from shipit.deploy.release_state import untouched, where_it_stands
from shipit.deploy.timing import LAST_LOOK
from shipit.errors import (
    AfterFailed,
    Busy,
    HelmFailed,
    Interrupted,
    MigrationFailed,
    MigrationTimedOut,
    ShipitError,
    Stopped,
    Unknown,
    UpgradeFailed,
)
from shipit.hints import deploy_again, rollback_again
from shipit.lock import LockLost
from shipit.model import Plan, Step, World, is_active
from shipit.states import (
    AppUntouched,
    Leftover,
    ObjectAbsent,
    ObjectLeft,
    ObjectUnknown,
    RolloutLeft,
    State,
    StepsNotRun,
)


class Stage(Enum):
    """How far a deploy is, as far as the app is concerned."""

    BEFORE = auto()
    UPGRADE = auto()
    APPLIED = auto()
    READY = auto()


@dataclass(slots=True)
class DeployState:
    """Where a deploy is, so that what it left behind can be said. `ran` are the steps that succeeded, `step` is the one
    that was begun last, `images` are those that migrated, with their IDs; `back_to` is the revision that a rollback
    goes to, 0 for a deploy.
    """

    request: Request
    world: World
    plan: Plan | None = None
    step: Step | None = None
    ran: list[Step] = field(default_factory=list)
    stage: Stage = Stage.BEFORE
    images: dict[str, str] = field(default_factory=dict)
    back_to: int = 0
    prerequisites: Prerequisites | None = None

    def interrupted(self, signum: int) -> Interrupted:
        """What still runs, in which state the app is, and how to pick it up."""
        why = "" if self.plan is None else "rolls back again" if self.back_to else "resumes where it was"
        if self._watched() is not None:
            why += "; shipit logs --follow shows the running migration"
        message = "interrupted" if self.plan else "interrupted before anything changed"
        again = rollback_again(self.back_to, why=why) if self.back_to else None
        hint = again or deploy_again(self.request.tag, why=why)
        return Interrupted(message, signum=signum, hint=hint, states=self.left())

    def left(self) -> tuple[State, ...]:
        """What still runs and in which state the app is, as far as that can be seen now."""
        if self.plan is None:
            return ()
        step = self._watched()
        objects = (self._object(step, self.plan),) if step else ()
        return (*objects, *self._app(self.plan), *self.not_run())

    def looked_at(self, states: tuple[State, ...]) -> tuple[State, ...]:
        """The states, what they say of an untouched app as it is now: someone else's helm may have moved it."""
        if self.plan is None:
            return states
        looked = tuple(
            untouched(self.plan, self.world) if isinstance(each, AppUntouched) else each for each in states
        )
        return (*looked, *self._beside()) if looked else ()

    def _beside(self) -> tuple[State, ...]:
        """What stands beside an app that is untouched."""
        return self.prerequisites.left if self.prerequisites and self.stage is Stage.BEFORE else ()

    def not_run(self) -> tuple[State, ...]:
        """What comes behind the step that did not end well."""
        to_run = self.plan.to_run if self.plan else ()
        left = [each for each in to_run if each.watched and each not in self.ran and each != self.step]
        return (StepsNotRun(tuple(each.name for each in left)),) if left else ()

    def _watched(self) -> Step | None:
        """The Job or Pod that is being run."""
        return self.step if self.plan and self.step and self.step.watched else None

    def _app(self, plan: Plan) -> tuple[State, ...]:
        match self.stage:
            case Stage.BEFORE:
                return (untouched(plan, self.world), *self._beside())
            case Stage.UPGRADE:
                return where_it_stands(plan, self.world)
            case Stage.APPLIED:
                return (plan.app_after, RolloutLeft())
            case Stage.READY:
                return (plan.app_after,)

    def _object(self, step: Step, plan: Plan) -> State:
        what = step.ref.title
        try:
            with self.world.cluster.within(LAST_LOOK):
                found = find_existing(step, plan, self.world)
        except ShipitError as error:
            return ObjectUnknown(what, error.message)
        if found is None:
            return ObjectAbsent(what)
        if not is_same(found, step, plan):
            return ObjectAbsent(what, instead=found.tag or "another deploy")
        named = step.ref._replace(name=found.name).title
        return ObjectLeft(named, Leftover.RUNNING if is_active(found) else Leftover.ENDED)


@contextmanager
def telling_states(state: DeployState) -> Iterator[None]:
    """Whatever ends the deploy meanwhile says in which state it leaves things."""
    try:
        yield
    except Stopped as stop:
        if stop.again:
            raise
        raise state.interrupted(stop.signum) from stop
    except LockLost as lost:
        raise Busy(lost.message, hint=lost.hint, states=state.left()) from lost
    except (UpgradeFailed, AfterFailed) as error:
        error.states = (*error.states, *state.not_run())
        raise
    except (MigrationFailed, MigrationTimedOut, Busy) as error:
        error.states = (*state.looked_at(error.states), *state.not_run())
        raise
    except (Unknown, HelmFailed) as error:  # past prepare nothing is a refusal
        states = (*state.looked_at(error.states), *state.not_run()) if error.states else state.left()
        raise Unknown(error.message, hint=error.hint, states=states, details=error.details) from error
