"""What a client-side apply would make of an object: Helm's three-way merge, near enough for a dry run."""

from __future__ import annotations

import copy

from shipit.model import Json


def three_way_merge(old: Json | None, live: Json, new: Json) -> Json:
    """The live object with what changes from `old` to `new`: the body of a PUT with `dryRun=All`.

    Maps are merged; lists and a Deployment's `strategy` are replaced whole; what `old` had and `new` hasn't is
    taken out; what only the live object has stays, its `resourceVersion` included. `old` is None when Helm never
    rendered the object. A field that `new` sets to null is taken out, as in a merge patch.
    """
    return _merged(old or {}, live, new, ())


def _merged(old: Json, live: Json, new: Json, path: tuple[str, ...]) -> Json:
    kept = {key: value for key, value in live.items() if key in new or key not in old}
    merged: Json = copy.deepcopy(kept)
    for key, value in new.items():
        here = (*path, key)
        before, now = old.get(key), merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(now, dict) and here != ("spec", "strategy"):
            merged[key] = _merged(before if isinstance(before, dict) else {}, now, value, here)
        else:
            merged[key] = copy.deepcopy(value)
    return merged
