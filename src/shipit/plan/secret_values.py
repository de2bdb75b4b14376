"""Which values must not be shown: those of the Secrets that pods take and that a chart holds."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import suppress

from shipit.chart import references_of
from shipit.errors import Forbidden
from shipit.events import Emit, Warned
from shipit.model import Cluster, Job, Json, Mask, Plan, Ref, World, as_map
from shipit.plan.objects import Objects, needed


def mask_secrets(plan: Plan, world: World, objects: Objects) -> None:
    """Hide what the Secrets of the chart hold, its hooks' included, and those that its steps and the app's pods take.

    A failing rollout shows the app's last lines. A Secret that the caller may not read can't be masked: that is no
    reason to refuse a deploy.
    """
    world.mask.spare((plan.release, plan.namespace, plan.tag, world.cluster.context))
    ours = [(each.ref, each.body) for each in plan.app]
    ours += [(step.ref, step.manifest) for step in plan.steps]
    rendered = {(ref.namespace, ref.name) for ref, body in ours if _is_secret(body)}
    for _, body in ours:
        world.mask.hide(secret_values(body))
    taken = [ref for each in plan.app for ref in _taken(each.body, each.ref.namespace or plan.namespace)]
    read = [ref for ref in taken if (ref.namespace, ref.name) not in rendered]
    for ref in (*read, *(each.ref for each in needed(plan) if each.ref.kind == "Secret")):
        with suppress(Forbidden):
            world.mask.hide(secret_values(objects.get(ref) or {}))


def mask_secrets_of_job(job: Job, cluster: Cluster, mask: Mask, emit: Emit, *, release: str) -> None:
    """Hide what the Secrets hold that a Job's pods take; one warning names those that can't be read any more."""
    mask.spare((release, job.namespace, job.tag, cluster.context))
    body = cluster.get(Ref("batch/v1", "Job", job.namespace, job.name)) or {}
    unread: list[str] = []
    for ref, optional in _taken(body, job.namespace).items():
        try:
            found = cluster.get(ref)
        except Forbidden:
            unread.append(f"{ref.name} (not allowed)")
            continue
        if found is None and not optional:
            unread.append(f"{ref.name} (not there any more)")
        mask.hide(secret_values(found or {}))
    if unread:
        emit(Warned(f"this log is not masked for the Secrets that can't be read: {', '.join(unread)}"))


def secret_values(body: Json) -> Iterator[str]:
    """What a Secret holds, decoded where it is text; nothing for another kind."""
    if not _is_secret(body):
        return
    yield from (str(value) for value in as_map(body.get("stringData")).values() if value is not None)
    for value in (each for each in as_map(body.get("data")).values() if each is not None):
        try:
            yield base64.b64decode("".join(str(value).split()), validate=True).decode()
        except (binascii.Error, ValueError):
            yield str(value)


def _is_secret(body: Json) -> bool:
    return body.get("kind") == "Secret"


def _taken(body: Json, namespace: str) -> dict[Ref, bool]:
    """The Secrets that a pod template names, and whether the pod also starts without."""
    found: dict[Ref, bool] = {}
    for each in references_of(body):
        if each.kind == "Secret":
            ref = Ref("v1", "Secret", namespace, each.name)
            found[ref] = each.optional and found.get(ref, True)
    return found
