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
            "--tag", "-t", envvar=variable("tag"), help="Tag to render with (default: a placeholder)."
        ),
    ] = None,
) -> None:
    """Check everything that a deploy needs.

    Checks helm, cluster, permissions, lock, chart and migration, and shows how to fix what fails. Changes nothing.
    """

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
        return Done("all checks passed")

    conduct(common, work, tag=tag or "")
