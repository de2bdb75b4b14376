"""What of a chart may be the migration, and the `[migration]` that names it, the likeliest first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from shipit.chart import containers, image, images, pod_spec, ref_of
from shipit.init.frameworks import (
    framework_of,
    runs_migrations,
    sounds_like_migrating,
    source_roots,
    speaks_of_migrating,
)
from shipit.init.look import Look, Place, places
from shipit.init.switched import Switched, switched_off
from shipit.model import Json, Resource, as_maps, as_text
from shipit.plan import Candidate, Rendering, reached_by

_LISTED = 8
_SAYS_SO = "its name or command says so"
_CHANGING = re.compile(r"[-.]*\*[-.]*")
_DATABASE = re.compile(
    r"(?:^|/)(?:postgres|postgresql|postgis|mysql|mariadb|mongo|mongodb|percona|cockroach|timescaledb)$"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A key of the file, its value, and what to say of it; `off`: as a comment."""

    key: str
    value: Any
    comment: str = ""
    off: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """One migration: what it is, why it is meant, its keys, and the containers that would run.

    `notes` are comments above the keys, `also` are those that run after it. `found` is False where the chart holds none,
    and there is only something to suggest. `turned_on` are the values that it needs to be rendered; `keys` are those that
    reach its image in a chart of its own.
    """

    label: str
    why: str
    rows: tuple[Row, ...] = ()
    places: tuple[Place, ...] = ()
    notes: tuple[str, ...] = ()
    found: bool = True
    name: str = ""
    turned_on: Json = field(default_factory=dict)
    also: tuple[Proposal, ...] = ()
    keys: frozenset[str] = frozenset()

    @property
    def runs(self) -> tuple[Place, ...]:
        """The containers of all of them."""
        return tuple(place for each in (self, *self.also) for place in each.places)

    def __str__(self) -> str:
        return f"{self.label} ({self.why})" if self.why else self.label


def proposals(look: Look, cwd: Path) -> tuple[Proposal, ...]:
    """All that may be meant, the likeliest first: where the chart holds nothing that migrates, that is not `found`."""
    hooks = sorted((one for one in look.migrations if one.hook), key=_turn)
    plain = sorted((one for one in look.migrations if not one.hook), key=_likelihood, reverse=True)
    likely = [one for one in plain if _likelihood(one)]
    hooked = [_of_hooks(look, hooks)] if hooks else []
    meant = any(map(_likelihood, hooks))
    sure = [one for one in look.migrations if not one.hook and _likelihood(one) > 1]
    ways = [_in_a_row([_of_job(look, one, _SAYS_SO) for one in sure])] if len(sure) > 1 else []
    ways += [_of_job(look, one, _SAYS_SO) for one in likely] + (hooked if meant else [])
    ways = ways or [_of_switched(each) for each in switched_off(look) if _likelihood(each.one)]
    only = "the chart's only Job" if len(plain) == 1 else "nothing says what it does"
    rest = [_of_job(look, one, only) for one in plain if one not in likely]
    rest += [] if meant else hooked
    workload = _of_workload(look, cwd)
    first = not ways and (workload.found or not rest)
    return (workload, *rest) if first else (*ways, *rest)


def _turn(one: Candidate) -> tuple[bool, int, str]:
    """Where a hook runs among the others, near enough to be listed so."""
    events, weight = (one.hook.events, one.hook.weight) if one.hook else ((), 0)
    return (not any(event.startswith("pre-") for event in events), weight, one.name)


def _likelihood(one: Candidate) -> int:
    """How surely it migrates: 3 by its command, 2 by its name or its template's, 1 by its containers' words, 0."""
    inside = containers(one.body)
    if any(map(runs_migrations, inside)):
        return 3
    if sounds_like_migrating(one.name, one.stem):
        return 2
    return 1 if any(map(speaks_of_migrating, inside)) else 0


def _in_a_row(ways: Sequence[Proposal]) -> Proposal:
    """All of them, each with a name that tells it from the others."""
    named = [replace(way, rows=(Row("name", way.name), *way.rows)) for way in ways]
    label = ", then ".join(way.label for way in ways)
    return replace(named[0], label=label, why="their names or commands say so", also=tuple(named[1:]))


def _of_job(look: Look, one: Candidate, why: str) -> Proposal:
    template = one.source.partition("/")[2]
    called = look.called(one)
    rows = [Row("template", template, f"{one.kind} {called}")]
    beside = [each for each in look.migrations if each.source == one.source and each is not one]
    if beside:
        rows.append(Row("job", called, f"one of the {len(beside) + 1} in that template"))
    rows += _prerequisites(one, look.install)
    others = [f"{each.kind} {look.called(each)}" for each in beside if fnmatchcase(each.name, called)]
    notes = (f"The pattern in `job` also fits {', '.join(others)}: correct it.",) if others else ()
    rows += _first_install(look)
    name = _CHANGING.sub("-", called).strip("-.") or one.stem
    return Proposal(f"{one.kind} {called} of {template}", why, tuple(rows), _places(one), notes, name=name)


