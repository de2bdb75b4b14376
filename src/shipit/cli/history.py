"""`shipit history`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shipit.cli.options import Common, variable
from shipit.cli.session import Done, Session, conduct
from shipit.errors import Usage
from shipit.events import History


def history(
    common: Common,
    *,
    limit: Annotated[
        int, typer.Option("--limit", envvar=variable("limit"), min=1, help="How many deploys to show.")
    ] = 20,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            envvar=variable("plot"),
            metavar="FILE",
            help="Draw how long migrations took, as an SVG file.",
        ),
    ] = None,
) -> None:
    """Show past deploys and rollbacks, newest first.

    When, who, which tag, its migrations and how long they took, the revision, the outcome.
    """

    def work(session: Session) -> Done:
        from shipit import history as record
        from shipit.cli.wiring import configure, reached
        from shipit.errors import refusing

        config = configure(session)
        with reached(session, config) as cluster, refusing():
            release = config.release.name
            past = record.past_deploys(cluster, session.namespace, release)
        session.emit(History(release, session.namespace, past[:limit]))
        if plot is None:
            return Done(f"{len(past)} recorded, {min(limit, len(past))} shown")
        try:
            plot.write_text(record.plot(past[:limit], release), encoding="utf-8")
        except OSError as error:
            raise Usage(f"{plot} can't be written: {error.strerror}") from error
        return Done(f"drawn to {plot}")

    conduct(common, work, pager=True)
