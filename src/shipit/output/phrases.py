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

GOOD = frozenset({"Pending", "ContainerCreating", "PodInitializing", "Running", "Succeeded", "Completed"})
"""States of a pod that goes its way; any other is trouble, but for one that was deleted once it had ended."""
GONE_ANYWAY = frozenset({"Deleted", "deleted"})
_PHASES = frozenset({"Pending", "Running", "Succeeded", "Failed", "Deleted"})

TENTHS_BELOW = 10


def brief(seconds: float) -> str:
    """A duration as Go writes it, to the second; tenths below ten seconds: `1h2m3s`, `12s`, `0.4s`."""
    if round(seconds, 1) < TENTHS_BELOW:
        return f"{round(seconds, 1):g}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{rest}s" if rest else ""]
    return "".join(parts)


def counted(count: int, what: str) -> str:
    """`1 line`, `1,204 lines`"""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def started_words(event: Started) -> str:
    """`deploy shop v42: namespace shop, context prod-eu, environment production, helm 4.1.0, run r-4f2a`"""
    subject = " ".join(filter(None, (event.command, event.release, event.tag)))
    about = [
        f"namespace {event.namespace}",
        f"context {event.context}" if event.context else "",
        f"environment {event.environment}" if event.environment else "",
        f"helm {event.helm}" if event.helm else "",
        f"run {event.run}",
    ]
    return one_line(f"{subject}: " + ", ".join(part for part in about if part))


def live_words(event: Outlined) -> str:
    """`live v41, revision 17`"""
    if not event.live_revision:
        return "nothing installed"
    return one_line(f"live {event.live_tag + ', ' if event.live_tag else ''}revision {event.live_revision}")


def step_words(event: StepChanged, elapsed: float | None, done: str = "") -> str:
    """`migrate: started, at most 15m`, `migrate: done in 12s: Job shop-migrate complete`; `elapsed` is None for a step
    never seen to start, `done` what it came to.

    `migrate: started 40s ago, at most 15m` is one that was attached to.
    """
    words = f"{event.step}: {event.state}"
    if event.state == "started" and event.elapsed:
        words += f" {brief(event.elapsed)} ago"
    if event.state == "started" and event.timeout is not None:
        words += f", at most {brief(event.timeout)}"
    if event.state in ("done", "failed") and elapsed is not None:
        words += f" {'in' if event.state == 'done' else 'after'} {brief(elapsed)}"
    return with_reason(words, done or event.message)


def job_words(event: JobChanged) -> str:
    return with_reason(f"Job {event.job} {event.state}", event.reason)


def pod_words(event: PodChanged, job: JobChanged | None = None) -> str:
    """`pod x2k7d running, attempt 2`: the pod by what its name has beyond its Job's."""
    name = event.pod.removeprefix(f"{job.job}-") if job else event.pod
    state = event.state.lower() if event.state in _PHASES else event.state
    beside = job is not None and job.active > 1
    attempt = f", attempt {event.attempt}" if event.attempt > 1 and not beside else ""
    return with_reason(f"pod {name} {state}{attempt}", event.message)


def rollout_words(event: RolloutChanged) -> str:
    return with_reason(updated_words(event), event.reason)


def updated_words(event: RolloutChanged) -> str:
    return one_line(f"{event.kind} {event.name} {event.ready}/{event.desired} updated")


def with_reason(words: str, reason: str) -> str:
    return one_line(f"{words}: {reason}" if reason else words)


def result_lines(event: Ended, command: str = "", *, explain: bool) -> list[str]:
    """What came of the command; with `explain` also the message and the hint of an error that nobody has shown yet."""
    took = f"in {brief(event.duration)}"
    if event.outcome == "succeeded":
        return [*hanging("", event.message), *hint_lines(event.hint)]
    if event.exit_code == 0 and (command == "deploy" or not event.message):
        return [one_line(f"Deployed {event.release} {event.tag} as revision {event.revision} {took}")]
    if event.exit_code == 0:
        return [*hanging("", f"{event.message}, {took}"), *hint_lines(event.hint)]
    subject = f"{event.release} {event.tag}".strip()
    lead = f"{subject}: {event.outcome}" if subject else event.outcome
    head = one_line(f"{lead} after {brief(event.duration)}, exit code {event.exit_code}")
    if not explain:
        return [head]
    return [*hanging("", event.message), head, *hint_lines(event.hint)]


def hint_lines(hint: Hint, indent: str = "", *, next_one: str = "next", advice: str = "hint") -> list[str]:
    """The command alone on its line, ready to be pasted, and below it why; or the advice where there is none."""
    if hint.command is None:
        return hanging(f"{indent}{advice}: ", hint.why)
    lead = f"{indent}{next_one}: "
    return [*hanging(lead, str(hint.command)), *hanging(" " * len(lead), hint.why)]


def hanging(lead: str, text: str) -> list[str]:
    """The lines of a text behind a lead, the following ones indented by it; none for an empty text."""
    if not text:
        return []
    first, *rest = pieces(text)
    return [lead + first, *(" " * len(lead) + piece for piece in rest)]
