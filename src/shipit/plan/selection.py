"""Pure: which of the rendered objects run around the upgrade, in which order, and which of them Helm must not get."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from shipit.chart import TEST, for_event, held_by_digest, images, uses_tag
from shipit.config import MigrationSpec, ReleaseSpec
from shipit.errors import Refused
from shipit.events import Warned
from shipit.hints import advice
from shipit.model import Hook, Json, LeftOut, Phase, Resource, Situation
from shipit.plan.candidates import Candidate, Rendering, of_hook
from shipit.plan.picks import Due, Pick, picks_of

START_WITHIN = MigrationSpec().start_timeout
PHASES: tuple[Phase, ...] = ("before", "during", "after")
_EVENTS = ("pre-upgrade", "post-upgrade", "pre-install", "post-install")
"""As a deploy goes through them: those of an install last, for an upgrade may owe them."""


@dataclass(frozen=True, slots=True)
class SelectedObject:
    """An object that shipit runs: a hook, a plain Job or Pod, which is left out of what Helm gets, or a Job that is made
    from a workload.

    `by_hook`: its phase is that of its hook's event. `turn` is 0 for the hooks of the release's chart, which come first,
    else which of the `[[migration]]`s it is of, counted from 1. `test`: as `helm test` runs it, after all else. `needs`
    are the prerequisites of a migration. `told` is worth telling of how it was made.
    """

    name: str
    candidate: Candidate
    phase: Phase
    spec: MigrationSpec
    migration: bool
    by_hook: bool = False
    turn: int = 0
    test: bool = False
    needs: tuple[Resource, ...] = ()
    told: tuple[Warned, ...] = ()

    @property
    def kind(self) -> str:
        return self.candidate.kind

    @property
    def body(self) -> Json:
        return self.candidate.body

    @property
    def hook(self) -> Hook | None:
        return self.candidate.hook

    @property
    def resource(self) -> Resource | None:
        return self.candidate.resource


@dataclass(frozen=True, slots=True)
class Selection:
    """What runs, before, during and after, each in its order, and what doesn't.

    `taken` are the plain Jobs and Pods of the release's rendering that shipit runs in Helm's stead; `left_out` is what is rendered
    and not run; `missing` are the `[migration]`s of which nothing is rendered.
    """

    objects: tuple[SelectedObject, ...] = ()
    taken: tuple[Resource, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    missing: tuple[MigrationSpec, ...] = ()

    def with_more(self, other: Selection, turn: int = 0) -> Selection:
        """`turn` is that of the migration of which `other` was found."""
        more = (replace(one, turn=one.turn and turn) for one in other.objects)
        return replace(
            self,
            objects=in_order((*self.objects, *more)),
            left_out=(*self.left_out, *other.left_out),
        )


def select_objects(
    specs: tuple[MigrationSpec, ...],
    situation: Situation,
    release: Rendering,
    own: Sequence[Rendering | None],
) -> Selection:
    """`own` holds, for each of `specs`, its own rendering, None for one that is in the release's.

    Raises Refused with the candidates listed when it isn't clear what is meant.
    """
    picks = picks_of(specs, own, release, lambda spec: _due(spec, situation))
    taken = [one for each in picks for one in each.of_the_release]
    plain = (one for turn, each in enumerate(picks, 1) for one in _plain(each, situation, turn))
    return Selection(
        objects=in_order((*_hooks(specs, situation, release, picks), *plain)),
        taken=tuple(one.resource for one in taken if one.resource),
        left_out=tuple(one for each in picks for one in _left_out(each, situation, picks)),
        missing=tuple(each.spec for each in picks if each.nothing),
    )


def in_order(objects: Iterable[SelectedObject]) -> tuple[SelectedObject, ...]:
    """By their phase; in each the hooks of the release's chart, then the migrations as they are listed, tests last."""
    return tuple(sorted(objects, key=lambda one: (PHASES.index(one.phase), one.test, one.turn)))


def phase_of(
    spec: MigrationSpec, situation: Situation, event: str = "pre-upgrade"
) -> Phase | Literal["skip"]:
    """When a migration runs: as its `[migration]` says, else by its hook, and before the upgrade where it is none."""
    return chosen_phase(spec, situation) or ("before" if event.startswith("pre-") else "during")


def chosen_phase(spec: MigrationSpec, situation: Situation) -> Phase | Literal["skip"] | None:
    """What its table says of this deploy: a first install is one until all of it has succeeded."""
    first = situation.install or situation.first_install_owed
    return (first and spec.first_install) or spec.phase or None


def _due(spec: MigrationSpec, situation: Situation) -> Due:
    """What an install still owes is what it had not run before it."""
    operation = "install" if situation.install else "upgrade"
    now = (f"pre-{operation}", f"post-{operation}")
    if situation.install or not situation.first_install_owed:
        return Due(now)
    late = chosen_phase(spec, situation) in ("during", "after")
    return Due(now, ("pre-install", "post-install") if late else ("post-install",))


