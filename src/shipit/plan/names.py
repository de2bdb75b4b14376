"""Names for objects that the API server would name, or that shipit makes: the same each time, so that of two deploys one creates it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import combinations

from shipit.chart import delete_policies, generated_name, ref_of
from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import Hook, as_map
from shipit.plan.refusals import same_name
from shipit.plan.selection import SelectedObject
from shipit.plan.short_names import numbered, shortened


def with_fixed_names(
    objects: Sequence[SelectedObject], release: str, others: Collection[tuple[str, str]] = ()
) -> tuple[SelectedObject, ...]:
    """`generateName: migrate-` of release shop becomes `migrate-shop`, that of a second object `migrate-shop-2`.

    Other releases of the namespace have other names, as they would have with the API server's; and none is in the way
    of the next, whatever the hook's delete policy keeps. A Job that is made from a workload takes the name of no other;
    `others` are the kinds and names of what the chart renders beside.
    """
    taken = {(one.kind, one.candidate.name) for one in objects if not _wanted(one, release)} | {*others}
    known: dict[Hook | None, str] = {}
    found: list[SelectedObject] = []
    for one in objects:
        wanted = _wanted(one, release)
        name = known.get(one.hook) if one.hook else None  # one object of two events
        if wanted and not name:
            name = next(each for each in numbered(wanted) if (one.kind, each) not in taken)
            taken.add((one.kind, name))
            known[one.hook] = name
        found.append(_named(one, name) if name else one)
    return tuple(found)


def refuse_same_names(objects: Sequence[SelectedObject], hooks: Sequence[Hook], namespace: str) -> None:
    """Of two Jobs or Pods of one name only one can be there; and of what two migrations need only the last made would.

    A chart's own `hooks` may follow each other under one name in different events, as under Helm. Raises Refused.
    """
    for one, other in combinations(objects, 2):
        if ref_of(one.body, namespace) != ref_of(other.body, namespace) or _follow(one.hook, other.hook):
            continue
        if one.candidate.runs:
            raise same_name(f"{one.kind} {one.candidate.name}", [_origin(one), _origin(other)])
        if one.turn == other.turn and not {one.hook, other.hook} <= {*hooks}:
            raise Refused(
                f"two migrations turn on {one.kind} {one.candidate.name}, each with other values",
                hint=advice(
                    "give both the same values and set under [[migration]], or each a name of its own"
                ),
            )


def _follow(one: Hook | None, other: Hook | None) -> bool:
    """One hook of two events, or two hooks that have none in common."""
    if one is None or other is None:
        return False
    return one == other or not {*one.events} & {*other.events}


def _origin(one: SelectedObject) -> str:
    return f"{one.name} ({one.candidate.source})" if one.candidate.source else one.name


def _wanted(one: SelectedObject, release: str) -> str:
    """The name to give it, or one to which a number is added; "" for an object that has its own."""
    if one.candidate.made_from is not None:
        return one.candidate.name
    base = generated_name(one.body).rstrip("-.")
    return shortened(base if release in base else f"{base}-{release}") if base else ""


def _named(one: SelectedObject, name: str) -> SelectedObject:
    metadata = {
        key: value for key, value in as_map(one.body.get("metadata")).items() if key != "generateName"
    }
    body = {**one.body, "metadata": {**metadata, "name": name}}
    hook = one.hook and replace(
        one.hook, delete_policies=(*delete_policies(one.hook), "before-hook-creation")
    )
    return replace(one, candidate=replace(one.candidate, body=body, hook=hook))
