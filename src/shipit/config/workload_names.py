"""A workload as `from` names it: kind/name, the kind spelt as kubectl takes it."""

from __future__ import annotations

import re
from typing import NamedTuple

KINDS = {
    "Deployment": ("deployment", "deployments", "deploy"),
    "StatefulSet": ("statefulset", "statefulsets", "sts"),
    "DaemonSet": ("daemonset", "daemonsets", "ds"),
    "CronJob": ("cronjob", "cronjobs", "cj"),
    "Pod": ("pod", "pods", "po"),
}
_BY_WORD = {word: kind for kind, words in KINDS.items() for word in words}
_GROUPS = {"CronJob": "batch", "Pod": ""}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class WorkloadName(NamedTuple):
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def workload_name(text: str) -> WorkloadName | None:
    """`deploy/shop` and `deployment.apps/shop` are Deployment shop; None for what names no workload."""
    typed, _, name = text.partition("/")
    word, dot, group = typed.lower().partition(".")
    kind = _BY_WORD.get(word, "")
    if not kind or not _NAME.fullmatch(name):
        return None
    known = _GROUPS.get(kind, "apps")
    if dot and not (known and group.rpartition(".")[2] == known):  # `deployment.v1.apps`, as kubectl has it
        return None
    return WorkloadName(kind, name)
