"""`shipit deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shipit.cli.confirm import confirm
from shipit.cli.options import Common, typed_lines, variable
from shipit.cli.session import Done, Session, conduct
from shipit.errors import Outcome, Usage


def deploy(
    common: Common,
    *,
    tag: Annotated[
        str,
        typer.Option("--tag", "-t", envvar=variable("tag"), metavar="TAG", help="The image tag to deploy."),
    ],
    values: Annotated[
        list[Path] | None,
        typer.Option("--values", "-f", envvar=variable("values"), metavar="FILE", help="More values files."),
    ] = None,
    set_: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="K=V",
            default_factory=lambda: typed_lines("set"),
            show_default=False,
            help="Values, handed to helm as typed. They show in the process list: pass secrets in a values file. "
            "[env var: SHIPIT_SET, one a line]",
        ),
    ],
    set_string: Annotated[
        list[str],
        typer.Option(
            "--set-string",
            metavar="K=V",
            default_factory=lambda: typed_lines("set_string"),
            show_default=False,
            help="Like --set, but values are always strings. [env var: SHIPIT_SET_STRING, one a line]",
        ),
    ],
    migration_timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout",
            "--migration-timeout",
            envvar=[variable("timeout"), variable("migration_timeout")],
            metavar="DURATION",
            help="How long a migration may take, as 90s, 15m, 1h30m.",
        ),
    ] = None,
    upgrade_timeout: Annotated[
        str | None,
        typer.Option(
            "--upgrade-timeout",
            envvar=variable("upgrade_timeout"),
            metavar="DURATION",
            help="The same for helm upgrade.",
        ),
    ] = None,
    skip_migration: Annotated[
        bool,
        typer.Option("--skip-migration", envvar=variable("skip_migration"), help="Upgrade the app only."),
    ] = False,
    rerun: Annotated[
        bool,
        typer.Option(
            "--rerun", envvar=variable("rerun"), help="Run a migration again that an earlier try completed."
        ),
    ] = False,
    replace_running: Annotated[
        bool,
        typer.Option(
            "--replace-running",
            envvar=variable("replace_running"),
            help="Delete a migration that still runs.",
        ),
    ] = False,
    lock_wait: Annotated[
        str | None,
        typer.Option(
            "--lock-wait",
            envvar=variable("lock_wait"),
            metavar="DURATION",
            help="How long to wait for another deploy.",
        ),
    ] = None,
    message: Annotated[
        str,
        typer.Option(
            "--message",
            "-m",
            envvar=variable("message"),
            metavar="TEXT",
            help="Why; shown to whoever finds the lock.",
        ),
    ] = "",
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", envvar=variable("report"), metavar="FILE", help="Write the result as JSON to a file."
        ),
    ] = None,
) -> None:
    """Run the migration once with the new tag, then upgrade the app if it succeeded."""

    def work(session: Session) -> Done:
        from shipit.cli.wiring import configure, deploying
        from shipit.config import Flags, check_tag, parse_duration
        from shipit.deploy import deploy as run_deploy

        check_tag(tag)
        flags = Flags(
            values=tuple(values or ()),
            set=tuple(set_),
            set_string=tuple(set_string),
            migration_timeout=migration_timeout,
            upgrade_timeout=upgrade_timeout,
            skip_migration=skip_migration,
            rerun=rerun,
            replace_running=replace_running,
            lock_wait=parse_duration(lock_wait, "--lock-wait") if lock_wait else 0.0,
            message=message,
        )
        config = configure(session, flags)
        if config.confirm:
            confirm(
                session,
                f"deploy {tag} of {config.release.name} to {config.environment}?",
                without_terminal=Usage(
                    f"the environment {config.environment} wants a confirmation, and there is no terminal to ask on",
                    hint="--yes",
                ),
                declined=Usage("not confirmed; nothing was begun"),
            )
        with deploying(session, config, tag, flags) as (request, world):
            deployed = run_deploy(request, world, session.emit)
        return Done(
            f"{deployed.tag} of {request.release} is deployed as revision {deployed.revision}",
            deployed.revision,
            Outcome.DEPLOYED,
        )

    conduct(common, work, tag=tag, report=report)
