"""`shipit logs`."""

from __future__ import annotations

from typing import Annotated

import typer

from shipit.cli.options import Common, variable
from shipit.cli.session import Done, Session, conduct
from shipit.events import Event


class _ReaderLeft(Exception):
    """`shipit logs | head` has seen enough."""


def logs(
    common: Common,
    *,
    name: Annotated[str, typer.Argument(help="Migration, Job or Pod to show (default: the newest).")] = "",
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", envvar=variable("follow"), help="Keep following until the migration has ended."
        ),
    ] = False,
) -> None:
    """Show the log of the running or last migration."""

    def work(session: Session) -> Done:
        from shipit.cli.wiring import configure, reached
        from shipit.logs import describe, newest_job, show_logs
        from shipit.plan import mask_secrets_of_job

        def emit(event: Event) -> None:
            session.emit(event)
            if session.output.reader_left:
                raise _ReaderLeft

        config = configure(session)
        with reached(session, config) as cluster:
            pattern = next((each.job for each in config.migrations if name and each.name == name), "")
            job = newest_job(cluster, session.namespace, config.release.name, name, pattern)
            mask_secrets_of_job(job, cluster, session.mask, session.emit, release=config.release.name)
            try:
                job = show_logs(job, cluster, session.clock, emit, follow=follow)
            except _ReaderLeft:
                return Done("the reader of the log has left")
        return Done(f"{job.ref.title} of {job.tag or 'an unknown tag'} is {describe(job)}")

    conduct(common, work, pager=True)
