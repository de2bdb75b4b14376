"""What `wait_for` may name: the kinds whose readiness shipit can judge, in kubectl's words."""

from __future__ import annotations

from shipit.model import Ref

AWAITED = {
    "deployment": ("apps/v1", "Deployment"),
    "statefulset": ("apps/v1", "StatefulSet"),
    "daemonset": ("apps/v1", "DaemonSet"),
    "service": ("v1", "Service"),
    "secret": ("v1", "Secret"),
    "configmap": ("v1", "ConfigMap"),
    "job": ("batch/v1", "Job"),
    "pod": ("v1", "Pod"),
}
_SHORT = {
    "deploy": "deployment",
    "sts": "statefulset",
    "ds": "daemonset",
    "svc": "service",
    "cm": "configmap",
    "po": "pod",
}


def awaited_kind(word: str) -> str:
    """The kind that a word of kubectl's means: `svc`, `services` and `service` are one; "" for one that isn't known."""
    word = word.lower()
    return next((each for each in (_SHORT.get(word, word), word.removesuffix("s")) if each in AWAITED), "")


def awaited_ref(text: str, namespace: str) -> Ref:
    """What `service/db` names in a namespace; the text is a checked one."""
    word, _, name = text.partition("/")
    api_version, kind = AWAITED[awaited_kind(word)]
    return Ref(api_version, kind, namespace, name)
