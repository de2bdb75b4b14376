"""What a pod waits for before its containers run, in the kubelet's and the scheduler's own words, with what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shipit.diagnosis.causes import Cause, ended, shortened
from shipit.model import Container, KubeEvent, Pod, Termination

PULL_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "RegistryUnavailable",
        "SignatureValidationFailed",
        "ImageInspectError",
    }
)
NEVER_REASONS = frozenset({"InvalidImageName", "ErrImageNeverPull"})
SETUP_EVENTS = frozenset(
    {"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox", "NetworkNotReady"}
)
MAKING_EVENTS = frozenset({"Pulling", "Pulled", "Created", "Started"})
SECOND = 2

# Looked for in this order, in the message less the image's name: what may pass by itself, then what won't.
_BLIP = re.compile(
    r"(?i)timeout|timed out|deadline exceeded|connection re(?:fused|set)|no such host|server misbehaving|\bi/o\b"
    r"|\beof\b|unreachable|network is down|too ?many ?requests|\b429\b|\b5\d\d\b|unavailable|try again"
)
_USELESS = re.compile(
    r"(?i)invalid reference|no match for platform|no matching manifest|x509|http response to https|signature"
    r"|unsupported media type"
)
_LOGIN = re.compile(
    r"(?i)unauthorized|authentication required|authorization failed|\bdenied\b|forbidden|\b40[13]\b"
)
_ABSENT = re.compile(r"(?i)not ?found|manifest unknown|name unknown|does not exist|\b404\b")

_WRAPPERS = re.compile(
    r"Back-off pulling image \"[^\"]*\": |(?:ErrImagePull|ImageInspectError): |rpc error: code = \w+ desc = "
    r"|failed to (?:pull and unpack image|pull image|resolve reference|resolve image) \"[^\"]*\": "
    r"|failed to do request: |Failed to pull image \"[^\"]*\": "
)


def held_up(container: Container, events: Iterable[KubeEvent]) -> Cause | None:
    """What a waiting container waits for; None when it is merely being made, or doesn't wait.

    `events` are its pod's, oldest first.
    """
    if container.state != "waiting":
        return None
    known = tuple(events)
    text = f"container {container.name}: {container.reason}: {shortened(container.message)}".rstrip(": ")
    match container.reason:
        case reason if reason in NEVER_REASONS:
            return Cause(
                text, f"correct the image's name or its pull policy: {shortened(container.image)}", "none"
            )
        case reason if reason in PULL_REASONS:
            return cant_pull(container, known)
        case "CreateContainerConfigError":
            return Cause(text, _config_hint(container.message), "little")
        case "CrashLoopBackOff" if container.last_termination:
            return crashed(container, container.last_termination)
        case "RunContainerError":
            return crashed(
                container, container.last_termination or Termination(128, "StartError", container.message)
            )
        case "" | "ContainerCreating" | "PodInitializing":
            return _setup(known)
    return Cause(text)


def cant_pull(container: Container, events: Iterable[KubeEvent]) -> Cause:
    """An image that isn't pulled: no hope once a second pull says that it isn't there, or isn't allowed.

    Since 1.31 the kubelet repeats the last error while it backs off; before that only the events have it.
    """
    failed = [event for event in events if event.message.startswith("Failed to pull image")]
    message = container.message
    if failed and re.fullmatch(r'(?:Back-off pulling image "[^"]*")?', message):
        message = failed[-1].message
    why = _WRAPPERS.sub("", message).strip() or message
    plain = re.sub(r'"[^"]*"', "", why)
    hint, final = _pull_hint(container, plain.replace(container.image, "") if container.image else plain)
    # By the time it says ImagePullBackOff the kubelet has tried twice: at 0 s and at 10 s
    again = container.reason == "ImagePullBackOff" or sum(event.count for event in failed) >= SECOND
    text = f"container {container.name}: {container.reason}: {shortened(why)}".rstrip(": ")
    return Cause(text, hint, "none" if final and again else "some")


def crashed(container: Container, end: Termination) -> Cause:
    """A container that is started again after it ended so, and how often it was."""
    cause = ended(container, end)
    times = f"; restarted {container.restarts} time" + ("" if container.restarts == 1 else "s")
    text = cause.text + (times if container.restarts else "")
    hint = cause.hint or (
        "" if end.exit_code else "a container of the app must not end: is its command right?"
    )
    return Cause(text, hint, cause.hope)


def unscheduled(pod: Pod) -> Cause | None:
    """The scheduler's words about a pod that has no node yet."""
    found = pod.condition("PodScheduled")
    if found is None or found.status != "False" or pod.finished:
        return None
    # What follows is about preempting other pods
    message = re.split(r"\s*(?:no new claims to deallocate,|preemption: )", found.message)[0].strip()
    if "persistentvolumeclaim" in message:
        hint = "create the PersistentVolumeClaim, or name an existing one"
    else:
        hint = "no node fits: see the pod's nodeSelector, tolerations and resources.requests"
    return Cause(f"{found.reason}: {shortened(message)}", hint)


def _pull_hint(container: Container, plain: str) -> tuple[str, bool]:
    """What to do, and whether pulling again can't help."""
    image = shortened(container.image) or "the image"
    if _BLIP.search(plain):
        return "the node can't reach the registry: is it up, and is its name right?", False
    if container.reason == "SignatureValidationFailed" or _USELESS.search(plain):
        return f"the node won't use what the registry has as {image}", True
    if _LOGIN.search(plain):
        return "may the namespace pull it? see imagePullSecrets of the pod and of its ServiceAccount", True
    if _ABSENT.search(plain):
        return f"push {image} first, or deploy a tag that the registry has", True
    return f"can the node pull {image}?", False


def _config_hint(message: str) -> str:
    if "runAsNonRoot" in message:
        return "set securityContext.runAsUser, or build the image with a numeric USER"
    if "not found" in message or "couldn't find key" in message:
        return "create it before the deploy, or name one that exists"
    return ""


def _setup(events: tuple[KubeEvent, ...]) -> Cause | None:
    """What keeps the kubelet from making the pod's containers: only the newest event says so."""
    told = [event for event in events if event.reason in SETUP_EVENTS or event.reason in MAKING_EVENTS]
    if not told or told[-1].reason in ("Pulled", "Created", "Started"):
        return None
    newest = told[-1]
    if newest.reason == "Pulling":
        return Cause(shortened(newest.message) or newest.reason)
    hint = "create what the volume names before the deploy" if "not found" in newest.message else ""
    return Cause(f"{newest.reason}: {shortened(newest.message)}", hint)
