"""What is asked before anything changes: may the caller do it, is everything there that the steps reference?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from shipit import history
from shipit.errors import Forbidden, Refused
from shipit.events import Warned
from shipit.hints import Hint, advice, shipit
from shipit.model import Cluster, Plan, Ref, Storage
from shipit.plan.absence import Absence, absence
from shipit.plan.objects import Objects, made_before, needed, referenced
from shipit.plan.own_objects import is_copy
from shipit.plan.same_content import COPIED, say_the_same
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


def warn_unrecorded(cluster: Cluster, plan: Plan, preflight: Preflight) -> None:
    """What only the record of the deploy takes refuses none."""
    missing = [
        f"{verb} {resource}"
        for group, resource, verbs in history.VERBS
        for verb in verbs
        if not cluster.may(verb, group, resource, plan.namespace)
    ]
    if missing:
        preflight.emit(
            Warned(
                f"this deploy will be missing in shipit history: not allowed to {', '.join(missing)}",
                hint=advice("examples/rbac holds the whole Role"),
            )
        )


def missing_to_deploy(cluster: Cluster, plan: Plan, storage: Storage) -> str:
    """What the caller may not do but that deploy does, in words; "" when nothing is missing."""
    bare = any(step.ref.kind == "Pod" for step in plan.steps)
    more = (
        *storage_verbs(storage),
        *(BARE_POD_VERBS if bare else ()),
        *_of_prerequisites(plan),
        *_of_awaited(plan),
    )
    missing = missing_verbs(cluster, plan.namespace, more)
    return ", ".join(f"{verb} {resource}" for _, resource, verb in missing)


def _of_awaited(plan: Plan) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What looking at what migrations wait for takes."""
    for ref in dict.fromkeys(ref for step in plan.to_run for ref in step.wait_for):
        yield ref.api_version.rpartition("/")[0], f"{ref.kind.lower()}s", ("get",)
        if ref.kind == "Service":
            yield "discovery.k8s.io", "endpointslices", ("list",)


def _is_awaited(found: Absence) -> bool:
    """Not there yet, and waited for."""
    return found.keys is None and found.needed.ref in found.needed.step.wait_for


def refuse_awaited(plan: Plan, objects: Objects) -> None:
    """A migration can't wait for what only the upgrade brings, which waits for the migration. Raises Refused."""
    app = {each.ref.identity for each in plan.app}
    for step, made in made_before(plan):
        if step.phase != "before" or step not in plan.to_run:
            continue
        for ref in step.wait_for:
            if ref.identity in app and ref not in made.objects and objects.get(ref) is None:
                key = "first_install" if plan.situation.install else "phase"
                raise Refused(
                    f"{step.ref.title} waits for {ref.title}, which the chart brings with the upgrade: and the upgrade "
                    "waits for the migration",
                    hint=advice(f'{key} = "during" under [migration] runs it once the upgrade is applied'),
                )


def _of_prerequisites(plan: Plan) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What copies take; a dry run tells whether what is missing may be made."""
    for step in plan.prerequisites:
        if is_copy(step.manifest, plan.release):
            yield "", f"{step.ref.kind.lower()}s", ("get", "create", "delete")


def check_references(plan: Plan, objects: Objects, preflight: Preflight) -> Plan:
    """Every Secret, ConfigMap, ServiceAccount and PVC that a step names exists, or is made before it runs, with the
    keys that it names.

    Raises Refused with all that is surely missing. What something before the step may make is told, and the step waits
    for it in the plan that is returned.
    """
    due = [each for each in referenced(plan) if each.step in plan.to_run]
    missing = [found for each in due if (found := absence(each, objects)) and not _is_awaited(found)]
    refuse_awaited(plan, objects)
    for each in missing:
        if each.needed.makers and not plan.resumed:
            preflight.emit(Warned(each.told_with_makers))
    sure = [each.told for each in missing if not each.needed.makers]
    if sure:
        raise Refused(
            f"what the migration references does not exist in namespace {plan.namespace}",
            hint=_how_to_have(missing, plan),
            details=tuple(dict.fromkeys(sure)),
        )
    for changed in told_outdated(plan, objects):
        preflight.emit(changed)
    waiting = {each.needed.step.ref for each in missing}
    before, during, after = (
        tuple(replace(step, awaits=step.ref in waiting) for step in steps)
        for steps in (plan.before, plan.during, plan.after)
    )
    return replace(plan, before=before, during=during, after=after)


def _how_to_have(missing: Iterable[Absence], plan: Plan) -> Hint:
    """What the chart itself brings with the upgrade can be there before."""
    app = {each.ref.identity for each in plan.app}
    if any(each.needed.ref.identity in app and each.needed.step.phase == "before" for each in missing):
        return advice(
            'prerequisites = "auto" under [migration]: what the chart itself brings is then made first'
        )
    return advice("create it first, outside this chart or as a pre-install,pre-upgrade hook of lower weight")


def told_outdated(plan: Plan, objects: Objects) -> Iterator[Warned]:
    """What a migration reads before the upgrade changes it."""
    app = {each.ref: each.body for each in plan.app}
    told: set[tuple[Ref, Ref]] = set()
    for each in needed(plan):
        pair = (each.step.ref, each.ref)
        before = each.step.phase == "before" and each.step in plan.to_run
        if not before or each.ref not in app or each.ref.kind not in COPIED or pair in told:
            continue
        told.add(pair)
        with suppress(Forbidden):
            there = objects.get(each.ref)
            if (
                there is not None
                and each.ref not in each.step.needs
                and not say_the_same(app[each.ref], there)
            ):
                yield Warned(
                    f"{each.step.ref.title} reads {each.ref.title} as it is now: this deploy changes it, but only after "
                    "the migration",
                    hint=advice('prerequisites = "auto" under [migration] gives it what the chart says now'),
                )
