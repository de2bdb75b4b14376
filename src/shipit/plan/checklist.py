"""Checks that are gone through one after the other, a failure not stopping the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from shipit.errors import Forbidden, Refused, ShipitError, Usage, refusing
from shipit.events import Checked, Emit
from shipit.hints import NO_HINT, Hint, shipit

PERMISSIONS = "permissions"


@dataclass(slots=True)
class Checklist:
    """Runs checks, and tells how each ended by its cause, once."""

    emit: Emit
    count: int = 0
    failed: list[str] = field(default_factory=list)
    misused: bool = False

    def check(self, name: str, probe: Callable[[], str], *, unless: str = "") -> bool:
        """`probe` says what is well, or raises what is not; it is left out for the reason that `unless` gives. Whether
        all is well.
        """
        self.count += 1
        if unless:
            self.emit(Checked(name, "skipped", unless))
            return False
        try:
            with refusing():
                self.emit(Checked(name, "ok", probe()))
        except ShipitError as error:
            self._tell(name, error)
            return False
        return True

    def end(self) -> None:
        """Raises Refused when something is wrong, Usage when that is in the configuration."""
        if self.failed:
            kind = Usage if self.misused else Refused
            raise kind(
                f"{len(self.failed)} of {self.count} checks failed: {', '.join(self.failed)}",
                hint=shipit("doctor", why="checks again once they are fixed"),
            )

    def _tell(self, name: str, error: ShipitError) -> None:
        if PERMISSIONS in self.failed and isinstance(error.__cause__ or error, Forbidden):
            self.emit(Checked(name, "skipped", "the permissions have to be there first"))
            return
        self.failed.append(name)
        self.misused = self.misused or isinstance(error, Usage)
        self.emit(Checked(name, "failed", str(error), _other(error.hint), error.details))


def _other(hint: Hint) -> Hint:
    """Whoever reads this is in `shipit doctor` already."""
    here = hint.command is not None and hint.command.words == ("shipit", "doctor")
    return NO_HINT if here else hint
