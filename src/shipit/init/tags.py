"""Which values receive the tag: each that may is tried, and the images that show it are those that it reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shipit.errors import HelmFailed, Refused
from shipit.init.look import Look, Place, all_places
from shipit.model import Json
from shipit.plan import Rendering

PROBE = "999.999.999"
"""A version as well, for templates that compare it; nobody has it."""
_ANY_TAG = ("", "latest")
_LISTED = 3

Spot = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class TagKeys:
    """One way to set the tag: the keys, and where it comes out with them."""

    keys: tuple[str, ...]
    places: tuple[Place, ...]

    @property
    def reaches(self) -> str:
        """`Deployment shop, Job shop-migrate`."""
        names = list(dict.fromkeys(map(str, self.places)))
        more = len(names) - _LISTED
        return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")

    def __str__(self) -> str:
        return f"{', '.join(self.keys)} (reaches {self.reaches})"


def tag_keys(look: Look, migration: Sequence[Place], turned_on: Json) -> tuple[TagKeys, ...]:
    """The ways to set the app's tag, the best first; none where no value reaches an image of the chart.

    `migration` are the containers of what will migrate, `turned_on` the values that it is rendered with.
    """
    found = reached(look, turned_on)
    known = {place.spot: place for place in (*all_places(look.install), *migration)}
    main = _main(look, found, migration)
    if main is None:
        return ()
    family = {spot for spot, place in known.items() if _is_kin(place, main)}
    best = _cover(found, family)
    others = [(key,) for key, places in found.items() if (key,) != best and _may(places, family, migration)]
    return tuple(_way(keys, found) for keys in (best, *others))


def reached(look: Look, turned_on: Json) -> dict[str, tuple[Place, ...]]:
    """For each key where its tag comes out, those that reach nothing left out."""
    found = {}
    values = look.values.with_layers(turned_on) if turned_on else look.values
    for key in look.keys:
        places: list[Place] = []
        for upgrade in (False, True) if look.upgrades else (False,):
            try:
                rendered = look.render(values.with_tag(PROBE, (key,)), upgrade=upgrade)
                places += (each for each in all_places(Rendering.of(rendered, "")) if each.tag == PROBE)
            except (HelmFailed, Refused):
                continue  # another kind of value, whose chart takes no such text for it
        if places:
            found[key] = tuple(dict.fromkeys(map(look.with_pattern, places)))
    return found


def _may(places: Sequence[Place], family: set[Spot], migration: Sequence[Place]) -> bool:
    """Whether somebody may want this key instead: beside a migration only one that reaches its image."""
    if migration:
        return any(place.spot in family for place in places)
    return any(place.own for place in places)


def _main(look: Look, reached: dict[str, tuple[Place, ...]], migration: Sequence[Place]) -> Place | None:
    """The app's image: the migration's, where the app runs it as well; else the one that most of the app runs."""
    spots = {place.spot for places in reached.values() for place in places}
    mine = [place for place in migration if place.spot in spots]
    app = [place for place in all_places(look.install) if place.spot in spots and place not in mine]
    served = [place.repository for place in app if place.kind not in ("Job", "Pod")]
    ranked = sorted(
        (*mine, *app),
        key=lambda place: (
            not (place in mine and place.repository in served),
            not place.own,
            place.repository not in served,
            place.first,
            place not in mine,
            -served.count(place.repository),
        ),
    )
    return ranked[0] if ranked else None


def _is_kin(place: Place, main: Place) -> bool:
    """The same image, or one that is released with it: of the same owner, with the same tag."""
    if place.repository == main.repository:
        return True
    owner, here = main.repository.rpartition("/")[0], place.repository.rpartition("/")[0]
    return bool(owner) and owner == here and place.tag == main.tag and main.tag not in _ANY_TAG


def _cover(reached: dict[str, tuple[Place, ...]], family: set[Spot]) -> tuple[str, ...]:
    """The fewest keys that reach all of the family that can be reached, and little else."""
    spots = {key: {place.spot for place in places} for key, places in reached.items()}
    left = family & set().union(*spots.values())
    chosen: list[str] = []
    while left:
        best = min(
            spots, key=lambda key: (-len(spots[key] & left), len(spots[key] - family), key.count("."), key)
        )
        chosen.append(best)
        left -= spots[best]
    return tuple(chosen)


def _way(keys: tuple[str, ...], reached: dict[str, tuple[Place, ...]]) -> TagKeys:
    return TagKeys(keys, tuple(dict.fromkeys(place for key in keys for place in reached[key])))
