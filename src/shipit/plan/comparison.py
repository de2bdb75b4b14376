"""What a Job that is there does otherwise than the one that would run now: read from the cluster, for people."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from shipit.errors import ApiError
from shipit.model import Cluster, JobOrPod, Json, Plan, Pod, Ref, Step, as_map
from shipit.plan.doing import content_of, doing_of
from shipit.plan.fingerprints import made_by_hooks
from shipit.plan.job_metadata import HOOK_ANNOTATION


def differences(found: JobOrPod, step: Step, plan: Plan, cluster: Cluster) -> tuple[str, ...]:
    """The parts by name, values never shown; empty when none can be told, the API server's silence included.

    What the API server adds (defaults) is none, and what a hook made counts as it is there now.
    """
    ref = Ref("v1" if isinstance(found, Pod) else "batch/v1", step.ref.kind, found.namespace, found.name)
    with suppress(ApiError):
        live = cluster.get(ref)
        if live is not None:
            then = doing_of(live, lambda kind, name: _content(kind, name, found.namespace, cluster))
            now = doing_of(step.manifest, _made_before(step, plan))
            keys = dict.fromkeys((*now, *then))
            return tuple(
                (now.get(key) or then[key]).title
                for key in keys
                if key not in then or key not in now or not _covers(then[key].value, now[key].value)
            )
    return ()


def _made_before(step: Step, plan: Plan) -> Any:
    earlier = plan.steps[: plan.steps.index(step)]
    return made_by_hooks([each.manifest for each in earlier if not each.watched], step.ref.namespace)


def _content(kind: str, name: str, namespace: str, cluster: Cluster) -> Any:
    """What a hook's object holds that is there now; None for an object that is no hook's, or gone."""
    body: Json | None = cluster.get(Ref("v1", kind, namespace, name))
    notes = as_map(as_map((body or {}).get("metadata")).get("annotations"))
    return content_of(body) if body is not None and HOOK_ANNOTATION in notes else None


def _covers(live: Any, rendered: Any) -> bool:
    """Whether the live value is the rendered one, but for what the API server has added to maps."""
    if isinstance(rendered, dict) and isinstance(live, dict):
        return all(_covers(live.get(key), value) for key, value in rendered.items())
    if isinstance(rendered, list) and isinstance(live, list):
        return len(live) == len(rendered) and all(map(_covers, live, rendered))
    return bool(live == rendered) or not (live or rendered)
