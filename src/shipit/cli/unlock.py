"""`shipit unlock`."""

from __future__ import annotations

from shipit.cli.confirm import confirm
from shipit.cli.options import Common
from shipit.cli.session import Done, Session, conduct
from shipit.errors import Usage
from shipit.hints import shipit


def unlock(common: Common) -> None:
    """Break the lock of a release.

    Shows who holds it, and asks for confirmation.
    """

    def work(session: Session) -> Done:
        from shipit import lock
        from shipit.cli.wiring import configure, reached
        from shipit.lock import holder_of, lease_ref

        config = configure(session)
        with reached(session, config) as cluster:
            ref = lease_ref(session.namespace, config.release.name)
            holder = holder_of(cluster.get(ref))
            if not holder.run:
                return Done(f"nobody holds the lock of {config.release.name}")
            confirm(
                session,
                f"{holder}\nThat deploy will stop before its next change. Break the lock?",
                without_terminal=Usage(str(holder), hint=shipit("unlock", "--yes", why="breaks the lock")),
                declined=Usage("not confirmed; the lock is unchanged"),
            )
            lock.unlock(cluster, ref, holder)
        return Done(f"broke the lock: {holder}")

    conduct(common, work)
