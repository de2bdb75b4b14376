"""What a deploy decides: its steps, its plan, and what became of a step.

Frozen data that is handed from step to step; durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal

from shipit.events import Warned
from shipit.hints import NO_HINT, Hint, deploy_again, rollback_again
from shipit.model.fingerprint import UNKNOWN, Fingerprint
from shipit.model.helm import Hook, Revision, Values
from shipit.model.kubernetes import Json, Ref, Resource
from shipit.states import (
    AppUntouched,
    AppUpgraded,
    BeforeRollback,
    BeforeUpgrade,
    Leftover,
    RolledBack,
    StepOutcome,
)

Phase = Literal["before", "during", "after"]
"""When a step runs: before the upgrade; once it is applied, before its pods are waited for; once they are ready."""

SEEN_KEPT = 40
RUNS_KEPT = 100


@dataclass(frozen=True, slots=True)
class Identity:
    """Who deploys: `who` a person or an actor, `where` a host or the URL of an Actions run."""

    who: str
    where: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One object that shipit runs around the upgrade: a migration's Job or Pod, or a hook of any kind.

    `manifest` is what is created, to the byte; `migration` is true for what `--skip-migration` leaves out, `test` for
    what `helm test` would run;
    `hook` is None for a migration that is no hook; `retries` is what the file sets for its Job, None for nothing;
    `of_app`: the app's own object of that name serves as it, and is neither made nor deleted. `remark` says why a hook
    is not made as the chart renders it, "" where it is. `awaits`: something that it references is not there yet, and a
    step before may make it. `needs` are the prerequisites of a migration that runs before the upgrade, `wait_for` what
    must be ready before it is created. `told` is worth telling of how it was made.
    """

    name: str
    ref: Ref
    manifest: Json
    phase: Phase
    timeout: float
    start_timeout: float
    fingerprint: Fingerprint = UNKNOWN
    hook: Hook | None = None
    migration: bool = False
    test: bool = False
    on_timeout: Literal["leave", "delete"] = "leave"
    retries: int | None = None
    of_app: bool = False
    remark: str = ""
    awaits: bool = False
    needs: tuple[Ref, ...] = ()
    wait_for: tuple[Ref, ...] = ()
    told: tuple[Warned, ...] = ()

    @property
    def watched(self) -> bool:
        """Jobs and Pods run to an end; anything else is only created."""
        return self.ref.kind in ("Job", "Pod")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A migration or hook that is not run, by the name of its step, and why, for people to read."""

    name: str
    reason: str


class Start(StrEnum):
    """Where a deploy sets in, by what an earlier try of it had noted on the lock.

    FRESH: with nothing of its own. RETRIED: an earlier try had begun this upgrade, and its helm was stopped with it:
    the migration that ran for it counts. RESUMED: an earlier try had applied this upgrade: only what runs after it is
    left to do.
    """

    FRESH = "fresh"
    RETRIED = "retried"
    RESUMED = "resumed"


@dataclass(frozen=True, slots=True)
class Situation:
    """What a deploy is about: `revision` is the one that its upgrade makes (or has made, when it is RESUMED).

    `install` when that is the release's first. `first_install_owed`: what runs after the first install has not
    succeeded yet. `oldest_accepted_revision` is the oldest one whose migration counts for this upgrade: that of the
    first of the tries that died in it, 0 for its own.
    """

    start: Start
    revision: int
    install: bool
    first_install_owed: bool
    oldest_accepted_revision: int = 0


@dataclass(frozen=True, slots=True)
class SeenRevisions:
    """What deploys have seen of a release's revisions, each oldest first: those whose pods were all `ready`, and those
    on which a deploy `failed`. Helm calls either `deployed`, and one that is neither too.
    """

    ready: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()

    def with_ready(self, *revisions: int) -> SeenRevisions:
        return replace(self, ready=_with(self.ready, revisions))

    def before(self, revision: int) -> SeenRevisions:
        """What was seen of those before that one."""
        return SeenRevisions(
            tuple(each for each in self.ready if each < revision),
            tuple(each for each in self.failed if each < revision),
        )

    def with_failed(self, revision: int) -> SeenRevisions:
        return replace(self, failed=_with(self.failed, (revision,)))


def _with(known: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    """The newest of them: Helm keeps no more."""
    return tuple(sorted({*known, *more} - {0}))[-SEEN_KEPT:]


@dataclass(frozen=True, slots=True)
class MigrationRun:
    """A migration that a deploy began, or had done before, by the name of its step; `revision` is the one that the
    deploy was to make.
    """

    revision: int
    tag: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} of {self.tag} (revision {self.revision})"


@dataclass(frozen=True, slots=True)
class MigrationsRun:
    """Which migrations deploys have begun: all of them from that of revision `since` on, 0 when nothing is known."""

    since: int = 0
    ran: tuple[MigrationRun, ...] = ()

    def counted_from(self, revision: int) -> MigrationsRun:
        """The same, from now on complete: the next deploy makes that revision."""
        return self if self.since else replace(self, since=revision)

    def with_steps(self, plan: Plan, steps: tuple[Step, ...]) -> MigrationsRun:
        """With the migrations among these steps of a plan. The oldest are forgotten, and known to be."""
        more = [MigrationRun(plan.revision, plan.tag, step.name) for step in steps if step.migration]
        ran = tuple(dict.fromkeys((*self.ran, *more)))
        lost = ran[:-RUNS_KEPT]
        since = max([self.since, *(each.revision + 1 for each in lost)])
        return MigrationsRun(since, ran[-RUNS_KEPT:])


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that can be known before anything changes.

    `situation` says what the upgrade is about, `revision` its number with a handover counted in; `base_revision` is
    the newest revision there was when it was rendered (0: none). `chart` is the frozen chart that Helm gets, with
    `values`; `handover` the frozen chart of the live manifest without the migration's Job, applied first when the live
    revision was made by bare Helm and lists it. `digest` names the app's manifest: two renders with the same digest
    are the same app, `inputs` what it was rendered from. `rollback_revision` is the one to go back to when the upgrade
    fails, 0 when there is none: until what deploys have seen is looked at, the one that is deployed. `history` are the
    release's newest revisions, oldest first, `live_workloads` those of the live manifest, `ready_workloads` those of
    them whose pods were all ready before anything changed. `taken_over` is what the live revision lists and hooks own
    from now on. `previous_jobs` are Jobs of earlier revisions that must not run beside this deploy's. `skipped` are the
    migrations that a flag leaves out, `left_out` what is of another operation. `helm_waits` is false when Helm must not
    wait for the pods: something runs `during` the upgrade, and shipit waits for them afterwards. `definitions` are what
    the chart's `crds/` bring and the cluster doesn't have yet: as long as they are missing, the plan is what could be
    known without them. `charts` are the archives that it was rendered from, each with its digest. `live_tag` is the tag of the base revision, "" when that isn't known.
    `back_to` is the revision that a rollback brings back, 0 for a deploy; `helm_rolls_back` where
    helm itself can, else `chart` holds what can be brought back of it. `prerequisites` are the objects of the chart that
    migrations need before the upgrade, each as it is made for them: missing, it is created; differing, it is copied; else
    what is there serves.
    """

    release: str
    namespace: str
    run: str
    tag: str
    situation: Situation
    revision: int
    base_revision: int
    before: tuple[Step, ...]
    after: tuple[Step, ...]
    chart: Path
    values: Values
    digest: str
    app: tuple[Resource, ...]
    workloads: tuple[Ref, ...]
    timeout: float
    during: tuple[Step, ...] = ()
    handover: Path | None = None
    taken_over: tuple[Ref, ...] = ()
    rollback_revision: int = 0
    rollback_on_failure: bool | Literal["unless-migrated"] = False
    max_restarts: int = 5
    wait_for_jobs: bool = False
    history: tuple[Revision, ...] = ()
    live_workloads: tuple[Ref, ...] = ()
    ready_workloads: frozenset[Ref] = frozenset()
    previous_jobs: tuple[Ref, ...] = ()
    rerun: bool = False
    replace_running: bool = False
    helm_waits: bool = True
    skipped: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    definitions: tuple[Resource, ...] = ()
    back_to: int = 0
    helm_rolls_back: bool = False
    prerequisites: tuple[Step, ...] = ()
    inputs: str = field(default="", repr=False)
    charts: tuple[str, ...] = ()
    live_tag: str = ""

    @property
    def operation(self) -> Literal["upgrade", "rollback"]:
        return "rollback" if self.back_to else "upgrade"

    @property
    def goal(self) -> str:
        """What runs when all went well: the tag, or the revision that is brought back."""
        return f"revision {self.back_to}" if self.back_to else self.tag

    def again(self, *flags: str, why: str = "") -> Hint:
        """The same command once more; `flags` are a deploy's."""
        if self.back_to:
            return rollback_again(self.back_to, why=why)
        return deploy_again(self.tag, *flags, why=why)

    @property
    def steps(self) -> tuple[Step, ...]:
        return (*self.before, *self.later)

    @property
    def later(self) -> tuple[Step, ...]:
        """What runs once the upgrade is applied."""
        return (*self.during, *self.after)

    @property
    def deployed(self) -> int:
        """The newest revision that was deployed before anything changed, 0 for none."""
        return next((each.number for each in reversed(self.history) if each.status == "deployed"), 0)

    @property
    def resumed(self) -> bool:
        """Whether the app is upgraded already."""
        return self.situation.start is Start.RESUMED

    @property
    def to_run(self) -> tuple[Step, ...]:
        """The steps that are left to do."""
        return self.later if self.resumed else self.steps

    @property
    def oldest_accepted_revision(self) -> int:
        """The oldest revision whose completed migration counts for this upgrade."""
        return self.situation.oldest_accepted_revision or self.revision

    @property
    def app_before(self) -> AppUntouched | AppUpgraded | RolledBack:
        """The app as long as this deploy has started no upgrade: an earlier try of it may have done that."""
        return self.app_after if self.resumed else AppUntouched(self.base_revision, self.live_tag)

    @property
    def app_after(self) -> AppUpgraded | RolledBack:
        if self.back_to:
            return RolledBack(self.back_to)
        return AppUpgraded(self.tag, self.revision)

    def app_at(self, step: Step) -> AppUntouched | AppUpgraded | RolledBack:
        """The app while that step runs."""
        return self.app_before if step.phase == "before" else self.app_after

    @property
    def rolls_back(self) -> bool:
        """Whether a failed upgrade is to be taken back."""
        migrated = self.ran_before is BeforeUpgrade.MIGRATION
        return self.rollback_on_failure is True or (bool(self.rollback_on_failure) and not migrated)

    @property
    def ran_before(self) -> BeforeUpgrade | BeforeRollback:
        """What is done once helm may be started."""
        if self.back_to:
            return BeforeRollback.HOOKS if self.before else BeforeRollback.NOTHING
        if any(step.migration for step in self.before):
            return BeforeUpgrade.MIGRATION
        return BeforeUpgrade.HOOKS if self.before else BeforeUpgrade.NOTHING


@dataclass(frozen=True, slots=True)
class StepResult:
    """What became of a step. `reason` is in the cluster's own words, `details` are its last log lines.

    `leftover` is what is left of its object. `ever_started`: a container of it was seen to run. `duration` is in
    seconds. `images` are what its containers ran: the image as the spec writes it, and its ID with the digest.
    `uid` is that of a hook's object that is no Job or Pod and is there for the hook alone, "" where there is none.
    """

    outcome: StepOutcome
    reason: str = ""
    hint: Hint = NO_HINT
    details: tuple[str, ...] = ()
    leftover: Leftover = Leftover.ENDED
    ever_started: bool = False
    duration: float = 0.0
    images: tuple[tuple[str, str], ...] = ()
    uid: str = ""
