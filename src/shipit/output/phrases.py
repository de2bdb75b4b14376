"""Events in words, the same ones in every output for people."""

from __future__ import annotations

from shipit.events import Ended, JobChanged, Outlined, PodChanged, RolloutChanged, Started, StepChanged
from shipit.hints import Hint
from shipit.output.sanitize import one_line, pieces

# What PodChanged says of a pod that won't run again: the pod's last phase or the reason of its containers' end.
GONE = frozenset(
    {
        "Succeeded", "Failed", "Completed", "Error", "OOMKilled", "StartError", "ContainerCannotRun",
        "DeadlineExceeded", "Evicted", "ContainerStatusUnknown", "NodeLost", "Deleted", "deleted",
        "EvictionByEvictionAPI", "PreemptionByScheduler", "DeletionByTaintManager", "DeletionByPodGC",
        "TerminationByKubelet",
    }
)  # fmt: skip

TENTHS_BELOW = 10


def brief(seconds: float) -> str:
    """A duration as Go writes it, to the second; tenths below ten seconds: `1h2m3s`, `12s`, `0.4s`."""
    if round(seconds, 1) < TENTHS_BELOW:
        return f"{round(seconds, 1):g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{rest}s" if rest else ""]
    return "".join(parts)


def started_words(event: Started) -> str:
    about = [
        f"tag {event.tag}" if event.tag else "",
        f"namespace {event.namespace}",
        f"context {event.context}" if event.context else "",
        f"helm {event.helm}" if event.helm else "",
        f"run {event.run}",
    ]
    return one_line(f"{event.command} {event.release}: " + ", ".join(part for part in about if part))


def live_words(event: Outlined) -> str:
    if not event.live_revision:
        return "live: nothing is installed"
    return one_line(f"live: {event.live_tag + ', ' if event.live_tag else ''}revision {event.live_revision}")


def step_words(event: StepChanged, elapsed: float | None) -> str:
    """`migrate: started, at most 15m`, `migrate: done in 12s`; `elapsed` is None for a step never seen to start.

    `migrate: started 40s ago, at most 15m` is one that was attached to.
    """
    words = f"{event.step}: {event.state}"
    if event.state == "started" and event.elapsed:
        words += f" {brief(event.elapsed)} ago"
    if event.state == "started" and event.timeout is not None:
        words += f", at most {brief(event.timeout)}"
    if event.state in ("done", "failed") and elapsed is not None:
        words += f" {'in' if event.state == 'done' else 'after'} {brief(elapsed)}"
    return with_reason(words, event.message)


def job_words(event: JobChanged) -> str:
    counts = [
        f"{count} {what}"
        for count, what in (
            (event.active, "active"),
            (event.succeeded, "succeeded"),
            (event.failed, "failed"),
        )
        if count
    ]
    words = f"Job {event.job} {event.state}" + (f" ({', '.join(counts)})" if counts else "")
    return with_reason(words, event.reason)


def pod_words(event: PodChanged) -> str:
    attempt = f" (attempt {event.attempt})" if event.attempt > 1 else ""
    return with_reason(f"pod {event.pod} {event.state}{attempt}", event.message)


def rollout_words(event: RolloutChanged) -> str:
    return with_reason(f"{event.kind} {event.name} {event.ready}/{event.desired} ready", event.reason)


def with_reason(words: str, reason: str) -> str:
    return one_line(f"{words}: {reason}" if reason else words)


class PodSigns:
    """`+` when a pod comes, `-` when it goes, nothing in between; like stern."""

    def __init__(self) -> None:
        self._here: set[str] = set()

    def of(self, event: PodChanged) -> str:
        if event.state in GONE:
            self._here.discard(event.pod)
            return "- "
        if event.pod in self._here:
            return ""
        self._here.add(event.pod)
        return "+ "


def result_lines(event: Ended, *, explain: bool) -> list[str]:
    """The outcome and the migrations; with `explain` the message and the hint, which nobody has shown yet.

    A command that deploys nothing and went well has its message to say, no outcome.
    """
    if event.outcome == "succeeded":
        return [*hanging("", event.message), *hint_lines(event.hint)]
    subject = f"{event.release} {event.tag}".strip()
    lead = f"{subject}: {event.outcome}" if subject else event.outcome
    if event.exit_code == 0:
        about = [f"revision {event.revision}"] if event.revision else []
        about += [f"namespace {event.namespace}"] if event.namespace else []
        about += [f"in {brief(event.duration)}"]
        head = f"{lead}, {', '.join(about)}"
    else:
        head = f"{lead} after {brief(event.duration)}, exit code {event.exit_code}"
    return [
        *(one_line(f"{m.name}: {m.outcome} in {brief(m.duration)}, Job {m.job}") for m in event.migrations),
        *(hanging("", event.message) if explain else []),
        *(hint_lines(event.hint) if explain else []),
        one_line(head),
    ]


def hint_lines(hint: Hint, indent: str = "") -> list[str]:
    """The command alone on its line, ready to be pasted, and below it why; or the advice where there is none."""
    if hint.command is None:
        return hanging(f"{indent}hint: ", hint.why)
    return [*hanging(f"{indent}next: ", str(hint.command)), *hanging(f"{indent}      ", hint.why)]


def hanging(lead: str, text: str) -> list[str]:
    """The lines of a text behind a lead, the following ones indented by it; none for an empty text."""
    if not text:
        return []
    first, *rest = pieces(text)
    return [lead + first, *(" " * len(lead) + piece for piece in rest)]
