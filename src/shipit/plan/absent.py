"""A migration of which this operation's rendering holds nothing: of the other operation, or not there at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from shipit.config import MigrationSpec, Request
from shipit.model import LeftOut, Rendered, Situation
from shipit.plan.candidates import Candidate, Rendering, migrations_of
from shipit.plan.picks import named
from shipit.plan.refusals import no_such_template, not_rendered
from shipit.plan.selection import SelectedObject, Selection, only_on, select_objects


def find_elsewhere(
    entry: MigrationSpec,
    rendering: Rendering,
    situation: Situation,
    request: Request,
    render_other: Callable[[], Rendered | None],
) -> Selection:
    """What is left out because only the other operation has it; but what the install has and still owes is run.

    `rendering` is the one that should hold it, `render_other` that of the other operation, None where there can be
    none. Raises Refused with what is rendered instead, unless the migration is skipped.
    """
    chart = Path(request.chart_of(entry))
    if refused := no_such_template(entry, chart, entry.chart or request.spec.chart):
        raise refused
    if request.skip_migration:
        return Selection()
    other = render_other()
    there = Rendering.of(other, request.namespace) if other else Rendering()
    found = _meant(entry, there, request.migrations)
    if not (other and found):
        raise not_rendered(entry, chart, rendering)
    if other.install and situation.first_install_owed and (owed := _owed(entry, there, situation)):
        return Selection(owed)
    reason = only_on(f"{found[0].kind} {found[0].name}", install=other.install)
    return Selection(left_out=(LeftOut(entry.name or found[0].label, reason),))


def _meant(entry: MigrationSpec, there: Rendering, specs: Sequence[MigrationSpec]) -> tuple[Candidate, ...]:
    """A table that names nothing means what no other names."""
    every = migrations_of(there)
    others = [other for other in specs if other.picks and not (entry.named or other.renders_alone)]
    taken = [one for other in others for one in named(other, every, there)]
    return tuple(one for one in named(entry, every, there) if one not in taken)


def _owed(entry: MigrationSpec, there: Rendering, situation: Situation) -> tuple[SelectedObject, ...]:
    """What an install that did not come to its end would still have run after it."""
    own = there if entry.renders_alone else None
    found = select_objects((entry,), replace(situation, install=True), there, [own])
    return tuple(one for one in found.objects if one.migration and one.phase != "before")
