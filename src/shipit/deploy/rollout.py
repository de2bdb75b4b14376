"""What a rollout waits for: what becomes of the app's pods, claims and addresses, and whether they can become ready."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from shipit.deploy.baseline import Baseline, Before
from shipit.deploy.timing import ROLLOUT_LOOK_EVERY, ROLLOUT_LOOK_WITHIN, STEADY
from shipit.deploy.waited_for import Waited, waited_for
from shipit.diagnosis import Finding, why_not_ready
from shipit.errors import ApiError
from shipit.events import AppLogLine, Emit, RolloutChanged
from shipit.logs import tail_lines
from shipit.model import Plan, Pod, Ref, Workload, World
from shipit.plan import mask_secrets_taken

LAST_LINES = 20
LIKE_STATUS = 4
"""Since this version Helm waits until every pod is available."""


def newest_pods(workload: Workload | None, world: World) -> tuple[Pod, ...]:
    """The newest pods of a workload."""
    if workload is None:
        return ()
    return tuple(
        pod
        for pod in world.cluster.pods(workload.ref.namespace, workload.selector)
        if not pod.deleting and (not workload.pod_hash or workload.pod_hash in pod.labels.values())
    )


@dataclass(slots=True)
class Rollout:
    """The app's workloads, and what else is waited for, during an upgrade: what changed is told, what can't succeed is
    found. `own`: shipit waits, helm has ended and doesn't; all counts as it is. `blind` is why the last look saw nothing.

    No look takes longer than ROLLOUT_LOOK_WITHIN; what one has not come to is looked at first the next time.
    """

    plan: Plan
    world: World
    emit: Emit
    own: bool = False
    blind: str = ""
    _told: dict[Ref, RolloutChanged] = field(default_factory=dict)
    _troubled: dict[Ref, tuple[Finding, tuple[Pod, ...]]] = field(default_factory=dict)
    _looked: dict[Ref, float] = field(default_factory=dict)
    _done: set[Ref] = field(default_factory=set)
    _others: Waited = field(init=False)
    _baseline: Baseline = field(init=False)
    _crashed: float = -STEADY

    def __post_init__(self) -> None:
        self._baseline = Baseline(self.plan, self.world, self.own)
        self._others = waited_for(self.plan, self.world, own=self.own)

    @classmethod
    def of_helm(cls, plan: Plan, world: World, emit: Emit) -> Rollout:
        """The rollout that a helm will cause: made before it starts.

        What an earlier revision left broken says nothing about this one, as long as helm hasn't come to it.
        """
        rollout = cls(plan, world, emit)
        rollout.begin()
        return rollout

    @classmethod
    def of_ours(cls, plan: Plan, world: World, emit: Emit) -> Rollout:
        """The rollout of an upgrade that helm has applied: made once all that its pods may have waited for has run.

        That they crashed until then, or exceeded a deadline, is no verdict.
        """
        rollout = cls(plan, world, emit, own=True)
        rollout.begin()
        return rollout

    def begin(self) -> None:
        """See how all is, to know later what has happened since."""
        cluster = self.world.cluster
        with suppress(ApiError), cluster.within(ROLLOUT_LOOK_WITHIN):
            for ref in self.plan.workloads:
                self._baseline.of(ref, cluster.workload(ref))

    def look(self) -> Finding | None:
        """One look at all that is waited for. Returns why the rollout can't succeed, None as long as it may."""
        now = self.world.clock.monotonic
        until = now() + ROLLOUT_LOOK_WITHIN
        self._baseline.born()
        with self.world.cluster.within(ROLLOUT_LOOK_WITHIN):
            for ref in sorted(self._waiting(), key=lambda ref: self._looked.get(ref, -1.0)):
                if now() >= until:
                    break
                try:
                    finding = self._look_at(ref)
                    self.blind = ""
                except ApiError as error:
                    finding = None
                    self.blind = error.message
                    if self._others.gives_up(ref, error):
                        self._done.add(ref)
                if finding is not None and finding.kind == "fatal":
                    return finding
                self._looked[ref] = now()
        return None

    def settle(self) -> Finding | None:
        """Once helm says that all is ready: is it still? Returns why it isn't, when it can't get over it.

        An app that has no readiness probe and crashes soon after each start is ready for a moment each time, and a
        moment is enough for helm.
        """
        deadline = self.world.clock.monotonic() + self.plan.timeout
        finding = self.closed()
        while finding is None and not self.steady:
            if self.world.clock.monotonic() >= deadline:
                return self.worst() or Finding(
                    "fatal", f"the app crashed and is not ready again: {self.summary()}"
                )
            self.world.clock.sleep(ROLLOUT_LOOK_EVERY)
            finding = self.look()
        return finding

    def closed(self) -> Finding | None:
        """One look once helm has ended: every workload counts as it is, also what helm left as it was."""
        self._baseline.over = True
        return self.look()

    def worst_now(self) -> Finding | None:
        """What stands in the way now that helm has ended, the fatal first."""
        return self.closed() or self.worst()

    def _waiting(self) -> tuple[Ref, ...]:
        """The workloads, and of the others what was not seen to be done; not what may not be looked at."""
        others = (ref for ref in self._others.refs if ref not in self._done)
        return tuple(ref for ref in (*self.plan.workloads, *others) if ref not in self._others.unjudged)

    def _look_at(self, ref: Ref) -> Finding | None:
        if ref in self._others.refs:
            return self._look_at_other(ref)
        workload = self.world.cluster.workload(ref)
        self._note_done(ref, done=workload is None or self._is_done(workload))
        before = self._baseline.of(ref, workload)
        if workload is None or not self._baseline.has_come_to(workload, before):
            self._troubled.pop(ref, None)
            return None
        done = ref in self._done
        finding = None if done else self._trouble(self._baseline.without_old_delay(workload, before), before)
        if finding is None:
            self._troubled.pop(ref, None)
        self._tell(ref, workload.available, workload.desired, finding)
        return finding

    def _look_at_other(self, ref: Ref) -> Finding | None:
        done, finding = self._others.look(ref)
        self._note_done(ref, done=done)
        if finding is not None:
            self._troubled[ref] = (finding, ())
        elif self._troubled.pop(ref, None) is None:
            return None  # never waited for: nothing to tell
        self._tell(ref, int(finding is None), 1, finding)
        return finding

    def _tell(self, ref: Ref, ready: int, desired: int, finding: Finding | None) -> None:
        trouble = finding is not None and (finding.kind == "fatal" or finding.hope != "some")
        told = RolloutChanged(ref.kind, ref.name, ready, desired, finding.reason if finding else "", trouble)
        if self._told.get(ref) != told:
            self._told[ref] = told
            self.emit(told)

    def _is_done(self, workload: Workload) -> bool:
        """As the helm at hand judges where shipit waits in its stead: Helm 3 does without some pods of an update."""
        if not self.own:
            return workload.done
        lenient = self.world.helm.version.major < LIKE_STATUS and workload.enough
        return workload.done or (workload.observed and (workload.paused or lenient))

    def _note_done(self, ref: Ref, *, done: bool) -> None:
        if done:
            self._done.add(ref)
        else:
            self._done.discard(ref)

    def _trouble(self, workload: Workload, before: Before) -> Finding | None:
        """Why a workload isn't rolled out."""
        cluster, namespace = self.world.cluster, workload.ref.namespace
        pods = newest_pods(workload, self.world)
        unready = [pod for pod in pods if not pod.ready]
        events = {
            uid: cluster.events(namespace, uid) for uid in (*(p.uid for p in unready[:3]), workload.uid)
        }
        finding = why_not_ready(
            workload,
            pods,
            events,
            self._baseline.elapsed,
            crashes=self._baseline.crashes_allowed(workload.ref),
            before=before.restarts,
        )
        if finding is not None:
            self._troubled[workload.ref] = (finding, tuple(unready))
        if any(_has_crashed(pod) for pod in unready):
            self._crashed = self.world.clock.monotonic()
        return finding

    def done(self) -> bool:
        """All that is waited for was seen to be ready."""
        return self._done.issuperset((*self.plan.workloads, *self._others.refs))

    @property
    def steady(self) -> bool:
        """No pod has crashed lately."""
        return self.world.clock.monotonic() - self._crashed >= STEADY

    @property
    def unjudged(self) -> tuple[Ref, ...]:
        """What may have to become ready too, and can't be judged."""
        return self._others.unjudged

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
        with self.world.cluster.within(ROLLOUT_LOOK_WITHIN):
            for each in self.plan.app:
                if each.ref in self._troubled:
                    mask_secrets_taken(each.body, each.ref.namespace, self.world)
            for pod, container in self._started():
                lines = tail_lines(self.world.cluster, pod.namespace, pod.name, container, LAST_LINES)
                for written, line in lines:
                    self.emit(AppLogLine(pod.name, container, line, written))
                if lines:
                    return tuple(line for _, line in lines)
        return ()

    def _started(self) -> Iterator[tuple[Pod, str]]:
        """The containers that aren't ready and have something to say."""
        for _, pods in self._troubled.values():
            yield from ((pod, each.name) for pod in pods for each in pod.containers if each.ever_started)


def _has_crashed(pod: Pod) -> bool:
    return any(each.termination or each.last_termination for each in pod.containers if not each.init)
