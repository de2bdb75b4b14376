"""Which hooks run at an event, in which order, and which of them are deleted, by Helm's rules.

The rules are those of Helm's `pkg/action/hooks.go`: the order is the same in 3.13, 3.22 and 4.3, deletion is that of
3.22 and 4.3 (3.13 left the hooks that had succeeded in place when a later one failed).
"""

from __future__ import annotations

from collections.abc import Sequence

from shipit.chart.frozen import original_source
from shipit.chart.manifest import Document
from shipit.model import Hook, as_map, as_text

# Helm's InstallOrder (pkg/release/v1/util/kind_sorter.go of 4.3; 3.22 lacks the two webhook configurations, which
# sorts them last just the same). A kind that isn't listed comes after these, by its name.
INSTALL_ORDER = (
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)
_RANK = {kind: rank for rank, kind in enumerate(INSTALL_ORDER)}

TEST = "test"
"""The event of `helm test`; `test-success` is an older name of it."""


def for_event(hooks: Sequence[Hook], event: str) -> tuple[Hook, ...]:
    """The hooks of one event in the order in which Helm runs them: by weight, then name, then kind.

    Helm sorts all hooks by kind, then those of an event, stably, by weight and name: `hookByWeight` compares names
    before the kind can count. Documentation has it the other way round. Hooks of events that Helm doesn't
    know (it drops them when it renders) never match.
    """
    chosen = [hook for hook in hooks if event in hook.events]
    return tuple(sorted(chosen, key=lambda hook: (hook.weight, hook.name, install_rank(hook.kind))))


def stored_hooks(documents: Sequence[Document]) -> tuple[Hook, ...]:
    """The hooks that a revision of a frozen chart holds, under the templates that they were rendered from."""
    return tuple(_stored(each) for each in documents)


def _stored(document: Document) -> Hook:
    notes = as_map(as_map(document.body.get("metadata")).get("annotations"))

    def listed(key: str) -> tuple[str, ...]:
        found = as_text(notes.get(f"helm.sh/{key}"))
        return tuple(word for part in found.split(",") if (word := part.strip().lower()))

    events = (TEST if event == "test-success" else event for event in listed("hook"))

    try:
        weight = int(str(notes.get("helm.sh/hook-weight", 0)))
    except ValueError:
        weight = 0
    return Hook(
        document.ref.name,
        document.ref.kind,
        original_source(document.source),
        document.text,
        tuple(events),
        weight,
        listed("hook-delete-policy"),
    )


def install_rank(kind: str) -> tuple[int, str]:
    """Where Helm installs a kind: a key to sort by."""
    rank = _RANK.get(kind)
    return (len(_RANK), kind) if rank is None else (rank, "")


def delete_policies(hook: Hook) -> tuple[str, ...]:
    """The hook's policies; `before-hook-creation` when it sets none. A CustomResourceDefinition is never deleted."""
    if hook.kind == "CustomResourceDefinition":
        return ()
    return hook.delete_policies or ("before-hook-creation",)


def deletes_before(hook: Hook) -> bool:
    """Whether the object of an earlier run is deleted before this one is created."""
    return "before-hook-creation" in delete_policies(hook)


def deletes_after(hook: Hook, *, succeeded: bool) -> bool:
    """Whether the object is deleted at the end of its event."""
    return ("hook-succeeded" if succeeded else "hook-failed") in delete_policies(hook)


def deletes_before_creation(hook: Hook, *, succeeded: bool) -> bool:
    """Whether an object that is left from an earlier run makes room for a new one.

    It is deleted before the new one is created, or should have been at the end of its event: whoever ran it died.
    Helm refuses to create the others: `already exists`.
    """
    return deletes_before(hook) or deletes_after(hook, succeeded=succeeded)
