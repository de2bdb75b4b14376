"""What happens during a command, as facts: frozen dataclasses in the past tense, one union, one way to tell them.

Only `output/` turns them into text. `TYPE` is an event's name in JSON, which `output/jsonl.py` makes of its fields.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from shipit.hints import NO_HINT, Hint


@dataclass(frozen=True, slots=True)
class Started:
    """A command began. `context` is the kubeconfig's, "" when it isn't known yet; `environment` that of the
    configuration, "" for none."""

    TYPE: ClassVar[str] = "started"
    command: str
    run: str
    release: str
    namespace: str
    tag: str
    context: str = ""
    helm: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Outlined:
    """What is live, and the steps to come, by their names in the order in which they run.

    `live_tag` is "" when it isn't known, `live_revision` 0 when nothing is installed.
    """

    TYPE: ClassVar[str] = "outline"
    live_tag: str
    live_revision: int
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """`outcome` is succeeded, failed, timed_out, skipped, resumed (accepted from an earlier try) or unknown."""

    name: str
    job: str
    outcome: str
    duration: float


@dataclass(frozen=True, slots=True)
class StepChanged:
    """A step of the sequence: `step` is prepare, clear, upgrade, rollout, rollback, handover, lock, or the name of
    a migration or hook. `timeout` in seconds is how long it may take, None when it has no bound of its own;
    `result` is what became of a Job or Pod, once it has ended. `elapsed` are the seconds that it had already taken when
    it was started here: those of a Job that was attached to, since its creation, as its timeout counts them. `attempts` is how many pods may
    run one after the other, 0 when that isn't known."""

    TYPE: ClassVar[str] = "step"
    step: str
    state: Literal["started", "done", "failed", "skipped"]
    message: str = ""
    timeout: float | None = None
    result: MigrationResult | None = None
    elapsed: float = 0.0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a migration or hook wrote, without its newline; `attempt` counts its pods from 1. `written` is when,
    by the node's clock: RFC 3339, in UTC; "" for what shipit says itself. `init`: by an init container.
    """

    TYPE: ClassVar[str] = "log"
    step: str
    pod: str
    container: str
    attempt: int
    line: str
    written: str = ""
    init: bool = False


@dataclass(frozen=True, slots=True)
class AppLogLine:
    """A line that the app wrote, shown when its rollout fails; `written` as in a LogLine."""

    TYPE: ClassVar[str] = "app_log"
    pod: str
    container: str
    line: str
    written: str = ""


@dataclass(frozen=True, slots=True)
class JobChanged:
    """`state` is created, attached, running, suspended, complete, failed, deleting or deleted."""

    TYPE: ClassVar[str] = "job"
    step: str
    job: str
    state: str
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PodChanged:
    """`state` is the pod's phase or, while it waits or has failed, the reason (`ImagePullBackOff`, `OOMKilled`)."""

    TYPE: ClassVar[str] = "pod"
    step: str
    pod: str
    state: str
    attempt: int = 1
    message: str = ""


@dataclass(frozen=True, slots=True)
class RolloutChanged:
    """A workload of the app, with how many of its new pods are ready; `reason` says why the others aren't, "" when
    there is nothing to say. `trouble`: waiting alone may not help.
    """

    TYPE: ClassVar[str] = "rollout"
    kind: str
    name: str
    ready: int
    desired: int
    reason: str = ""
    trouble: bool = False


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """Something that a deploy would do. `action` is run, attach, accept, create, replace, keep (the app's own object
    serves), skip, or upgrade, handover, install, for what is Helm's or the cluster's. `when` is before, upgrade, during
    or after. `object` is `Job shop-migrate`, `manifest` its YAML, of a Secret without its values.
    """

    name: str
    action: str
    when: str
    object: str = ""
    timeout: float | None = None
    start_timeout: float | None = None
    reason: str = ""
    manifest: str = ""


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """What becomes of one object of the release's manifest. `action` is create, change, delete or keep.

    `lines` begin with `+`, `-` or a blank, as in a unified diff, or with `@` where some are left out.
    """

    action: str
    object: str
    namespace: str
    template: str
    lines: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class HandChange:
    """A field of a live object that is not as the live revision's manifest says; `field` is "" for all of it."""

    object: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Planned:
    """What a deploy would do. `reasons` say why it has something to do, and are empty when it hasn't.

    `base_revision` is the live one, 0 for none. `unchanged` objects are not among `changes`. `deleted` is what of
    earlier deploys goes; `volatile` names what the chart renders anew each time, where that is known; `until` is when a
    saved plan expires.
    """

    TYPE: ClassVar[str] = "plan"
    release: str
    namespace: str
    tag: str
    revision: int
    base_revision: int
    reasons: tuple[str, ...]
    steps: tuple[PlannedStep, ...]
    changes: tuple[ObjectChange, ...]
    unchanged: int
    deleted: tuple[str, ...] = ()
    by_hand: tuple[HandChange, ...] = ()
    volatile: tuple[str, ...] = ()
    until: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """A line of a checklist. `message` says what is well, what is wrong (with `details` and a `hint` that mends it), or
    why it was not looked at."""

    TYPE: ClassVar[str] = "check"
    name: str
    state: Literal["ok", "failed", "skipped"]
    message: str
    hint: Hint = NO_HINT
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """What a deploy changes of the release's manifest, live against new; `changes` and `unchanged` as in a Planned."""

    TYPE: ClassVar[str] = "changes"
    changes: tuple[ObjectChange, ...]
    unchanged: int


