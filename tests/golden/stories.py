"""Deploys as lists of events with the time between them: what the golden files show, and a clock to play them by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shipit.ending import ending_of
from shipit.errors import (
    AfterFailed,
    Busy,
    Headline,
    Interrupted,
    MigrationFailed,
    MigrationTimedOut,
    Refused,
    ShipitError,
    Unknown,
    UpgradeFailed,
    Usage,
)
from shipit.events import (
    AppLogLine,
    Checked,
    Ended,
    Event,
    Failed,
    HandChange,
    History,
    JobChanged,
    LogLine,
    MigrationResult,
    MigrationRunning,
    ObjectChange,
    Outlined,
    PastDeploy,
    Planned,
    PlannedStep,
    PodChanged,
    RolloutChanged,
    Started,
    Status,
    StepChanged,
    Warned,
    WorkloadState,
)
from shipit.hints import NO_HINT, Hint, advice, deploy_again, helm, kubectl, shipit
from shipit.output import Output
from shipit.states import (
    AppUntouched,
    AppUpgraded,
    BeforeUpgrade,
    Leftover,
    NotRolledBack,
    ObjectLeft,
    StepsNotRun,
)


class StoryClock:
    """Stands still until a story moves it."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        return datetime(2025, 3, 14, 12, 0, 0, 123456, tzinfo=UTC) + timedelta(seconds=self.at)

    def monotonic(self) -> float:
        return 5000.0 + self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


Story = list[tuple[float, Event]]
"""Seconds since the story's start, and what happened then."""


def play(story: Story, output: Output, clock: StoryClock) -> None:
    """Tell a story to an output, which ticks once a second."""
    for at, event in story:
        while clock.at < at:
            clock.at = min(clock.at + 1, at)
            output.tick()
        output.emit(event)


def _log(
    line: str,
    *,
    pod: str = "shop-migrate-x2k7d",
    container: str = "migrate",
    attempt: int = 1,
    init: bool = False,
) -> LogLine:
    return LogLine("migrate", pod, container, attempt, line, init=init)


def _begun(tag: str) -> Story:
    return [
        (0, Started("deploy", "r-4f2a", "shop", "shop-prod", tag, "prod-eu", "4.1.0", "production")),
        (0.2, StepChanged("prepare", "started", f"rendering shop with {tag}")),
        (0.6, Outlined("v1", 11, ("migrate", "upgrade", "smoke"))),
    ]


def _opening(tag: str, attempts: int = 1) -> Story:
    return [
        *_begun(tag),
        (1.4, StepChanged("prepare", "done", "12 objects checked; before the upgrade: migrate")),
        (1.4, StepChanged("clear", "started", "deleting Job shop-migrate of v1", timeout=120)),
        (1.4, JobChanged("clear", "shop-migrate", "deleting")),
        (1.4, JobChanged("clear", "shop-migrate", "deleted")),
        (1.4, StepChanged("clear", "done", "deleted Job shop-migrate of v1")),
        (1.4, StepChanged("migrate", "started", "Job shop-migrate", timeout=900, attempts=attempts)),
        (1.5, JobChanged("migrate", "shop-migrate", "created")),
        (1.6, PodChanged("migrate", "shop-migrate-x2k7d", "Pending")),
        (3, PodChanged("migrate", "shop-migrate-x2k7d", "Running")),
        (3, JobChanged("migrate", "shop-migrate", "running", active=1)),
    ]


_MIGRATED = MigrationResult("migrate", "shop-migrate", "succeeded", 44.6)


def _upgrading(tag: str) -> Story:
    return [
        (45, _log("INFO  [alembic] 100 % of 81234 rows")),
        (46, PodChanged("migrate", "shop-migrate-x2k7d", "Succeeded")),
        (46, JobChanged("migrate", "shop-migrate", "complete", succeeded=1)),
        (46, StepChanged("migrate", "done", result=_MIGRATED)),
        (46, StepChanged("upgrade", "started", f"helm upgrade to {tag}", timeout=300)),
        (47, RolloutChanged("Deployment", "shop", 0, 3, "pod shop-6d9-abcde is ContainerCreating")),
    ]


def _upgraded(tag: str) -> Story:
    return [
        *_opening(tag),
        (3.1, _log("INFO  [alembic] waiting for the database", container="wait-for-db", init=True)),
        (4, _log("INFO  [alembic] Running upgrade 1a2b -> 3c4d, add a column")),
        *_upgrading(tag),
        (49, RolloutChanged("Deployment", "shop", 2, 3)),
        (51, RolloutChanged("Deployment", "shop", 3, 3)),
        (51, StepChanged("upgrade", "done", "revision 12")),
        (51, StepChanged("smoke", "started", "Job shop-smoke", timeout=60, attempts=1)),
        (51, JobChanged("smoke", "shop-smoke", "created")),
    ]


