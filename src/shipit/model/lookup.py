"""A Job or bare Pod as it is in the cluster now, its pods, and whether it may still run."""

from __future__ import annotations

from shipit.model.interfaces import Cluster
from shipit.model.kubernetes import Job, Pod, Ref

JobOrPod = Job | Pod


def get_job_or_pod(cluster: Cluster, ref: Ref) -> JobOrPod | None:
    """The Job or Pod of that name as it is now."""
    return cluster.pod(ref.namespace, ref.name) if ref.kind == "Pod" else cluster.job(ref.namespace, ref.name)


def pods_of(cluster: Cluster, subject: JobOrPod) -> tuple[Pod, ...]:
    """The pods of a Job, by its UID, oldest first; a bare Pod is its own."""
    if isinstance(subject, Pod):
        return (subject,)
    found = cluster.pods(subject.namespace, f"controller-uid={subject.uid}")
    return tuple(sorted((pod for pod in found if pod.owner_uid == subject.uid), key=lambda pod: pod.created))


def is_active(subject: JobOrPod) -> bool:
    """True for what is, or could come, to life: not finished, and not proven to have never started."""
    return not subject.finished and not subject.idle
