"""Another terminal's view of a deploy that somebody else runs: its migrations' logs, and how it ended. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

from shipit import history
from shipit.errors import Unknown
from shipit.events import Emit, JobChanged, PastDeploy, StepChanged
from shipit.hints import shipit
from shipit.lock import SEEMS_DEAD, LockRecord, holder_of, lease_ref
from shipit.logs import Follower
from shipit.model import (
    RELEASE_LABEL,
    Clock,
    Cluster,
    JobOrPod,
    Mask,
    as_text,
    get_job_or_pod,
    is_active,
    metadata_of,
    pods_of,
)
from shipit.plan.secret_values import mask_secrets_of_job

LOOK_EVERY = 2.0
LOGS_LATE = 10.0
"""Seconds that the last lines of a log may take once its Job, or the deploy, has ended."""


@dataclass(slots=True)
class Watch:
    """A deploy of one release, as whoever holds its lock runs it. `holder` is who that was at the start, with an empty run
    for nobody.
    """

    release: str
    namespace: str
    cluster: Cluster
    clock: Clock
    mask: Mask
    emit: Emit
    holder: LockRecord = field(init=False)
    _version: str = field(init=False, default="")
    _changed: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.holder = holder_of(self.cluster.get(lease_ref(self.namespace, self.release)))
        self._changed = self.clock.monotonic()

    def to_the_end(self) -> PastDeploy:
        """Show what that deploy does until it has ended; how it ended, as it was recorded.

        Raises Unknown when it died, or ended without a record.
        """
        seen: set[str] = set()
        while self._goes_on():
            job = self._next(seen)
            if job is None:
                self.clock.sleep(LOOK_EVERY)
                continue
            seen.add(job.uid)
            self._follow(job)
        past = history.past_deploys(self.cluster, self.namespace, self.release)
        found = next((each for each in past if each.id == self.holder.run), None)
        if found is None:
            raise Unknown(
                f"the deploy has ended, and how is not recorded: it was refused before it changed anything, or its lock was "
                f"broken, or it may not record itself ({self.holder})",
                hint=shipit("status", why="shows how the release is"),
            )
        return found

    def _goes_on(self) -> bool:
        """Whether that deploy still holds the lock. Raises Unknown when its lock isn't renewed any more."""
        body = self.cluster.get(lease_ref(self.namespace, self.release))
        if holder_of(body).run != self.holder.run:
            return False
        version, now = as_text(metadata_of(body).get("resourceVersion")), self.clock.monotonic()
        if version != self._version:
            self._version, self._changed = version, now
        if now - self._changed >= SEEMS_DEAD:
            raise Unknown(
                f"the deploy seems to have died: its lock was not renewed for {SEEMS_DEAD:g} s ({self.holder})",
                hint=shipit("status", why="shows how the release is; the next deploy takes over"),
            )
        return True

    def _next(self, seen: set[str]) -> JobOrPod | None:
        """The oldest Job or bare Pod that this deploy has made, or that runs, and was not shown yet."""
        made = (job for job in self._jobs() if job.run == self.holder.run or is_active(job))
        fresh = (job for job in made if job.uid not in seen)
        return min(fresh, key=lambda job: job.created, default=None)

    def _jobs(self) -> Iterator[JobOrPod]:
        selector = f"{RELEASE_LABEL}={self.release}"
        yield from self.cluster.jobs(self.namespace, selector)
        yield from (pod for pod in self.cluster.pods(self.namespace, selector) if not pod.owner_uid)

    def _follow(self, job: JobOrPod) -> None:
        """Its log until it, or the deploy, has ended."""
        mask_secrets_of_job(job, self.cluster, self.mask, self.emit, release=self.release)
        age = max(0.0, (self.cluster.now() - job.created).total_seconds())
        self.emit(StepChanged(job.name, "started", f"{job.ref.title} of {job.tag}", elapsed=age))
        told = state = ""
        with (
            Follower(self.cluster, self.clock, job.name, self.emit) as logs,
            closing(self.cluster.changes(self.namespace, f"controller-uid={job.uid}")) as changes,
        ):
            for _ in logs.looks(changes, LOOK_EVERY):
                found = get_job_or_pod(self.cluster, job.ref)
                if found is None or found.uid != job.uid:
                    state = "deleted"
                    break
                logs.watch(pods_of(self.cluster, found))
                state = found.state
                if state != told:
                    self.emit(JobChanged(job.name, job.name, state))
                told = state
                if found.finished or found.idle or not self._goes_on():
                    break
            logs.finish(LOGS_LATE)
        self.emit(StepChanged(job.name, "done" if state == "complete" else "failed", state))
