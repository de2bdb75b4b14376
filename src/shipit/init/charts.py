"""Which charts lie in a project, the likeliest first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shipit.chart import kept_files, load_yaml
from shipit.errors import Refused, Usage
from shipit.hints import shipit
from shipit.model import as_map, as_text

_DEEPEST = 4
_USUAL = (
    "chart",
    "charts",
    "helm",
    "deploy",
    "deployment",
    "deployments",
    "k8s",
    "kubernetes",
    "infra",
    "ops",
)
_SKIPPED = {"node_modules", "vendor", "venv", "templates", "tests", "test", "testdata"}
_LONGEST_NAME = 53


@dataclass(frozen=True, slots=True)
class ChartPlace:
    """A chart, a folder or an archive: where it is, what its Chart.yaml calls it, and its path as people know it."""

    path: Path
    name: str
    shown: str

    def __str__(self) -> str:
        return f"{self.shown} ({self.name})"

    @property
    def release(self) -> str:
        """The name as a release may be called."""
        return re.sub(r"[^a-z0-9-]+", "-", self.name.lower())[:_LONGEST_NAME].strip("-") or "app"


def find_charts(named: str, cwd: Path) -> tuple[ChartPlace, ...]:
    """The chart that was named, else all that lie in the folder, the likeliest first. Raises Usage for none."""
    if named:
        return (_chart_at(cwd / named, named),)
    found = sorted(_below(cwd, 0), key=lambda path: _rank(path.relative_to(cwd)))
    charts = tuple(place for path in found if (place := _application(path, str(path.relative_to(cwd)))))
    if not charts:
        raise Usage(
            f"no chart in {cwd} or the folders in it",
            hint=shipit("init", "CHART", why="names the folder that holds Chart.yaml"),
        )
    return charts


def _chart_at(path: Path, named: str) -> ChartPlace:
    if path.is_dir() and not (path / "Chart.yaml").is_file():
        raise Usage(f"{named} holds no Chart.yaml", hint=shipit("init", why="looks for a chart from here"))
    if not path.exists():
        raise Usage(f"no such chart: {named}", hint=shipit("init", why="looks for a chart from here"))
    return ChartPlace(path, _name_in(path), named)


def _name_in(path: Path) -> str:
    """Raises Refused for a chart that can't be read."""
    for name, content in kept_files(path):
        if name == "Chart.yaml":
            return as_text(as_map(load_yaml(content.decode("utf-8", "replace"), str(path))).get("name"))
    return ""


def _application(path: Path, shown: str) -> ChartPlace | None:
    """None for a library chart, and for what can't be read."""
    try:
        about = as_map(load_yaml((path / "Chart.yaml").read_text("utf-8", "replace")))
    except (OSError, Refused):
        return None
    return None if about.get("type") == "library" else ChartPlace(path, as_text(about.get("name")), shown)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """The charts in a folder; a chart's own subcharts are no charts of the project's."""
    if (folder / "Chart.yaml").is_file():
        yield folder
        return
    if depth == _DEEPEST:
        return
    try:
        names = sorted(each.name for each in os.scandir(folder) if each.is_dir(follow_symlinks=False))
    except OSError:
        return
    for name in names:
        if not name.startswith((".", "_")) and name not in _SKIPPED:
            yield from _below(folder / name, depth + 1)


def _rank(path: Path) -> tuple[int, int, str]:
    """The folder itself, then those that charts usually lie in, then the nearest."""
    usual = 0 if not path.parts or path.parts[0] in _USUAL else 1
    return (usual, len(path.parts), str(path))