@dataclass(frozen=True, slots=True)
class PastDeploy:
    """A deploy or rollback as it was recorded. `id` is its run, `started` RFC 3339 in UTC by the API server's clock, `tag`
    "" for a rollback to a revision whose tag isn't known, `environment` "" for none, `revision` 0 when it made none.
    """

    id: str
    command: str
    started: str
    who: str
    where: str
    tag: str
    outcome: str
    exit_code: int
    revision: int
    duration: float
    migrations: tuple[MigrationResult, ...] = ()
    message: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True)
class MigrationRunning:
    """A Job or bare Pod of the release that has not ended: `since` RFC 3339, `pods` with their nodes."""

    object: str
    tag: str
    since: str
    pods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkloadState:
    """A workload of the app: how many pods of its newest spec are ready, how many there are, how many are wanted."""

    object: str
    ready: int
    updated: int
    desired: int


@dataclass(frozen=True, slots=True)
class Status:
    """How a release is. `revision` 0: not installed, or not known; `updated` RFC 3339, "" when not known; `last_deploy`
    None when none is recorded; `lock` and `frozen` are "" for nobody; `unknown` says what could not be read, and why.
    """

    TYPE: ClassVar[str] = "status"
    release: str
    namespace: str
    revision: int
    helm_status: str
    tag: str
    updated: str
    last_deploy: PastDeploy | None
    running: tuple[MigrationRunning, ...]
    lock: str
    frozen: str
    rollout: tuple[WorkloadState, ...]
    by_hand: tuple[HandChange, ...]
    owed: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The past deploys of a release, newest first."""

    TYPE: ClassVar[str] = "history"
    release: str
    namespace: str
    deploys: tuple[PastDeploy, ...]


@dataclass(frozen=True, slots=True)
class Warned:
    TYPE: ClassVar[str] = "warning"
    message: str
    hint: Hint = NO_HINT


@dataclass(frozen=True, slots=True)
class Row:
    """One fact of an ending: `label` is App, Database, Job, Pod or another noun."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command failed, part by part: what failed, why, in which state it leaves the app, the database, the Job and
    the rest, in that order, and the last lines of the log. `why` is "" where `what` says it all.
    """

    what: str
    why: str = ""
    rows: tuple[Row, ...] = ()
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The error that ends the command: what failed and why, in which states things are left, the evidence, what to
    type next. `ending` holds the same in parts, for people; None where there are none."""

    TYPE: ClassVar[str] = "error"
    outcome: str
    message: str
    hint: Hint = NO_HINT
    details: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """Last and always. `revision` is 0 when none was made."""

    TYPE: ClassVar[str] = "result"
    outcome: str
    exit_code: int
    release: str
    namespace: str
    tag: str
    revision: int
    duration: float
    migrations: tuple[MigrationResult, ...] = ()
    message: str = ""
    hint: Hint = NO_HINT


Event = (
    Started
    | Outlined
    | StepChanged
    | LogLine
    | AppLogLine
    | JobChanged
    | PodChanged
    | RolloutChanged
    | Planned
    | Checked
    | Compared
    | History
    | Status
    | Warned
    | Failed
    | Ended
)

Emit = Callable[[Event], None]
