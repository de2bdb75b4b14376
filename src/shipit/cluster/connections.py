"""The connections of a kubernetes client, made so that they can be cut from another thread."""

from __future__ import annotations

from typing import Any

from shipit.cluster.deadlines import current_attempt


class _Seized:
    """Tells the running attempt which connection it uses, before it connects and before each request."""

    def connect(self) -> Any:
        self._tell()
        return super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **kwargs: Any) -> Any:
        self._tell()
        return super().request(*args, **kwargs)  # type: ignore[misc]

    def _tell(self) -> None:
        attempt = current_attempt()
        if attempt is not None:
            attempt.seize(self)  # type: ignore[arg-type]


def make_severable(manager: Any) -> None:
    """Change a urllib3 PoolManager so that every connection it makes belongs to the attempt that uses it.

    `pool_classes_by_scheme` and `ConnectionCls` are urllib3's documented places for this.
    """
    manager.pool_classes_by_scheme = {
        scheme: type(
            pool.__name__,
            (pool,),
            {"ConnectionCls": type(pool.ConnectionCls.__name__, (_Seized, pool.ConnectionCls), {})},
        )
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }
