"""`shipit logs`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from shipit.cli.completion import migrations
from shipit.cli.options import Common, OutputKind, variable
from shipit.cli.session import Done, Session, conduct
from shipit.errors import Usage
from shipit.events import Event, LogLine


class _ReaderLeft(Exception):
    """`shipit logs | head` has seen enough."""


def logs(
    common: Common,
    *,
    name: Annotated[
        str,
        typer.Argument(
            autocompletion=migrations, help="Migration, Job, Pod or tag to show (default: the newest)."
        ),
    ] = "",
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", "-f", envvar=variable("follow"), help="Keep following until the migration has ended."
        ),
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option(
            "--tail",
            envvar=variable("tail"),
            metavar="N",
            min=0,
            help="Only the last N lines of each container (default: all).",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            envvar=variable("since"),
            metavar="DURATION",
            help="Only lines of the last while: 90s, 15m, 1h30m.",
        ),
    ] = None,
    previous: Annotated[
        bool,
        typer.Option(
            "--previous",
            "-p",
            envvar=variable("previous"),
            help="The run before the last restart of a container.",
        ),
    ] = False,
    timestamps: Annotated[
        bool,
        typer.Option(
            "--timestamps", envvar=variable("timestamps"), help="Show when each line was written, in UTC."
        ),
    ] = False,
) -> None:
    """Show the log of the running or last migration.

    Of an earlier deploy too, by its tag or its Job's name, as long as that Job is there.
    """

    def work(session: Session) -> Done:
        from shipit.cli.wiring import configure, reached
        from shipit.config import parse_duration
        from shipit.logs import describe, newest_job, show_logs, show_previous
        from shipit.plan import mask_secrets_of_job

        def emit(event: Event) -> None:
            session.emit(_timed(event) if timestamps and common.output is not OutputKind.JSON else event)
            if session.output.reader_left:
                raise _ReaderLeft

        if previous and follow:
            raise Usage("--previous shows what has ended: it excludes --follow")
        seconds = parse_duration(since, "--since") if since is not None else None
        config = configure(session)
        with reached(session, config) as cluster:
            pattern = next((each.job for each in config.migrations if name and each.name == name), "")
            job = newest_job(cluster, session.namespace, config.release.name, name, pattern)
            mask_secrets_of_job(job, cluster, session.mask, session.emit, release=config.release.name)
            try:
                if previous:
                    show_previous(job, cluster, emit, tail=tail)
                    return Done(f"this was the run before the last restart of {job.ref.title}")
                job = show_logs(job, cluster, session.clock, emit, follow=follow, tail=tail, since=seconds)
            except _ReaderLeft:
                return Done("the reader of the log has left")
        return Done(f"{job.ref.title} of {job.tag or 'an unknown tag'} is {describe(job)}")

    conduct(common, work, pager=True)


def _timed(event: Event) -> Event:
    """The line led by its own time; in JSON that is the event's time anyway."""
    if isinstance(event, LogLine) and event.written:
        return replace(event, line=f"{event.written} {event.line}")
    return event
