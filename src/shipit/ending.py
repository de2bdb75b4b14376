"""An error as the block that people read: what failed, why, and how that leaves the app, the database and the Job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from shipit.errors import Outcome, ShipitError
from shipit.events import Ending, Row
from shipit.states import (
    AppMovedOn,
    AppUnknown,
    AppUntouched,
    AppUntouchedByUs,
    AppUpgraded,
    BeforeRollback,
    BeforeUpgrade,
    DefinitionsInstalled,
    HandoverOnly,
    Leftover,
    NotRolledBack,
    ObjectAbsent,
    ObjectLeft,
    ObjectUnknown,
    PrerequisitesMade,
    RevisionPending,
    RollbackFailed,
    RollbackLeft,
    RolledBack,
    RolloutLeft,
    State,
    StepsNotRun,
)

_ORDER = ("App", "Rollout", "Database", "Job", "Pod")
"""The rows that come first, in their order; others follow as they come."""

_LEFT = {
    Leftover.ENDED: "kept for inspection",
    Leftover.RUNNING: "still runs",
    Leftover.SUSPENDED: "suspended; whether a container of it ran is not known",
    Leftover.NEVER_STARTED: "suspended, no container ever started; the next deploy replaces it",
    Leftover.DELETING: "being deleted, has not ended yet",
    Leftover.DELETED: "deleted",
}

_DOINGS = {"deploy": "Deploy", "rollback": "Rollback"}
_HOW = {
    Outcome.REFUSED: "refused",
    Outcome.BUSY: "stopped",
    Outcome.UNKNOWN: "ended with its outcome unknown",
    Outcome.MIGRATION_FAILED: "failed",
    Outcome.MIGRATION_TIMED_OUT: "timed out",
    Outcome.UPGRADE_FAILED: "failed",
    Outcome.AFTER_FAILED: "failed after the upgrade",
    Outcome.INTERRUPTED: "interrupted",
}


def ending_of(error: ShipitError, command: str = "", tag: str = "") -> Ending:
    """The parts of an error that ended this command for that tag; states of equal label become one row."""
    what, why = _headline(error, command, tag)
    migrated_first = sorted(error.states, key=lambda state: not isinstance(state, BeforeUpgrade))
    rows = [row for state in migrated_first for row in _rows(state, tag)]
    if error.headline and error.headline.database:
        rows.append(Row("Database", error.headline.database))
    rows = [*_joined(rows)]
    rows.sort(key=lambda row: _ORDER.index(row.label) if row.label in _ORDER else len(_ORDER))
    return Ending(what, why, tuple(rows), error.details)


def _joined(rows: list[Row]) -> Iterator[Row]:
    """What two states say of one thing in one row."""
    for label in dict.fromkeys(row.label for row in rows):
        yield Row(label, ", ".join(row.text for row in rows if row.label == label))


def _headline(error: ShipitError, command: str, tag: str) -> tuple[str, str]:
    if error.headline is not None:
        return error.headline.what, error.headline.why
    doing, how = _DOINGS.get(command), _HOW.get(error.outcome)
    if doing is None or how is None:
        return error.message, ""
    what = f"{doing} of {tag}" if tag and command == "deploy" else doing
    why = "" if error.message == how else error.message.removeprefix(f"{how} ")
    return f"{what} {how}", why


def _rows(state: State, tag: str) -> Iterator[Row]:
    match state:
        case ObjectLeft(what, leftover):
            yield _object(what, _LEFT[leftover])
        case ObjectAbsent(what, instead):
            yield _object(
                what, f"still that of {instead}, the new one not created" if instead else "not there"
            )
        case ObjectUnknown(what, why):
            yield _object(what, f"not known whether it still runs: {why}")
        case StepsNotRun(names):
            yield Row("Not run", ", ".join(names))
        case DefinitionsInstalled(names):
            yield Row("CRDs", f"{', '.join(names)} installed")
        case PrerequisitesMade(what_all):
            yield Row("Made", f"{', '.join(what_all)}, for the migration")
        case BeforeUpgrade.MIGRATION:
            yield Row("Database", f"migrated to {tag}" if tag else "migrated")
        case BeforeUpgrade.HOOKS | BeforeRollback.HOOKS:
            yield Row("Hooks", "those before it succeeded")
        case BeforeUpgrade.NOTHING | BeforeRollback.NOTHING:
            return
        case RolledBack(revision):
            yield Row("App", f"rolled back to revision {revision}")
            yield Row("Database", "not rolled back")
        case RolloutLeft(unready):
            yield Row("Rollout", _rollout(unready))
        case _:
            yield Row("App", _app(state))


def _object(what: str, how: str) -> Row:
    kind, _, name = what.partition(" ")
    return Row(kind, f"{name}, {how}")


def _rollout(unready: tuple[str, ...] | None) -> str:
    seen = "" if unready is None else f": {'; '.join(unready)}" if unready else ", all pods are ready"
    return f"not waited for{seen}"


_App = (
    AppUntouched
    | AppUntouchedByUs
    | AppUpgraded
    | AppMovedOn
    | AppUnknown
    | RevisionPending
    | HandoverOnly
    | NotRolledBack
    | RollbackLeft
    | RollbackFailed
)


def _app(state: _App) -> str:
    match state:
        case AppUntouched(0):
            return "not installed"
        case AppUntouched(revision, tag):
            return f"unchanged: {tag + ', ' if tag else ''}revision {revision}"
        case AppUntouchedByUs(moved_to):
            moved = f"; someone else made revision {moved_to}" if moved_to else ""
            return f"not touched by this deploy{moved}"
        case AppUpgraded(tag, revision):
            return f"upgraded: {tag}, revision {revision}"
        case AppMovedOn(tag, revision, moved_to):
            return f"{tag} applied as revision {revision}; someone else made revision {moved_to} since"
        case AppUnknown(why):
            return f"not known: {why}"
        case RevisionPending(revision, status, patience):
            return f"revision {revision} left {status}; the next deploy clears it, at the latest after {patience:g} s"
        case HandoverOnly(revision, status):
            return f"handover revision {revision} is {status}; the upgrade was not started"
        case NotRolledBack(revision, status):
            but = ", its pods are not ready" if status == "deployed" else ""
            return f"revision {revision} is {status}{but}; not rolled back"
        case RollbackLeft(back_to, revision, status):
            but = ", its pods are not ready" if status == "deployed" else ""
            return f"revision {revision}, the rollback to revision {back_to}, is {status}{but}"
        case RollbackFailed(revision, why):
            return f"the rollback to revision {revision} failed too: {why}"
        case _:
            assert_never(state)
