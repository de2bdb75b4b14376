"""Errors as the block that people read."""

from __future__ import annotations

import pytest

from shipit.ending import ending_of
from shipit.errors import (
    Busy,
    Headline,
    Interrupted,
    MigrationFailed,
    Refused,
    ShipitError,
    UpgradeFailed,
    Usage,
)
from shipit.events import Ending, Row
from shipit.states import (
    AppUntouched,
    BeforeUpgrade,
    Leftover,
    NotRolledBack,
    ObjectLeft,
    RolledBack,
    StepsNotRun,
)


def test_a_failed_migration_tells_of_the_app_the_database_the_job_and_the_rest_in_that_order() -> None:
    error = MigrationFailed(
        "Job shop-migrate failed: container migrate exited with code 1",
        states=(
            ObjectLeft("Job shop-migrate", Leftover.ENDED),
            StepsNotRun(("seed", "smoke")),
            AppUntouched(17, "v41"),
        ),
        details=("DETAIL: Key (slug)=(groceries) is duplicated.",),
        headline=Headline(
            "Migration of v42 failed",
            "container migrate exited with code 1",
            "v42's migration did not complete",
        ),
    )
    assert ending_of(error, "deploy", "v42") == Ending(
        "Migration of v42 failed",
        "container migrate exited with code 1",
        (
            Row("App", "unchanged: v41, revision 17"),
            Row("Database", "v42's migration did not complete"),
            Row("Job", "shop-migrate, kept for inspection"),
            Row("Not run", "seed, smoke"),
        ),
        ("DETAIL: Key (slug)=(groceries) is duplicated.",),
    )


@pytest.mark.parametrize(
    ("states", "rows"),
    [
        (
            (BeforeUpgrade.MIGRATION, NotRolledBack(18, "failed")),
            (Row("App", "revision 18 is failed; not rolled back"), Row("Database", "migrated to v42")),
        ),
        (
            (RolledBack(17), BeforeUpgrade.MIGRATION),
            (
                Row("App", "rolled back to revision 17"),
                Row("Database", "migrated to v42, not rolled back"),
            ),
        ),
        (
            (RolledBack(17), BeforeUpgrade.NOTHING),
            (Row("App", "rolled back to revision 17"), Row("Database", "not rolled back")),
        ),
    ],
)
def test_a_failed_upgrade_says_where_the_database_is(
    states: tuple[object, ...], rows: tuple[Row, ...]
) -> None:
    error = UpgradeFailed("the upgrade to v42 failed", states=states)  # type: ignore[arg-type]
    assert ending_of(error, "deploy", "v42").rows == rows


@pytest.mark.parametrize(
    ("error", "command", "what", "why"),
    [
        (Refused("namespace shop does not exist"), "deploy", "Deploy of v2 refused", "namespace shop does not exist"),
        (Busy("another deploy holds the lock"), "rollback", "Rollback stopped", "another deploy holds the lock"),
        (Interrupted("interrupted"), "deploy", "Deploy of v2 interrupted", ""),
        (Interrupted("interrupted before anything changed"), "deploy", "Deploy of v2 interrupted", "before anything changed"),
        (Usage("--tag is empty"), "deploy", "--tag is empty", ""),
        (Refused("helm is not installed"), "doctor", "helm is not installed", ""),
    ],
)  # fmt: skip
def test_what_has_no_headline_of_its_own_says_what_was_being_done(
    error: ShipitError, command: str, what: str, why: str
) -> None:
    ending = ending_of(error, command, "v2")
    assert (ending.what, ending.why) == (what, why)
