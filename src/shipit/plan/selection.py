"""Pure: which of the rendered objects run around the upgrade, in which order, and which of them Helm must not get."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from shipit.chart import TEST, for_event, held_by_digest, images, uses_tag
from shipit.config import MigrationSpec, ReleaseSpec
from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import Hook, Json, LeftOut, Phase, Resource, Situation
from shipit.plan.candidates import Candidate, Rendering, of_hook
from shipit.plan.picks import Pick, pick

START_WITHIN = MigrationSpec().start_timeout
_PHASES: tuple[Phase, ...] = ("before", "during", "after")


@dataclass(frozen=True, slots=True)
class SelectedObject:
    """An object that shipit runs: a hook, or a plain Job, which is left out of what Helm gets. `test`: as `helm test`."""

    name: str
    candidate: Candidate
    phase: Phase
    spec: MigrationSpec
    migration: bool
    test: bool = False

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

    `taken` are the plain Jobs of the release's rendering that shipit runs in Helm's stead; `left_out` is what is rendered
    and not run; `missing` are the `[migration]`s of which nothing is rendered.
    """

    objects: tuple[SelectedObject, ...] = ()
    taken: tuple[Resource, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    missing: tuple[MigrationSpec, ...] = ()

    def with_more(self, other: Selection) -> Selection:
        return replace(
            self, objects=(*self.objects, *other.objects), left_out=(*self.left_out, *other.left_out)
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
    due = frozenset(event for events in _events(situation) for event in events)
    picks = [pick(spec, alone, release, due) for spec, alone in zip(specs, own, strict=True)]
    taken = [one for each in picks for one in each.of_the_release]
    plain = (_plain(each, each.job) for each in picks if each.job)
    objects = (*_hooks(specs, situation, release, picks), *plain)
    return Selection(
        objects=tuple(one for phase in _PHASES for one in objects if one.phase == phase),
        taken=tuple(one.resource for one in taken if one.resource),
        left_out=tuple(one for each in picks for one in _left_out(each, situation)),
        missing=tuple(each.spec for each in picks if each.nothing),
    )


def phase_of(spec: MigrationSpec, event: str = "pre-upgrade") -> Phase:
    """When a migration runs: as its `[migration]` says, else by its hook, and before the upgrade where it is none."""
    return spec.phase or ("before" if event.startswith("pre-") else "during")


def _events(situation: Situation) -> tuple[tuple[str, ...], ...]:
    """The events of hooks of this operation; then those that an install still owes."""
    operation = "install" if situation.install else "upgrade"
    owed = situation.first_install_owed and not situation.install
    return (f"pre-{operation}", f"post-{operation}"), (("post-install",) if owed else ())


def _hooks(
    specs: tuple[MigrationSpec, ...], situation: Situation, release: Rendering, picks: Sequence[Pick]
) -> list[SelectedObject]:
    """The hooks of this operation in Helm's order, each run as the `[migration]` says that picks it.

    Hooks that a migration's values turn on are the chart's, in their place among its others, and stand for those that
    they replace; those of another chart come after them.
    """
    gone = [same.hook for each in picks for same in each.replaced]
    ours = [hook for hook in release.hooks if hook not in gone]
    ours += [hook for each in picks if not each.spec.chart for hook in each.own_hooks]
    others = [each.own_hooks for each in picks if each.spec.chart]
    return [one for hooks in (ours, *others) for one in _occurrences(hooks, specs, situation, picks)]


def _occurrences(
    hooks: Sequence[Hook], specs: tuple[MigrationSpec, ...], situation: Situation, picks: Sequence[Pick]
) -> Iterable[SelectedObject]:
    """One for each event of a hook; one alone where its `[migration]` says in which phase it runs."""
    named = any(spec.named for spec in specs)
    by_hook = {one.hook: (each, one) for each in picks if each.spec.named or not named for one in each.hooks}
    operation, owed = _events(situation)
    seen: set[Hook] = set()
    for event in (*operation, *owed):
        for hook in for_event(hooks, event):
            mine, one = by_hook.get(hook, (None, None))
            if hook in seen and (event in owed or (mine and mine.spec.phase)):
                continue
            seen.add(hook)
            if mine and one:
                phase = phase_of(mine.spec, event)
                yield SelectedObject(mine.name_of(one), one, phase, mine.spec, migration=True)
            else:
                other = of_hook(hook)
                phase = phase_of(MigrationSpec(), event)
                yield SelectedObject(other.label, other, phase, _unnamed(specs), migration=False)


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


def _plain(each: Pick, job: Candidate) -> SelectedObject:
    return SelectedObject(each.name_of(job), job, phase_of(each.spec), each.spec, migration=True)


def _left_out(each: Pick, situation: Situation) -> Iterable[LeftOut]:
    for one in each.not_due:
        yield LeftOut(each.name_of(one), only_on(f"{one.kind} {one.name}", install=not situation.install))
    for one in each.unnamed:
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
        msgspec.structs.replace(specs[0], name="", template="", job="", phase=msgspec.UNSET),
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
