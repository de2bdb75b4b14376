"""`shipit doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from shipit.cli.options import Common, variable
from shipit.cli.session import Done, Session, conduct


def doctor(
    common: Common,
    *,
    tag: Annotated[
        str | None,
        typer.Option(
            "--tag", "-t", envvar=variable("tag"), help="Render with this tag; else with a made-up one."
        ),
    ] = None,
) -> None:
    """Check helm, cluster, permissions, chart and migration; say what to do about what is wrong."""

    def work(session: Session) -> Done:
        from shipit.cli.wiring import configure, deploying
        from shipit.config import Flags, check_tag
        from shipit.plan import PROBE_TAG, examine

        config = configure(session)
        with deploying(session, config, check_tag(tag or PROBE_TAG), Flags(), command="doctor") as (
            request,
            world,
        ):
            examine(request, world, session.emit)
        return Done("all is well")

    conduct(common, work)
