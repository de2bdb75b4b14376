"""Where a command is: the running step, its Job and pods, the rollout; what a footer and a heartbeat show."""

from __future__ import annotations

from dataclasses import dataclass

from shipit.events import Event, JobChanged, PodChanged, RolloutChanged, StepChanged
from shipit.output.phrases import GONE, brief, job_words, pod_words, rollout_words

SILENCE = 30.0
"""Seconds without a line after which a heartbeat is due."""


@dataclass(frozen=True, slots=True)
class Running:
    """A step that has started and not ended; `since` is monotonic seconds."""

    step: str
    since: float
    timeout: float | None

    def clock(self, at: float) -> str:
        """`1m5s elapsed, 13m55s left`"""
        elapsed = int(max(at - self.since, 0.0))
        if self.timeout is None:
            return f"{brief(elapsed)} elapsed"
        left = self.timeout - elapsed
        return f"{brief(elapsed)} elapsed, " + (f"{brief(left)} left" if left >= 0 else "past its timeout")


class Progress:
    """Folds events into the present state. Steps may nest (a rollout inside an upgrade): the innermost is shown."""

    def __init__(self) -> None:
        self._running: list[Running] = []
        self._jobs: dict[str, JobChanged] = {}
        self._pods: dict[str, PodChanged] = {}
        self._rollouts: dict[tuple[str, str], RolloutChanged] = {}

    def fold(self, event: Event, at: float) -> None:
        """Take in an event that came at `at` (monotonic seconds); a log line changes nothing here."""
        if isinstance(event, StepChanged):
            self._fold_step(event, at)
        elif isinstance(event, JobChanged):
            self._jobs[event.step] = event
        elif isinstance(event, PodChanged):
            self._pods[event.pod] = event
        elif isinstance(event, RolloutChanged):
            self._rollouts[event.kind, event.name] = event

    def _fold_step(self, event: StepChanged, at: float) -> None:
        self._running = [running for running in self._running if running.step != event.step]
        self._jobs.pop(event.step, None)
        self._pods = {name: pod for name, pod in self._pods.items() if pod.step != event.step}
        if event.state == "started":
            self._running.append(Running(event.step, at - event.elapsed, event.timeout))
            self._rollouts.clear()

    @property
    def current(self) -> Running | None:
        return self._running[-1] if self._running else None

    def elapsed(self, step: str, at: float) -> float | None:
        """How long a step has been running; None when it isn't."""
        return next((at - running.since for running in self._running if running.step == step), None)

    @property
    def facts(self) -> list[str]:
        """What is known of the running step, a phrase each: its Job, its pods, the workloads that aren't ready."""
        current = self.current
        if current is None:
            return []
        job = self._jobs.get(current.step)
        rollouts = self._rollouts.values()
        pods = [pod for pod in self._pods.values() if pod.step == current.step]
        return [
            *([job_words(job)] if job else []),
            *(pod_words(pod) for pod in [pod for pod in pods if pod.state not in GONE] or pods[-1:]),
            *(
                rollout_words(rollout)
                for rollout in rollouts
                if rollout.ready < rollout.desired or rollout.reason
            ),
        ]

    def heartbeat(self, at: float) -> str:
        """One line that says that shipit is alive and what it waits for; "" between steps."""
        if self.current is None:
            return ""
        return "; ".join([f"{self.current.step}: still running, {self.current.clock(at)}", *self.facts])


class Silence:
    """Says when nothing has been written for `SILENCE` seconds."""

    def __init__(self, at: float) -> None:
        self._since = at

    def broken(self, at: float) -> None:
        self._since = at

    def due(self, at: float) -> bool:
        if at - self._since < SILENCE:
            return False
        self._since = at
        return True
