"""The charts that a chart depends on: which of them it lists and doesn't hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shipit.chart.source import kept_files
from shipit.chart.yaml import load_yaml
from shipit.errors import Refused
from shipit.model import Json, as_map, as_maps, as_text

_LISTS = ("Chart.yaml", "requirements.yaml")
_LOCKS = ("Chart.lock", "requirements.lock")
_HERE = "file://"


@dataclass(frozen=True, slots=True)
class Dependency:
    """One line under `dependencies`."""

    name: str
    repository: str

    @property
    def folder(self) -> str:
        """Where it lies, relative to the chart that lists it; "" for one that is fetched."""
        return self.repository.removeprefix(_HERE) if self.repository.startswith(_HERE) else ""


def missing_dependencies(chart: Path) -> tuple[Dependency, ...]:
    """What the folder of a chart lists and its `charts/` doesn't hold; none for an archive, which was packed whole."""
    if not chart.is_dir():
        return ()
    listed = [each for name in _LISTS for each in _listed(chart / name)]
    if not listed:
        return ()
    held = set(_held(chart))
    return tuple(each for each in dict.fromkeys(listed) if each.name not in held)


def dependencies_on_disk(chart: Path) -> tuple[Path, ...]:
    """The folders that `file://` dependencies name and that are there."""
    listed = [each.folder for name in _LISTS for each in _listed(chart / name)]
    found = (Path(folder) if Path(folder).is_absolute() else chart / folder for folder in listed if folder)
    return tuple(path for path in found if path.is_dir())


def is_locked(chart: Path) -> bool:
    """Whether a lock file says which versions its dependencies have."""
    return any((chart / name).is_file() for name in _LOCKS)


def _listed(path: Path) -> Iterator[Dependency]:
    """What can't be read is helm's to refuse."""
    with suppress(OSError, Refused):
        text = path.read_text(encoding="utf-8-sig", errors="replace")
        for each in as_maps(as_map(load_yaml(text, str(path))).get("dependencies")):
            yield Dependency(as_text(each.get("name")), as_text(each.get("repository")))


def _held(chart: Path) -> Iterator[str]:
    """The names of the charts in `charts/`, folders and archives."""
    for path, content in kept_files(chart):
        if path.startswith("charts/") and path.count("/") == _OF_SUBCHART and path.endswith("/Chart.yaml"):
            yield as_text(_metadata(content, path).get("name"))


_OF_SUBCHART = "charts/db/Chart.yaml".count("/")


def _metadata(content: bytes, path: str) -> Json:
    with suppress(Refused):
        return as_map(load_yaml(content.decode("utf-8-sig", "replace"), path))
    return {}