def _ended(
    at: float,
    error: ShipitError,
    tag: str,
    *,
    hint: Hint = NO_HINT,
    revision: int = 0,
    migrations: tuple[MigrationResult, ...] = (),
) -> Story:
    """The end that an error makes of a deploy, as a session tells it."""
    hint = hint or error.hint
    states = tuple(map(str, error.states))
    outcome, ending = error.outcome.value, ending_of(error, "deploy", tag)
    ended = Ended(
        outcome, error.exit_code, "shop", "shop-prod", tag, revision, at, migrations, str(error), hint
    )
    return [(at, Failed(outcome, error.message, hint, error.details, states, ending)), (at, ended)]


_LOGS = shipit("logs", "shop-migrate", "-e", "prod", why="shows its whole log")
_AGAIN = deploy_again("v2", "-f", "more values.yaml", "-e", "prod", why="checks the state and resumes")

HAPPY: Story = [
    *_upgraded("v2"),
    (53, JobChanged("smoke", "shop-smoke", "complete", succeeded=1)),
    (53, StepChanged("smoke", "done", result=MigrationResult("smoke", "shop-smoke", "succeeded", 2))),
    (53, Warned("backoffLimit of Job shop-migrate is 6: Kubernetes may run it more than once", advice("set backoffLimit: 0"))),
    (53.2, Ended("deployed", 0, "shop", "shop-prod", "v2", 12, 53.2, (_MIGRATED,), "shop v2 is deployed as revision 12")),
]  # fmt: skip

_ERROR = 'sqlalchemy.exc.IntegrityError: (psycopg2.errors.UniqueViolation) could not create unique index "notes_slug_key"'
_DETAIL = "DETAIL:  Key (slug)=(groceries) is duplicated."

FAILED_MIGRATION: Story = [
    *_opening("v3", attempts=2),
    (4, _log("Traceback (most recent call last):")),
    (4, _log(_ERROR)),
    (4.5, PodChanged("migrate", "shop-migrate-x2k7d", "Error", message="container migrate exited with code 1")),
    (14.5, PodChanged("migrate", "shop-migrate-q9w8e", "Pending", attempt=2)),
    (16, _log(_ERROR, pod="shop-migrate-q9w8e", attempt=2)),
    (16, _log(_DETAIL, pod="shop-migrate-q9w8e", attempt=2)),
    (16.5, PodChanged("migrate", "shop-migrate-q9w8e", "Error", 2, "container migrate exited with code 1")),
    (17, JobChanged("migrate", "shop-migrate", "failed", failed=2, reason="BackoffLimitExceeded")),
    (17, StepChanged("migrate", "failed", "container migrate exited with code 1")),
    *_ended(
        17.1,
        MigrationFailed(
            "Job shop-migrate failed: container migrate exited with code 1",
            states=(
                ObjectLeft("Job shop-migrate", Leftover.ENDED),
                AppUntouched(11, "v1"),
                StepsNotRun(("smoke",)),
            ),
            details=("Traceback (most recent call last):", _ERROR, _DETAIL),
            headline=Headline(
                "Migration of v3 failed", "container migrate exited with code 1", "v3's migration did not complete"
            ),
        ),
        "v3",
        hint=_LOGS,
        migrations=(MigrationResult("migrate", "shop-migrate", "failed", 15.6),),
    ),
]  # fmt: skip

_TOO_LATE = MigrationResult("migrate", "shop-migrate", "timed_out", 900.0)
TIMEOUT: Story = [
    *_opening("v4"),
    (5, _log("rebuilding the index")),
    (901.4, StepChanged("migrate", "failed", result=_TOO_LATE)),
    *_ended(
        901.5,
        MigrationTimedOut(
            "Job shop-migrate did not end within 900 s",
            states=(ObjectLeft("Job shop-migrate", Leftover.RUNNING), AppUntouched(11, "v1")),
            details=("rebuilding the index",),
            headline=Headline(
                "Migration of v4 timed out", "did not end within 15m", "v4's migration is still running"
            ),
        ),
        "v4",
        hint=shipit("logs", "shop-migrate", "--follow", why="waits until it has ended"),
        migrations=(_TOO_LATE,),
    ),
]

