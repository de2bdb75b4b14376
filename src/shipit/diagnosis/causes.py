"""Why a container or a pod ended, in the kubelet's own words, with what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from shipit.hints import NO_HINT, AnyHint
from shipit.model import Container, Pod, Termination

Hope = Literal["none", "little", "some"]

MOST_WORDS = 600
"""Characters of somebody else's message that are shown."""

SIGNALLED = range(129, 193)
"""Exit codes that stand for 128 + the signal that ended the process."""
NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""What a shell exits with when it can't run a command."""

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


@dataclass(frozen=True, slots=True)
class Cause:
    """`hope` of getting over it without a person: none; little, only if something is still being made; some."""

    text: str
    hint: AnyHint = NO_HINT
    hope: Hope = "some"


def ended(container: Container, end: Termination) -> Cause:
    """How a container ended: its exit code, the kubelet's reason, and what it left as its termination message."""
    who = f"container {container.name}"
    if end.reason in ("StartError", "ContainerCannotRun"):
        words = _start_words(end.message)
        return Cause(f"{who}: {end.reason}: {words}", _start_hint(words), "little")
    if end.reason == "ContainerStatusUnknown":
        return Cause(f"{who}: nobody saw how it ended (ContainerStatusUnknown)")
    if end.reason == "OOMKilled":
        hint = "raise resources.limits.memory of the container"
        return Cause(f"{who} ran out of memory (OOMKilled, exit code {end.exit_code})", hint)
    meaning, hint = _exit_meaning(end)
    why = ", ".join(part for part in (end.reason, meaning) if part)
    said = last_line(end.message)
    text = (
        f"{who} exited with code {end.exit_code}"
        + (f" ({why})" if why else "")
        + (f": {said}" if said else "")
    )
    return Cause(text, hint)


def taken(pod: Pod) -> Cause | None:
    """What was done to the pod as a whole: eviction, preemption, a lost node, a deletion; None when nothing was."""
    target = pod.condition("DisruptionTarget")
    if pod.reason:
        hint = "free or add what the node lacks, then deploy again" if pod.reason == "Evicted" else ""
        return Cause(f"pod {pod.name}: {pod.reason}: {shortened(pod.message)}".rstrip(": "), hint)
    if target is not None and target.status == "True":
        return Cause(f"pod {pod.name}: {target.reason}: {shortened(target.message)}".rstrip(": "))
    if pod.deleting:
        return Cause(f"pod {pod.name} was deleted", f"who did it? kubectl get events -n {pod.namespace}")
    return None


def failure_of(pod: Pod) -> Cause:
    """Why a pod failed: what was done to it, else the first container that did not end well.

    Init containers come first: one that failed kept the others from running.
    """
    ends = [(each, each.termination) for each in pod.containers if each.termination and not each.sidecar]
    bad = next(((each, end) for each, end in ends if end.exit_code), None)
    outside = taken(pod)
    if outside and (
        bad is None or pod.reason or (bad[1].exit_code in SIGNALLED and bad[1].reason != "OOMKilled")
    ):
        return outside
    return ended(*bad) if bad else Cause(f"pod {pod.name} ended as {pod.phase}")


def shortened(text: str) -> str:
    """One line of at most MOST_WORDS characters, without a full stop: a sentence goes on after it."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= MOST_WORDS else line[: MOST_WORDS - 1] + "…"


def last_line(text: str) -> str:
    """The last line that says something: where errors are."""
    lines = [line for line in text.splitlines() if line.strip()]
    return shortened(lines[-1]) if lines else ""


def _exit_meaning(end: Termination) -> tuple[str, str]:
    if end.exit_code == NOT_EXECUTABLE:
        return "found but not executable", "see the file's mode, and the image's architecture"
    if end.exit_code == NOT_FOUND:
        return "command not found", "is the command in the image, and on its PATH?"
    number = end.signal or (end.exit_code - 128 if end.exit_code in SIGNALLED else 0)
    if not number:
        return "", ""
    name = _SIGNALS.get(number, f"signal {number}")
    stopped = name in ("SIGKILL", "SIGTERM")
    return name, "somebody stopped it: a deletion, a failed probe, or the node" if stopped else ""


def _start_words(message: str) -> str:
    """The OCI runtime's message less its wrappers."""
    words = re.split(r"unable to start container process: |failed to create shim task: ", shortened(message))[
        -1
    ]
    return words.removesuffix(": unknown")


def _start_hint(words: str) -> str:
    if re.search(r"no such file or directory|executable file not found|permission denied|exec format", words):
        return "is the command in the image, executable and built for the node's architecture?"
    return "the container can't be made as its spec asks"
