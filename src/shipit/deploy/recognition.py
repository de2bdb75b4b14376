"""Whether what is there was made by an earlier try of this very deploy; and if not, what differs."""

from __future__ import annotations

from dataclasses import replace

from shipit.events import Warned
from shipit.model import (
    RELEASE_LABEL,
    JobOrPod,
    Plan,
    Step,
    World,
    get_job_or_pod,
    is_active,
    metadata_of,
)
from shipit.plan import differences, other_owner

MOST_NAMED = 5
"""Differences that a message names."""


def is_same(found: JobOrPod, step: Step, plan: Plan) -> bool:
    """Whether it is the step's of this very deploy: the same tag, and made from the same or doing the same."""
    if other_owner(found.annotations, plan) is not None:
        return False
    return found.tag == plan.tag and step.fingerprint.is_noted(found.fingerprint, found.run)


def is_this_deploys(found: JobOrPod, step: Step, plan: Plan) -> bool:
    """Whether an earlier try of this deploy made it, and it may be attached to or accepted.

    It is the same, and runs, or has succeeded and its upgrade has not come yet.
    """
    if is_active(found):
        return not plan.replace_running and is_same(found, step, plan)
    return _counts(found, plan) and not plan.rerun and is_same(found, step, plan)


def _counts(found: JobOrPod, plan: Plan) -> bool:
    """Whether it has migrated for this upgrade, which has not come yet."""
    return found.has_succeeded and plan.oldest_accepted_revision <= found.revision <= plan.revision


def find_existing(step: Step, plan: Plan, world: World) -> JobOrPod | None:
    """What there is of a step now: under its name, or under the one that an earlier try of this deploy gave it."""
    return get_job_or_pod(world.cluster, step.ref) or _under_another_name(step, plan, world)


def as_found(plan: Plan, world: World) -> Plan:
    """The plan with the names that an earlier try of this deploy gave its Jobs and Pods, where the chart makes new ones
    with each rendering: everything that is done and said about a step is about what is there.
    """
    phases = (plan.before, plan.during, plan.after)
    before, during, after = (tuple(_as_found(step, plan, world) for step in steps) for steps in phases)
    return replace(plan, before=before, during=during, after=after)


def _as_found(step: Step, plan: Plan, world: World) -> Step:
    found = find_existing(step, plan, world) if step.watched else None
    if found is None or found.name == step.ref.name or not is_this_deploys(found, step, plan):
        return step
    manifest = {**step.manifest, "metadata": {**metadata_of(step.manifest), "name": found.name}}
    called = found.name if step.name == step.ref.name else step.name
    return replace(step, name=called, ref=step.ref._replace(name=found.name), manifest=manifest)


def _under_another_name(step: Step, plan: Plan, world: World) -> JobOrPod | None:
    """The same Job of an earlier try of this deploy, where the chart gives it a new name with every rendering.

    Rather the one in the same place of the same chart than another that does the same.
    """
    names = {other.ref.name for other in plan.steps}
    ours = [
        found
        for found in labelled(plan, world)
        if found.ref.kind == step.ref.kind and found.name not in names and is_this_deploys(found, step, plan)
    ]
    ours.sort(key=lambda found: not step.fingerprint.has_inputs(found.fingerprint, found.run))
    return ours[0] if ours else None


def labelled(plan: Plan, world: World) -> tuple[JobOrPod, ...]:
    """The Jobs and bare Pods that shipit has made for this release."""
    selector = f"{RELEASE_LABEL}={plan.release}"
    pods = (pod for pod in world.cluster.pods(plan.namespace, selector) if not pod.owner_uid)
    found: tuple[JobOrPod, ...] = (*world.cluster.jobs(plan.namespace, selector), *pods)
    return tuple(each for each in found if other_owner(each.annotations, plan) is None)


def disowned(found: JobOrPod, plan: Plan, world: World) -> Warned | None:
    """Why a completed Job of this tag, whose upgrade has not come, is not accepted; None where nothing is to say."""
    differs = "" if plan.rerun or not _counts(found, plan) else what_differs(found, plan, world)
    if not differs:
        return None
    return Warned(
        f"{found.ref.title} of an earlier try of {plan.tag} is complete, but not what would run now: "
        f"{differs}; it runs anew"
    )


def what_differs(found: JobOrPod, plan: Plan, world: World) -> str:
    """How something of this tag differs from the step that it is nearest to; "" where its tag tells enough."""
    if any(is_same(found, step, plan) for step in plan.steps):
        return ""
    alike = [step for step in plan.steps if step.ref.kind == found.ref.kind]
    named = [step for step in alike if step.ref.name == found.name]
    if found.tag != plan.tag or not alike:
        return ""
    every = [differences(found, step, plan, world.cluster) for step in named or alike]
    return _named(min(every, key=len))


def _named(found: tuple[str, ...]) -> str:
    if not found:
        return "it was made from another chart, other values or another configuration"
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"it differs in {', '.join(found[:MOST_NAMED])}{more}"
