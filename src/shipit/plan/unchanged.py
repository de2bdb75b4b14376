"""Whether a deploy has anything to do: the release has this tag and this manifest, and nothing is owed."""

from __future__ import annotations

from collections.abc import Callable

from shipit.chart import digest, resources
from shipit.lock import LockRecord, UpgradeRecord, UpgradeState
from shipit.model import Plan, Ref, Step, World, get_job_or_pod
from shipit.plan.parts import Path, app_parts, paired
from shipit.plan.rendering import ReleaseRendering

Volatile = Callable[[], dict[str, tuple[Path, ...]]]


def reasons_to_deploy(
    plan: Plan, rendering: ReleaseRendering, before: LockRecord, world: World, volatile: Volatile
) -> tuple[str, ...]:
    """Why a deploy has something to do, for people; empty when it hasn't.

    `before` is what the lock says of the last deploy; `volatile` renders once more, and gives the fields that the chart
    renders anew each time: those don't count.
    """
    found = before.upgrade
    if found is None:
        return ("no deploy by shipit is recorded",)
    if why := _by_the_record(plan, rendering, before, found):
        return (why,)
    same = plan.digest == digest(rendering.live)
    made_from = found.is_made_from(plan.inputs)
    if not same and not (made_from and _same_but(plan, rendering, volatile())):
        return ("the manifest changes",)
    if not made_from and not all(_has_run(step, plan, world) for step in plan.steps if step.watched):
        return ("what runs around the upgrade, or what it is made from, is another",)
    unready = [ref.title for ref in plan.live_workloads if not _is_ready(ref, world)]
    return (f"not ready: {', '.join(unready)}",) if unready else ()


def _by_the_record(plan: Plan, rendering: ReleaseRendering, before: LockRecord, found: UpgradeRecord) -> str:
    """Why the release is not as the last deploy left it, or that is not what is asked for; "" when it is."""
    newest = rendering.history[-1] if rendering.history else None
    if newest is None or newest.status == "uninstalled":
        return "the release is not installed"
    if newest.status != "deployed":
        return f"revision {newest.number} is {newest.status}"
    if found.tag != plan.tag:
        return f"the live tag is {found.tag or 'not known'}"
    if not before.tag:
        return "the last to hold the lock was a rollback"
    if before.tag != plan.tag:
        return f"the last deploy, of {before.tag}, did not get as far as its upgrade"
    if found.state is not UpgradeState.SETTLED or found.first_install_owed:
        return "the last deploy is not finished"
    if found.given_up:
        return "the last deploy failed"
    if found.revision != newest.number or found.digest != digest(rendering.live):
        return f"revision {newest.number} was not made by the last deploy"
    return "--rerun" if plan.rerun else ""


def _same_but(plan: Plan, rendering: ReleaseRendering, volatile: dict[str, tuple[Path, ...]]) -> bool:
    """Whether the live manifest and the new one differ in nothing but what each rendering makes anew."""
    pairs = paired(app_parts(plan.app), app_parts(resources(rendering.live)))
    return all(
        one is not None and other is not None and one.without(paths) == other.without(paths)
        for one, other in pairs
        for paths in [volatile.get(one.key, ()) if one is not None else ()]
    )


def _has_run(step: Step, plan: Plan, world: World) -> bool:
    found = get_job_or_pod(world.cluster, step.ref)
    return (
        found is not None
        and found.has_succeeded
        and found.tag == plan.tag
        and step.fingerprint.is_noted(found.fingerprint, found.run)
    )


def _is_ready(ref: Ref, world: World) -> bool:
    found = world.cluster.workload(ref)
    return found is not None and found.done