def _prerequisites(one: Candidate, rendering: Rendering) -> list[Row]:
    """What it needs of the chart's own comes with the upgrade, which is too late for it."""
    needed = [each.ref.title for each in reached_by(one.body, rendering, ref_of(one.body, "").namespace)]
    if not needed:
        return []
    listed = ", ".join(needed[:_LISTED]) + (f" and {len(needed) - _LISTED} more" if needed[_LISTED:] else "")
    return [Row("prerequisites", "auto", f"the chart's own {listed}: there before it runs")]


def _first_install(look: Look) -> list[Row]:
    """On a first install a database that comes with the chart is not there before."""
    for each in look.workloads:
        if _is_database(each.body):
            what = f"its database, {each.ref.kind} {each.ref.name}, comes with the chart"
            return [Row("first_install", "during", what)]
    return []


def _is_database(body: Json) -> bool:
    return any(_DATABASE.search(image(text).repository) for text in images(body))


def _of_hooks(look: Look, hooks: Sequence[Candidate]) -> Proposal:
    """Hooks run whether they are named or not: a template is named where it alone migrates."""
    most = max(map(_likelihood, hooks))
    likely = [one for one in hooks if most and _likelihood(one) == most]
    templates = list(dict.fromkeys(one.source.partition("/")[2] for one in likely))
    about = [f"{one.kind} {look.called(one)} ({','.join(one.hook.events)})" for one in hooks if one.hook]
    if len(templates) == 1 and templates[0]:
        run = tuple(place for one in likely for place in _places(one))
        rows = (Row("template", templates[0], f"{likely[0].kind} {look.called(likely[0])}, a hook"),)
        return Proposal(f"hook {about[hooks.index(likely[0])]} of {templates[0]}", "", rows, run)
    listed = about[:_LISTED] + ([f"{len(about) - _LISTED} more"] if len(about) > _LISTED else [])
    run = tuple(place for one in likely or hooks for place in _places(one))
    notes = ("The chart's hooks run without being named, in Helm's order:", *(f"  {each}" for each in listed))
    return Proposal(f"the chart's hooks: {', '.join(listed)}", "", (), run, notes)


def _of_switched(found: Switched) -> Proposal:
    one = found.one
    keys = " and ".join(_keys(found.set))
    rows = (
        Row("template", found.template, f"{one.kind} {one.name}"),
        Row("set", found.set, "turns it on, for shipit alone"),
        *_prerequisites(one, found.rendering),
    )
    label = f"{one.kind} {one.name} of {found.template}"
    return Proposal(label, f"off until {keys} is true", rows, _places(one), turned_on=found.set)


def _keys(table: Json, above: str = "") -> Iterator[str]:
    for key, value in table.items():
        yield from _keys(value, f"{above}{key}.") if isinstance(value, dict) else (above + key,)


def _of_workload(look: Look, cwd: Path) -> Proposal:
    """An init container that migrates; else what the app's framework suggests, as a comment."""
    for each in look.workloads:
        for inside in as_maps(pod_spec(each.body).get("initContainers")):
            if speaks_of_migrating(inside):
                return _of_init_container(look, each, as_text(inside.get("name")))
    return _suggestion(look, cwd)


def _of_init_container(look: Look, workload: Resource, name: str) -> Proposal:
    ref = workload.ref
    rows = (
        Row("from", f"{ref.kind.lower()}/{ref.name}", "the Job gets its image, environment and volumes"),
        Row("container", name, "its init container, which migrates in each replica"),
        Row("lift", value=True, comment="takes it out of the app's pods"),
        *_first_install(look),
    )
    run = tuple(each for each in places(workload.source, workload.body) if each.container == name)
    label = f"init container {name} of {ref.kind} {ref.name}"
    return Proposal(label, "it migrates in each replica", rows, run)


def _suggestion(look: Look, cwd: Path) -> Proposal:
    apps = [each for each in look.workloads if "/charts/" not in each.source]
    found = framework_of([each.body for each in apps], tuple(source_roots(cwd, look.chart)))
    itself = [each for each in apps if any(map(runs_migrations, containers(each.body)))]
    served = [each for each in apps if not _is_database(each.body)]
    app = next(iter((*itself, *served, *look.workloads)), None)
    command = list(found[0].command) if found else ["./migrate", "up"]
    why = f"{found[0].name}, by {found[1]}" if found else "put your migration's command here"
    workload = f"{app.ref.kind.lower()}/{app.ref.name}" if app else "deployment/app"
    rows = (
        Row("from", workload, "the Job gets its image, environment and volumes", off=True),
        Row("command", command, why, off=True),
    )
    notes = [
        "The chart holds no Job or hook that migrates. shipit can make the Job from a workload of the chart:"
    ]
    if itself:
        name = f"{itself[0].ref.kind} {itself[0].ref.name}"
        notes.insert(0, f"{name} migrates by itself, in each of its replicas, when it starts.")
    return Proposal("none", "no Job or hook that migrates", rows, (), tuple(notes), found=False)


def _places(one: Candidate) -> tuple[Place, ...]:
    return tuple(places(one.source, one.body))
