"""`shipit deploy`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shipit.cli.confirm import check_can_ask, confirm
from shipit.cli.deploy_options import DeployOptions
from shipit.cli.options import Common, LockWait, Report, variable
from shipit.cli.plan import look
from shipit.cli.saved import saved_options, tag_from_plan
from shipit.cli.session import SHOWS_HOW, Done, Session, conduct
from shipit.errors import Outcome, Usage, refusing
from shipit.hints import deploy_again, shipit

if TYPE_CHECKING:
    from shipit.config import Config, Request
    from shipit.model import World
    from shipit.plan import SavedPlan


def deploy(
    common: Common,
    *,
    typed_tag: Annotated[
        str | None, typer.Argument(metavar="TAG", help="The same as --tag.", show_default=False)
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option("--tag", "-t", envvar=variable("tag"), metavar="TAG", help="Image tag to deploy."),
    ] = None,
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

    meant = typed_tag if typed_tag is not None else tag

    def work(session: Session) -> Done:
        from shipit.config import check_tag

        if meant is None:
            raise Usage("missing option '--tag' / '-t'", hint=shipit("deploy", "--help", why=SHOWS_HOW))
        if typed_tag is not None and tag not in (None, typed_tag):
            raise Usage(
                f"two tags: {typed_tag}, and --tag {tag}; give one",
                hint=shipit("deploy", "--help", why=SHOWS_HOW),
            )
        saved = saved_options(session, options, meant, plan) if plan is not None else None
        asked, wanted = (saved.options, saved.tag) if saved else (options, check_tag(meant))
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
            check_can_ask(session, _without_terminal(config, tag))
        with on_commands(session, config, message) as on:
            with deploying(session, config, tag, flags) as (request, world):
                if config.confirm:
                    _confirm(session, config, request, world)
                deployed = run_deploy(request, world, session.emit, saved, begins=on.begins)
            if on.begun:  # else there was nothing to do
                on.ended(Outcome.DEPLOYED, deployed.revision)
        return Done(
            f"{request.release} {deployed.tag} is deployed as revision {deployed.revision}",
            deployed.revision,
            Outcome.DEPLOYED,
        )

    conduct(common, work, tag=meant or "", report=report)


def _confirm(session: Session, config: Config, request: Request, world: World) -> None:
    """Ask, showing what one would want to know before a yes."""
    confirm(
        session,
        "\n".join((*_facts(config, request, world), f"Deploy to {config.environment}?")),
        without_terminal=_without_terminal(config, request.tag),
        declined="not confirmed; nothing was changed",
    )


def _without_terminal(config: Config, tag: str) -> Usage:
    return Usage(
        f"environment {config.environment} requires confirmation, and there is no terminal to ask on",
        hint=deploy_again(tag, "--yes", why="confirms it"),
    )


def _facts(config: Config, request: Request, world: World) -> Iterator[str]:
    """A line each: where, which tag replaces which, and what migrates."""
    from shipit.plan import live_release

    with refusing():
        revision, tag = live_release(world.helm.history())
    live = f"{tag or 'unknown tag'} (revision {revision})" if revision else "nothing is installed"
    yield f"  context     {world.cluster.context}"
    yield f"  namespace   {request.namespace}"
    yield f"  {request.release:<12}{live} -> {request.tag}"
    named = [each.name for each in config.migrations if each.name]
    told = ", ".join(named) or "what the chart holds"
    yield f"  migration   {'none (--skip-migration)' if request.skip_migration else told}"
