"""Which hooks' objects an earlier try of this deploy made for a Job that is attached to or accepted: they stay."""

from __future__ import annotations

from collections.abc import Sequence

from shipit.chart import references_of
from shipit.deploy.recognition import find_existing, is_this_deploys
from shipit.model import JobOrPod, Plan, Ref, Step, World, is_active

_READ_BY_NAME = ("ConfigMap", "Secret")


def kept_hooks(steps: Sequence[Step], plan: Plan, world: World) -> frozenset[Ref]:
    """Everything else is made anew: what a Job that failed has used may have been corrected since."""
    if all(step.watched for step in steps):
        return frozenset()
    kept: set[Ref] = set()
    for number, step in enumerate(steps):
        found = find_existing(step, plan, world) if step.watched else None
        if found is not None and is_this_deploys(found, step, plan):
            kept |= {each.ref for each in steps[:number] if not each.watched and _uses(found, step, each)}
    return frozenset(kept)


def _uses(found: JobOrPod, step: Step, made: Step) -> bool:
    """Whether a Job needs a hook's object: it names it, or runs and may need what no pod names, like a Role.

    A ConfigMap or Secret that a running Job doesn't name stays as long as nothing was edited.
    """
    if (made.ref.kind, made.ref.name) in {(each.kind, each.name) for each in references_of(step.manifest)}:
        return True
    unedited = step.fingerprint.has_inputs(found.fingerprint, found.run)
    return is_active(found) and (unedited or made.ref.kind not in _READ_BY_NAME)
