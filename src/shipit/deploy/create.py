"""Make one object of a step, and say what it means when the API server doesn't."""

from __future__ import annotations

from collections.abc import Callable

from shipit.errors import (
    AlreadyExists,
    ApiError,
    Busy,
    Forbidden,
    Invalid,
    MigrationFailed,
    NotFound,
    Unknown,
)
from shipit.hints import shipit
from shipit.model import Json, Plan, Step


def create(step: Step, plan: Plan, make: Callable[[Json], Json]) -> Json:
    """What there is of it then. `make` sends its manifest.

    Raises MigrationFailed when the API server doesn't take it, Busy when somebody was faster, Unknown when it doesn't say.
    """
    app = (plan.app_at(step),)
    try:
        return make(step.manifest)
    except AlreadyExists as error:
        raise Busy(
            f"someone else created {step.ref.title} meanwhile", hint=shipit("logs"), states=app
        ) from error
    except (Forbidden, Invalid, NotFound) as error:
        raise MigrationFailed(
            f"{step.ref.title} could not be created: {error.message}",
            hint=error.hint,
            states=app,
            details=error.details,
        ) from error
    except ApiError as error:
        raise Unknown(
            f"whether {step.ref.title} was created is not known: {error.message}",
            hint=plan.again(why="checks the state and resumes"),
            states=app,
        ) from error
