"""A migration of which this operation's rendering holds nothing: of the other operation, or not there at all."""

from __future__ import annotations

from pathlib import Path

from shipit.config import MigrationSpec, Request
from shipit.errors import HelmFailed, Refused
from shipit.model import LeftOut, World
from shipit.plan.candidates import Candidate, Rendering, migrations_of
from shipit.plan.picks import named
from shipit.plan.refusals import no_such_template, not_rendered, plain_pod, plain_pods
from shipit.plan.selection import only_on


def find_elsewhere(
    entry: MigrationSpec,
    release: Rendering,
    alone: Rendering | None,
    request: Request,
    world: World,
    *,
    install: bool,
) -> LeftOut | None:
    """What is left out because only the other operation has it (`install`: that is the install).

    None where no migration is asked for. Raises Refused with what there is instead.
    """
    chart = Path(request.chart_of(entry))
    if refused := no_such_template(entry, chart):
        raise refused
    if pods := plain_pods(entry, release):  # Helm would run them
        raise plain_pod(entry, pods)
    if request.skip_migration:
        return None
    found = _rendered_elsewhere(entry, request, world, install=install)
    if not found:
        raise not_rendered(entry, chart, alone or release)
    one = found[0]
    return LeftOut(entry.name or one.label, only_on(f"{one.kind} {one.name}", install=install))


def _rendered_elsewhere(
    entry: MigrationSpec, request: Request, world: World, *, install: bool
) -> tuple[Candidate, ...]:
    """What it names in the rendering of the other operation; nothing where that can't be rendered."""
    values = request.values_of(entry).with_tag(request.tag, request.spec.tag_keys)
    try:
        rendered = world.helm.render_as(request.chart_of(entry), values, install=install)
        there = Rendering.of(rendered, request.namespace)
    except (HelmFailed, Refused):
        return ()
    return named(entry, migrations_of(there), there)
