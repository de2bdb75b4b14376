"""What one `[migration]` means in its rendering."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from shipit.chart import from_template, references_of
from shipit.config import MigrationSpec
from shipit.errors import Refused
from shipit.model import Hook
from shipit.plan.candidates import (
    Candidate,
    Rendering,
    counterparts,
    hooks_of,
    migrations_of,
    plain_of,
)
from shipit.plan.from_workload import made_from
from shipit.plan.refusals import refuse_shared, unclear


@dataclass(frozen=True, slots=True)
class Due:
    """The events of hooks that are run: those of this operation, `now`, and those that an install still owes."""

    now: tuple[str, ...]
    owed: tuple[str, ...] = ()

    def runs(self, hook: Hook) -> bool:
        return not {*self.now, *self.owed}.isdisjoint(hook.events)

    def runs_now(self, hook: Hook) -> bool:
        return not set(self.now).isdisjoint(hook.events)


@dataclass(frozen=True, slots=True)
class Pick:
    """What a `[migration]` runs in this operation.

    `hooks` are Jobs and Pods, `jobs` are Jobs and Pods that are no hooks; `not_due` are hooks of the other operation, where nothing is due.
    Of a rendering of its own, `support` are the hooks beside it that are neither Job nor Pod, `unnamed` the Jobs and
    Pods that its values turn on although it names others, and `replaced` is what the release's rendering holds of what
    runs.
    """

    spec: MigrationSpec
    hooks: tuple[Candidate, ...] = ()
    jobs: tuple[Candidate, ...] = ()
    not_due: tuple[Candidate, ...] = ()
    support: tuple[Candidate, ...] = ()
    unnamed: tuple[Candidate, ...] = ()
    replaced: tuple[Candidate, ...] = ()

    @property
    def nothing(self) -> bool:
        return not (self.hooks or self.jobs or self.not_due)

    @property
    def own_hooks(self) -> tuple[Hook, ...]:
        """The hooks of its own rendering that run."""
        found = (*self.hooks, *self.support) if self.spec.renders_alone else ()
        return tuple(each.hook for each in found if each.hook)

    @property
    def of_the_release(self) -> tuple[Candidate, ...]:
        """What of the release's rendering it runs, or runs in another form."""
        return (*self.replaced, *(() if self.spec.renders_alone else self.jobs))

    @property
    def meant(self) -> tuple[Candidate, ...]:
        """All that is its own, in its rendering and the release's: no other table's."""
        return (*self.hooks, *self.jobs, *self.not_due, *self.replaced)

    def name_of(self, one: Candidate) -> str:
        """The step's name: the table's, but that of several Jobs each has its own."""
        alone = len(self.hooks or self.jobs or self.not_due) <= 1
        if one.hook is None:
            return (self.spec.name or one.stem or one.label) if alone else one.name.rstrip("-.")
        return (self.spec.name if self.spec.named and alone else "") or one.label


def picks_of(
    specs: Sequence[MigrationSpec],
    own: Sequence[Rendering | None],
    release: Rendering,
    due: Callable[[MigrationSpec], Due],
) -> tuple[Pick, ...]:
    """What each means, in their order; one that names nothing means what no other does.

    `due` says of each which events of hooks it runs. Raises Refused when it isn't clear what is meant.
    """
    found: dict[int, Pick] = {}
    others: tuple[Candidate, ...] = ()
    for number in sorted(range(len(specs)), key=lambda number: not specs[number].named):
        spec = specs[number]
        found[number] = pick(spec, own[number], release, due(spec), others)
        others += found[number].meant
    picks = tuple(found[number] for number in range(len(specs)))
    refuse_shared([(each.spec, each.meant) for each in picks])
    return picks


def pick(
    spec: MigrationSpec,
    own: Rendering | None,
    release: Rendering,
    due: Due,
    others: Sequence[Candidate] = (),
) -> Pick:
    """Raises Refused when it isn't clear what is meant. `due` are the events of hooks that it runs."""
    if spec.workload:
        return Pick(spec, jobs=(made_from(spec, own or release),))
    if own is None:
        there = migrations_of(release)
        found = (
            named(spec, there, release) if spec.picks else tuple(one for one in there if one not in others)
        )
        return _pick(spec, found, release, due)
    ours = (*hooks_of(own), *plain_of(own))
    same = counterparts(ours, (*hooks_of(release), *plain_of(release)))
    found = tuple(one for one in ours if one.runs)
    if spec.picks:
        found = named(spec, found, own)
    else:  # what its values turn on; where that is nothing, they only change what is there
        found = tuple(one for one, there in zip(ours, same, strict=True) if one.runs and not there) or found
    picked = _pick(spec, found, own, due)
    return _with_own(picked, list(zip(ours, same, strict=True)), due)


