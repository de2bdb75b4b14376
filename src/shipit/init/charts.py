"""Which charts lie in a project, the likeliest first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shipit.chart import file_in, load_yaml
from shipit.config import chart_problem
from shipit.errors import Refused, Usage
from shipit.hints import shipit
from shipit.init.frameworks import sounds_like_migrating
from shipit.model import Json, as_map, as_text

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
_CREDENTIALS = re.compile(r"://[^/@]*@")
_VERSIONED = re.compile(r"(?:-v?\d[^/]*)?\.tgz$|[:@].*$")


@dataclass(frozen=True, slots=True)
class ChartPlace:
    """A chart: what it is called, how people say where it is, and its path where it is on this machine.

    `source` is where helm finds it, from wherever it runs; credentials in a URL are only there.
    """

    name: str
    shown: str
    source: str
    path: Path | None = None

    def __str__(self) -> str:
        return f"{self.shown} ({self.name})"

    @property
    def release(self) -> str:
        """The name as a release may be called."""
        return re.sub(r"[^a-z0-9-]+", "-", self.name.lower())[:_LONGEST_NAME].strip("-") or "app"


def find_charts(named: str, cwd: Path) -> tuple[ChartPlace, ...]:
    """The chart that was named, else all that lie in the folder, the likeliest first. Raises Usage for none."""
    if named:
        return (_chart_at(named, cwd),)
    found = [_application(path, str(path.relative_to(cwd))) for path in _below(cwd, 0)]
    charts = tuple(sorted((place for place in found if place), key=_rank))
    if not charts:
        raise Usage(
            f"no chart in {cwd} or the folders in it",
            hint=shipit("init", "CHART", why="names the folder that holds Chart.yaml"),
        )
    return charts


def _chart_at(named: str, cwd: Path) -> ChartPlace:
    path = cwd / named
    if path.is_dir() and not (path / "Chart.yaml").is_file():
        raise Usage(f"{named} holds no Chart.yaml", hint=shipit("init", why="looks for a chart from here"))
    if path.exists():
        return ChartPlace(as_text(about(path).get("name")), named, str(path), path)
    if chart_problem(named, cwd, in_repository=False):
        raise Usage(f"no such chart: {named}", hint=shipit("init", why="looks for a chart from here"))
    return ChartPlace(_VERSIONED.sub("", named.rpartition("/")[2]), _CREDENTIALS.sub("://", named), named)


def about(chart: Path) -> Json:
    """What Chart.yaml says, of a folder or an archive. Raises Refused for a chart that can't be read."""
    return as_map(load_yaml(file_in(chart, "Chart.yaml").decode("utf-8", "replace"), str(chart)))


def _application(path: Path, shown: str) -> ChartPlace | None:
    """None for a library chart, and for what can't be read."""
    try:
        found = about(path)
    except Refused:
        return None
    return (
        None
        if found.get("type") == "library"
        else ChartPlace(as_text(found.get("name")), shown, str(path), path)
    )


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


def _rank(place: ChartPlace) -> tuple[bool, bool, int, str]:
    """The folder itself, then those that charts usually lie in, then the nearest; a chart of migrations comes last."""
    parts = Path(place.shown).parts
    unusual = bool(parts) and parts[0] not in _USUAL
    return (sounds_like_migrating(place.name), unusual, len(parts), place.shown)
