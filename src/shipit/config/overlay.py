"""Lays an environment over the base: tables merge, some lists append, the rest replaces."""

from __future__ import annotations

from shipit.model import Json

_APPENDED = frozenset({"values", "prerequisites", "helm_args"})


def merged(base: Json, over: Json) -> Json:
    """Tables merge at every depth, anything else of `over` replaces that of `base`. Neither is changed.

    So does helm lay one values file over another.
    """
    found = dict(base)
    for key, value in over.items():
        below = found.get(key)
        found[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return found


def overlaid(base: Json, over: Json) -> Json:
    """A section over a section: as `merged`, but that some keys' lists append."""
    lists = (key for key in over.keys() & _APPENDED if isinstance(base.get(key, []), list))
    appended = {key: [*base.get(key, []), *over[key]] for key in lists if isinstance(over[key], list)}
    return merged(base, over) | appended
