"""Whether a quota that is full now has room once what stands in a step's way is gone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from shipit.errors import QuotaExceeded
from shipit.model import (
    RELEASE_LABEL,
    Cluster,
    Job,
    JobOrPod,
    Plan,
    Ref,
    Step,
    get_job_or_pod,
    is_active,
    pods_of,
)
from shipit.plan.job_metadata import HOOK_ANNOTATION

_EXCEEDED = re.compile(
    r"exceeded quota: (?P<name>\S+), requested: (?P<requested>\S+), used: (?P<used>\S+), limited: (?P<limited>\S+)"
)


class Room(Enum):
    """YES once the old objects are gone; MAYBE when that can't be counted; NO: they hold none of what is missing."""

    YES = auto()
    MAYBE = auto()
    NO = auto()


@dataclass(frozen=True, slots=True)
class Leaving:
    """What is deleted before a step's object is created: `objects` of its kind, their `pods`, and those of these that
    have not ended, which alone count for `pods` and for compute.
    """

    objects: int = 0
    pods: int = 0
    unfinished: int = 0


def leaving(step: Step, plan: Plan, cluster: Cluster) -> Leaving:
    """What has the step's name, and the finished Jobs of this release that no step is called like."""
    if not step.watched:
        return Leaving(objects=int(cluster.get(step.ref) is not None))
    own = get_job_or_pod(cluster, step.ref)
    old: list[JobOrPod] = [own] if own is not None else []
    if step.ref.kind == "Job":
        names = {each.ref.name for each in plan.steps}
        jobs = cluster.jobs(plan.namespace, f"{RELEASE_LABEL}={plan.release}")
        old += [each for each in jobs if each.name not in names and _goes(each, plan)]
    pods = [pod for each in old for pod in pods_of(cluster, each)]
    return Leaving(len(old), len(pods), sum(1 for pod in pods if not pod.finished))


def _goes(job: Job, plan: Plan) -> bool:
    """Whether a Job of this release that no step is called like is cleared away before anything is created."""
    return plan.replace_running if is_active(job) else HOOK_ANNOTATION not in job.annotations


def room(error: QuotaExceeded, gone: Leaving, ref: Ref) -> Room:
    """`ref` is what the quota refused: the step's object, or a pod."""
    found = _EXCEEDED.search(error.message)
    if found is None:
        return Room.MAYBE if gone.objects else Room.NO
    requested, used, limited = (_quantities(found[part]) for part in ("requested", "used", "limited"))
    verdicts = [
        _fits(_freed(resource, gone, ref), resource, requested, used, limited) for resource in requested
    ]
    return next((each for each in (Room.NO, Room.MAYBE) if each in verdicts), Room.YES)


def quota_of(error: QuotaExceeded) -> str:
    """The name of the quota, "" when it isn't told."""
    found = _EXCEEDED.search(error.message)
    return found["name"] if found else ""


def _freed(resource: str, gone: Leaving, ref: Ref) -> int:
    """How many of what the quota counts go; for compute, how many pods give some of it back."""
    if ref.kind != "Pod":
        return gone.objects
    return gone.pods if resource == "count/pods" else gone.unfinished


def _fits(
    freed: int,
    resource: str,
    requested: Mapping[str, str],
    used: Mapping[str, str],
    limited: Mapping[str, str],
) -> Room:
    if not freed:
        return Room.NO
    counted = [amounts.get(resource, "") for amounts in (requested, used, limited)]
    if not all(each.isdecimal() for each in counted) or not _is_count(resource):
        return Room.MAYBE
    more, now, most = map(int, counted)
    return Room.YES if now - freed + more <= most else Room.NO


def _is_count(resource: str) -> bool:
    """Whether each object counts for one."""
    return resource.startswith("count/") or resource in (
        "pods",
        "configmaps",
        "secrets",
        "services",
        "persistentvolumeclaims",
        "replicationcontrollers",
        "resourcequotas",
    )


def _quantities(text: str) -> dict[str, str]:
    """`count/jobs.batch=1,pods=2`; a name may hold an equals sign in none of these."""
    pairs = (each.partition("=") for each in text.split(","))
    return {name: amount for name, _, amount in pairs}