def possible(spec: MigrationSpec, there: Rendering) -> tuple[Candidate, ...]:
    """All that a `[migration]` may mean in a rendering."""
    if not spec.workload:
        return migrations_of(there)
    with suppress(Refused):
        return (made_from(spec, there),)
    return ()


def _pick(spec: MigrationSpec, found: Sequence[Candidate], there: Rendering, due: Due) -> Pick:
    """Each hook is meant, and each Job of a template that is named; elsewhere, and of what `job` picks, there is one."""
    hooks = tuple(one for one in found if one.hook and due.runs(one.hook))
    plain = _plain(spec, found)
    now = tuple(one for one in hooks if one.hook and due.runs_now(one.hook))
    if spec.job and len(now) + len(plain) > 1:
        raise unclear(spec, (*now, *plain), there)
    if spec.template and not all(one.source for one in hooks):
        hooks = _only(spec, hooks, there)
    if hooks and (spec.picks or not spec.renders_alone):
        plain = ()  # they are Helm's
    if not (spec.template and all(one.source for one in plain)):
        plain = _only(spec, plain, there)
    return Pick(spec, hooks, plain, () if hooks or plain else tuple(one for one in found if one.hook))


def _plain(spec: MigrationSpec, found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The Jobs that are no hooks; where there is none, the Pods, but for one that never ends and that nothing names."""
    plain = [one for one in found if not one.hook]
    jobs = tuple(one for one in plain if one.kind == "Job")
    return jobs or tuple(one for one in plain if spec.picks or one.ends)


def named(spec: MigrationSpec, found: Sequence[Candidate], there: Rendering) -> tuple[Candidate, ...]:
    """Those of its template and called as `job` says; of any template where a post-renderer has lost them all."""
    kept = tuple(found)
    if spec.template:
        kept = tuple(one for one in found if from_template(one.source, spec.template))
        if not kept and there.sourceless:
            kept = tuple(one for one in found if not one.source)
    return tuple(one for one in kept if not spec.job or fnmatchcase(one.name, spec.job))


def _only(spec: MigrationSpec, found: Sequence[Candidate], there: Rendering) -> tuple[Candidate, ...]:
    """At most one: of several the one that is called as the table."""
    kept = (_called(spec.name, found) if len(found) > 1 and spec.name else ()) or tuple(found)
    if len(kept) > 1:
        raise unclear(spec, kept, there)
    return kept


def _called(name: str, found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The Jobs of that name, else those that end with it (`shop-migrate`), else those of a template called so."""
    exact = tuple(one for one in found if one.name == name)
    ending = tuple(one for one in found if one.name.endswith(f"-{name}"))
    return exact or ending or tuple(one for one in found if one.stem == name)


def _with_own(picked: Pick, pairs: Sequence[tuple[Candidate, Candidate | None]], due: Due) -> Pick:
    """With what its own rendering has beside it, and without what the release's holds of all that."""
    chosen = (*picked.hooks, *picked.jobs)
    hooks = [(one, same) for one, same in pairs if chosen and one.hook and due.runs(one.hook)]
    support = tuple(one for one, same in hooks if not one.runs and _needed(one, same, chosen))
    return replace(
        picked,
        support=support,
        unnamed=tuple(one for one, same in hooks if one.runs and not same and one not in chosen),
        replaced=tuple(same for one, same in pairs if same and (one in chosen or one in support)),
    )


def _needed(one: Candidate, same: Candidate | None, chosen: Sequence[Candidate]) -> bool:
    """It is only there for the migration; or the migration uses it, and its values change it."""
    if same is None:
        return True
    used = {(each.kind, each.name) for migration in chosen for each in references_of(migration.body)}
    return (one.kind, one.name) in used and one.body != same.body
