"""`shipit init`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shipit.cli.choose import choose
from shipit.cli.options import Common, variable
from shipit.cli.session import Done, Session, conduct
from shipit.errors import HelmFailed, Refused, ShipitError, Usage, refusing
from shipit.events import StepChanged, Warned
from shipit.hints import advice, shipit

if TYPE_CHECKING:
    from shipit.helm import HelmCli
    from shipit.init import ChartPlace, Proposal, Row, TagKeys
    from shipit.model import Values

FILE = "shipit.toml"
_MOST_CHARTS = 4
"""How many other charts are looked at where the app's holds no migration."""


def init(
    common: Common,
    *,
    chart: Annotated[
        str,
        typer.Argument(
            metavar="CHART",
            help="Folder, archive, oci://… or repo/chart (default: the one in this folder).",
        ),
    ] = "",
    version: Annotated[
        str, typer.Option("--version", metavar="VERSION", help="Version of a chart that is fetched.")
    ] = "",
    values: Annotated[
        list[Path] | None,
        typer.Option(
            "--values",
            "-f",
            envvar=variable("values"),
            metavar="FILE",
            help="Values file of the release, where the chart needs one; may be repeated.",
        ),
    ] = None,
) -> None:
    """Write a shipit.toml, filled in by looking at the chart.

    Renders the chart without a cluster; finds what migrates and the values that receive the tag.
    """

    def work(session: Session) -> Done:
        from shipit.init import file_text, find_charts

        target = Path.cwd() / (common.config or FILE)
        _refuse_existing(target)
        charts = find_charts(chart, Path.cwd())
        place = choose(session, "Which chart", charts)
        session.release = place.release
        others = tuple(each for each in charts if each != place)
        asked = _Asked(place, version, others[:_MOST_CHARTS], tuple(values or ()), target.parent)
        found = _look(session, asked)
        _tell(session, place, found)
        text = file_text(_release_rows(common, asked, found), found.migration, found.tag)
        _write(target, text)
        return Done(
            f"wrote {_from(Path.cwd(), target)}",
            hint=shipit("doctor", why="checks it against the cluster; `shipit deploy --tag TAG` deploys"),
        )

    conduct(common, work)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The chart to look at, the others that lie in the project, the values files, and the folder of the new file."""

    place: ChartPlace
    version: str
    others: tuple[ChartPlace, ...]
    values: tuple[Path, ...]
    folder: Path


@dataclass(frozen=True, slots=True)
class _Found:
    """The version of the chart that was looked at, what migrates, and what receives the tag."""

    version: str
    migration: Proposal
    tag: TagKeys | None


def _refuse_existing(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise Usage(
            f"{_from(Path.cwd(), target)} exists, and is left as it is",
            hint=shipit(
                "init", "--config", f"{target.stem}.new.toml", why="writes another one to compare with"
            ),
        )


def _look(session: Session, asked: _Asked) -> _Found:
    """What is in the chart, and of that what is chosen. Raises Refused for one that can't be fetched or rendered."""
    from shipit.helm import private_folder
    from shipit.init import about, look_at, proposals, tag_keys
    from shipit.model import Values, as_text

    values = Values(tuple(Path.cwd() / file for file in asked.values))
    with private_folder() as folder, refusing():
        helm = _helm(session, asked.place.release, folder)
        path = helm.chart(asked.place.source, asked.version, partial(_tell_fetching, session)).path
        try:
            look = look_at(path, values, partial(helm.render_alone, str(path)))
        except HelmFailed as error:
            raise _needs_values(error, asked.place) from error
        ways = list(proposals(look, Path.cwd()))
        if not ways[0].found:
            ways = [*_elsewhere(asked, values, helm), *ways]
        migration = choose(session, "Which is the migration", ways)
        keys = tag_keys(look, migration.runs, migration.turned_on)
        tag = choose(session, "Which value receives the tag", keys) if keys else None
        return _Found(as_text(about(path).get("version")), migration, tag)


def _elsewhere(asked: _Asked, values: Values, helm: HelmCli) -> Iterator[Proposal]:
    """What migrates in the other charts of the project; one that doesn't render with the app's values has none."""
    from shipit.init import look_at, of_other_chart

    for other in asked.others:
        with suppress(HelmFailed, Refused):
            look = look_at(Path(other.source), values, partial(helm.render_alone, other.source))
            if way := of_other_chart(look, Path.cwd(), _from(asked.folder, Path(other.source))):
                yield way


def _tell_fetching(session: Session, text: str) -> None:
    session.emit(StepChanged("chart", "started", text))


def _helm(session: Session, release: str, folder: Path) -> HelmCli:
    """A helm that knows no cluster; the private files are in `folder`."""
    from shipit.helm import connect

    return connect(
        release=release,
        namespace=session.common.namespace or "default",
        kubeconfig=str(folder / "none"),
        workdir=Path.cwd(),
        folder=folder,
        environ=os.environ,
    )


def _needs_values(error: HelmFailed, place: ChartPlace) -> ShipitError:
    """A chart that can't be rendered as it is mostly wants values that it has no default for."""
    if error.reason != "render":
        return error
    hint = shipit("init", place.shown, "--values", "values.yaml", why="gives it the values that it requires")
    return Refused(error.message, hint=hint, details=error.details)


def _release_rows(common: Common, asked: _Asked, found: _Found) -> list[Row]:
    from shipit.init import Row

    place = asked.place
    rows = [Row("name", place.release, "the Helm release")]
    if place.path:
        rows.append(Row("chart", _from(asked.folder, place.path), "relative to this file"))
    else:
        rows += [
            Row("chart", place.shown, "fetched for each deploy"),
            Row("version", found.version, "the one that was looked at"),
        ]
    named = common.namespace
    rows.append(Row("namespace", named or place.release, "default: the context's", off=not named))
    if common.context:
        rows.append(Row("context", common.context, "of the kubeconfig"))
    if asked.values:
        rows.append(Row("values", [_from(asked.folder, Path.cwd() / each) for each in asked.values]))
    return rows


def _tell(session: Session, place: ChartPlace, found: _Found) -> None:
    session.emit(StepChanged("chart", "done", f"{place.shown} {found.version}, release {place.release}"))
    if found.migration.found:
        session.emit(StepChanged("migration", "done", str(found.migration)))
    else:
        session.emit(
            Warned(
                "the chart holds no Job or hook that migrates a database",
                hint=advice("correct and uncomment what the file suggests under [migration]"),
            )
        )
    if found.tag:
        session.emit(StepChanged("tag_key", "done", str(found.tag)))
    else:
        session.emit(
            Warned(
                "no value of the chart reaches the tag of an image",
                hint=advice("let its templates take the tag from a value, and name that one in tag_key"),
            )
        )


def _from(folder: Path, path: Path) -> str:
    """The path as it is written in that folder."""
    return os.path.relpath(path, folder)


def _write(target: Path, text: str) -> None:
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        _refuse_existing(target)
    except OSError as error:
        raise Usage(f"{target} can't be written: {error.strerror}") from error
