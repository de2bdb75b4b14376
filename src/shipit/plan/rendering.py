"""One rendering of the release, the migration found in it, and proof that the tag reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from shipit.chart import Document, canonical, split, uses_tag
from shipit.config import MigrationSpec, Request
from shipit.errors import HelmFailed, Refused
from shipit.model import Rendered, Resource, Revision, Situation, World
from shipit.plan.absent import find_elsewhere
from shipit.plan.candidates import Rendering, migrations_of
from shipit.plan.definitions import missing_definitions, render
from shipit.plan.made_jobs import settled
from shipit.plan.names import refuse_same_names, with_fixed_names
from shipit.plan.other_releases import explain_in_the_way
from shipit.plan.picks import possible
from shipit.plan.prerequisites import with_prerequisites
from shipit.plan.selection import Selection, check_tag, select_objects, select_tests
from shipit.plan.tag import PROBE_DIGEST, PROBE_TAG, check_coincidence, check_tag_keys, is_written
from shipit.plan.tagged import tagged


@dataclass(frozen=True, slots=True)
class ReleaseRendering:
    """The one rendering, beside the release as it is: `live` is the manifest that Helm compares with.

    `definitions` are what the chart's `crds/` bring and isn't there yet.
    """

    rendered: Rendered
    documents: tuple[Document, ...]
    history: tuple[Revision, ...]
    live: tuple[Document, ...]
    definitions: tuple[Resource, ...] = ()

    @property
    def newest(self) -> int:
        return self.history[-1].number if self.history else 0

    @property
    def deployed(self) -> int:
        """The newest revision that is deployed, 0 for none."""
        return next((each.number for each in reversed(self.history) if each.status == "deployed"), 0)


def render_release(request: Request, world: World) -> ReleaseRendering:
    """Render the release with the tag, once, and read what Helm has of it."""
    history = world.helm.history()
    check_tag_keys(request)
    definitions = missing_definitions(request, world, history)
    values = tagged(request, request.values, request.chart)
    try:
        rendered = render(request.chart, values, world, definitions)
    except HelmFailed as error:
        raise explain_in_the_way(error, request.release, request.namespace, world) from error
    if history:  # after `uninstall --keep-history` Helm renders revision 1, but goes on counting
        rendered = replace(rendered, revision=max(rendered.revision, history[-1].number + 1))
    documents = split(rendered.manifest, request.namespace)
    rendering = ReleaseRendering(rendered, documents, history, (), definitions)
    number = rendering.deployed or rendering.newest
    return (
        replace(rendering, live=split(world.helm.manifest(number), request.namespace))
        if number
        else rendering
    )


def select_checked(
    request: Request, world: World, situation: Situation, rendering: ReleaseRendering
) -> Selection:
    """What runs around the upgrade, checked: each migration is there, the tag is in the image because we set it."""
    release = Rendering(rendering.rendered.hooks, rendering.documents)
    own = _own_renderings(request.tag, request, world, rendering.definitions)
    selected = select_objects(request.migrations, situation, release, own)
    for turn, (entry, alone) in enumerate(zip(request.migrations, own, strict=True), 1):
        if entry not in selected.missing:
            continue
        other = partial(_render_other, entry, request, world, install=not rendering.rendered.install)
        found = find_elsewhere(entry, alone or release, situation, request, other)
        selected = selected.with_more(found, turn)
    selected = selected.with_more(select_tests(request.spec, rendering.rendered.hooks))
    if not request.skip_migration:
        check_tag(selected.objects, request.tag, request.spec.tag_keys)
        _check_coincidence(request, world, selected, [alone or release for alone in own])
    others = [(each.kind, each.name) for each in migrations_of(release)]
    named = with_fixed_names(selected.objects, request.release, others)
    refuse_same_names(named, release.hooks, request.namespace)
    beside = (*rendering.documents, *rendering.live)
    objects = tuple(settled(one, beside, request.namespace, world.cluster) for one in named)
    return replace(selected, objects=with_prerequisites(objects, request, release, own))


def _render_other(entry: MigrationSpec, request: Request, world: World, *, install: bool) -> Rendered | None:
    """A migration's rendering in the other operation; None where its chart can't be rendered so."""
    values = tagged(request, request.values_of(entry), request.chart_of(entry))
    try:
        return world.helm.render_as(request.chart_of(entry), values, install=install)
    except HelmFailed:
        return None


def _own_renderings(
    tag: str, request: Request, world: World, definitions: Sequence[Resource] = ()
) -> list[Rendering | None]:
    """Those of the migrations with a chart or values of their own, one for all that have the same; None for a
    migration that is in the release's.
    """
    found: dict[str, Rendering] = {}
    keys = [
        canonical([entry.chart, entry.version, entry.layers]) if entry.renders_alone else ""
        for entry in request.migrations
    ]
    for key, entry in zip(keys, request.migrations, strict=True):
        if key and key not in found:
            values = tagged(request, request.values_of(entry), request.chart_of(entry), tag)
            rendered = render(request.chart_of(entry), values, world, definitions)
            found[key] = Rendering.of(rendered, request.namespace)
    return [found.get(key) for key in keys]


def _check_coincidence(
    request: Request, world: World, selected: Selection, renderings: Sequence[Rendering]
) -> None:
    """The tag may stand in the image because the chart writes it there, not because we set it: render with another.

    Only asked when the chart or the values hold that very text: then a coincidence is possible.
    """
    bound = [one for one in selected.objects if one.migration and one.spec.require_tag]
    showing = [one for one in bound if uses_tag(one.body, request.tag)]
    if not showing or not is_written(request):
        return
    keys = request.spec.tag_keys
    probe = PROBE_TAG + (PROBE_DIGEST if "@" in request.tag else "")
    try:
        release = Rendering.of(
            world.helm.render(request.chart, tagged(request, request.values, request.chart, probe)),
            request.namespace,
        )
        own = [alone or release for alone in _own_renderings(probe, request, world)]
    except (HelmFailed, Refused):
        return  # the chart looks at the tag, and takes only some: it does reach it
    for entry, rendered, probed in zip(request.migrations, renderings, own, strict=True):
        mine = [one.candidate for one in showing if one.spec is entry]
        check_coincidence(mine, possible(entry, rendered), possible(entry, probed), request.tag, keys)
