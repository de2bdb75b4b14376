"""What a Job that is there does otherwise than the one that would run now: read from the cluster, for people."""

from __future__ import annotations

from collections.abc import Container
from contextlib import suppress
from typing import Any

from shipit.errors import ApiError
from shipit.model import COPY_ANNOTATION, Cluster, JobOrPod, Json, Plan, Ref, Step, as_map
from shipit.plan.doing import content_of, doing_of
from shipit.plan.fingerprints import made_by_hooks
from shipit.plan.job_metadata import HOOK_ANNOTATION
from shipit.plan.same_content import COPIED, covers


def differences(found: JobOrPod, step: Step, plan: Plan, cluster: Cluster) -> tuple[str, ...]:
    """The parts by name, values never shown; empty when none can be told, the API server's silence included.

    What the API server adds (defaults) is none, and what a hook made counts as it is there now.
    """
    with suppress(ApiError):
        live = cluster.get(found.ref)
        if live is not None:
            needed = {(ref.kind, ref.name) for ref in step.needs}
            then = doing_of(live, lambda kind, name: _content(kind, name, found.namespace, cluster, needed))
            now = doing_of(step.manifest, _made_before(step, plan))
            keys = dict.fromkeys((*now, *then))
            return tuple(
                (now.get(key) or then[key]).title
                for key in keys
                if key not in then or key not in now or not covers(then[key].value, now[key].value)
            )
    return ()


def _made_before(step: Step, plan: Plan) -> Any:
    earlier = plan.steps[: plan.steps.index(step)]
    made = [each.manifest for each in (*plan.prerequisites, *earlier) if each.ref.kind in COPIED or each.hook]
    return made_by_hooks(
        [each for each in made if each.get("kind") not in ("Job", "Pod")], step.ref.namespace
    )


def _content(
    kind: str, name: str, namespace: str, cluster: Cluster, needed: Container[tuple[str, str]]
) -> Any:
    """What a hook's object, a copy or a prerequisite holds that is there now; None for any other, or one that is gone."""
    body: Json | None = cluster.get(Ref("v1", kind, namespace, name))
    notes = as_map(as_map((body or {}).get("metadata")).get("annotations"))
    counts = HOOK_ANNOTATION in notes or COPY_ANNOTATION in notes or (kind, name) in needed
    return content_of(body) if body is not None and counts else None
