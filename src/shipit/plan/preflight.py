"""What is asked before anything changes: may the caller do it, is everything there that the steps reference?"""

from __future__ import annotations

from dataclasses import replace

from shipit.errors import Refused
from shipit.events import Warned
from shipit.hints import advice, shipit
from shipit.model import Cluster, Plan, Storage
from shipit.plan.absence import absence
from shipit.plan.objects import Objects, referenced
from shipit.plan.verdicts import Preflight

Rules = tuple[tuple[str, str, tuple[str, ...]], ...]
"""API group, resource, verbs."""

VERBS: Rules = (
    ("batch", "jobs", ("create", "get", "list", "watch", "patch", "delete")),
    ("", "pods", ("get", "list", "watch")),
    ("", "pods/log", ("get",)),
    ("", "events", ("list",)),
)
BARE_POD_VERBS: Rules = (("", "pods", ("create", "delete")),)


def storage_verbs(storage: Storage) -> Rules:
    """What helm itself does with what it keeps its releases in."""
    plural = {"Secret": "secrets", "ConfigMap": "configmaps"}[storage]
    return (("", plural, ("get", "list", "create", "update", "delete")),)


def missing_verbs(cluster: Cluster, namespace: str, more: Rules = ()) -> tuple[tuple[str, str, str], ...]:
    """What a deploy does, and `more`, that the caller may not: API group, resource, verb."""
    return tuple(
        (group, resource, verb)
        for group, resource, verbs in (*VERBS, *more)
        for verb in verbs
        if not cluster.may(verb, group, resource, namespace)
    )


def check_permissions(cluster: Cluster, plan: Plan, storage: Storage, preflight: Preflight) -> None:
    """Raises Refused naming everything that the caller may not do but a deploy does."""
    if named := missing_to_deploy(cluster, plan, storage):
        preflight.refuse(
            Refused(
                f"not allowed to deploy to namespace {plan.namespace}: missing {named}",
                hint=shipit("doctor", why="shows the Role that is missing; examples/rbac holds the whole"),
            )
        )


def missing_to_deploy(cluster: Cluster, plan: Plan, storage: Storage) -> str:
    """What the caller may not do but that deploy does, in words; "" when nothing is missing."""
    bare = any(step.ref.kind == "Pod" for step in plan.steps)
    more = (*storage_verbs(storage), *(BARE_POD_VERBS if bare else ()))
    missing = missing_verbs(cluster, plan.namespace, more)
    return ", ".join(f"{verb} {resource}" for _, resource, verb in missing)


def check_references(plan: Plan, objects: Objects, preflight: Preflight) -> Plan:
    """Every Secret, ConfigMap, ServiceAccount and PVC that a step names exists, or is made before it runs, with the
    keys that it names.

    Raises Refused with all that is surely missing. What something before the step may make is told, and the step waits
    for it in the plan that is returned.
    """
    due = [each for each in referenced(plan) if each.step in plan.to_run]
    missing = [found for each in due if (found := absence(each, objects)) is not None]
    for each in missing:
        if each.needed.makers and not plan.resumed:
            preflight.emit(Warned(each.told_with_makers))
    sure = [each.told for each in missing if not each.needed.makers]
    if sure:
        raise Refused(
            f"what the migration references does not exist in namespace {plan.namespace}",
            hint=advice(
                "create it first, outside this chart or as a pre-install,pre-upgrade hook of lower weight"
            ),
            details=tuple(dict.fromkeys(sure)),
        )
    waiting = {each.needed.step.ref for each in missing}
    before, during, after = (
        tuple(replace(step, awaits=step.ref in waiting) for step in steps)
        for steps in (plan.before, plan.during, plan.after)
    )
    return replace(plan, before=before, during=during, after=after)
