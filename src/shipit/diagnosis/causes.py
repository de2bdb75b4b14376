"""Why a container or a pod ended, in the kubelet's own words, with what to do about it."""

from __future__ import annotations

import re
from dataclasses import replace

from shipit.diagnosis.finding import Finding, clauses
from shipit.hints import NO_HINT, Hint, advice, kubectl
from shipit.model import DO_NOT_DISRUPT, SAFE_TO_EVICT, Condition, Container, Pod, Termination

MOST_WORDS = 600
"""Characters of somebody else's message that are shown."""

SIGNALLED = range(129, 193)
"""Exit codes that stand for 128 + the signal that ended the process."""
NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""What a shell exits with when it can't run a command."""

_STAYS = advice(
    f'to keep autoscalers off its node, annotate the pod template: {SAFE_TO_EVICT}: "false", {DO_NOT_DISRUPT}: "true"'
)
# By the reason of the condition DisruptionTarget (k8s.io/api/core/v1 of 1.34): what was done to the pod, and what to do
_DISRUPTIONS = {
    "EvictionByEvictionAPI": ("was evicted, as a drain of its node or an autoscaler does", _STAYS),
    "PreemptionByScheduler": (
        "was preempted, to make room for a pod of higher priority",
        advice("give the pod template a priorityClassName of higher priority, or the cluster more room"),
    ),
    "DeletionByTaintManager": (
        "was deleted, for its node has a taint that it does not tolerate",
        advice("kubectl describe node shows the taint: a node that is lost, or is being emptied, gets one"),
    ),
    "DeletionByPodGC": ("was deleted, for its node is gone", NO_HINT),
    "TerminationByKubelet": (
        "was ended by its node, which shuts down or is short of something",
        advice(
            "give the pod requests for memory and ephemeral-storage, and the node more of what it is short of"
        ),
    ),
}

# Linux's, whatever system shipit runs on
_SIGNALS = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    15: "SIGTERM",
    31: "SIGSYS",
}


def ended(container: Container, end: Termination) -> Finding:
    """How a container ended: its exit code, the kubelet's reason, and what it left as its termination message."""
    who = f"container {container.name}"
    if end.reason in ("StartError", "ContainerCannotRun"):
        words = _start_words(end.message)
        return Finding("waiting", clauses(who, end.reason, words), advice(_start_advice(words)), "little")
    if end.reason == "ContainerStatusUnknown":
        return Finding("waiting", f"{who}: how it ended was not observed (ContainerStatusUnknown)")
    if end.reason == "OOMKilled":
        hint = advice("raise the container's resources.limits.memory")
        return Finding("waiting", f"{who} ran out of memory (OOMKilled, exit code {end.exit_code})", hint)
    meaning, hint = _exit_meaning(end)
    why = ", ".join(part for part in (end.reason, meaning) if part)
    code = f"{who} exited with code {end.exit_code}" + (f" ({why})" if why else "")
    return Finding("waiting", clauses(code, last_line(end.message)), hint)


def taken(pod: Pod) -> Finding | None:
    """What was done to the pod as a whole: eviction, preemption, a lost node, a deletion; None when nothing was."""
    if pod.reason:
        hint = advice("free up or add what the node ran out of") if pod.reason == "Evicted" else NO_HINT
        return Finding("waiting", clauses(f"pod {pod.name}", pod.reason, shortened(pod.message)), hint)
    if pod.disruption:
        return _disrupted(pod, pod.disruption)
    if pod.deleting:
        hint = kubectl("get", "events", namespace=pod.namespace, why="may show what deleted it")
        return Finding("waiting", f"pod {pod.name} was deleted", hint)
    return None


def _disrupted(pod: Pod, target: Condition) -> Finding:
    done, hint = _DISRUPTIONS.get(target.reason, ("", NO_HINT))
    who = f"pod {pod.name} {done}".rstrip()
    return Finding("waiting", clauses(who, target.reason, shortened(target.message)), hint)


def failure_of(pod: Pod) -> Finding:
    """Why a pod failed: the container that did not end well, or what was done to the pod.

    A container that is told to end may do so with any exit code.
    """
    failed = failed_container(pod)
    if failed and pod.disruption:
        taken_away = _disrupted(pod, pod.disruption)
        return replace(taken_away, reason=f"{taken_away.reason}; {ended(*failed).reason}")
    return ended(*failed) if failed else loss_of(pod)


def failed_container(pod: Pod) -> tuple[Container, Termination] | None:
    """The first container that did not end well; None when it was stopped by what was done to the pod.

    Init containers come first: one that failed kept the others from running.
    """
    ends = [(each, each.termination) for each in pod.containers if each.termination and not each.sidecar]
    bad = next(((each, end) for each, end in ends if end.exit_code), None)
    stopped = bad is not None and bad[1].exit_code in SIGNALLED and bad[1].reason != "OOMKilled"
    return None if pod.reason or (stopped and taken(pod)) else bad


def loss_of(pod: Pod) -> Finding:
    """Why a pod failed none of whose containers is to blame."""
    return taken(pod) or Finding("waiting", f"pod {pod.name} ended as {pod.phase}")


def shortened(text: str) -> str:
    """One line of at most MOST_WORDS characters, without a full stop: a sentence goes on after it."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= MOST_WORDS else line[: MOST_WORDS - 1] + "…"


def last_line(text: str) -> str:
    """The last line that says something: where errors are."""
    lines = [line for line in text.splitlines() if line.strip()]
    return shortened(lines[-1]) if lines else ""


def _exit_meaning(end: Termination) -> tuple[str, Hint]:
    if end.exit_code == NOT_EXECUTABLE:
        return "found but not executable", advice("check the file's mode and the image's architecture")
    if end.exit_code == NOT_FOUND:
        return "command not found", advice("check that the command is in the image and on its PATH")
    number = end.signal or (end.exit_code - 128 if end.exit_code in SIGNALLED else 0)
    if not number:
        return "", NO_HINT
    name = _SIGNALS.get(number, f"signal {number}")
    stopped = name in ("SIGKILL", "SIGTERM")
    who = "it was stopped from outside: by a deletion, a failed liveness probe or the node"
    return name, advice(who) if stopped else NO_HINT


def _start_words(message: str) -> str:
    """The OCI runtime's message less its wrappers."""
    words = re.split(r"unable to start container process: |failed to create shim task: ", shortened(message))[
        -1
    ]
    return words.removesuffix(": unknown")


def _start_advice(words: str) -> str:
    if re.search(r"no such file or directory|executable file not found|permission denied|exec format", words):
        return "check that the command is in the image, executable and built for the node's architecture"
    return "check the container's spec: the runtime can't start it as specified"
