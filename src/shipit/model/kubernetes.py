"""What the cluster shows: objects by name, Jobs, pods, Events and workloads, in Kubernetes' own words.

Durations are seconds, moments are timezone-aware datetimes in UTC, `Json` is a decoded JSON or YAML object.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

from shipit.model.fingerprint import FORMAT

Json = dict[str, Any]

RELEASE_LABEL = "shipit/release"
RUN_ANNOTATION = "shipit/run"
TAG_ANNOTATION = "shipit/tag"
HASH_ANNOTATION = "shipit/hash"
REVISION_ANNOTATION = "shipit/revision"
NEVER_STARTED_ANNOTATION = "shipit/never-started"
VERSION_ANNOTATION = "shipit/version"
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
COPY_ANNOTATION = "shipit/copy-of"
"""On what a migration gets in place of one of the app's objects: the name of that."""
NOTES_VERSION = 2
"""The form of these notes; one without a version is of the first."""


class Ref(NamedTuple):
    """Names one object. `namespace` is "" for a kind that has none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What is one object in all the versions in which the API serves it: API group, kind, namespace, name."""
        return (self.api_version.rpartition("/")[0], self.kind, self.namespace, self.name)

    @property
    def title(self) -> str:
        """`Job shop-migrate`: how a person calls it where the namespace is clear."""
        return f"{self.kind} {self.name}"

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


@dataclass(frozen=True, slots=True)
class Resource:
    """One object of a rendered manifest. `source` is its template's path with the chart's name in front."""

    ref: Ref
    body: Json
    source: str


