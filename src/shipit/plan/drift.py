"""What somebody has changed in the live objects since their revision was made: of what its manifest sets, no more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shipit.errors import ApiError
from shipit.events import HandChange
from shipit.model import Cluster, Json, Ref, Resource, as_map, as_maps, as_text, metadata_of, spec_of
from shipit.plan.doing import content_of

Path = tuple[str, ...]

_ITEM_KEYS = ("name", "mountPath", "containerPort", "port", "key", "ip", "host", "topologyKey")
"""By which the items of a list are told apart, the first that all of them have."""
_LONGEST = 60
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|(m|k|Ki|[MGTPE]i?|n|u)?)")
_UNITS = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": Decimal(1000),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("MGTPE", 2)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}  # fmt: skip
_GONE = object()


def by_hand(
    cluster: Cluster, live: Iterable[Resource], namespace: str, revision: int
) -> tuple[HandChange, ...]:
    """How the live objects differ from the manifest of their revision. What can't be read is left out.

    Fields that only the cluster has are no difference: defaults, what controllers and webhooks add. Where an autoscaler
    has set the replicas, that is said.
    """
    look = _Look(cluster, namespace, revision, _autoscalers(cluster, namespace))
    found: list[HandChange] = []
    for each in live:
        with suppress(ApiError):
            found += look.at(each)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Look:
    """At the objects of one revision; `autoscalers` by the kind and name of what they scale."""

    cluster: Cluster
    namespace: str
    revision: int
    autoscalers: dict[tuple[str, str], str]

    def at(self, each: Resource) -> Iterator[HandChange]:
        served = self.cluster.namespaced(each.ref.api_version, each.ref.kind)
        if served is None:
            return
        ref = each.ref._replace(namespace=(each.ref.namespace or self.namespace) if served else "")
        there = self.cluster.get(ref)
        if there is None:
            yield HandChange(ref.title, "", "somebody deleted it")
        elif ref.kind == "Secret":
            yield from _of_secret(ref, each.body, there)
        else:
            for path, said, now in _differences(_compared(each.body), _compared(there), ()):
                yield HandChange(ref.title, ".".join(path), self._words(ref, path, said, now))

    def _words(self, ref: Ref, path: Path, said: Any, now: Any) -> str:
        if path == ("spec", "replicas") and now is not _GONE:
            scaler = self.autoscalers.get((ref.kind, ref.name))
            who = f"HorizontalPodAutoscaler {scaler}" if scaler else "somebody"
            return f"{who} scaled it to {now}, revision {self.revision} says {said}"
        if now is _GONE:
            return f"revision {self.revision} sets it; somebody removed it, or the API server doesn't know it"
        if _is_brief(said) and _is_brief(now):
            return f"somebody set it to {now}, revision {self.revision} says {said}"
        return f"somebody changed it since revision {self.revision}"


def _of_secret(ref: Ref, said: Json, now: Json) -> Iterator[HandChange]:
    """By its keys: a value is never told."""
    there = content_of(now)
    for key, value in content_of(said).items():
        if there.get(key) != value:
            what = "somebody changed its value" if key in there else "somebody removed it"
            yield HandChange(ref.title, f"data.{key}", what)


def _compared(body: Json) -> Json:
    """What of an object a manifest may set, and somebody change by hand."""
    meta = {part: metadata_of(body).get(part) for part in ("labels", "annotations")}
    rest = {
        key: value for key, value in body.items() if key not in ("apiVersion", "kind", "metadata", "status")
    }
    return {"metadata": meta, **rest}


def _differences(said: Any, now: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """Where what is there isn't what was said, as path, what was said, what is there."""
    if said is None or (now is _GONE and _is_empty(said)):
        return
    if isinstance(said, dict) and isinstance(now, dict):
        for key, value in said.items():
            there = now.get(key, _GONE)
            yield from _differences(value, _GONE if there is None else there, (*path, str(key)))
    elif isinstance(said, list) and isinstance(now, list):
        yield from _of_items(said, now, path)
    elif not _same(said, now):
        yield path, said, now


def _of_items(said: list[Any], now: list[Any], path: Path) -> Iterator[tuple[Path, Any, Any]]:
    key = _item_key(said, now)
    if key:
        there = {str(each[key]): each for each in now}
        for each in said:
            name = str(each[key])
            yield from _differences(each, there.get(name, _GONE), (*path[:-1], f"{path[-1]}[{name}]"))
    elif len(said) == len(now):
        for number, (one, other) in enumerate(zip(said, now, strict=True)):
            yield from _differences(one, other, (*path[:-1], f"{path[-1]}[{number}]"))
    else:
        yield path, said, now


def _item_key(said: Sequence[Any], now: Sequence[Any]) -> str:
    every = (*said, *now)
    if len(as_maps(list(every))) != len(every):
        return ""
    names = (key for key in _ITEM_KEYS if all(key in each for each in every))
    return next((key for key in names if len({str(each[key]) for each in said}) == len(said)), "")


def _same(said: Any, now: Any) -> bool:
    """As the API server writes it: `1000m` and `1` are one quantity, and a number may come as text."""
    if said == now or str(said) == str(now):
        return True
    if isinstance(said, bool) or isinstance(now, bool):
        return False
    one, other = _quantity(said), _quantity(now)
    return one is not None and one == other


def _quantity(value: Any) -> Decimal | None:
    matched = _QUANTITY.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if matched is None:
        return None
    number, exponent, unit = matched.groups()
    return Decimal(number) * (Decimal(10) ** int(exponent or 0)) * _UNITS.get(unit or "", Decimal(1))


def _is_empty(value: Any) -> bool:
    """What the API server leaves out when it writes an object."""
    if isinstance(value, dict):
        return all(_is_empty(each) for each in value.values())
    return not value


def _is_brief(value: Any) -> bool:
    """Whether it can be told in a line, whole: a cut could split a secret, which then is not known for one."""
    return not isinstance(value, dict | list) and len(str(value)) <= _LONGEST and str(value).isprintable()


def _autoscalers(cluster: Cluster, namespace: str) -> dict[tuple[str, str], str]:
    """What a HorizontalPodAutoscaler scales, by kind and name."""
    try:
        found = cluster.find("autoscaling/v2", "HorizontalPodAutoscaler", namespace, "")
    except ApiError:
        return {}
    targets = ((as_map(spec_of(each).get("scaleTargetRef")), each) for each in found)
    return {
        (as_text(target.get("kind")), as_text(target.get("name"))): as_text(metadata_of(each).get("name"))
        for target, each in targets
    }