_CRASH = "pod shop-6d9-abcde is in CrashLoopBackOff: container shop exited with code 1"

FAILED_ROLLOUT: Story = [
    *_opening("v5"),
    *_upgrading("v5"),
    (50, RolloutChanged("Deployment", "shop", 0, 3, _CRASH, trouble=True)),
    (50, AppLogLine("shop-6d9-abcde", "shop", "KeyError: 'STRIPE_KEY'")),
    (50, StepChanged("upgrade", "failed", _CRASH)),
    *_ended(
        50.3,
        UpgradeFailed(
            f"the upgrade to v5 failed: {_CRASH}",
            states=(BeforeUpgrade.MIGRATION, NotRolledBack(12, "failed")),
            details=("KeyError: 'STRIPE_KEY'",),
            headline=Headline("Upgrade to v5 failed", _CRASH),
        ),
        "v5",
        hint=shipit("rollback", "11", "-e", "prod", why="applies the manifest of that revision again; the database stays as it is"),
        revision=12,
        migrations=(_MIGRATED,),
    ),
]  # fmt: skip

INTERRUPTED: Story = [
    *_opening("v2"),
    (4, _log("INFO  [alembic] Running upgrade 1a2b -> 3c4d, add a column")),
    *_ended(
        9,
        Interrupted(
            "interrupted",
            states=(ObjectLeft("Job shop-migrate", Leftover.RUNNING), AppUntouched(11, "v1")),
            hint=_AGAIN,
        ),
        "v2",
    ),
]

_HOLDER = "ann deploys v1 from laptop since 2025-03-14 11:59:54 UTC (hotfix)"
BUSY: Story = [
    (0, Started("deploy", "r-4f2a", "shop", "shop-prod", "v2", "prod-eu", "4.1.0")),
    (0.1, StepChanged("lock", "started", f"{_HOLDER}; checking that it is alive")),
    *_ended(
        6,
        Busy(
            f"another deploy holds the lock: {_HOLDER}",
            hint=shipit("watch", why="shows what it is doing"),
        ),
        "v2",
    ),
]

REFUSED: Story = [
    *_begun("v6"),
    (0.7, StepChanged("prepare", "failed", "Secret shop-db is missing")),
    *_ended(
        0.8,
        Refused(
            "Job shop-migrate needs Secret shop-db, which does not exist in namespace shop-prod",
            hint=kubectl("get", "secrets", namespace="shop-prod", why="lists those that are there"),
        ),
        "v6",
    ),
]

UNKNOWN: Story = [
    *_opening("v2"),
    (5, StepChanged("migrate", "failed", "Job shop-migrate vanished")),
    *_ended(
        5,
        Unknown(
            "Job shop-migrate vanished while shipit was watching it",
            states=(AppUntouched(11, "v1"),),
            hint=kubectl("get", "job,pods,events", namespace="shop-prod"),
        ),
        "v2",
    ),
]

AFTER_FAILED: Story = [
    *_upgraded("v2"),
    (53, StepChanged("smoke", "failed", "container smoke exited with code 22")),
    *_ended(
        53.1,
        AfterFailed(
            "Job shop-smoke failed: container smoke exited with code 22",
            states=(ObjectLeft("Job shop-smoke", Leftover.ENDED), AppUpgraded("v2", 12)),
            details=("curl: (22) The requested URL returned error: 500",),
            hint=helm("history", "shop", namespace="shop-prod"),
            headline=Headline("Hook smoke of v2 failed", "container smoke exited with code 22"),
        ),
        "v2",
        revision=12,
        migrations=(_MIGRATED,),
    ),
]

USAGE: Story = _ended(
    0.1, Usage("--tag is empty", hint=shipit("deploy", "--help", why="shows how it is used")), ""
)

HOSTILE: Story = [
    *_opening("v2"),
    *(
        (4.0, _log(line))
        for line in (
            "::set-output name=tag::evil",
            "  ::error::not ours",
            "##[error]red",
            "progress 1\r::error::hidden behind a return\r\n",
            "\x1b]0;your title\x07\x1b[2Jcleared \x1b[31mred\x1b[0m \x9b31mC1",
            "[/red] [bold]markup[/] [link=http://x]",
            "lone \udc80 surrogate, bidi \u202etxt.exe\u202c, nul \x00, backspace \x08\x08",
            "a line\u2028separator and\x0cform feed\tand a tab",
            "<script>alert(1)</script> ``` ~~~ | **bold** ![i](http://x)",
            "",
        )
    ),
    (5, PodChanged("migrate", "shop-migrate-x2k7d", "Error", message="::warning::kubelet \x1b[1m##[group]")),
    (5, StepChanged("migrate", "failed", "[/bold]\n::error::second line")),
    (
        5,
        Failed(
            "migration_failed",
            "failed, 100% sure: ::error file=x::y\n::set-env name=PATH::/tmp\r::add-mask::e",
            Hint(shipit("logs", "[/]\n::endgroup::").command, "[/]\n::endgroup::\x1b[2J\r##[error]why"),
            ("::stop-commands::x", "```", "~~~~ </details> <img src=x>", "\x1b[2J::error::z\r##[error]q"),
        ),
    ),
    (5, Ended("migration_failed", 4, "shop", "shop-prod", "v2", 0, 5.0)),
]

