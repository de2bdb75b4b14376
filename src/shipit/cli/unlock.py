"""`shipit unlock`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipit.cli.confirm import confirm
from shipit.cli.options import Common
from shipit.cli.session import Done, Session, conduct
from shipit.errors import Busy, Usage
from shipit.hints import shipit

if TYPE_CHECKING:
    from shipit.model import Cluster, Json, Ref


def unlock(common: Common) -> None:
    """Lift the freeze of a release, or break its lock.

    Shows who froze it, or who holds the lock, and asks for confirmation. Where both are, the freeze is lifted first, and
    the lock stays.
    """

    def work(session: Session) -> Done:
        from shipit.cli.wiring import configure, reached
        from shipit.lock import holder_of, is_frozen, lease_ref

        config = configure(session)
        with reached(session, config) as cluster:
            ref = lease_ref(session.namespace, config.release.name)
            body = cluster.get(ref)
            if is_frozen(body):
                return _lift(session, cluster, ref, body)
            if not holder_of(body).run:
                return Done(f"nobody holds the lock of {config.release.name}")
            return _break(session, cluster, ref, body)

    conduct(common, work)


def _lift(session: Session, cluster: Cluster, ref: Ref, body: Json | None) -> Done:
    from shipit.lock import freeze_of, holder_of, set_freeze

    try:
        found = freeze_of(body, cluster.now())
        told = str(found) if found else "no more: its time is up"
    except Busy as unknown:  # by whom can't be told; it can be lifted all the same
        told = f"somehow: {unknown.message}"
    holder = holder_of(body)
    held = f"; the lock is held, and stays so: {holder}" if holder.run else ""
    confirm(
        session,
        f"{session.release} is frozen {told}{held}\nLift the freeze?",
        without_terminal=Usage(
            f"{session.release} is frozen {told}{held}",
            hint=shipit("unlock", "--yes", why="lifts the freeze"),
        ),
        declined="not confirmed; the freeze is unchanged",
    )
    set_freeze(cluster, ref, None)
    return Done(f"lifted the freeze; it was frozen {told}{held}")


def _break(session: Session, cluster: Cluster, ref: Ref, body: Json | None) -> Done:
    from shipit import lock
    from shipit.lock import holder_of

    holder = holder_of(body)
    confirm(
        session,
        f"{holder}\nThat deploy will stop before its next change. Break the lock?",
        without_terminal=Usage(str(holder), hint=shipit("unlock", "--yes", why="breaks the lock")),
        declined="not confirmed; the lock is unchanged",
    )
    lock.unlock(cluster, ref, holder)
    return Done(f"broke the lock: {holder}")
