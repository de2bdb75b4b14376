"""Where a command is: the steps done, running and to come, their Jobs, pods and log lines, the rollout."""

from __future__ import annotations

from dataclasses import dataclass

from shipit.events import (
    Event,
    JobChanged,
    LogLine,
    Outlined,
    PodChanged,
    RolloutChanged,
    StepChanged,
)
from shipit.output.phrases import GONE, brief, counted, pod_words, rollout_words, updated_words

SILENCE = 30.0
"""Seconds without a line after which a heartbeat is due."""
NAMED = 3
"""Workloads that are named when a rollout is done."""


@dataclass(frozen=True, slots=True)
class Running:
    """A step that has started and not ended; `since` is monotonic seconds, those of its object's creation where it has
    one, from which its timeout counts.
    """

    step: str
    since: float
    timeout: float | None
    message: str = ""
    attempts: int = 0

    def clock(self, at: float) -> str:
        """`1m5s elapsed, 13m55s left`"""
        elapsed = int(max(at - self.since, 0.0))
        if self.timeout is None:
            return f"{brief(elapsed)} elapsed"
        left = self.timeout - elapsed
        return f"{brief(elapsed)} elapsed, " + (f"{brief(left)} left" if left >= 0 else "past its timeout")

    def of_budget(self, at: float) -> str:
        """`1m5s of 15m`"""
        elapsed = brief(int(max(at - self.since, 0.0)))
        return elapsed if self.timeout is None else f"{elapsed} of {brief(self.timeout)}"


class Progress:
    """Folds events into the present state. Steps may nest (a rollout inside an upgrade): the innermost is shown."""

    def __init__(self) -> None:
        self._running: list[Running] = []
        self._seen: list[str] = []
        self._outline: tuple[str, ...] = ()
        self._jobs: dict[str, JobChanged] = {}
        self._pods: dict[str, PodChanged] = {}
        self._rollouts: dict[tuple[str, str], RolloutChanged] = {}
        self._lines: dict[str, int] = {}

    def fold(self, event: Event, at: float) -> None:
        """Take in an event that came at `at` (monotonic seconds)."""
        match event:
            case LogLine():
                self._lines[event.step] = self._lines.get(event.step, 0) + 1
            case StepChanged():
                self._fold_step(event, at)
            case JobChanged():
                self._jobs[event.step] = event
            case PodChanged():
                self._pods[event.pod] = event
            case RolloutChanged():
                self._rollouts[event.kind, event.name] = event
            case Outlined():
                self._outline = event.steps
            case _:
                pass

    def _fold_step(self, event: StepChanged, at: float) -> None:
        self._running = [running for running in self._running if running.step != event.step]
        if event.step not in self._seen:
            self._seen.append(event.step)
        if event.state == "started":
            started = Running(event.step, at - event.elapsed, event.timeout, event.message, event.attempts)
            self._running.append(started)
            self._rollouts.clear()
            return
        self._jobs.pop(event.step, None)
        self._lines.pop(event.step, None)
        self._pods = {name: pod for name, pod in self._pods.items() if pod.step != event.step}

    @property
    def current(self) -> Running | None:
        return self._running[-1] if self._running else None

    @property
    def pending(self) -> list[str]:
        """The steps that are still to come."""
        return [step for step in self._outline if step not in self._seen]

    @property
    def position(self) -> str:
        """`3/4`, the step that runs among those begun and to come; "" as long as the latter aren't known."""
        return f"{len(self._seen)}/{len(self._seen) + len(self.pending)}" if self._outline else ""

    @property
    def width(self) -> int:
        """Of the longest name of a step."""
        return max(map(len, (*self._seen, *self._outline)), default=0)

    def running(self, step: str) -> Running | None:
        return next((running for running in self._running if running.step == step), None)

    def job(self, step: str) -> JobChanged | None:
        """What is known of a running step's Job."""
        return self._jobs.get(step)

    def elapsed(self, step: str, at: float) -> float | None:
        """How long a step has been running; None when it isn't."""
        running = self.running(step)
        return None if running is None else at - running.since

    def is_last(self, pod: PodChanged) -> bool:
        """Whether no other pod comes after this one, should it fail."""
        running = self.running(pod.step)
        return running is not None and 0 < running.attempts <= pod.attempt

    def done(self, event: StepChanged) -> str:
        """What a step that ended well came to: `Job shop-migrate complete, 1,204 lines`."""
        running = self.running(event.step)
        if running is None:
            return event.message
        job = self._jobs.get(event.step)
        words = event.message or (f"Job {job.job} {job.state}" if job else "")
        updated = [updated_words(each) for each in self._rollouts.values()]
        if len(updated) > NAMED:
            updated[NAMED:] = [f"and {len(updated) - NAMED} more"]
        if not (words or updated) and self._lines.get(event.step) is None:
            words = running.message
        return ", ".join(filter(None, (words, *updated, self._written(event.step))))

    def _written(self, step: str) -> str:
        lines = self._lines.get(step, 0)
        return counted(lines, "line") if lines else ""

    @property
    def facts(self) -> list[str]:
        """What is known of the running step, a phrase each: its pods, the workloads that aren't ready."""
        current = self.current
        if current is None:
            return []
        pods = [pod for pod in self._pods.values() if pod.step == current.step]
        pods = [pod for pod in pods if pod.state not in GONE] or pods[-1:]
        unready = [each for each in self._rollouts.values() if each.ready < each.desired or each.reason]
        job = self._jobs.get(current.step)
        return [*(pod_words(pod, job) for pod in pods), *map(rollout_words, unready)]

    @property
    def summary(self) -> list[str]:
        """The same of few words: one pod, or how many; how much of a log there is; which attempt it is."""
        current = self.current
        if current is None:
            return []
        facts = self.facts
        pods = [pod for pod in self._pods.values() if pod.step == current.step]
        alive = [pod for pod in pods if pod.state not in GONE]
        head = [f"{len(alive)} pods"] if len(alive) > 1 else facts[:1] or [current.message]
        attempt = max((pod.attempt for pod in pods), default=1)
        tries = f"attempt {attempt} of {current.attempts}" if current.attempts and pods else ""
        return [*filter(None, (*head, self._written(current.step), tries))]

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
