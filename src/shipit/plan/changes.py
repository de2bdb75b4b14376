"""What an upgrade changes of the release's manifest, live against new, object by object; no value of a Secret. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from shipit.chart import canonical, dump_yaml
from shipit.events import ObjectChange
from shipit.model import Json, Plan, Resource, as_map, metadata_of
from shipit.plan.doing import content_of
from shipit.plan.job_metadata import RESOURCE_POLICY_ANNOTATION

AROUND = 3
"""Unchanged lines that are shown around a change."""
HIDDEN, OLD, NEW = "***", "*** (the old value)", "*** (the new value)"


def changes_of(plan: Plan, live: Iterable[Resource]) -> tuple[ObjectChange, ...]:
    """What becomes of each object that changes, in the order of the new manifest, then what the release loses."""
    before = {each.ref.identity: each for each in live}
    now = {each.ref.identity for each in plan.app}
    taken = {ref.identity for ref in plan.taken_over}
    found = [_change(before.get(each.ref.identity), each) for each in plan.app]
    lost = [_loss(each, taken_over=key in taken) for key, each in before.items() if key not in now]
    return tuple(each for each in (*found, *lost) if each is not None)


def shown(body: Json) -> Json:
    """An object as it may be shown: of a Secret the keys alone."""
    return _pair(body, body)[1]


def _change(old: Resource | None, new: Resource) -> ObjectChange | None:
    if old is None:
        return _told("create", new, [f"+{line}" for line in _lines(shown(new.body))])
    if canonical(old.body) == canonical(new.body):
        return None
    before, after = _pair(old.body, new.body)
    lines = list(_diff(_lines(before), _lines(after)))
    return _told("change", new, lines) if lines else None


def _loss(old: Resource, *, taken_over: bool) -> ObjectChange:
    if taken_over:
        return _told("keep", old, note="a hook makes it from now on")
    policy = as_map(metadata_of(old.body).get("annotations")).get(RESOURCE_POLICY_ANNOTATION)
    if policy == "keep":
        return _told("keep", old, note=f"{RESOURCE_POLICY_ANNOTATION}: keep")
    return _told("delete", old)


def _told(action: str, of: Resource, lines: Sequence[str] = (), note: str = "") -> ObjectChange:
    return ObjectChange(action, of.ref.title, of.ref.namespace, of.source, tuple(lines), note)


def _pair(old: Json, new: Json) -> tuple[Json, Json]:
    """Both as they may be shown: of a Secret the keys, and whether the value of each is another one."""
    if new.get("kind") != "Secret":
        return old, new
    before, after = content_of(old), content_of(new)
    other = {key for key in before.keys() & after.keys() if before[key] != after[key]}
    return (
        _with_data(old, {key: OLD if key in other else HIDDEN for key in before}),
        _with_data(new, {key: NEW if key in other else HIDDEN for key in after}),
    )


def _with_data(body: Json, data: Json) -> Json:
    rest = {key: value for key, value in body.items() if key not in ("data", "stringData")}
    return {**rest, **({"data": data} if data else {})}


def _lines(body: Json) -> list[str]:
    return dump_yaml(body, sort=True).splitlines()


def _diff(old: list[str], new: list[str]) -> Iterator[str]:
    """As a unified diff, what is left out between in one line that begins with `@`."""
    done = 0
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(AROUND):
        yield from _fold(group[0][1] - done)
        for what, i1, i2, j1, j2 in group:
            if what == "equal":
                yield from (f" {line}" for line in old[i1:i2])
            else:
                yield from (f"-{line}" for line in old[i1:i2])
                yield from (f"+{line}" for line in new[j1:j2])
        done = group[-1][2]
    if done:
        yield from _fold(len(old) - done)


def _fold(count: int) -> Iterator[str]:
    if count:
        yield f"@{count} unchanged line{'' if count == 1 else 's'}"
