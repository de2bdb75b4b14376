"""`shipit lock`."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Annotated

import typer

from shipit.cli.options import Common, variable
from shipit.cli.session import Done, Session, conduct


def lock(
    common: Common,
    *,
    message: Annotated[
        str,
        typer.Option(
            "--message",
            "-m",
            envvar=variable("message"),
            metavar="TEXT",
            help="Why, shown to whoever wants to deploy.",
        ),
    ],
    for_: Annotated[
        str | None,
        typer.Option(
            "--for",
            envvar=variable("for"),
            metavar="DURATION",
            help="How long: 90m, 2h, 48h (default: until shipit unlock).",
        ),
    ] = None,
) -> None:
    """Freeze a release: nobody deploys it.

    Deploys end at once and say who froze it and why, until shipit unlock or the time is up. One that is under way goes on.
    """

    def work(session: Session) -> Done:
        from shipit.cli.wiring import configure, identity, reached
        from shipit.config import parse_duration
        from shipit.errors import Usage
        from shipit.lock import Freeze, holder_of, lease_ref, set_freeze

        if not message.strip():
            raise Usage("--message is empty: it tells the others why they can't deploy")
        lasts = timedelta(seconds=parse_duration(for_, "--for")) if for_ else None
        config = configure(session)
        with reached(session, config) as cluster:
            who = identity(os.environ)
            now = cluster.now().replace(microsecond=0)
            wanted = Freeze(who.who, who.where, message.strip(), now, now + lasts if lasts else None)
            body = set_freeze(cluster, lease_ref(session.namespace, config.release.name), wanted)
        holder = holder_of(body)
        goes_on = f"; a deploy that is under way goes on: {holder}" if holder.run else ""
        return Done(f"{config.release.name} is frozen {wanted}{goes_on}")

    conduct(common, work)
