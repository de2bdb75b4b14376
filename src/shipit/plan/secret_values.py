"""Which values must not be shown: those of the Secrets that pods take and that a chart holds, and what is secret in
the values that helm is given.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from shipit.chart import Document, read_values, references_of, resources
from shipit.config import Config, Request, parse_helm_args
from shipit.errors import ApiError, Forbidden, Refused
from shipit.events import Emit, Warned
from shipit.model import Cluster, JobOrPod, Json, Mask, Plan, Ref, World, as_map
from shipit.output import TELLING_KEY
from shipit.plan.objects import Objects, needed
from shipit.plan.public_texts import COMMON, public_texts, texts_in_clear

_IN_URL = re.compile(r"[^:/]+://[^/@:]*:([^/@]+)@")


def mask_credentials(config: Config, mask: Mask) -> None:
    """Hide the passwords with which charts and values are fetched, before anything is."""
    own = config.migrations
    urls = [
        config.release.chart,
        *(each.chart for each in own),
        *(text for each in own for text in each.values),
    ]
    urls += [layer for layer in config.values.layers if isinstance(layer, str)]
    urls += [flag.value for flag in config.helm_flags if flag.name == "--repo"]
    found = [each[1] for url in urls for each in [_IN_URL.match(url)] if each]
    mask.hide((*found, *map(unquote, found)))
    mask.hide(flag.value for flag in config.helm_flags if flag.name == "--password")


def mask_values(request: Request, mask: Mask) -> None:
    """Hide, before any helm runs that may quote them, the values under keys like `password`, and what `set` takes from
    variables: there a file's secrets come from.
    """
    own = request.migrations
    named = (text for each in own for text in (each.name, each.template, each.workload, each.container))
    mask.spare((*COMMON, request.release, request.namespace, request.tag, *named))
    mask.hide(request.from_variables)
    for flag in parse_helm_args(request.spec.helm_args):
        if flag.name.startswith("--set"):
            mask.hide(values_assigned(flag.value))
    for values in (request.values, *(request.values_of(each) for each in own)):
        for layer in values.layers:
            with suppress(Refused):  # a file that can't be read holds nothing that helm could tell
                mask.hide(values_told(read_values(layer)))
        for text in (*values.set, *values.set_string):
            mask.hide(values_assigned(text))


def mask_secrets(plan: Plan, live: Iterable[Document], world: World, objects: Objects) -> None:
    """Hide what the Secrets of the chart hold, its hooks' included, and those that its steps and the app's pods take;
    spare what its manifests say in clear, the new ones and the live ones.

    A failing rollout shows the app's last lines. A Secret that the caller may not read can't be masked: that is no
    reason to refuse a deploy.
    """
    live = tuple(live)
    world.mask.spare((world.cluster.context, *public_texts(plan, live)))
    ours = [(each.ref, each.body) for each in plan.app]
    ours += [(step.ref, step.manifest) for step in (*plan.prerequisites, *plan.steps)]
    rendered = {(ref.namespace, ref.name) for ref, body in ours if _is_secret(body)}
    for body in (*(body for _, body in ours), *(each.body for each in resources(live))):
        world.mask.hide(secret_values(body))
    read = [ref for ref in _taken_by_app(plan) if (ref.namespace, ref.name) not in rendered]
    for ref in (*read, *(each.ref for each in needed(plan) if each.ref.kind == "Secret")):
        with suppress(Forbidden):
            world.mask.hide(secret_values(objects.get(ref) or {}))


def mask_secrets_taken(body: Json, namespace: str, world: World) -> None:
    """Hide what the Secrets hold now that an object's pods take: an earlier step, or an operator, may have made them
    since the deploy was prepared. No trouble with them is one of the deploy's.
    """
    for ref in _taken(body, namespace):
        with suppress(ApiError):
            world.mask.hide(secret_values(world.cluster.get(ref) or {}))


def mask_secrets_of_job(job: JobOrPod, cluster: Cluster, mask: Mask, emit: Emit, *, release: str) -> None:
    """Hide what the Secrets hold that a Job's pods, or a Pod, take; one warning names those that can't be read any more."""
    body = cluster.get(job.ref) or {}
    mask.spare((*COMMON, release, job.namespace, job.name, job.tag, cluster.context, *texts_in_clear(body)))
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


def values_told(values: Any, *, under_secret: bool = False) -> Iterator[str]:
    """The texts in decoded values whose key, or the key of something around them, names a secret."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from values_told(value, under_secret=under_secret or bool(TELLING_KEY.search(str(key))))
    elif isinstance(values, list):
        for value in values:
            yield from values_told(value, under_secret=under_secret)
    elif under_secret and isinstance(values, str | int) and not isinstance(values, bool):
        yield str(values)


def values_assigned(text: str) -> Iterator[str]:
    """The same in an assignment as `--set` takes it: the value of a key that names a secret, and its parts."""
    _, equals, value = text.partition("=")
    if equals and TELLING_KEY.search(text):
        yield from (value, *(part.rpartition("=")[2] for part in re.split(r"(?<!\\),", text)))


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


def _taken_by_app(plan: Plan) -> Iterator[Ref]:
    for each in plan.app:
        yield from _taken(each.body, each.ref.namespace or plan.namespace)


def _taken(body: Json, namespace: str) -> dict[Ref, bool]:
    """The Secrets that a pod template names, and whether the pod also starts without."""
    found: dict[Ref, bool] = {}
    for each in references_of(body):
        if each.kind == "Secret":
            ref = Ref("v1", "Secret", namespace, each.name)
            found[ref] = each.optional and found.get(ref, True)
    return found
