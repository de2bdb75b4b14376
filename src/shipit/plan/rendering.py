"""One rendering of the release, the migration found in it, and proof that the tag reaches it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shipit.chart import Document, split, uses_tag
from shipit.errors import HelmFailed, Refused
from shipit.hints import advice
from shipit.model import MigrationSpec, Rendered, Request, Revision, Situation, World
from shipit.plan.selection import SelectedObject, check_tag, select_objects

PROBE_TAG = "shipit-probe"


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
    rendered = world.helm.render(request.chart, request.values)
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
    own = [_own_rendering(entry, entry.values, request, world) for entry in request.migrations]
    selected = select_objects(
        request.migrations, situation, rendered, documents, own, optional=request.skip_migration
    )
    for entry in request.migrations:
        _check_template(entry, request, selected)
    if not request.skip_migration:
        check_tag(selected, request.tag, request.tag_key)
        _check_coincidence(request, world, situation, selected)
    return selected


def _own_rendering(
    entry: MigrationSpec, values: tuple[Path, ...] | None, request: Request, world: World
) -> tuple[Document, ...] | None:
    """The rendering of a migration with a chart or values of its own; None when it is in the release's."""
    if values is None:
        return None
    return split(world.helm.render(entry.chart or request.chart, values).manifest, request.namespace)


def _check_template(entry: MigrationSpec, request: Request, selected: Sequence[SelectedObject]) -> None:
    """A template that renders nothing on a first install must at least be there."""
    folder = Path(entry.chart or request.chart)
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
    if not tagged or not _written(request):
        return
    try:
        probed = world.helm.render(request.chart, request.probe)
        own = [_own_rendering(entry, entry.probe, request, world) for entry in request.migrations]
    except HelmFailed:
        return  # the chart looks at the tag, and takes only some: it does reach it
    again = select_objects(
        request.migrations, situation, probed, split(probed.manifest, request.namespace), own
    )
    if any(one.migration and uses_tag(one.body, request.tag) for one in again) and not any(
        one.migration and uses_tag(one.body, PROBE_TAG) for one in again
    ):
        raise Refused(
            f"{' and '.join(request.tag_key)} does not reach the image of the migration: "
            f"it reads {request.tag} because the chart says so",
            hint=advice("set tag_key under [release] to the value that holds the tag"),
        )


def _written(request: Request) -> bool:
    """Whether a chart or values hold the tag beside where we set it, but for an apiVersion; a packed chart may."""
    own = [(entry.chart or request.chart, entry.values) for entry in request.migrations if entry.values]
    sources = [(request.chart, request.values), *own]
    ours = {values[-1] for _, values in sources}
    places = {Path(chart) for chart, _ in sources} | {path for _, values in sources for path in values}
    found = re.compile(rb"^(?!\s*apiVersion:).*" + re.escape(request.tag.encode()), re.MULTILINE)
    for place in places - ours:
        files = place.rglob("*") if place.is_dir() else [place]
        if any(f.suffix == ".tgz" or found.search(f.read_bytes()) for f in files if f.is_file()):
            return True
    return any(file.read_bytes().count(request.tag.encode()) > len(request.tag_key) for file in ours)
