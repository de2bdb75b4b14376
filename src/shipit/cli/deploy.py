"""`shipit deploy`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shipit.cli.confirm import confirm
from shipit.cli.deploy_options import DeployOptions
from shipit.cli.options import Common, LockWait, Report, variable
from shipit.cli.plan import look
from shipit.cli.saved import saved_options, tag_from_plan
from shipit.cli.session import Done, Session, conduct
from shipit.errors import Outcome, Usage
from shipit.hints import deploy_again

if TYPE_CHECKING:
    from shipit.plan import SavedPlan


def deploy(
    common: Common,
    *,
    tag: Annotated[
        str,
        typer.Option("--tag", "-t", envvar=variable("tag"), metavar="TAG", help="Image tag to deploy."),
    ],
    options: DeployOptions,
    lock_wait: LockWait = None,
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
    report: Report = None,
    if_changed: Annotated[
        bool,
        typer.Option(
            "--if-changed",
            envvar=variable("if_changed"),
            help="Do nothing when the release already has this tag and manifest, ready, and nothing is owed.",
        ),
    ] = False,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            envvar=variable("plan"),
            metavar="FILE",
            is_eager=True,
            callback=tag_from_plan,
            help="Carry out exactly the plan that plan --save wrote, or refuse.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            envvar=variable("dry_run"),
            help="Show what would be done, as plan does; change nothing.",
        ),
    ] = False,
) -> None:
    """Run the migration, then upgrade the app.

    The migration runs once, with the new tag; the app is upgraded only if it succeeded.
    """

    def work(session: Session) -> Done:
        from shipit.config import check_tag

        saved = saved_options(session, options, tag, plan) if plan is not None else None
        asked, wanted = (saved.options, saved.tag) if saved else (options, check_tag(tag))
        if dry_run:
            return look(session, asked, wanted).done
        return _deploy(session, asked, wanted, saved.plan if saved else None)

    def _deploy(session: Session, options: DeployOptions, tag: str, saved: SavedPlan | None = None) -> Done:
        from shipit.cli.on import on_commands
        from shipit.cli.wiring import configure, deploying
        from shipit.config import parse_duration
        from shipit.deploy import deploy as run_deploy

        flags = replace(
            options.flags(),
            lock_wait=parse_duration(lock_wait, "--lock-wait") if lock_wait else 0.0,
            message=message,
            if_changed=if_changed,
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
        with on_commands(session, config, message) as on:
            with deploying(session, config, tag, flags) as (request, world):
                deployed = run_deploy(request, world, session.emit, saved, begins=on.begins)
            if on.begun:  # else there was nothing to do
                on.ended(Outcome.DEPLOYED, deployed.revision)
        return Done(
            f"{request.release} {deployed.tag} is deployed as revision {deployed.revision}",
            deployed.revision,
            Outcome.DEPLOYED,
        )

    conduct(common, work, tag=tag, report=report)
