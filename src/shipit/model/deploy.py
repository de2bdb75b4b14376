"""What a deploy decides: its steps, its plan, and what became of a step.

Frozen data that is handed from step to step; durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shipit.hints import NO_HINT, AnyHint
from shipit.model.helm import Hook
from shipit.model.kubernetes import Json, Ref, Resource


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
class StepResult:
    """What became of a step. `reason` is in the cluster's own words, `details` are its last log lines.

    `never_started`: no container ever ran, proven; `ever_started`: one was seen to run; `suspended`: it is, unproven.
    `leaving`: it is being deleted and still there. `still_running`: it goes on after shipit gave up. `resumed`: an
    earlier try of this deploy had done it. `images` are what its containers ran: the image as the spec writes it, and
    its ID with the digest.
    """

    state: Literal["succeeded", "failed", "timed_out", "unknown"]
    reason: str = ""
    hint: AnyHint = NO_HINT
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
