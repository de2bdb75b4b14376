"""In which state a deploy leaves things, as values: what became of a step, of its object, of the app. Each has its words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StepOutcome(StrEnum):
    """What became of a step. RESUMED: an earlier try of this deploy had done it."""

    SUCCEEDED = "succeeded"
    RESUMED = "resumed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    UNKNOWN = "unknown"

    @property
    def good(self) -> bool:
        return self in (StepOutcome.SUCCEEDED, StepOutcome.RESUMED)


class Leftover(StrEnum):
    """What is left of a step's Job or Pod once shipit no longer waits for it.

    NEVER_STARTED is proven: no container of it ever ran, and none can start by itself. SUSPENDED is not.
    """

    ENDED = "ended"
    RUNNING = "running"
    SUSPENDED = "suspended"
    NEVER_STARTED = "never_started"
    DELETING = "deleting"
    DELETED = "deleted"


_LEFT = {
    Leftover.ENDED: "is kept for inspection",
    Leftover.RUNNING: "still runs",
    Leftover.SUSPENDED: "is suspended, and whether a container of it ran is not known",
    Leftover.NEVER_STARTED: "is suspended, no container ever started: the next deploy replaces it",
    Leftover.DELETING: "is being deleted, and has not ended yet",
    Leftover.DELETED: "was deleted",
}


@dataclass(frozen=True, slots=True)
class ObjectLeft:
    """A Job or Pod, `Job shop-migrate`, and how it was left."""

    what: str
    leftover: Leftover

    def __str__(self) -> str:
        return f"{self.what} {_LEFT[self.leftover]}"


@dataclass(frozen=True, slots=True)
class ObjectAbsent:
    """A Job or Pod that isn't there; `instead` is the tag of one of its name, of an earlier deploy, "" for none."""

    what: str
    instead: str = ""

    def __str__(self) -> str:
        if self.instead:
            return f"{self.what} of {self.instead} is still there, the new one was not created"
        return f"{self.what} does not exist"


@dataclass(frozen=True, slots=True)
class ObjectUnknown:
    what: str
    why: str

    def __str__(self) -> str:
        return f"whether {self.what} still runs is not known ({self.why})"


@dataclass(frozen=True, slots=True)
class StepsNotRun:
    """The Jobs and Pods, by their steps, that this deploy would still have run."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"not run: {', '.join(self.names)}"


@dataclass(frozen=True, slots=True)
class DefinitionsInstalled:
    """What the chart's `crds/` bring was installed, and nothing else was changed."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"of the chart's crds/ {', '.join(self.names)} is installed"


@dataclass(frozen=True, slots=True)
class PrerequisitesMade:
    """What was made for the migration beside the app, by `ConfigMap shop-settings`; the next deploy clears it up."""

    what: tuple[str, ...]

    def __str__(self) -> str:
        were = "was" if len(self.what) == 1 else "were"
        return f"{', '.join(self.what)} {were} created for the migration"


class BeforeUpgrade(StrEnum):
    """What ran before the upgrade, and has succeeded."""

    NOTHING = "nothing ran before the upgrade"
    HOOKS = "the hooks before the upgrade succeeded"
    MIGRATION = "the migration is done"


class BeforeRollback(StrEnum):
    """What ran before a rollback, and has succeeded."""

    NOTHING = "no hook ran before the rollback"
    HOOKS = "the hooks before the rollback succeeded"


@dataclass(frozen=True, slots=True)
class AppUntouched:
    """No upgrade was started. `revision` is the live one, 0 when the app isn't installed, `tag` its tag, "" when that
    isn't known.
    """

    revision: int
    tag: str = ""

    def __str__(self) -> str:
        return (
            f"the app is untouched (revision {self.revision})"
            if self.revision
            else "the app is not installed"
        )


@dataclass(frozen=True, slots=True)
class AppUntouchedByUs:
    """This deploy didn't touch the app; `moved_to` is the revision that somebody else made, 0 when that isn't known."""

    moved_to: int = 0

    def __str__(self) -> str:
        moved = f"; someone else moved it to revision {self.moved_to}" if self.moved_to else ""
        return f"this deploy did not touch the app{moved}"


@dataclass(frozen=True, slots=True)
class AppUpgraded:
    tag: str
    revision: int

    def __str__(self) -> str:
        return f"the app is upgraded to {self.tag} (revision {self.revision})"


@dataclass(frozen=True, slots=True)
class RolloutLeft:
    """The rollout of an upgrade that is applied was not waited for; `unready` is what was not ready at a last look, None
    where that wasn't taken.
    """

    unready: tuple[str, ...] | None = None

    def __str__(self) -> str:
        match self.unready:
            case None:
                seen = ""
            case ():
                seen = ", all pods are ready"
            case unready:
                seen = f": {'; '.join(unready)}"
        return f"its rollout was not waited for{seen}"


@dataclass(frozen=True, slots=True)
class AppMovedOn:
    """Our upgrade was applied, and somebody else has made a revision since."""

    tag: str
    revision: int
    moved_to: int

    def __str__(self) -> str:
        return f"{self.tag} was applied as revision {self.revision}, someone else moved the release to revision {self.moved_to}"


@dataclass(frozen=True, slots=True)
class AppUnknown:
    why: str

    def __str__(self) -> str:
        return f"the state of the release is not known ({self.why})"


@dataclass(frozen=True, slots=True)
class RevisionPending:
    """helm left its revision pending; the next deploy clears it once it is `patience` seconds old, or sooner."""

    revision: int
    status: str
    patience: float

    def __str__(self) -> str:
        return (
            f"revision {self.revision} is left {self.status}: the next deploy clears it, "
            f"at the latest once it is {self.patience:g} s old"
        )


@dataclass(frozen=True, slots=True)
class HandoverOnly:
    """Only the handover's revision was made: the live manifest without the migration's Job.

    Of the app it changes what somebody had changed by hand: Helm puts back what the manifest says.
    """

    revision: int
    status: str

    def __str__(self) -> str:
        return f"the handover revision {self.revision} is {self.status}, the upgrade itself was not started"


@dataclass(frozen=True, slots=True)
class NotRolledBack:
    revision: int
    status: str

    def __str__(self) -> str:
        but = ", its pods are not ready," if self.status == "deployed" else ""
        return f"revision {self.revision} is {self.status}{but} and was not rolled back"


@dataclass(frozen=True, slots=True)
class RollbackLeft:
    """A rollback to revision `back_to` that made `revision`, and has not succeeded."""

    back_to: int
    revision: int
    status: str

    def __str__(self) -> str:
        but = ", and its pods are not ready" if self.status == "deployed" else ""
        return f"revision {self.revision}, the rollback to revision {self.back_to}, is {self.status}{but}"


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The app of `revision` runs again; the schema stays where the migration brought it."""

    revision: int

    def __str__(self) -> str:
        return f"the app was rolled back to revision {self.revision}, the database was not"


@dataclass(frozen=True, slots=True)
class RollbackFailed:
    revision: int
    why: str

    def __str__(self) -> str:
        return f"the rollback to revision {self.revision} failed too ({self.why})"


State = (
    ObjectLeft
    | ObjectAbsent
    | ObjectUnknown
    | StepsNotRun
    | DefinitionsInstalled
    | PrerequisitesMade
    | BeforeUpgrade
    | BeforeRollback
    | AppUntouched
    | AppUntouchedByUs
    | AppUpgraded
    | RolloutLeft
    | AppMovedOn
    | AppUnknown
    | RevisionPending
    | HandoverOnly
    | NotRolledBack
    | RollbackLeft
    | RolledBack
    | RollbackFailed
)
