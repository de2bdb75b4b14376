"""The logs of a migration that runs or has run, for `shipit logs`."""

from __future__ import annotations

import math
from contextlib import closing
from datetime import timedelta
from fnmatch import fnmatchcase

from shipit.errors import Refused, Unknown
from shipit.events import Emit, JobChanged, LogLine, StepChanged
from shipit.hints import kubectl, shipit
from shipit.logs.chosen import ChosenLines
from shipit.logs.follower import Follower, tail_lines
from shipit.model import RELEASE_LABEL, Clock, Cluster, JobOrPod, get_job_or_pod, pods_of

LOOK_EVERY = 2.0
PATIENCE = 30.0
"""Seconds that the log may be silent before what has come of it is all that is shown."""


def show_logs(
    job: JobOrPod,
    cluster: Cluster,
    clock: Clock,
    emit: Emit,
    *,
    follow: bool,
    tail: int | None = None,
    since: float | None = None,
) -> JobOrPod:
    """Emit the log of a Job or bare Pod from its start; with `follow` until it has ended. Returns it as it was last seen.

    `tail`: only so many last lines of each container; `since`: only those of the last so many seconds; None for all.
    Raises Unknown when it vanishes meanwhile: how it ended can't be told.
    """
    now = cluster.now()
    moment = None if since is None else now - timedelta(seconds=since)
    chosen = ChosenLines(emit, tail, moment, began=now if follow else None)
    if follow:
        emit(StepChanged(job.name, "started", f"following {job.ref.title}"))
    told = state = ""
    with (
        Follower(cluster, clock, job.name, chosen, follow=follow) as logs,
        closing(cluster.changes(job.namespace, f"controller-uid={job.uid}")) as changes,
    ):
        for _ in logs.looks(changes, LOOK_EVERY):
            seen = get_job_or_pod(cluster, job.ref)
            if seen is None or seen.uid != job.uid:
                state = "deleted"
                break
            logs.watch(pods_of(cluster, seen))
            chosen.looked()
            job, state = seen, seen.state
            if seen.finished or seen.idle or not follow:
                break
            if state != told:
                emit(JobChanged(job.name, job.name, state))
            told = state
        logs.finish(math.inf, silence=PATIENCE)
        chosen.flush()
    emit(JobChanged(job.name, job.name, state))
    if state == "deleted":
        raise Unknown(
            f"{job.ref.title} of {job.tag or 'an unknown tag'} vanished while its log was read: how it ended is unknown",
            hint=kubectl("get", "jobs,pods,events", namespace=job.namespace, why="shows what is left of it"),
        )
    if follow:
        emit(StepChanged(job.name, "done"))
    return job


def show_previous(job: JobOrPod, cluster: Cluster, emit: Emit, *, tail: int | None = None) -> None:
    """Emit the log of the run before the last restart, of each container of the newest pod that has restarted.

    Raises Refused when none has.
    """
    pods = sorted(pods_of(cluster, job), key=lambda pod: pod.created)
    restarted = [pod for pod in pods if any(each.restarts for each in pod.containers)]
    if not restarted:
        raise Refused(
            f"no container of {job.ref.title} has restarted: there is no previous run to show",
            hint=shipit("logs", job.name, why="shows every pod's log"),
        )
    pod = restarted[-1]
    for container in pod.containers:
        if container.restarts:
            for written, line in tail_lines(
                cluster, pod.namespace, pod.name, container.name, tail, previous=True
            ):
                emit(
                    LogLine(job.name, pod.name, container.name, len(pods), line, written, init=container.init)
                )


def describe(job: JobOrPod) -> str:
    """How it is, in words."""
    return "suspended, and none of its containers ever started" if job.idle else job.state


def newest_job(cluster: Cluster, namespace: str, release: str, name: str, pattern: str = "") -> JobOrPod:
    """The release's newest Job or bare Pod; or the newest that is called `name`, else that fits `pattern`, else whose name ends so:
    a migration's Job is mostly called after its release and the migration; else that ran for the tag `name`. Raises Refused with those that there are.
    """
    selector = f"{RELEASE_LABEL}={release}"
    pods = (pod for pod in cluster.pods(namespace, selector) if not pod.owner_uid)
    every: tuple[JobOrPod, ...] = (*cluster.jobs(namespace, selector), *pods)
    jobs = sorted(every, key=lambda job: job.created)
    for meant in (name or "*", pattern, f"*-{name}"):
        found = [job for job in jobs if fnmatchcase(job.name, meant)]
        if found:
            return found[-1]
    of_tag = [job for job in jobs if name and job.tag == name]
    if of_tag:
        return of_tag[-1]
    there = tuple(f"{job.name} ({job.tag or 'unknown tag'})" for job in jobs)
    raise Refused(
        f"release {release} has no migration Job{f' {name}' if name else ''} in namespace {namespace}",
        hint=kubectl("get", "jobs", namespace=namespace, why="lists the Jobs that are there"),
        details=there,
    )
