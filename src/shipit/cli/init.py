"""`shipit init`."""

from __future__ import annotations

import os
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
    from shipit.init import ChartPlace, Proposal, Row, TagKeys

FILE = "shipit.toml"


def init(
    common: Common,
    *,
    chart: Annotated[str, typer.Argument(help="Chart to look at (default: the one in this folder).")] = "",
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
        place = choose(session, "Which chart", find_charts(chart, Path.cwd()))
        session.release = place.release
        migration, tag = _look(session, place, values or [])
        _tell(session, place, migration, tag)
        _write(target, file_text(_release_rows(common, place, target, values or []), migration, tag))
        return Done(
            f"wrote {_from(Path.cwd(), target)}",
            hint=shipit("doctor", why="checks it against the cluster; `shipit deploy --tag TAG` deploys"),
        )

    conduct(common, work)


def _refuse_existing(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise Usage(
            f"{_from(Path.cwd(), target)} exists, and is left as it is",
            hint=shipit(
                "init", "--config", f"{target.stem}.new.toml", why="writes another one to compare with"
            ),
        )


def _look(session: Session, place: ChartPlace, files: list[Path]) -> tuple[Proposal, TagKeys | None]:
    """What migrates and what receives the tag, as it is chosen. Raises Refused for a chart that doesn't render."""
    from shipit.helm import connect, private_folder
    from shipit.init import look_at, proposals, tag_keys
    from shipit.model import Rendered, Values

    with private_folder() as folder, refusing():
        helm = connect(
            release=place.release,
            namespace=session.common.namespace or "default",
            kubeconfig=str(folder / "none"),
            workdir=Path.cwd(),
            folder=folder,
            environ=os.environ,
        )

        def render(given: Values, *, upgrade: bool = False) -> Rendered:
            return helm.render_alone(str(place.path), given, upgrade=upgrade)

        try:
            look = look_at(place.path, Values(tuple(Path.cwd() / file for file in files)), render)
        except HelmFailed as error:
            raise _needs_values(error, place) from error
        migration = choose(session, "Which is the migration", proposals(look, Path.cwd()))
        ways = tag_keys(look, migration.runs, migration.turned_on)
        return migration, choose(session, "Which value receives the tag", ways) if ways else None


def _needs_values(error: HelmFailed, place: ChartPlace) -> ShipitError:
    """A chart that can't be rendered as it is mostly wants values that it has no default for."""
    if error.reason != "render":
        return error
    hint = shipit("init", place.shown, "--values", "values.yaml", why="gives it the values that it requires")
    return Refused(error.message, hint=hint, details=error.details)


def _release_rows(common: Common, place: ChartPlace, target: Path, values: list[Path]) -> list[Row]:
    from shipit.init import Row

    release = place.release
    rows = [
        Row("name", release, "the Helm release"),
        Row("chart", _from(target.parent, place.path), "relative to this file"),
        Row("namespace", common.namespace or release, "default: the context's", off=not common.namespace),
    ]
    if common.context:
        rows.append(Row("context", common.context, "of the kubeconfig"))
    if values:
        rows.append(Row("values", [_from(target.parent, Path.cwd() / each) for each in values]))
    return rows


def _tell(session: Session, place: ChartPlace, migration: Proposal, tag: TagKeys | None) -> None:
    session.emit(StepChanged("chart", "done", f"{place.shown}, release {place.release}"))
    if migration.found:
        session.emit(StepChanged("migration", "done", str(migration)))
    else:
        session.emit(
            Warned(
                "the chart holds no Job or hook that migrates a database",
                hint=advice("correct and uncomment what the file suggests under [migration]"),
            )
        )
    if tag:
        session.emit(StepChanged("tag_key", "done", str(tag)))
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
