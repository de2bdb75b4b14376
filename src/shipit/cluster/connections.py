"""The connections of a kubernetes client: they can be cut from another thread, and say whom each request acts as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shipit.cluster.deadlines import current_attempt


class _Prepared:
    """Tells the running attempt which connection it uses, before it connects and before each request.

    `acting_as` are headers that every request gets: the client can send none twice, and a group each has its own.
    """

    acting_as: tuple[tuple[str, bytes], ...] = ()

    def connect(self) -> Any:
        self._tell()
        return super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **kwargs: Any) -> Any:
        self._tell()
        return super().request(*args, **kwargs)  # type: ignore[misc]

    def endheaders(self, *args: Any, **kwargs: Any) -> Any:
        for name, value in self.acting_as:
            self.putheader(name, value)  # type: ignore[attr-defined]
        return super().endheaders(*args, **kwargs)  # type: ignore[misc]

    def _tell(self) -> None:
        attempt = current_attempt()
        if attempt is not None:
            attempt.seize(self)  # type: ignore[arg-type]


def prepare(manager: Any, acting_as: Sequence[tuple[str, str]]) -> None:
    """Change a urllib3 PoolManager so that every connection it makes belongs to the attempt that uses it, and sends
    these headers.

    `pool_classes_by_scheme` and `ConnectionCls` are urllib3's documented places for this.
    """
    more = {"acting_as": tuple((name, value.encode()) for name, value in acting_as)}
    manager.pool_classes_by_scheme = {
        scheme: type(
            pool.__name__,
            (pool,),
            {"ConnectionCls": type(pool.ConnectionCls.__name__, (_Prepared, pool.ConnectionCls), more)},
        )
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }
