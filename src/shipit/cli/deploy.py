"""`shipit deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shipit.cli.confirm import confirm
from shipit.cli.options import Common, typed_lines, variable
from shipit.cli.session import Done, Session, conduct
from shipit.errors import Outcome, Usage
from shipit.hints import deploy_again


def deploy(
    common: Common,
    *,
    tag: Annotated[
        str,
        typer.Option("--tag", "-t", envvar=variable("tag"), metavar="TAG", help="Image tag to deploy."),
    ],
    values: Annotated[
        list[Path] | None,
        typer.Option(
            "--values", "-f", envvar=variable("values"), metavar="FILE", help="Values file; may be repeated."
        ),
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
            help="How long each migration may take: 90s, 15m, 1h30m.",
        ),
    ] = None,
    upgrade_timeout: Annotated[
        str | None,
        typer.Option(
            "--upgrade-timeout",
            envvar=variable("upgrade_timeout"),
            metavar="DURATION",
            help="How long helm upgrade may take.",
        ),
    ] = None,
    skip_migration: Annotated[
        bool,
        typer.Option(
            "--skip-migration",
            envvar=variable("skip_migration"),
            help="Upgrade the app without running any migration.",
        ),
    ] = False,
    rerun: Annotated[
        bool,
        typer.Option(
            "--rerun",
            envvar=variable("rerun"),
            help="Run a migration again that an earlier attempt completed.",
        ),
    ] = False,
    replace_running: Annotated[
        bool,
        typer.Option(
            "--replace-running",
            envvar=variable("replace_running"),
            help="Delete a migration that is still running.",
        ),
    ] = False,
    lock_wait: Annotated[
        str | None,
        typer.Option(
            "--lock-wait",
            envvar=variable("lock_wait"),
            metavar="DURATION",
            help="How long to wait for another deploy to finish.",
        ),
    ] = None,
    preflight: Annotated[
        str | None,
        typer.Option(
            "--preflight",
            envvar=variable("preflight"),
            metavar="refuse|warn",
            help="What becomes of what dry runs, quotas and permission reviews refuse beforehand.",
        ),
    ] = None,
    message: Annotated[
        str,
        typer.Option(
            "--message",
            "-m",
            envvar=variable("message"),
            metavar="TEXT",
            help="Reason for the deploy, shown to whoever finds it locked.",
        ),
    ] = "",
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", envvar=variable("report"), metavar="FILE", help="Write the result to FILE as JSON."
        ),
    ] = None,
) -> None:
    """Run the migration, then upgrade the app.

    The migration runs once, with the new tag; the app is upgraded only if it succeeded.
    """

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
            preflight=preflight,
            message=message,
        )
        config = configure(session, flags)
        if config.confirm:
            confirm(
                session,
                f"Deploy {config.release.name} {tag} to {config.environment}?",
                without_terminal=Usage(
                    f"environment {config.environment} requires confirmation, and there is no terminal to ask on",
                    hint=deploy_again(tag, "--yes", why="confirms it"),
                ),
                declined=Usage("not confirmed; nothing was changed"),
            )
        with deploying(session, config, tag, flags) as (request, world):
            deployed = run_deploy(request, world, session.emit)
        return Done(
            f"{request.release} {deployed.tag} is deployed as revision {deployed.revision}",
            deployed.revision,
            Outcome.DEPLOYED,
        )

    conduct(common, work, tag=tag, report=report)
