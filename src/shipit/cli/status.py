"""`shipit status`."""

from __future__ import annotations

from shipit.cli.options import Common
from shipit.cli.session import Done, Session, conduct


def status(common: Common) -> None:
    """Show how a release is.

    What is live, the last deploy and its migration, what migrates now, lock and freeze, rollout, what somebody changed by
    hand, what the next deploy has to finish. Changes nothing; what may not be read is said.
    """

    def work(session: Session) -> Done:
        from shipit.cli.wiring import configure, deploying
        from shipit.config import Flags
        from shipit.errors import refusing
        from shipit.plan import status_of

        config = configure(session)
        with deploying(session, config, "", Flags(), command="status") as (request, world), refusing():
            found = status_of(request.release, request.namespace, world)
        session.tag = found.tag
        session.emit(found)
        busy = "somebody deploys it" if found.lock else "nobody deploys it"
        return Done(f"{found.release}: {busy}{', it is frozen' if found.frozen else ''}", found.revision)

    conduct(common, work, pager=True)