PLAN: Story = [
    (0, Started("plan", "r-4f2a", "shop", "shop-prod", "v2", "prod-eu", "4.1.0")),
    (0, StepChanged("prepare", "started", "rendering shop with v2")),
    (1.2, StepChanged("prepare", "done", "before the upgrade: migrate")),
    (
        1.2,
        Planned(
            release="shop",
            namespace="shop-prod",
            tag="v2",
            revision=13,
            base_revision=12,
            reasons=("the live tag is v1",),
            steps=(
                PlannedStep(
                    "migrate", "run", "before", "Job shop-migrate", 900.0, 300.0,
                    manifest="apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: shop-migrate\n",
                ),
                PlannedStep("upgrade", "upgrade", "upgrade", timeout=300.0, reason="waits for the pods"),
                PlannedStep("smoke", "attach", "after", "Job smoke", 60.0, 30.0, "it runs"),
                PlannedStep("seed", "skip", "before", reason="it is made on installs only"),
            ),
            changes=(
                ObjectChange(
                    "change", "Deployment shop", "shop-prod", "shop/templates/app.yaml",
                    ("@9 unchanged lines", "     - image: shop:v1", "-    replicas: 1", "+    replicas: 2"),
                ),
                ObjectChange(
                    "change", "Secret db", "shop-prod", "shop/templates/db.yaml",
                    ("-  password: '*** (the old value)'", "+  password: '*** (the new value)'"),
                ),
                ObjectChange(
                    "create", "ConfigMap new", "shop-prod", "shop/templates/new.yaml",
                    ("+data:", "+  odd: \x1b[31m::error::not ours [bold]", "+  ##[group]"),
                ),
                ObjectChange("delete", "Service old", "shop-prod", "shop/templates/old.yaml"),
                ObjectChange("keep", "ConfigMap kept", "shop-prod", "", (), "helm.sh/resource-policy: keep"),
            ),
            unchanged=4,
            deleted=("Job shop-migrate of v1, which has succeeded",),
            by_hand=(
                HandChange("Deployment shop", "spec.replicas", "somebody scaled it to 5, revision 12 says 1"),
                HandChange("Service old", "", "somebody deleted it"),
            ),
            volatile=("Secret session: data.key",),
        ),
    ),
    (1.2, Warned("Job shop-migrate may run in two pods at once", advice("podReplacementPolicy: Failed"))),
    (1.2, Ended("succeeded", 10, "shop", "shop-prod", "v2", 13, 1.2, (), "shop v2: something to do: the live tag is v1")),
]  # fmt: skip

DOCTOR: Story = [
    (0, Checked("configuration", "ok", "shipit.toml, environment production")),
    (0.1, Checked("helm", "ok", "4.1.4")),
    (0.4, Checked("cluster", "ok", "prod-eu, Kubernetes v1.34.4")),
    (
        0.5,
        Checked(
            "namespace",
            "failed",
            "namespace shop does not exist",
            kubectl("create", "namespace", "shop", why="or set create_namespace = true under [release]"),
        ),
    ),
    (0.6, Checked("permissions", "ok", "everything that a deploy to namespace shop does")),
    (0.7, Checked("lock", "skipped", "namespace shop does not exist yet")),
    (
        1,
        Checked(
            "chart",
            "failed",
            "helm can't render the chart",
            advice("fix the template"),
            ("Error: template: shop/templates/migrate.yaml:1:2: nope", "second line\x1b[31m"),
        ),
    ),
    (1, Checked("migration", "skipped", "the chart has to pass first")),
    (1.1, Failed("refused", "2 of 8 checks failed: namespace, chart", shipit("doctor", why="checks again"))),
    (
        1.1,
        Ended(
            outcome="refused",
            exit_code=3,
            release="shop",
            namespace="shop",
            tag="",
            revision=0,
            duration=1.1,
            message="2 of 8 checks failed: namespace, chart",
            hint=shipit("doctor", why="checks again"),
        ),
    ),
]


