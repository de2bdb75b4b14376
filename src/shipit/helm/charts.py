"""Charts as files on this machine: pulled from where they are, or a folder with what it depends on."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from shipit.chart import copy_chart, dependencies_on_disk, is_locked, missing_dependencies
from shipit.config import HelmFlag, Use, switched_on
from shipit.errors import HelmFailed, Refused
from shipit.helm import arguments
from shipit.helm.fetch_errors import build_failure, fetch_failure
from shipit.helm.stderr import hide
from shipit.hints import helm
from shipit.model import ChartFiles, HelmExit

FETCH_WITHIN = 300.0
_UPDATE = "--dependency-update"


class Charts:
    """The charts of one deploy, each of them fetched once. `run` runs a helm to its end; `folder` is private."""

    def __init__(
        self, folder: Path, helm_flags: Sequence[HelmFlag], run: Callable[[list[str], str], HelmExit]
    ) -> None:
        self._folder = folder
        self._helm_flags = helm_flags
        self._run = run
        self._known: dict[tuple[str, str], ChartFiles] = {}
        self._fetched: set[Path] = set()

    def get(self, chart: str, version: str, tell: Callable[[str], None]) -> ChartFiles:
        """The chart's files; `tell` hears of what takes time. Raises HelmFailed, and Refused for missing dependencies."""
        if (chart, version) not in self._known:
            on_disk = Path(chart).is_absolute()
            self._known[chart, version] = (
                self._complete(Path(chart), tell) if on_disk else self._pulled(chart, version, tell)
            )
        return self._known[chart, version]

    def flags_for(self, chart: str) -> Sequence[HelmFlag]:
        """What is left to say to a helm that renders it: of one that was fetched, and verified, nothing of the way."""
        fetched = Path(chart) in self._fetched
        return [flag for flag in self._helm_flags if not (fetched and flag.use is Use.FETCHING)]

    def name_of(self, chart: str) -> str:
        """The chart as the user calls it."""
        return next((name for (name, _), files in self._known.items() if str(files.path) == chart), chart)

    def _pulled(self, chart: str, version: str, tell: Callable[[str], None]) -> ChartFiles:
        label = f"{chart} {version}".rstrip()
        tell(f"fetching {hide(label)}")
        folder = Path(tempfile.mkdtemp(prefix="chart-", dir=self._folder))
        args = arguments.pull_args(self._helm_flags, chart, version, folder)
        ended = self._run(args, f"fetching {hide(label)}")
        if ended.code:
            raise fetch_failure(ended.stderr, label)
        found = [path for path in sorted(folder.iterdir()) if path.suffix != ".prov"]
        if len(found) != 1:
            raise HelmFailed(f"helm pull of {hide(label)} brought {len(found)} files instead of one archive")
        self._fetched.add(found[0])
        return _archive(found[0])

    def _complete(self, chart: Path, tell: Callable[[str], None]) -> ChartFiles:
        """The user's own files, or a copy of them where something has to be added."""
        missing = missing_dependencies(chart)
        if not missing:
            return _archive(chart) if chart.is_file() else ChartFiles(chart)
        names = ", ".join(each.name for each in missing)
        anew = switched_on(self._helm_flags, _UPDATE)
        if not (anew or is_locked(chart) or all(each.folder for each in missing)):
            raise Refused(
                f"the chart {chart} depends on {names}, which is not in its charts/, and no Chart.lock says "
                "in which version",
                hint=helm("dependency", "update", str(chart), why="fetches it and writes Chart.lock"),
            )
        tell(f"building what {chart} depends on: {names}")
        copy = self._copied(chart)
        ended = self._run(
            arguments.dependency_args(self._helm_flags, copy, anew=anew), f"fetching what {chart} depends on"
        )
        if ended.code:
            raise build_failure(ended.stderr, str(chart), names)
        return ChartFiles(copy)

    def _copied(self, chart: Path) -> Path:
        """A copy that has the folders of its `file://` dependencies beside it, wherever they are."""
        root = Path(tempfile.mkdtemp(prefix="chart-", dir=self._folder))
        for folder in (chart, *dependencies_on_disk(chart)):
            copy_chart(folder, root / _below_root(folder))
        return root / _below_root(chart)


def _archive(path: Path) -> ChartFiles:
    return ChartFiles(path, f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")


def _below_root(folder: Path) -> Path:
    whole = Path(os.path.normpath(folder.absolute()))
    return whole.relative_to(whole.anchor)