def _hooks(
    specs: tuple[MigrationSpec, ...], situation: Situation, release: Rendering, picks: Sequence[Pick]
) -> list[SelectedObject]:
    """The hooks of this operation in Helm's order, each run as the `[migration]` says that picks it.

    Hooks that a migration's values turn on are the chart's, in their place among its others, and stand for those that
    they replace; those of another chart run when it is that migration's turn.
    """
    gone = [same.hook for each in picks for same in each.replaced]
    ours = [hook for hook in release.hooks if hook not in gone]
    ours += dict.fromkeys(hook for each in picks if not each.spec.chart for hook in each.own_hooks)
    found = list(_occurrences(ours, specs, situation, picks, turn=0))
    for turn, each in enumerate(picks, 1):
        if each.spec.chart and chosen_phase(each.spec, situation) != "skip":
            found += _occurrences(each.own_hooks, (each.spec,), situation, [each], turn=turn)
    return found


def _occurrences(
    hooks: Sequence[Hook],
    specs: tuple[MigrationSpec, ...],
    situation: Situation,
    picks: Sequence[Pick],
    *,
    turn: int,
) -> Iterable[SelectedObject]:
    """One for each event of a hook; one alone where its `[migration]` says in which phase it runs."""
    by_hook = {one.hook: (each, one) for each in picks for one in each.hooks}
    seen: set[Hook] = set()
    for event in _EVENTS:
        for hook in for_event(hooks, event):
            mine, one = by_hook.get(hook, (None, None))
            spec = mine.spec if mine else MigrationSpec()
            phase, chosen = phase_of(spec, situation, event), chosen_phase(spec, situation)
            due = _due(spec, situation)
            once = chosen or event in due.owed
            if event not in (*due.now, *due.owed) or phase == "skip" or (once and hook in seen):
                continue
            seen.add(hook)
            found = one or of_hook(hook)
            name, lent = (mine.name_of(found), spec) if mine else (found.label, _unnamed(specs))
            yield SelectedObject(name, found, phase, lent, bool(mine), by_hook=not chosen, turn=turn)


def select_tests(release: ReleaseSpec, hooks: Sequence[Hook]) -> Selection:
    """What `helm test` would run, where the release asks for it: each gets as long as the upgrade."""
    if not release.test:
        return Selection()
    tests = for_event(hooks, TEST)
    if not tests:
        return Selection(left_out=(LeftOut(TEST, "test = true, and the chart has no test hooks"),))
    found = MigrationSpec(timeout=release.timeout, start_timeout=min(START_WITHIN, release.timeout))
    return Selection(
        tuple(
            SelectedObject(one.label, one, "after", found, migration=False, test=True)
            for one in map(of_hook, tests)
        )
    )


def _plain(each: Pick, situation: Situation, turn: int) -> Iterable[SelectedObject]:
    phase = phase_of(each.spec, situation)
    for job in each.jobs:
        if phase != "skip":
            yield SelectedObject(each.name_of(job), job, phase, each.spec, migration=True, turn=turn)


def _left_out(each: Pick, situation: Situation, picks: Sequence[Pick]) -> Iterable[LeftOut]:
    if chosen_phase(each.spec, situation) == "skip":
        for one in (*each.hooks, *each.jobs):
            yield LeftOut(each.name_of(one), f"first_install leaves {one.kind} {one.name} out")
    for one in each.not_due:
        yield LeftOut(each.name_of(one), only_on(f"{one.kind} {one.name}", install=not situation.install))
    for one in each.unnamed:
        if not any(one in other.meant for other in picks):
            yield LeftOut(
                one.label, f"{one.kind} {one.name} is a hook that [migration] turns on and does not name"
            )


def only_on(what: str, *, install: bool) -> str:
    """Why something of the other operation is left out."""
    return f"{what} runs on {'installs' if install else 'upgrades'} only"


def _unnamed(specs: tuple[MigrationSpec, ...]) -> MigrationSpec:
    """The timeouts for what no `[migration]` names: those of a table that names nothing, else of the first."""
    return next(
        (entry for entry in specs if not entry.named),
        msgspec.structs.replace(specs[0], name="", template="", job="", workload=""),
    )


def check_tag(selected: Sequence[SelectedObject], tag: str, tag_key: Sequence[str]) -> None:
    """The tag must be in an image of what each `[migration]` runs, unless it says `require_tag = false`: of several
    hooks, one may only wait for a port.

    Raises Refused with the images that there are.
    """
    migrations = [entry for entry in selected if entry.migration and entry.spec.require_tag]
    reached = [entry.spec for entry in migrations if uses_tag(entry.body, tag)]
    untagged = [entry for entry in migrations if entry.spec not in reached]
    if not untagged:
        return
    pinned = tuple(text for entry in untagged for text in held_by_digest(entry.body, tag))
    if pinned:
        raise Refused(
            f"the image of the migration has the tag {tag}, but a digest decides what runs: {pinned[0]}",
            hint=advice("leave the digest out of the values, or deploy by digest: --tag TAG@sha256:…"),
        )
    raise Refused(
        f"the tag {tag} is not in the image of the migration",
        hint=advice(
            f"does {' and '.join(tag_key)} reach it? set tag_key under [release] to the value that holds the tag, "
            "or require_tag = false under [migration] if it has an image of its own"
        ),
        details=tuple(f"{e.kind} {e.name}: {', '.join(images(e.body)) or 'no image'}" for e in untagged),
    )
