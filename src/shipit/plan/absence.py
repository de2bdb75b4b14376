"""Whether an object that a step references, or the key that it takes from it, will be missing, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from shipit.errors import Forbidden
from shipit.model import Json, as_map, as_text, metadata_of
from shipit.plan.objects import Needed, Objects

_KEYED = {"Secret": ("data", "stringData"), "ConfigMap": ("data", "binaryData")}
_EVERYWHERE = (("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default"))
"""What Kubernetes itself puts into each namespace, a moment after it was made."""

_OF_TOKENS = "kubernetes.io/service-account-token"
_PLAIN = ("helm.sh/", "meta.helm.sh/", "kubectl.kubernetes.io/")


@dataclass(frozen=True, slots=True)
class Absence:
    """What is not there: all of the object, or the key of `needed`, where `keys` are those that there are."""

    needed: Needed
    keys: tuple[str, ...] | None = None

    @property
    def told(self) -> str:
        """`Job migrate references key url of Secret db (container migrate, env URL), which holds only: user`."""
        where = f" ({self.needed.where})" if self.needed.where else ""
        lead = f"{self.needed.step.ref.title} references "
        if self.keys is None:
            return f"{lead}{self.needed.ref.title}{where}"
        held = f"holds only {', '.join(self.keys)}" if self.keys else "holds no key"
        return f"{lead}key {self.needed.key} of {self.needed.ref.title}{where}, which {held}"

    @property
    def told_with_makers(self) -> str:
        makers = ", ".join(dict.fromkeys(ref.title for ref in self.needed.makers))
        return f"{self.told}: it is not there yet; what runs before may make it ({makers}), and the pod waits for it"


def absence(needed: Needed, objects: Objects) -> Absence | None:
    """None when it will be there, when the pod starts without, and when it can't be known: it may not be read, or
    something outside fills it in.
    """
    if needed.optional or (needed.ref.kind, needed.ref.name) in _EVERYWHERE:
        return None
    found = needed.made
    if found is None:
        try:
            found = objects.get(needed.ref)
        except Forbidden:
            return None
        if found is None:
            return Absence(needed)
    elif _is_filled_in(found):
        return None
    keys = _keys(found)
    return Absence(needed, keys) if needed.key and needed.key not in keys else None


def _keys(body: Json) -> tuple[str, ...]:
    parts = _KEYED.get(as_text(body.get("kind")), ())
    return tuple(sorted(str(key) for part in parts for key in as_map(body.get(part))))


def _is_filled_in(body: Json) -> bool:
    """Whether a controller may add to what the chart renders: a token, or what an annotation asks for."""
    notes = as_map(metadata_of(body).get("annotations"))
    return body.get("type") == _OF_TOKENS or any(not str(key).startswith(_PLAIN) for key in notes)
