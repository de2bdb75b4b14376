"""All that is wrong with a file, told at once, each mistake with its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from shipit.config.places import KeyPlace, TomlPath, places
from shipit.errors import Usage
from shipit.hints import shipit
from shipit.model import Json

_KEYS = shipit("schema", why="lists every key, its type and what it means")
_NOWHERE: KeyPlace = (0, 0)


class Mistake(Usage):
    """One thing that is wrong, at `place`; `problem` is what is said of it without the file."""

    def __init__(self, file: str, place: KeyPlace, problem: str) -> None:
        self.place = place
        where = f"{file}:{place[0]}:{place[1]}" if place != _NOWHERE else file
        super().__init__(f"{where}: {problem}")


@dataclass(slots=True)
class File:
    """A `shipit.toml` that was read, and what has been found wrong with it so far."""

    name: str
    text: str = ""
    raw: Json = field(default_factory=dict)
    found: list[Usage] = field(default_factory=list)
    _places: dict[TomlPath, KeyPlace] | None = None

    def mistake(self, path: TomlPath, problem: str) -> Mistake:
        """What is wrong at a path; where that is not in the file, the nearest table above it is the place."""
        return Mistake(self.name, self._place(path), problem)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Whatever is raised within is noted, and the next thing looked at."""
        try:
            yield
        except Usage as error:
            self.found.append(error)

    def settle(self) -> None:
        """Raises Usage when anything was found: the mistake itself, or a list of them in the order of the file."""
        told = sorted({str(error): error for error in self.found}.values(), key=_order)
        if len(told) > 1:
            raise Usage(f"{self.name} has {len(told)} mistakes", details=tuple(map(str, told)), hint=_KEYS)
        if told:
            raise told[0]

    def _place(self, path: TomlPath) -> KeyPlace:
        if self._places is None:
            self._places = places(self.text)
        while path and path not in self._places:
            path = path[:-1]
        return self._places.get(path, _NOWHERE)


def _order(error: Usage) -> KeyPlace:
    """What isn't in the file, a flag, comes first."""
    return error.place if isinstance(error, Mistake) else _NOWHERE
