"""The fingerprints of a plan's steps, by which a later try of the same deploy knows its Jobs again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from shipit.chart import TEST, canonical
from shipit.model import UNKNOWN, Fingerprint, Hook, Json, as_map, as_text
from shipit.plan.doing import Content, content_of, doing_digest, doing_of
from shipit.plan.job_metadata import job_hash, placed
from shipit.plan.same_content import COPIED
from shipit.plan.selection import SelectedObject


def fingerprints(
    selected: Sequence[SelectedObject], hooks: Sequence[Hook], inputs: str, namespace: str
) -> Iterator[Fingerprint]:
    """One for each object, in their order; empty for what is only created. `hooks` are those of the rendering.

    Of two steps that do the very same, each Job is still one step's only; so it is of the same object of a pre- and a
    post-hook, or of a test: what the one has done, the other has not. What a migration's prerequisites hold counts as a
    hook's object does, whether the Job gets them or copies.
    """
    contents: dict[tuple[str, str, str], Any] = {}
    seen: Counter[str] = Counter()
    for one in selected:
        body = placed(one.body, namespace)
        metadata = as_map(body["metadata"])
        where = as_text(metadata.get("namespace"))
        if one.kind not in ("Job", "Pod"):
            contents[one.kind, where, as_text(metadata.get("name"))] = content_of(body)
            yield UNKNOWN
            continue
        late: bool | str = TEST if one.test else one.phase != "before"
        held = contents | _held(one)
        doing = _digest(doing_digest(doing_of(body, _lookup(held, where))), late)
        seen[doing] += 1
        yield Fingerprint(
            inputs=_digest(inputs, late, _place(one, hooks, selected)),
            doing=_digest(doing, seen[doing]),
            earlier=job_hash(one.body) + ("-after" if late else ""),
        )


def _held(one: SelectedObject) -> dict[tuple[str, str, str], Any]:
    """What the prerequisites hold that a pod reads."""
    read = (each for each in one.needs if each.ref.kind in COPIED)
    return {(each.ref.kind, each.ref.namespace, each.ref.name): content_of(each.body) for each in read}


def made_by_hooks(bodies: Sequence[Json], namespace: str) -> Content:
    """What these hooks' objects hold, by kind and name in that namespace; None for any other."""
    contents = {
        (as_text(body.get("kind")), as_text(metadata.get("namespace")), as_text(metadata.get("name"))): content_of(body)
        for body in bodies
        for metadata in (as_map(body.get("metadata")),)
    }  # fmt: skip
    return _lookup(contents, namespace)


def _lookup(contents: dict[tuple[str, str, str], Any], namespace: str) -> Content:
    return lambda kind, name: contents.get((kind, namespace, name))


def _place(one: SelectedObject, hooks: Sequence[Hook], selected: Sequence[SelectedObject]) -> object:
    """Which object of the chart it is, by what stays the same when its name is another one with each rendering."""
    if one.hook is None:
        source = one.resource.source if one.resource else ""
        beside = [each.candidate for each in selected if each.hook is None and each.spec == one.spec]
        if len(beside) == 1:
            return [source, one.name]
        return [source, one.spec.name, beside.index(one.candidate)]  # their names may be random
    there = (
        *hooks,
        *(each.hook for each in selected if each.hook is not None),
    )  # some have a rendering of their own
    alike = [hook.manifest for hook in there if (hook.path, hook.kind) == (one.hook.path, one.hook.kind)]
    return [one.hook.path, one.hook.kind, sorted(one.hook.events), alike.index(one.hook.manifest)]


def _digest(*parts: object) -> str:
    return hashlib.sha256(canonical(parts).encode("utf-8", "surrogatepass")).hexdigest()
