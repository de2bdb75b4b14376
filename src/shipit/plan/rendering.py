"""One rendering of the release, the migration found in it, and proof that the tag reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shipit.chart import Document, split, uses_tag
from shipit.config import MigrationSpec, Request
from shipit.errors import HelmFailed, Refused
from shipit.hints import advice
from shipit.model import Rendered, Revision, Situation, World
from shipit.plan.selection import SelectedObject, check_tag, select_objects
from shipit.plan.tag import PROBE_TAG, check_tag_keys, is_written


@dataclass(frozen=True, slots=True)
class ReleaseRendering:
    """The one rendering, beside the release as it is: `live` is the manifest that Helm compares with."""

    rendered: Rendered
    documents: tuple[Document, ...]
    history: tuple[Revision, ...]
    live: tuple[Document, ...]

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
    rendered = world.helm.render(request.chart, request.values.with_tag(request.tag, request.spec.tag_keys))
    if history:  # after `uninstall --keep-history` Helm renders revision 1, but goes on counting
        rendered = replace(rendered, revision=max(rendered.revision, history[-1].number + 1))
    rendering = ReleaseRendering(rendered, split(rendered.manifest, request.namespace), history, ())
    number = rendering.deployed or rendering.newest
    return (
        replace(rendering, live=split(world.helm.manifest(number), request.namespace))
        if number
        else rendering
    )


def select_checked(
    request: Request,
    world: World,
    situation: Situation,
    rendered: Rendered,
    documents: Sequence[Document],
) -> tuple[SelectedObject, ...]:
    """What runs around the upgrade, checked: the templates are there, the tag is in the image because we set it."""
    own = [_own_rendering(entry, request.tag, request, world) for entry in request.migrations]
    selected = select_objects(
        request.migrations, situation, rendered, documents, own, optional=request.skip_migration
    )
    for entry in request.migrations:
        _check_template(entry, request, selected)
    if not request.skip_migration:
        check_tag(selected, request.tag, request.spec.tag_keys)
        _check_coincidence(request, world, situation, selected)
    return selected


def _own_rendering(
    entry: MigrationSpec, tag: str, request: Request, world: World
) -> tuple[Document, ...] | None:
    """The rendering of a migration with a chart or values of its own; None when it is in the release's."""
    if not entry.renders_alone:
        return None
    values = request.values_of(entry).with_tag(tag, request.spec.tag_keys)
    return split(world.helm.render(request.chart_of(entry), values).manifest, request.namespace)


def _check_template(entry: MigrationSpec, request: Request, selected: Sequence[SelectedObject]) -> None:
    """A template that renders nothing on a first install must at least be there."""
    folder = Path(request.chart_of(entry))
    if not entry.template or any(one.spec is entry for one in selected) or (folder / entry.template).exists():
        return
    there = sorted(str(path.relative_to(folder)) for path in folder.glob("templates/**/*.y*ml"))
    raise Refused(
        f"the chart {folder} has no template {entry.template}",
        hint=advice("name one of the chart's templates under [migration]"),
        details=tuple(there),
    )


def _check_coincidence(
    request: Request, world: World, situation: Situation, selected: Sequence[SelectedObject]
) -> None:
    """The tag may stand in the image because the chart writes it there, not because we set it: render with another.

    Only asked when the chart or the values hold that very text: then a coincidence is possible.
    """
    tagged = [one for one in selected if one.migration and uses_tag(one.body, request.tag)]
    if not tagged or not is_written(request):
        return
    keys = request.spec.tag_keys
    try:
        probed = world.helm.render(request.chart, request.values.with_tag(PROBE_TAG, keys))
        own = [_own_rendering(entry, PROBE_TAG, request, world) for entry in request.migrations]
    except HelmFailed:
        return  # the chart looks at the tag, and takes only some: it does reach it
    again = select_objects(
        request.migrations, situation, probed, split(probed.manifest, request.namespace), own
    )
    if any(one.migration and uses_tag(one.body, request.tag) for one in again) and not any(
        one.migration and uses_tag(one.body, PROBE_TAG) for one in again
    ):
        raise Refused(
            f"{' and '.join(keys)} does not reach the image of the migration: "
            f"it reads {request.tag} because the chart says so",
            hint=advice("set tag_key under [release] to the value that holds the tag"),
        )
