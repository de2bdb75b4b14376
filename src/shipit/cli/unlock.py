"""`shipit unlock`."""

from __future__ import annotations

from shipit.cli.confirm import confirm
from shipit.cli.options import Common
from shipit.cli.session import Done, Session, conduct
from shipit.errors import Usage


def unlock(common: Common) -> None:
    """Show who holds the release's lock, and break it after a confirmation."""

    def work(session: Session) -> Done:
        from shipit import lock
        from shipit.cli.wiring import configure, reached
        from shipit.lock import lease_ref, record_of

        config = configure(session)
        with reached(session, config) as cluster:
            ref = lease_ref(session.namespace, config.release.name)
            holder = record_of(cluster.get(ref))
            if not holder.run:
                return Done(f"nobody holds the lock of {config.release.name}")
            confirm(
                session,
                f"{holder}\nIts deploy stops before its next change. Break the lock?",
                without_terminal=Usage(
                    f"the lock is held by: {holder}", hint="shipit unlock --yes   breaks it"
                ),
                declined=Usage("not confirmed; the lock is untouched"),
            )
            lock.unlock(cluster, ref, holder)
        return Done(f"the lock is broken; it was held by: {holder}")

    conduct(common, work)
