"""`shipit rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shipit.cli.confirm import confirm
from shipit.cli.options import Common, LockWait, Report, variable
from shipit.cli.session import Done, Session, conduct
from shipit.errors import Outcome, Usage
from shipit.events import Warned
from shipit.hints import rollback_again

if TYPE_CHECKING:
    from shipit.config import Config
    from shipit.lock import Freeze
    from shipit.plan import WayBack


def rollback(
    common: Common,
    *,
    revision: Annotated[
        int | None,
        typer.Argument(
            min=1,
            metavar="REVISION",
            show_default=False,
            help="Revision to bring back (default: the newest before the live one that was seen ready).",
        ),
    ] = None,
    upgrade_timeout: Annotated[
        str | None,
        typer.Option(
            "--upgrade-timeout",
            envvar=variable("upgrade_timeout"),
            metavar="DURATION",
            help="How long helm rollback may take.",
        ),
    ] = None,
    lock_wait: LockWait = None,
    message: Annotated[
        str,
        typer.Option(
            "--message",
            "-m",
            envvar=variable("message"),
            metavar="TEXT",
            help="Reason for the rollback, shown to whoever finds the release locked.",
        ),
    ] = "",
    report: Report = None,
) -> None:
    """Bring back the app of an earlier revision.

    Runs no migration: the database stays as it is. Asks for confirmation when migrations have run since.
    """

    def work(session: Session) -> Done:
        from shipit.cli.wiring import configure, deploying
        from shipit.config import Flags, parse_duration
        from shipit.deploy import roll_back_to
        from shipit.lock import freeze_of, lease_ref
        from shipit.plan import look_back

        flags = Flags(
            upgrade_timeout=upgrade_timeout,
            lock_wait=parse_duration(lock_wait, "--lock-wait") if lock_wait else 0.0,
            message=message,
        )
        config = configure(session, flags)
        with deploying(session, config, "", flags, command="rollback") as (request, world):
            way = look_back(request, revision or 0, world)
            session.tag = way.tag
            session.again = rollback_again(way.revision, why="checks the state and rolls back again")
            lease = world.cluster.get(lease_ref(request.namespace, request.release))
            frozen = freeze_of(lease, world.cluster.now())
            ask_first(session, config, way, frozen)
            done = roll_back_to(request, way, world, session.emit, despite=frozen)
        return Done(
            f"{request.release} is back at revision {way.revision}, as revision {done.revision}",
            done.revision,
            Outcome.DEPLOYED,
        )

    conduct(common, work, report=report)


def ask_first(session: Session, config: Config, way: WayBack, frozen: Freeze | None) -> None:
    """Say what has migrated since that revision, and ask where that may matter. Raises what `confirm` raises."""
    _tell(session, way)
    _confirm(session, config, way, frozen)


def _tell(session: Session, way: WayBack) -> None:
    """What has migrated since that revision."""
    if way.since.ran:
        ran = ", ".join(way.since.ran)
        session.emit(
            Warned(
                f"migrations have run since revision {way.revision}, and the schema stays where they brought it: {ran}"
            )
        )
    if way.since.unknown:
        why = "; ".join(way.since.unknown)
        session.emit(
            Warned(f"whether all migrations since revision {way.revision} are known is not certain: {why}")
        )


def _confirm(session: Session, config: Config, way: WayBack, frozen: Freeze | None) -> None:
    """Ask when migrations ran since, or may have, under a freeze, and where the environment wants to be asked."""
    if not (way.since.any or config.confirm or frozen):
        return
    tagged = f" ({way.tag})" if way.tag else ""
    where = f" in {config.environment}" if config.confirm else ""
    if frozen:
        reason = f"{config.release.name} is frozen {frozen}; a rollback requires confirmation"
    elif config.confirm:
        reason = f"environment {config.environment} requires confirmation"
    else:
        ran = "have run" if way.since.ran else "may have run"
        reason = f"migrations {ran} since revision {way.revision}: a rollback requires confirmation"
    confirm(
        session,
        (f"{config.release.name} is frozen {frozen}\n" if frozen else "")
        + f"Roll {config.release.name}{where} back to revision {way.revision}{tagged}, namespace {session.namespace}, "
        f"context {session.common.typed.context}?",
        without_terminal=Usage(
            f"{reason}, and there is no terminal to ask on",
            hint=rollback_again(way.revision, "--yes", why="confirms it"),
        ),
        declined="not confirmed; nothing was changed",
    )
