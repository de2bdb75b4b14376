"""How each prerequisite comes to a migration: made where it is missing, copied where it differs, else as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from shipit.chart import canonical, with_references
from shipit.config import Request
from shipit.model import (
    Json,
    MadeObject,
    Plan,
    Ref,
    Resource,
    Step,
    World,
    as_map,
    metadata_of,
    slow_digest,
    uid_of,
)
from shipit.plan.doing import content_of
from shipit.plan.job_metadata import owned, placed
from shipit.plan.own_objects import as_copy, live_objects
from shipit.plan.rendering import ReleaseRendering
from shipit.plan.same_content import COPIED, covers, say_the_same
from shipit.plan.selection import SelectedObject

_DIGITS = 10
_LONGEST = 253


def prerequisite_steps(selected: Sequence[SelectedObject], request: Request) -> tuple[Step, ...]:
    """What the migrations need, each object once, as Helm would own it."""
    needed: dict[Ref, tuple[SelectedObject, Resource]] = {}
    for one in selected:
        for each in one.needs:
            needed.setdefault(each.ref, (one, each))
    return tuple(
        Step(
            name=ref.title,
            ref=ref,
            manifest=owned(placed(each.body, request.namespace), request.release, request.namespace),
            phase="before",
            timeout=one.spec.start_timeout,
            start_timeout=one.spec.start_timeout,
        )
        for ref, (one, each) in needed.items()
    )


def provide(plan: Plan, rendering: ReleaseRendering, world: World, made: Iterable[MadeObject]) -> Plan:
    """The plan with its prerequisites settled by what is there, and the copies named by the migrations that get them.

    `made` is what earlier deploys made: as long as no revision holds that, it is the migration's alone. Raises Refused.
    """
    wanted = {ref for step in plan.before for ref in step.needs} if not plan.resumed else set()
    ours = {(each.ref.identity, each.uid) for each in made if not each.copy}
    live = live_objects(plan, rendering, world) if wanted else {}

    def settled(step: Step) -> Step:
        there = world.cluster.get(step.ref) if step.ref in wanted else None
        if step.ref not in wanted:
            return replace(step, of_app=True)
        key = step.ref.identity
        if there is None or (key not in live and (key, uid_of(there)) in ours):
            return step
        if step.ref.kind not in COPIED:
            return replace(step, of_app=True, remark="" if _is_covered(step, there) else "differs")
        if say_the_same(step.manifest, there):
            return replace(step, of_app=True)
        return as_copy(_bare(step), copied_as(step, plan), plan, world.cluster)

    given = {step.ref: settled(step) for step in plan.prerequisites}
    before = tuple(_with_copies(step, given) for step in plan.before)
    return replace(plan, before=before, prerequisites=tuple(given.values()))


def copied_as(step: Step, plan: Plan) -> Ref:
    """Names the copy of an object by what it holds: a migration that still runs keeps its own. The digest is a slow
    one, for a Secret may hold a password.
    """
    salt = f"{plan.namespace}/{plan.release}/{step.ref.kind}/{step.ref.name}"
    end = f"-shipit-{slow_digest(canonical(content_of(step.manifest)), salt)[:_DIGITS]}"
    return step.ref._replace(name=step.ref.name[: _LONGEST - len(end)].rstrip("-.") + end)


def _with_copies(step: Step, given: dict[Ref, Step]) -> Step:
    names = {
        (ref.kind, ref.name): given[ref].ref.name
        for ref in step.needs
        if ref in given and given[ref].ref != ref
    }
    return replace(step, manifest=with_references(step.manifest, names)) if names else step


def _bare(step: Step) -> Step:
    """Without what dresses it: labels and annotations may mean something to others, and a copy is nobody's but ours."""
    meta = {key: value for key, value in metadata_of(step.manifest).items() if key in ("name", "namespace")}
    return replace(step, manifest={**step.manifest, "metadata": meta})


def _is_covered(step: Step, there: Json) -> bool:
    """Whether what is there says all that the chart says; an account gets rights elsewhere by its annotations."""
    dress = ("apiVersion", "metadata", "status")
    wanted = {key: value for key, value in step.manifest.items() if key not in dress}
    notes = as_map(metadata_of(step.manifest).get("annotations")) if step.ref.kind == "ServiceAccount" else {}
    return covers(there, wanted) and covers(as_map(metadata_of(there).get("annotations")), notes)
