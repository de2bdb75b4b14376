"""Deploy an app to Kubernetes with Helm, and run its database migration first: once, where people can watch it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shipit.library import Deploy, Event, Result, deploy

__version__ = "0.1.0"
__all__ = ["Deploy", "Event", "Result", "deploy"]


def __getattr__(name: str) -> Any:
    """What scripts use, loaded when it is asked for: `shipit --help` needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from shipit import library

    return getattr(library, name)
