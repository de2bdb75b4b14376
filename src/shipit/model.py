"""What a deploy knows: frozen data in Kubernetes' and Helm's own words, handed from step to step.

Durations are seconds, moments are timezone-aware datetimes in UTC, `Json` is a decoded JSON or YAML object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

Json = dict[str, Any]

RELEASE_LABEL = "shipit/release"
RUN_ANNOTATION = "shipit/run"
TAG_ANNOTATION = "shipit/tag"
HASH_ANNOTATION = "shipit/hash"
REVISION_ANNOTATION = "shipit/revision"
NEVER_STARTED_ANNOTATION = "shipit/never-started"


class HelmVersion(NamedTuple):
    """`(3, 13, 0)`; the patch number is 0 when a build doesn't print it."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return ".".join(str(part) for part in self)


class Ref(NamedTuple):
    """Names one object. `namespace` is "" for a kind that has none."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


@dataclass(frozen=True, slots=True)
class Resource:
    """One object of a rendered manifest. `source` is its template's path with the chart's name in front."""

    ref: Ref
    body: Json
    source: str


# ── what Helm answers ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook as Helm renders it. `weight` is 0 and `delete_policies` empty when the chart sets none."""

    name: str
    kind: str
    path: str
    manifest: str
    events: tuple[str, ...]
    weight: int = 0
    delete_policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A release as `helm upgrade --install --dry-run=server -o json` renders it.

    `revision` is the one that the upgrade will make; `install` is true when there is no release yet;
    `server_side` when Helm would apply server-side (Helm 4's default), False for a three-way merge.
    `notes` is the rendered NOTES.txt, "" when there is none. `owes_install`: what runs after the first install has not
    succeeded yet, and this is no install any more.
    """

    manifest: str
    hooks: tuple[Hook, ...]
    revision: int
    install: bool
    server_side: bool
    notes: str = ""
    owes_install: bool = False


@dataclass(frozen=True, slots=True)
class Revision:
    """One line of `helm history`. `status` is Helm's: deployed, failed, superseded, pending-upgrade, …"""

    number: int
    status: str
    chart: str = ""
    app_version: str = ""
    description: str = ""
    updated: datetime | None = None

    @property
    def pending(self) -> bool:
        return self.status.startswith("pending-")


@dataclass(frozen=True, slots=True)
class HelmExit:
    """How a helm process ended; `stderr` with secrets cut out, its last 200 lines."""

    code: int
    stderr: tuple[str, ...] = ()


# ── what the cluster answers ─────────────────────────────────────────────────────────────────────


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
    def hash(self) -> str:
        return self.annotations.get(HASH_ANNOTATION, "")

    @property
    def run(self) -> str:
        return self.annotations.get(RUN_ANNOTATION, "")

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
    def ready(self) -> bool:
        found = self.condition("Ready")
        return found is not None and found.status == "True"

    @property
    def complete(self) -> bool:
        return self.phase == "Succeeded"

    @property
    def finished(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def ever_started(self) -> bool:
        return any(container.ever_started for container in self.containers)


@dataclass(frozen=True, slots=True)
class Job(Marked):
    """A Job. Counts are the status' own: `failed` > 0 is no failure while the backoff limit allows another pod.

    `started` once its controller has begun with it: never for one that is suspended from its creation on.
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
    `generation` counts the changes of its spec.
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

    @property
    def done(self) -> bool:
        return self.observed and self.updated >= self.desired and self.available >= self.desired


# ── what a deploy decides ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Identity:
    """Who deploys: `who` a person or an actor, `where` a host or the URL of an Actions run."""

    who: str
    where: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One object that shipit runs around the upgrade: a migration's Job, or a hook of any kind.

    `manifest` is what is created, to the byte; `migration` is true for what `--skip-migration` leaves out;
    `hook` is None for a migration that is no hook.
    """

    name: str
    ref: Ref
    manifest: Json
    phase: Literal["before", "after"]
    timeout: float
    start_timeout: float
    hash: str
    hook: Hook | None = None
    migration: bool = False
    on_timeout: Literal["leave", "delete"] = "leave"

    @property
    def watched(self) -> bool:
        """Jobs and Pods run to an end; anything else is only created."""
        return self.ref.kind in ("Job", "Pod")


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that can be known before anything changes.

    `revision` is the one that the upgrade will make, `live` the newest one there was when it was rendered (0: none).
    `chart` is the frozen chart that Helm gets, with `values`; `handover` the frozen chart of the live manifest
    without the migration's Job, applied first when the live revision was made by bare Helm and lists it. `digest`
    names the app's manifest: two renders with the same digest are the same app. `back_to` is the revision to go back
    to when the upgrade fails, 0 when there is none; `rolls_back` when shipit is to. `foreign` are Jobs of earlier
    revisions that must not run beside this deploy's. `waits` is false when Helm must not wait for the pods: on a
    first install whose migration comes after. `resumes`: an earlier try of this deploy had upgraded the app and died.
    `counts_from` is the oldest revision whose migration counts for this upgrade: that of the first of the tries that
    died in it, else its own. `owes_install`: what runs after the first install has not succeeded yet.
    """

    release: str
    namespace: str
    run: str
    tag: str
    revision: int
    live: int
    install: bool
    before: tuple[Step, ...]
    after: tuple[Step, ...]
    chart: Path
    values: tuple[Path, ...]
    digest: str
    app: tuple[Resource, ...]
    workloads: tuple[Ref, ...]
    timeout: float
    handover: Path | None = None
    back_to: int = 0
    rolls_back: bool = False
    foreign: tuple[Ref, ...] = ()
    rerun: bool = False
    replace_running: bool = False
    waits: bool = True
    resumes: bool = False
    counts_from: int = 0
    owes_install: bool = False
    skipped: tuple[str, ...] = ()

    @property
    def app_now(self) -> str:
        """The state of the app as long as no upgrade has begun."""
        return f"the app is untouched (revision {self.live})" if self.live else "the app is not installed"

    @property
    def done(self) -> str:
        """What is done once an upgrade may have begun."""
        if any(step.migration for step in self.before):
            return "the migration is done"
        return "what runs before the upgrade is done" if self.before else "nothing ran before the upgrade"

    @property
    def app_then(self) -> str:
        """The state of the app once it is upgraded."""
        return f"the app is upgraded to {self.tag} (revision {self.revision})"

    @property
    def look_at_history(self) -> str:
        """What to type to see where the release is."""
        return f"helm history {self.release} -n {self.namespace}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a step. `reason` is in the cluster's own words, `details` are its last log lines.

    `never_started`: no container ever ran, proven; `ever_started`: one was seen to run; `suspended`: it is, unproven.
    `leaving`: it is being deleted and still there. `still_running`: it goes on after shipit gave up. `resumed`: an
    earlier try of this deploy had done it. `images` are what its containers ran: the image as the spec writes it, and
    its ID with the digest.
    """

    state: Literal["succeeded", "failed", "timed_out", "unknown"]
    reason: str = ""
    hint: str = ""
    details: tuple[str, ...] = ()
    never_started: bool = False
    still_running: bool = False
    deleted: bool = False
    leaving: bool = False
    suspended: bool = False
    ever_started: bool = False
    resumed: bool = False
    duration: float = 0.0
    images: tuple[tuple[str, str], ...] = ()