@dataclass(frozen=True, slots=True)
class Condition:
    type: str
    status: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Termination:
    """The end of a container. `started_at` is None when it never ran (see ContainerStatusUnknown)."""

    exit_code: int
    reason: str = ""
    message: str = ""
    signal: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    container_id: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod as the kubelet reports it; a container not yet reported is `waiting` with no reason.

    `image` is as the spec writes it, `image_id` the digest that the kubelet resolved ("" before it was pulled).
    A `sidecar` is an init container with restartPolicy Always.
    """

    name: str
    image: str = ""
    image_id: str = ""
    container_id: str = ""
    init: bool = False
    sidecar: bool = False
    state: Literal["waiting", "running", "terminated"] = "waiting"
    reason: str = ""
    message: str = ""
    ready: bool = False
    restarts: int = 0
    started_at: datetime | None = None
    termination: Termination | None = None
    last_termination: Termination | None = None

    @property
    def ever_started(self) -> bool:
        """True when a process of this container certainly ran: a real start time and a container ID."""
        ends = [end for end in (self.termination, self.last_termination) if end]
        return bool(self.started_at and self.container_id) or any(
            end.started_at is not None and end.container_id for end in ends
        )


class Marked:
    """What shipit notes on the Jobs and Pods that it makes."""

    __slots__ = ()
    annotations: dict[str, str]

    @property
    def never_started(self) -> bool:
        return NEVER_STARTED_ANNOTATION in self.annotations

    @property
    def tag(self) -> str:
        return self.annotations.get(TAG_ANNOTATION, "")

    @property
    def fingerprint(self) -> str:
        """What it was made from and what it does, as `Fingerprint.note` writes it."""
        return self.annotations.get(HASH_ANNOTATION, "")

    @property
    def run(self) -> str:
        return self.annotations.get(RUN_ANNOTATION, "")

    @property
    def from_a_newer_shipit(self) -> bool:
        """Whether its notes, or the digests among them, are in a form that this shipit doesn't know."""
        text = self.annotations.get(VERSION_ANNOTATION, str(NOTES_VERSION))
        form, colon, _ = self.fingerprint.partition(":")
        return not text.isdecimal() or int(text) > NOTES_VERSION or (bool(colon) and form != FORMAT)

    @property
    def revision(self) -> int:
        """The revision that its upgrade was to make; 0 when it isn't noted."""
        text = self.annotations.get(REVISION_ANNOTATION, "")
        return int(text) if text.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Pod(Marked):
    """A pod. `owner_uid` is its controller's UID, "" for a bare one; `containers` hold init containers first."""

    name: str
    namespace: str
    uid: str
    phase: str
    created: datetime
    owner_uid: str = ""
    node: str = ""
    reason: str = ""
    message: str = ""
    deleting: bool = False
    finalizers: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    containers: tuple[Container, ...] = ()

    def condition(self, type: str) -> Condition | None:
        return next((found for found in self.conditions if found.type == type), None)

    @property
    def disruption(self) -> Condition | None:
        """Why the cluster itself ends this pod: a drain, a preemption, a taint; None when it doesn't."""
        found = self.condition("DisruptionTarget")
        return found if found is not None and found.status == "True" else None

    @property
    def ready(self) -> bool:
        found = self.condition("Ready")
        return found is not None and found.status == "True"

    @property
    def complete(self) -> bool:
        return self.phase == "Succeeded"

    @property
    def has_succeeded(self) -> bool:
        return self.complete

    @property
    def finished(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def ever_started(self) -> bool:
        return any(container.ever_started for container in self.containers)

    @property
    def ref(self) -> Ref:
        return Ref("v1", "Pod", self.namespace, self.name)

    @property
    def state(self) -> Literal["complete", "failed", "running"]:
        """How it is, in a word."""
        return "complete" if self.complete else "failed" if self.finished else "running"

    @property
    def idle(self) -> bool:
        """One that never started is deleted: nothing could keep it from starting later."""
        return False


@dataclass(frozen=True, slots=True)
class Job(Marked):
    """A Job. Counts are the status' own: `failed` > 0 is no failure while the backoff limit allows another pod.

    `wanted` is how many pods have to succeed; `terminating` pods are being deleted and have not ended yet. `started` once its controller has begun with it: never for one that is suspended from its creation on.
    """

    name: str
    namespace: str
    uid: str
    created: datetime
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    active: int = 0
    ready: int = 0
    succeeded: int = 0
    failed: int = 0
    terminating: int = 0
    wanted: int = 1
    suspended: bool = False
    started: bool = False
    backoff_limit: int = 6
    deleting: bool = False
    finalizers: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def condition(self, type: str) -> Condition | None:
        """The condition of that type when its status is True."""
        return next((c for c in self.conditions if c.type == type and c.status == "True"), None)

    @property
    def complete(self) -> bool:
        return self.condition("Complete") is not None

    @property
    def failure(self) -> Condition | None:
        return self.condition("Failed")

    @property
    def finished(self) -> bool:
        return self.complete or self.failure is not None

    def having_seen(self, succeeded: int) -> Job:
        """The failed Job with the pods counted that were seen to succeed: its controller may look too late, and count
        what it deletes as failed.
        """
        return replace(self, succeeded=max(self.succeeded, succeeded)) if self.failure else self

    @property
    def failed_in_name_only(self) -> bool:
        """Failed although as many pods succeeded as were wanted, and all have ended: its deadline came in between."""
        over = self.failure is not None and not (self.complete or self.active or self.terminating)
        return over and self.succeeded >= self.wanted

    @property
    def has_succeeded(self) -> bool:
        """Whether it did what it is for, whatever the Job is called in the end."""
        return (self.complete and self.failure is None) or self.failed_in_name_only

    @property
    def ref(self) -> Ref:
        return Ref("batch/v1", "Job", self.namespace, self.name)

    @property
    def end(self) -> Literal["complete", "failed", ""]:
        """How it ended, "" while it hasn't."""
        return "complete" if self.complete else "failed" if self.failure else ""

    @property
    def state(self) -> Literal["complete", "failed", "suspended", "running"]:
        """How it is, in a word."""
        return self.end or ("suspended" if self.suspended else "running")

    @property
    def idle(self) -> bool:
        """Proven to have never started, and not let go on since."""
        return self.never_started and self.suspended and not self.active


@dataclass(frozen=True, slots=True)
class KubeEvent:
    """An Event of the cluster about one object."""

    reason: str
    message: str
    type: str = "Normal"
    count: int = 1
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment, StatefulSet or DaemonSet during its rollout.

    `observed` is false until its controller has seen the newest spec; `selector` finds its pods;
    `pod_hash` is the label `pod-template-hash` or `controller-revision-hash` of the newest pods, "" when unknown;
    `generation` counts the changes of its spec. `paused`: its controller rolls nothing out. `spare` is how many of the
    desired pods its update may do without.
    """

    ref: Ref
    desired: int
    updated: int
    ready: int
    available: int
    observed: bool
    selector: str
    pod_hash: str = ""
    conditions: tuple[Condition, ...] = ()
    uid: str = ""
    generation: int = 0
    paused: bool = False
    spare: int = 0

    @property
    def enough(self) -> bool:
        """What Helm 3 calls ready: its update may do without some pods. But not without any."""
        updated = self.ref.kind == "Deployment" or self.updated >= self.desired
        return (
            self.observed
            and updated
            and self.available >= min(self.desired, max(1, self.desired - self.spare))
        )

    @property
    def done(self) -> bool:
        return self.observed and self.updated >= self.desired and self.available >= self.desired
