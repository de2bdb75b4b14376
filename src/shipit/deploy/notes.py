"""What a deploy notes of its upgrade on its lock, for whoever comes after it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shipit.deploy.release_state import newest_revision
from shipit.deploy.timing import LAST_LOOK
from shipit.errors import Busy, HelmFailed, Unknown
from shipit.events import Emit, Warned
from shipit.lock import Lease, UpgradeRecord, UpgradeState
from shipit.model import MigrationsRun, Plan, SeenRevisions, World, slow_digest


@dataclass(slots=True)
class Notes:
    """The upgrade of a plan, or the rollback, as it is noted: `record` is what was noted last, or will be first."""

    lease: Lease
    record: UpgradeRecord
    emit: Emit

    def migrating(self, plan: Plan) -> None:
        """Before the first step starts: the upgrade of before stays noted as it is. Raises as `Lease.note`."""
        migrations = self.record.migrations.with_steps(plan, plan.before)
        found = self.lease.found
        if found is not None and migrations != self.record.migrations and not counts_anew(plan, found):
            self.lease.note(replace(found, migrations=migrations))
        self.record = replace(self.record, migrations=migrations)

    def begun(self, plan: Plan) -> None:
        """Before helm starts. Raises as `Lease.note`."""
        self.record = record_of(plan, UpgradeState.BEGUN, self.record.seen, self.record.migrations)
        self.lease.note(self.record)

    def applied(self, plan: Plan) -> None:
        """The revision was made; where helm waited for its pods, they were ready."""
        migrations = self.record.migrations.with_steps(plan, plan.later)
        seen = self.record.seen
        if (
            plan.handover is not None and plan.deployed in seen.ready
        ):  # the same app, without its migration's Job
            seen = seen.with_ready(plan.rollback_revision)
        if plan.helm_waits:
            seen = seen.with_ready(self.record.revision)
        self._end(replace(self.record, state=UpgradeState.APPLIED, seen=seen, migrations=migrations))

    def ready(self) -> None:
        """All that the rollout waits for was seen to be ready."""
        self._end(replace(self.record, seen=self.record.seen.with_ready(self.record.revision)))

    def rolling_back(self) -> None:
        """Before a helm takes back what was applied: that is not to be finished any more. Raises as `Lease.note`."""
        seen = self.record.seen.with_failed(self.record.revision)
        self.record = replace(self.record, state=UpgradeState.BEGUN, seen=seen)
        self.lease.note(self.record)

    def stopped(self) -> None:
        """What helm had begun was seen to end before its time."""
        if self.record.state is UpgradeState.BEGUN:
            self._end(replace(self.record, state=UpgradeState.INTERRUPTED))

    def failed(self, state: UpgradeState = UpgradeState.SETTLED, *, ran: bool = False) -> None:
        """The deploy failed on this revision; one that is not SETTLED may yet turn out to be made.

        `ran`: all that a first install runs has succeeded all the same.
        """
        settled = state is UpgradeState.SETTLED
        seen = self.record.seen.with_failed(self.record.revision) if settled else self.record.seen
        owed = self.record.first_install_owed and not ran
        self._end(replace(self.record, state=state, seen=seen, first_install_owed=owed))

    def settled(self) -> None:
        """All is done; a rollback has done nothing of what an install owes."""
        owed = self.record.first_install_owed and not self.record.tag
        self._end(replace(self.record, state=UpgradeState.SETTLED, first_install_owed=owed))

    def _end(self, record: UpgradeRecord) -> None:
        """What has ended so is not undone by a note that can't be written."""
        if record == self.record:
            return
        self.record = record
        try:
            self.lease.note(record)
        except (Unknown, Busy) as error:
            self.emit(Warned(f"the end of this deploy could not be noted on its lock: {error.message}"))


def first_notes(plan: Plan, seen: SeenRevisions, lease: Lease, emit: Emit) -> Notes:
    """What a plan will note, with what earlier deploys have noted of the release."""
    found = lease.found
    known = found.migrations if found is not None and not counts_anew(plan, found) else MigrationsRun()
    migrations = known.counted_from(plan.revision)
    return Notes(lease, record_of(plan, UpgradeState.BEGUN, seen, migrations), emit)


def record_of(
    plan: Plan, state: UpgradeState, seen: SeenRevisions, migrations: MigrationsRun
) -> UpgradeRecord:
    """The plan's upgrade, as it is noted on the lock."""
    return UpgradeRecord(
        "" if plan.back_to else plan.tag,
        plan.revision,
        plan.digest,
        plan.situation.install,
        state,
        oldest_accepted_revision=plan.oldest_accepted_revision,
        handover=plan.handover is not None,
        first_install_owed=plan.situation.first_install_owed,
        run=plan.run,
        inputs=slow_digest(plan.inputs, plan.run),
        seen=seen,
        charts=plan.charts,
        migrations=migrations,
    )


def counts_anew(plan: Plan, found: UpgradeRecord | None) -> bool:
    """Whether the release was uninstalled since the last deploy: then revisions count anew, and no Job of before says
    anything about this release.
    """
    return found is not None and found.outlived(plan.revision)


def after_a_failure(plan: Plan, world: World) -> UpgradeState:
    """What an upgrade that failed leaves to a successor: nothing when its revision is known to be made, else all of
    it, and a revision that may be pending by a helm that is gone.
    """
    try:
        newest = newest_revision(world, LAST_LOOK)
    except HelmFailed:
        newest = None
    made = newest is not None and not newest.pending and newest.number >= plan.revision
    return UpgradeState.SETTLED if made else UpgradeState.INTERRUPTED
