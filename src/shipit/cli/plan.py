"""`shipit plan`, and `shipit plan show`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shipit.cli.deploy_options import DeployOptions
from shipit.cli.options import Common, variable
from shipit.cli.saved import to_save
from shipit.cli.session import Done, Session, conduct
from shipit.errors import Usage
from shipit.hints import shipit

if TYPE_CHECKING:
    from shipit.deploy import Preview

SOMETHING_TO_DO = 10


@dataclass(frozen=True, slots=True)
class Saving:
    """Where a plan is to be saved, and for how long it is good, as it was typed."""

    path: Path
    lifetime: str


@dataclass(frozen=True, slots=True)
class Looked:
    """`to_do`: a deploy has something to do."""

    done: Done
    to_do: bool


def plan(
    common: Common,
    *,
    tag: Annotated[
        str | None,
        typer.Option("--tag", "-t", envvar=variable("tag"), metavar="TAG", help="Image tag to plan."),
    ] = None,
    options: DeployOptions,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code",
            envvar=variable("exit_code"),
            help="Exit with 10 when there is something to do, 0 when not.",
        ),
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save", envvar=variable("save"), metavar="FILE", help="Save the plan, for deploy --plan FILE."
        ),
    ] = None,
    lifetime: Annotated[
        str,
        typer.Option(
            "--lifetime",
            envvar=variable("lifetime"),
            metavar="DURATION",
            help="How long a saved plan is good.",
        ),
    ] = "2h",
) -> None:
    """Show what a deploy would do.

    Shows its steps, the Job as it would run, and what changes of the release's manifest. Changes nothing, takes no lock.
    """
    if common.typed.subcommand:
        return

    def work(session: Session) -> Done:
        if not tag:
            raise Usage(
                "missing option '--tag' / '-t'", hint=shipit("plan", "--help", why="shows how it is used")
            )
        saving = Saving(save, lifetime) if save is not None else None
        looked = look(session, options, tag, saving)
        code = SOMETHING_TO_DO if exit_code and looked.to_do else 0
        return replace(looked.done, exit_code=code)

    conduct(common, work, tag=tag or "")


def show(
    common: Common,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A plan that plan --save wrote.")],
) -> None:
    """Print a saved plan. Asks no cluster."""

    def work(session: Session) -> Done:
        from shipit.plan import read_plan

        saved = read_plan(file)
        session.release, session.namespace, session.tag = saved.release, saved.namespace, saved.options.tag
        session.emit(saved.shown)
        for each in saved.warnings:
            session.emit(each)
        return Done(f"saved at {_stamp(saved.created)}, good until {_stamp(saved.expires)}")

    conduct(common, work)


def look(session: Session, options: DeployOptions, tag: str, saving: Saving | None = None) -> Looked:
    """Tell what a deploy of that tag would do, and save it where that is asked for."""
    from shipit.cli.wiring import configure, deploying
    from shipit.config import check_tag, parse_duration
    from shipit.deploy import preview

    lifetime = parse_duration(saving.lifetime, "--lifetime") if saving else 0.0
    flags = options.flags()
    config = configure(session, flags)
    with deploying(session, config, check_tag(tag), flags, command="plan") as (request, world):
        asked = to_save(session, options, tag) if saving else None
        seen = preview(request, world, session.emit, twice=saving is not None)
        message = _message(seen)
        if saving and asked:
            from shipit.plan import saved_plan, write_plan

            shown, warnings = session.mask.masked(seen.shown), tuple(map(session.mask.masked, seen.warnings))
            saved = saved_plan(
                request, world, seen.plan, seen.rendering, seen.volatile,
                options=asked, lifetime=lifetime, shown=shown, warnings=warnings,
            )  # fmt: skip
            write_plan(saving.path, saved)
            message += f"\nsaved to {saving.path}, good until {_stamp(saved.expires)}"
    return Looked(Done(message, seen.plan.revision), bool(seen.shown.reasons))


def _message(seen: Preview) -> str:
    plan = seen.shown
    if plan.reasons:
        return f"{plan.release} {plan.tag}: something to do: {'; '.join(plan.reasons)}"
    return f"{plan.release} {plan.tag}: nothing to do, it is live as revision {plan.base_revision}"


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
