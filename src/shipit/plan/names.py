"""Names for objects that the API server would name: the same each time, so that of two deploys one creates it."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from shipit.chart import delete_policies, generated_name, ref_of
from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import Hook, as_map
from shipit.plan.refusals import same_name
from shipit.plan.selection import SelectedObject

LONGEST = 63
"""Of a Job's name, which its pods carry as a label."""
_DIGITS = 5


def with_fixed_names(objects: Sequence[SelectedObject], release: str) -> tuple[SelectedObject, ...]:
    """`generateName: migrate-` of release shop becomes `migrate-shop`, that of a second object `migrate-shop-2`.

    Other releases of the namespace have other names, as they would have with the API server's; and none is in the way
    of the next, whatever the hook's delete policy keeps.
    """
    taken = {(one.kind, one.candidate.name) for one in objects if not generated_name(one.body)}
    known: dict[Hook | None, str] = {}
    found: list[SelectedObject] = []
    for one in objects:
        prefix = generated_name(one.body)
        name = known.get(one.hook) if one.hook else None  # one object of two events
        if prefix and not name:
            name = next(each for each in _names(prefix, release) if (one.kind, each) not in taken)
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


def _names(prefix: str, release: str) -> itertools.chain[str]:
    base = prefix.rstrip("-.")
    base = _short(base if release in base else f"{base}-{release}")
    return itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2)))


def _short(name: str) -> str:
    """With room for a number; what is cut off still tells one from another."""
    longest = LONGEST - _DIGITS
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    return f"{name[: longest - _DIGITS - 1].rstrip('-.')}-{digest}"


def _named(one: SelectedObject, name: str) -> SelectedObject:
    metadata = {
        key: value for key, value in as_map(one.body.get("metadata")).items() if key != "generateName"
    }
    body = {**one.body, "metadata": {**metadata, "name": name}}
    hook = one.hook and replace(
        one.hook, delete_policies=(*delete_policies(one.hook), "before-hook-creation")
    )
    return replace(one, candidate=replace(one.candidate, body=body, hook=hook))
