"""How the app's workloads were when a rollout began: what of their trouble is old, and says nothing about it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from shipit.deploy.timing import UNTOUCHED
from shipit.diagnosis import Restarts, overdue
from shipit.model import Plan, Ref, Workload, World


@dataclass(frozen=True, slots=True)
class Before:
    """A workload at the first look at it. `late`: it had exceeded its progress deadline; `restarts` of its pods'
    containers. All of that happened before this rollout.
    """

    generation: int = 0
    late: bool = False
    restarts: Restarts = field(default_factory=dict)


@dataclass(slots=True)
class Baseline:
    """`over`: helm has ended, all counts as it is. `own`: it had ended when the rollout began."""

    plan: Plan
    world: World
    own: bool
    over: bool = False
    _before: dict[Ref, Before] = field(default_factory=dict)
    _born: float = -1.0

    def __post_init__(self) -> None:
        self.over = self.own

    def of(self, ref: Ref, workload: Workload | None) -> Before:
        """How it was at the first look, which this is when there was none yet. Raises ApiError."""
        if ref in self._before:
            return self._before[ref]
        found = Before()
        if workload is not None:
            pods = self.world.cluster.pods(ref.namespace, workload.selector)
            restarts = {(pod.uid, each.name): each.restarts for pod in pods for each in pod.containers}
            found = Before(workload.generation, overdue(workload) is not None, restarts)
        self._before[ref] = found
        return found

    def born(self) -> None:
        """The first look at what becomes of the workloads."""
        if self._born < 0:
            self._born = self.world.clock.monotonic()

    @property
    def elapsed(self) -> float:
        return self.world.clock.monotonic() - self._born

    def has_come_to(self, workload: Workload, before: Before) -> bool:
        """Whether helm has changed it, or has had long enough to do so; and its controller has seen that."""
        touched = self.over or not self._young or workload.generation != before.generation
        return touched and workload.observed

    def without_old_delay(self, workload: Workload, before: Before) -> Workload:
        """Its controller takes back an exceeded deadline only when the new rollout gets somewhere.

        One that never ran may exceed it while it waits for what it needs.
        """
        late = overdue(workload)
        if late is None:
            self._before[workload.ref] = replace(before, late=False)
            return workload
        never_ran = self.plan.situation.install or workload.ref not in self.plan.live_workloads
        if not never_ran and not (before.late and (self._young or self.own)):
            return workload
        return replace(workload, conditions=tuple(c for c in workload.conditions if c is not late))

    def crashes_allowed(self, ref: Ref) -> int:
        """After how many restarts a container counts as lost, 0 for never: of an app that never ran it doesn't."""
        ran = ref in self.plan.ready_workloads and not self.plan.situation.install
        return self.plan.max_restarts if ran else 0

    @property
    def _young(self) -> bool:
        return self.elapsed < UNTOUCHED