HISTORY: Story = [
    (
        0,
        History(
            "shop",
            "shop-prod",
            (
                PastDeploy(
                    "r-3",
                    "rollback",
                    "2025-03-14T11:20:00Z",
                    "bert",
                    "runner",
                    "v41",
                    "deployed",
                    0,
                    19,
                    8.4,
                    message="checkout is slow",
                ),
                PastDeploy(
                    "r-2",
                    "deploy",
                    "2025-03-14T10:00:00Z",
                    "anna",
                    "laptop",
                    "v42",
                    "migration_failed",
                    4,
                    0,
                    3.6,
                    (MigrationResult("migrate", "shop-migrate", "failed", 2.9),),
                    environment="production",
                ),
                PastDeploy(
                    "r-1",
                    "deploy",
                    "2025-03-13T09:30:00Z",
                    "anna",
                    "laptop",
                    "v41",
                    "deployed",
                    0,
                    17,
                    731.0,
                    (MigrationResult("migrate", "shop-migrate", "succeeded", 700.2),),
                    "adds [/red] slugs\x1b[31m",
                ),
            ),
        ),
    ),
    (0.1, Ended("succeeded", 0, "shop", "shop-prod", "", 0, 0.1, message="3 recorded, 3 shown")),
]
STATUS: Story = [
    (
        0,
        Status(
            "shop", "shop-prod", 17, "deployed", "v41", "2025-03-13T09:42:00Z",
            PastDeploy(
                "r-2", "deploy", "2025-03-14T10:00:00Z", "anna", "laptop", "v42", "migration_failed", 4, 0, 3.6,
                (MigrationResult("migrate", "shop-migrate", "failed", 2.9),), "adds slugs",
            ),
            (MigrationRunning("Job shop-migrate", "v43", "2025-03-14T11:58:00Z", ("shop-migrate-x on node-3",)),),
            "bert deploys v43 from runner since 2025-03-14 11:57:50 UTC",
            "by cleo from desk since 2025-03-14 11:00 UTC, until it is lifted: audit",
            (WorkloadState("Deployment shop", 1, 2, 2), WorkloadState("StatefulSet cache", 3, 3, 3)),
            (HandChange("Deployment shop", "spec.replicas", "somebody scaled it to 5, revision 17 says 2"),),
            ("what runs after the first install: the next deploy runs it",),
            ("past deploys: no\x1b[31m",),
        ),
    ),
    (0.1, Ended("succeeded", 0, "shop", "shop-prod", "v41", 17, 0.1, message="shop: somebody deploys it")),
]  # fmt: skip

ROLLBACK: Story = [
    (0, Started("rollback", "r-4f2a", "shop", "shop-prod", "v1", "prod-eu", "4.1.0")),
    (
        0.4,
        Warned("migrations have run since revision 11, and the schema stays where they brought it: migrate (v2, revision 12)"),
    ),
    (3, StepChanged("lock", "started")),
    (3.2, StepChanged("lock", "done")),
    (3.2, StepChanged("prepare", "started", "looking at revision 11")),
    (4, StepChanged("prepare", "done", "back to revision 11 (v1)")),
    (4, StepChanged("rollback", "started", timeout=300)),
    (4.5, StepChanged("rollout", "started", timeout=300)),
    (5, RolloutChanged("Deployment", "shop", 0, 3, "pod shop-6d9-abcde is ContainerCreating")),
    (8, RolloutChanged("Deployment", "shop", 3, 3)),
    (8, StepChanged("rollout", "done")),
    (8, StepChanged("rollback", "done", "revision 13")),
    (8.2, Ended("deployed", 0, "shop", "shop-prod", "v1", 13, 8.2, (), "shop is back at revision 11, as revision 13")),
]  # fmt: skip

STORIES = {
    "happy": HAPPY,
    "failed_migration": FAILED_MIGRATION,
    "timeout": TIMEOUT,
    "failed_rollout": FAILED_ROLLOUT,
    "interrupted": INTERRUPTED,
    "busy": BUSY,
    "refused": REFUSED,
    "unknown": UNKNOWN,
    "after_failed": AFTER_FAILED,
    "usage": USAGE,
    "hostile": HOSTILE,
    "plan_happy": PLAN,
    "doctor": DOCTOR,
    "history_happy": HISTORY,
    "status_happy": STATUS,
    "rollback_happy": ROLLBACK,
}
