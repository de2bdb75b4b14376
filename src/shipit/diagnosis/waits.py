"""What a pod waits for before its containers run, in the kubelet's and the scheduler's own words, with what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from shipit.diagnosis.causes import ended, shortened
from shipit.diagnosis.finding import Finding, clauses
from shipit.hints import NO_HINT, Hint, advice
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


def held_up(container: Container, events: Iterable[KubeEvent]) -> Finding | None:
    """What a waiting container waits for; None when it is merely being made, or doesn't wait.

    `events` are its pod's, oldest first.
    """
    if container.state != "waiting":
        return None
    known = tuple(events)
    text = clauses(f"container {container.name}", container.reason, shortened(container.message))
    match container.reason:
        case reason if reason in NEVER_REASONS:
            hint = advice(f"fix the image's name or its imagePullPolicy: {shortened(container.image)}")
            return Finding("waiting", text, hint, "none")
        case reason if reason in PULL_REASONS:
            return cant_pull(container, known)
        case "CreateContainerConfigError":
            return Finding("waiting", text, _config_hint(container.message), "little")
        case "CrashLoopBackOff" if container.last_termination:
            return crashed(container, container.last_termination)
        case "RunContainerError":
            return crashed(
                container, container.last_termination or Termination(128, "StartError", container.message)
            )
        case "" | "ContainerCreating" | "PodInitializing":
            return _setup(known)
    return Finding("waiting", text)


def cant_pull(container: Container, events: Iterable[KubeEvent]) -> Finding:
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
    text = clauses(f"container {container.name}", container.reason, shortened(why))
    return Finding("waiting", text, advice(hint), "none" if final and again else "some")


def crashed(container: Container, end: Termination) -> Finding:
    """A container that is started again after it ended so, and how often it was."""
    found = ended(container, end)
    times = f"; restarted {container.restarts} time" + ("" if container.restarts == 1 else "s")
    text = found.reason + (times if container.restarts else "")
    clean = NO_HINT if end.exit_code else advice("an app's container must keep running: check its command")
    return replace(found, reason=text, hint=found.hint or clean)


def unscheduled(pod: Pod) -> Finding | None:
    """The scheduler's words about a pod that has no node yet."""
    found = pod.condition("PodScheduled")
    if found is None or found.status != "False" or pod.finished:
        return None
    # What follows is about preempting other pods
    message = re.split(r"\s*(?:no new claims to deallocate,|preemption: )", found.message)[0].strip()
    if "persistentvolumeclaim" in message:
        hint = advice("create the PersistentVolumeClaim, or name one that exists")
    else:
        hint = advice("no node fits: check the pod's nodeSelector, tolerations and resources.requests")
    return Finding("waiting", clauses(found.reason, shortened(message)), hint)


def _pull_hint(container: Container, plain: str) -> tuple[str, bool]:
    """What to do, and whether pulling again can't help."""
    image = shortened(container.image) or "the image"
    if _BLIP.search(plain):
        return "the node can't reach the registry: check its name and that it is up", False
    if container.reason == "SignatureValidationFailed" or _USELESS.search(plain):
        return (
            f"the node can't use {image}: check its platform, signature and the registry's certificate",
            True,
        )
    if _LOGIN.search(plain):
        return "check the imagePullSecrets of the pod and of its ServiceAccount", True
    if _ABSENT.search(plain):
        return f"push {image} first, or deploy a tag that exists", True
    return f"check that the node can pull {image}", False


def _config_hint(message: str) -> Hint:
    if "runAsNonRoot" in message:
        return advice("set securityContext.runAsUser, or build the image with a numeric USER")
    if "not found" in message or "couldn't find key" in message:
        return advice("create it before the deploy, or name one that exists")
    return NO_HINT


def _setup(events: tuple[KubeEvent, ...]) -> Finding | None:
    """What keeps the kubelet from making the pod's containers: only the newest event says so."""
    told = [event for event in events if event.reason in SETUP_EVENTS or event.reason in MAKING_EVENTS]
    if not told or told[-1].reason in ("Pulled", "Created", "Started"):
        return None
    newest = told[-1]
    if newest.reason == "Pulling":
        return Finding("waiting", shortened(newest.message) or newest.reason)
    missing = "not found" in newest.message
    hint = advice("create what the volume references before the deploy") if missing else NO_HINT
    return Finding("waiting", clauses(newest.reason, shortened(newest.message)), hint)
