"""The tree of errors: each knows its outcome, its exit code, what failed, and what to type next.

ShipitError
├── Usage              2  bad flags or configuration
├── Refused            3  found before anything changed
├── MigrationFailed    4  the app is untouched
├── MigrationTimedOut  5  the app is untouched
├── UpgradeFailed      6  the migration is done
├── Busy               7  somebody else deploys, migrates or moved the release
├── Unknown            8  the truth could not be learned
│   └── ApiError          an answer of the API server, or its silence (see its subclasses)
├── AfterFailed        9  the app is upgraded, what runs after it failed
├── HelmFailed            helm's own exit, translated by whoever asked for it
└── Interrupted  130, 143 SIGINT, SIGTERM
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

from shipit.hints import NO_HINT, Hint, advice
from shipit.states import State


class Outcome(StrEnum):
    """How a command ended; its exit code is part of the contract with scripts.

    DEPLOYED is a deploy's alone; any other command that went well has SUCCEEDED.
    """

    DEPLOYED = "deployed"
    SUCCEEDED = "succeeded"
    INTERNAL_ERROR = "internal_error"
    USAGE = "usage"
    REFUSED = "refused"
    MIGRATION_FAILED = "migration_failed"
    MIGRATION_TIMED_OUT = "migration_timed_out"
    UPGRADE_FAILED = "upgrade_failed"
    BUSY = "busy"
    UNKNOWN = "unknown"
    AFTER_FAILED = "after_failed"
    INTERRUPTED = "interrupted"


EXIT_CODES = {
    Outcome.DEPLOYED: 0,
    Outcome.SUCCEEDED: 0,
    Outcome.INTERNAL_ERROR: 1,
    Outcome.USAGE: 2,
    Outcome.REFUSED: 3,
    Outcome.MIGRATION_FAILED: 4,
    Outcome.MIGRATION_TIMED_OUT: 5,
    Outcome.UPGRADE_FAILED: 6,
    Outcome.BUSY: 7,
    Outcome.UNKNOWN: 8,
    Outcome.AFTER_FAILED: 9,
    Outcome.INTERRUPTED: 130,
}


@dataclass(frozen=True, slots=True)
class Headline:
    """What failed, why, and how that leaves the database, for people: `Migration of v42 failed`, `container migrate
    exited with code 1`, `v42's migration did not complete`.
    """

    what: str
    why: str = ""
    database: str = ""


class ShipitError(Exception):
    """What failed and why (`message`), in which `states` things are left, the evidence (`details`), what to type next
    (`hint`). `headline` says in parts what the message says, where that is known.

    `details` are lines of foreign text (last log lines, helm's stderr): show them as they are, never as markup.
    """

    outcome: ClassVar[Outcome] = Outcome.INTERNAL_ERROR

    def __init__(
        self,
        message: str,
        *,
        hint: Hint = NO_HINT,
        states: tuple[State, ...] = (),
        details: tuple[str, ...] = (),
        headline: Headline | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headline = headline
        self.hint = hint
        self.states = states
        self.details = details

    def __str__(self) -> str:
        """What failed and why, and the states, in one sentence."""
        return "; ".join((self.message, *map(str, self.states)))

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]


class Usage(ShipitError):
    """Bad flags or configuration."""

    outcome = Outcome.USAGE


class Refused(ShipitError):
    """Found before anything changed."""

    outcome = Outcome.REFUSED


class MigrationFailed(ShipitError):
    """What runs before the upgrade failed or could not start; the app is untouched."""

    outcome = Outcome.MIGRATION_FAILED


class MigrationTimedOut(ShipitError):
    """What runs before the upgrade ran past its timeout; the app is untouched."""

    outcome = Outcome.MIGRATION_TIMED_OUT


class UpgradeFailed(ShipitError):
    """The migration is done, the upgrade or its rollout failed."""

    outcome = Outcome.UPGRADE_FAILED


class Busy(ShipitError):
    """Another deploy holds the lock, another migration runs, or someone else moved the release."""

    outcome = Outcome.BUSY


class Unknown(ShipitError):
    """The truth could not be learned: the message says what to look at."""

    outcome = Outcome.UNKNOWN


class AfterFailed(ShipitError):
    """The app is upgraded; something that runs after the upgrade failed or timed out."""

    outcome = Outcome.AFTER_FAILED


class Interrupted(ShipitError):
    """A signal asked shipit to stop; the states say what still runs."""

    outcome = Outcome.INTERRUPTED

    def __init__(
        self,
        message: str,
        *,
        signum: int = signal.SIGINT,
        hint: Hint = NO_HINT,
        states: tuple[State, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint, states=states)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        return 128 + self.signum


HelmReason = Literal[
    "pending",  # another helm works on the release, or was killed while it did
    "ownership",  # an object exists and belongs to no release, or to another
    "no-release",
    "dependencies",
    "chart",
    "render",
    "forbidden",
    "unreachable",
    "arguments",
    "timeout",
    "interrupted",
    "other",
]


class Stopped(KeyboardInterrupt):
    """Raised in the main thread by a signal: what was going on is left as it is, and told."""

    def __init__(self, signum: int, *, again: bool = False) -> None:
        super().__init__(f"signal {signum}")
        self.signum = signum
        self.again = again


class HelmFailed(ShipitError):
    """helm ended with an error: `details` are its words, secrets cut out. Translated by whoever ran it.

    `reason` is what its words name as the cause, "other" when they name none that is known. `unknown_kinds` are the
    API versions and kinds that the API server doesn't serve, when that is all that was wrong.
    """

    outcome = Outcome.REFUSED

    def __init__(
        self,
        message: str,
        *,
        reason: HelmReason = "other",
        hint: Hint = NO_HINT,
        details: tuple[str, ...] = (),
        unknown_kinds: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.reason = reason
        self.unknown_kinds = unknown_kinds


class ApiError(Unknown):
    """The API server said no, or said nothing that could be used.

    `status` is the HTTP status, None when there was no answer; `reason` is the Status object's reason
    (`AlreadyExists`, `Forbidden`, …), "" when there was none.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str = "",
        hint: Hint = NO_HINT,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.status = status
        self.reason = reason


class Conflict(ApiError):
    """409: a precondition (UID, resourceVersion) did not hold."""


class AlreadyExists(Conflict):
    """409 with reason AlreadyExists: an object of that name is there."""


class NotFound(ApiError):
    """404: the object, its namespace or its kind is not there."""


class Forbidden(ApiError):
    """403: RBAC, quota or an admission plugin said no."""


class NotAllowed(Forbidden):
    """RBAC: the caller may not ask for this at all."""


class QuotaExceeded(Forbidden):
    """A quota has no room for the object."""


class Denied(Forbidden):
    """An admission policy or webhook said no, with whatever status."""


class WebhookFailed(Forbidden):
    """An admission webhook that has to be asked gave no answer, however often: certainly nothing was done."""


class NoDryRun(ApiError):
    """An admission webhook can't be asked in a dry run: what it would say of the real object is not known."""


class Unauthorized(ApiError):
    """401, after the credentials were renewed once."""


class IdentityChanged(ApiError):
    """The kubeconfig leads to another server or user than at the start: nothing more is done with it."""


class Invalid(ApiError):
    """400 or 422: the API server does not accept the object."""


class Unreachable(ApiError):
    """No usable answer within the deadline: refused, reset, TLS, timeout, 429 and 5xx to the end."""


@contextmanager
def refusing() -> Iterator[None]:
    """Before anything changed, whatever helm, the API server or this machine's disk says is a refusal; what helm says of its flags, bad usage."""
    try:
        yield
    except IdentityChanged:
        raise
    except (ApiError, HelmFailed) as error:
        refused = Usage if isinstance(error, HelmFailed) and error.reason == "arguments" else Refused
        raise refused(error.message, hint=error.hint, states=error.states, details=error.details) from error
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise Refused(
            f"{(error.strerror or str(error)).lower()}{where}",
            hint=advice(
                "shipit keeps private files in the folder that TMPDIR names: check its free space and permissions"
            ),
        ) from error
