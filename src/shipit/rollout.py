"""The app's workloads while helm changes them: what becomes of their pods, and whether they can become ready."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from shipit.diagnosis import Finding, why_not_ready
from shipit.errors import ApiError
from shipit.events import AppLogLine, Emit, RolloutChanged
from shipit.follow import tail_lines
from shipit.model import Plan, Pod, Ref, Workload
from shipit.world import World

LOOK_EVERY = 1.0
LAST_LINES = 20
STEADY = 10.0
"""Seconds without another crash after which an app that has crashed in its rollout is believed to run."""
UNTOUCHED = 60.0
"""Seconds that helm gets to change a workload before one that it left as it was is judged by its old pods."""


def newest_pods(ref: Ref, world: World) -> tuple[Pod, ...]:
    """The newest pods of a workload."""
    workload = world.cluster.workload(ref)
    if workload is None:
        return ()
    found = world.cluster.pods(ref.namespace, workload.selector)
    return tuple(
        pod
        for pod in found
        if not pod.deleting and (not workload.pod_hash or workload.pod_hash in pod.labels.values())
    )


@dataclass(slots=True)
class Rollout:
    """The app's workloads during an upgrade: what changed is told, what can't succeed is found."""

    plan: Plan
    world: World
    emit: Emit
    _told: dict[Ref, RolloutChanged] = field(default_factory=dict)
    _troubled: dict[Ref, tuple[Finding, tuple[Pod, ...]]] = field(default_factory=dict)
    _born: float = -1.0
    _crashed: float = -STEADY
    _untouched: dict[Ref, int] = field(default_factory=dict)

    @classmethod
    def of_helm(cls, plan: Plan, world: World, emit: Emit) -> Rollout:
        """The rollout that a helm will cause: made before it starts.

        What an earlier revision left broken says nothing about this one, as long as helm hasn't come to it.
        """
        with suppress(ApiError):
            seen = [world.cluster.workload(ref) for ref in plan.workloads]
            return cls(plan, world, emit, _untouched={each.ref: each.generation for each in seen if each})
        return cls(plan, world, emit)

    def look(self) -> Finding | None:
        """One look at every workload. Returns why the rollout can't succeed, None as long as it may."""
        if self._born < 0:
            self._born = self.world.clock.monotonic()
        for ref in self.plan.workloads:
            try:
                finding = self._look_at(ref)
            except ApiError:
                continue
            if finding is not None and finding.kind == "fatal":
                return finding
        return None

    def settle(self) -> Finding | None:
        """Once helm says that all is ready: is it still? Returns why it isn't, when it can't get over it.

        An app that has no readiness probe and crashes soon after each start is ready for a moment each time, and a
        moment is enough for helm.
        """
        deadline = self.world.clock.monotonic() + self.plan.timeout
        finding = self.closed()
        while finding is None and self.world.clock.monotonic() - self._crashed < STEADY:
            if self.world.clock.monotonic() >= deadline:
                return self.worst() or Finding(
                    "fatal", f"it crashed, and is not ready again: {self.summary()}"
                )
            self.world.clock.sleep(LOOK_EVERY)
            finding = self.look()
        return finding

    def closed(self) -> Finding | None:
        """One look once helm has ended: every workload counts as it is."""
        self._untouched.clear()
        return self.look()

    def _look_at(self, ref: Ref) -> Finding | None:
        workload = self.world.cluster.workload(ref)
        if workload is None or not self._has_come_to(workload):
            return None
        finding = None
        self._troubled.pop(ref, None)
        if not workload.done:
            pods = newest_pods(ref, self.world)
            unready = [pod for pod in pods if not pod.ready]
            asked = (*((pod.namespace, pod.uid) for pod in unready[:3]), (ref.namespace, workload.uid))
            events = {uid: self.world.cluster.events(namespace, uid) for namespace, uid in asked}
            elapsed = self.world.clock.monotonic() - self._born
            finding = why_not_ready(workload, pods, events, elapsed)
            if finding is not None:
                self._troubled[ref] = (finding, tuple(unready))
            if any(_has_crashed(pod) for pod in unready):
                self._crashed = self.world.clock.monotonic()
        told = RolloutChanged(
            ref.kind, ref.name, workload.available, workload.desired, finding.reason if finding else ""
        )
        if self._told.get(ref) != told:
            self._told[ref] = told
            self.emit(told)
        return finding

    def _has_come_to(self, workload: Workload) -> bool:
        """Whether helm has changed it, or has had long enough to do so."""
        young = self.world.clock.monotonic() - self._born < UNTOUCHED
        return not (young and self._untouched.get(workload.ref) == workload.generation)

    def done(self) -> bool:
        """Every workload is seen to be rolled out."""
        try:
            seen = [self.world.cluster.workload(ref) for ref in self.plan.workloads]
        except ApiError:
            return False
        return all(workload is None or workload.done for workload in seen)

    def worst(self) -> Finding | None:
        """Why the rollout isn't done, the fatal first."""
        found = [finding for finding, _ in self._troubled.values()]
        return next((finding for finding in found if finding.kind == "fatal"), found[0] if found else None)

    def summary(self) -> str:
        """Ready of desired, of what isn't ready."""
        return ", ".join(
            f"{t.kind} {t.name} {t.ready}/{t.desired}" for t in self._told.values() if t.ready < t.desired
        )

    def app_logs(self) -> tuple[str, ...]:
        """The last lines of the first pod that isn't ready, told as well."""
        for _, pods in self._troubled.values():
            for pod in pods:
                for container in (c for c in pod.containers if c.ever_started):
                    lines = tail_lines(
                        self.world.cluster, pod.namespace, pod.name, container.name, LAST_LINES
                    )
                    for line in lines:
                        self.emit(AppLogLine(pod.name, container.name, line))
                    if lines:
                        return lines
        return ()


def _has_crashed(pod: Pod) -> bool:
    return any(each.termination or each.last_termination for each in pod.containers if not each.init)
