"""`shipit watch`."""

from __future__ import annotations

from shipit.cli.options import Common
from shipit.cli.session import Done, Session, conduct
from shipit.errors import Interrupted, Outcome, Stopped
from shipit.hints import shipit


def watch(common: Common) -> None:
    """Watch a deploy that runs elsewhere.

    Shows its migrations' logs, and ends as that deploy ends, with its exit code; at once when none runs. Ctrl-C ends the
    watching, never the deploy.
    """

    def work(session: Session) -> Done:
        from shipit.cli.wiring import configure, reached
        from shipit.plan import Watch

        config = configure(session)
        with reached(session, config) as cluster:
            watched = Watch(
                config.release.name, session.namespace, cluster, session.clock, session.mask, session.emit
            )
            if not watched.holder.run:
                return Done(
                    f"no deploy of {config.release.name} is running",
                    hint=shipit("history", why="shows past ones"),
                )
            session.tag = watched.holder.tag
            try:
                past = watched.to_the_end()
            except Stopped as stop:
                if stop.again:
                    raise
                raise Interrupted(
                    f"stopped watching; the deploy goes on: {watched.holder}", signum=stop.signum
                ) from stop
        what = f"{past.command} of {past.tag}" if past.command == "deploy" else past.command
        return Done(
            f"the {what} by {past.who} ended: {past.outcome}",
            past.revision,
            Outcome.SUCCEEDED if past.exit_code == 0 else Outcome(past.outcome),
            exit_code=past.exit_code,
        )

    conduct(common, work)
