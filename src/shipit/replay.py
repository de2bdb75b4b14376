"""The logs of a migration that runs or has run, for `shipit logs`."""

from __future__ import annotations

from contextlib import closing

from shipit.clear import pods_of
from shipit.errors import Refused
from shipit.events import Emit, JobChanged
from shipit.follow import Follower
from shipit.model import RELEASE_LABEL, Job
from shipit.world import Clock, Cluster

LOOK_EVERY = 2.0
GLANCE = 0.2
PATIENCE = 30.0


def replay(job: Job, cluster: Cluster, clock: Clock, emit: Emit, *, follow: bool) -> Job:
    """Emit a Job's log from its start; with `follow` until it has ended. Returns the Job as it was last seen."""
    namespace = job.namespace
    looked = -LOOK_EVERY
    with (
        Follower(cluster, clock, job.name, emit) as logs,
        closing(cluster.changes(namespace, f"controller-uid={job.uid}")) as changes,
    ):
        changed = True
        while True:
            if changed or clock.monotonic() - looked >= LOOK_EVERY:
                looked = clock.monotonic()
                seen = cluster.job(namespace, job.name)
                if seen is None or seen.uid != job.uid:
                    break
                job = seen
                logs.watch(pods_of(cluster, job))
                if job.finished or not follow:
                    break
            logs.pass_on()
            changed = changes.wait(GLANCE)
        logs.finish(PATIENCE if job.finished else GLANCE)
    emit(JobChanged(job.name, job.name, job.end or "running"))
    return job


def find(cluster: Cluster, namespace: str, release: str, name: str) -> Job:
    """The release's newest Job, or the one called `name`. Raises Refused with those that there are."""
    jobs = sorted(cluster.jobs(namespace, f"{RELEASE_LABEL}={release}"), key=lambda job: job.created)
    found = [job for job in jobs if not name or job.name == name]
    if found:
        return found[-1]
    there = tuple(job.name for job in jobs)
    raise Refused(
        f"release {release} has no migration Job{f' {name}' if name else ''} in namespace {namespace}",
        hint=f"kubectl get jobs -n {namespace}",
        details=there,
    )
