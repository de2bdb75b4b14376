"""The files of a chart, a folder or an archive: all that Helm reads, and what of it the frozen chart keeps."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shipit.chart.helmignore import Rule, ignores, parse
from shipit.errors import Refused

_KEPT = {"Chart.yaml", "Chart.lock", "requirements.yaml", "requirements.lock", "values.yaml"}
_ARCHIVE = ".tgz"
_HISTORIES = {".git", ".hg", ".svn"}
"""What no chart reads, though Helm would load it where a chart is the root of a repository."""


def kept_files(chart: Path) -> Iterator[tuple[str, bytes]]:
    """The files by their path in the chart (`charts/db/values.yaml`); a subchart that is an archive comes unpacked.

    Nothing else of the folder is opened. Raises Refused for what can't be read.
    """
    with _reading(chart):
        if chart.is_dir():
            yield from _from_folder(chart)
        else:
            yield from _from_archive(chart.read_bytes())


def brings_crds(chart: Path) -> bool:
    """Whether the chart, or a subchart of it, has a `crds/` with something in it. Raises Refused."""
    return any("crds" in path.split("/")[:-1] for path, _ in kept_files(chart))


def chart_files(chart: Path) -> Iterator[Path]:
    """The files that Helm loads of a chart, its repository's history left out; one that is an archive is one file."""
    if not chart.is_dir():
        yield chart
        return
    rules = _rules(chart)
    for place in sorted(chart.iterdir()):
        yield from (chart / path for path in _walk(chart, place.name, rules))


def copy_chart(chart: Path, target: Path) -> None:
    """Copy the files that Helm loads of a folder into a new one, which only this user can read. Raises Refused."""
    with _reading(chart):
        for path in chart_files(chart):
            copy = target / path.relative_to(chart)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())


def all_files(chart: Path) -> Iterator[tuple[str, bytes]]:
    """Every file that a template may read, by its path in the chart. Raises Refused for what can't be read."""
    with _reading(chart):
        if chart.is_dir():
            for file in chart_files(chart):
                yield file.relative_to(chart).as_posix(), file.read_bytes()
        else:
            with tarfile.open(chart, mode="r:gz") as archive:
                for member in archive:
                    if member.isfile() and (opened := archive.extractfile(member)):
                        yield _inside(member), opened.read()


def file_in(chart: Path, path: str) -> bytes:
    """What a file of the chart holds; nothing where there is none. Raises Refused for a chart that can't be read."""
    if chart.is_dir():
        with _reading(chart):
            return (chart / path).read_bytes() if (chart / path).is_file() else b""
    return next((content for name, content in all_files(chart) if name == path), b"")


def template_paths(chart: Path) -> tuple[str, ...]:
    """The chart's own templates, `templates/…`. Raises Refused for a chart that can't be read."""
    return tuple(path for path, _ in all_files(chart) if path.startswith("templates/"))


@contextmanager
def _reading(chart: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, tarfile.TarError, EOFError) as error:
        raise Refused(f"the chart {chart} can't be read: {error}") from error


def _rules(chart: Path) -> tuple[Rule, ...]:
    ignored = chart / ".helmignore"
    return parse(ignored.read_text(encoding="utf-8", errors="replace")) if ignored.is_file() else ()


def _from_folder(chart: Path) -> Iterator[tuple[str, bytes]]:
    rules = _rules(chart)
    for start in (*sorted(_KEPT), "crds", "charts"):
        for path in _walk(chart, start, rules):
            if _needed(path):
                yield from _unpacked(path, (chart / path).read_bytes())


def _walk(chart: Path, path: str, rules: tuple[Rule, ...]) -> Iterator[str]:
    """Paths of files; symbolic links are followed, as Helm does."""
    place = chart / path
    folder = place.is_dir()
    if not place.exists() or place.name in _HISTORIES or ignores(rules, path, folder=folder):
        return
    if folder and place.is_symlink() and place.parent.resolve().is_relative_to(place.resolve()):
        return  # it leads back up
    if not folder:
        if place.is_file():  # a socket or a pipe would never be read to its end
            yield path
        return
    for each in sorted(place.iterdir()):
        yield from _walk(chart, f"{path}/{each.name}", rules)


def _from_archive(content: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member in archive:
            path = _inside(member)
            if member.isfile() and _needed(path) and (file := archive.extractfile(member)):
                yield from _unpacked(path, file.read())


def _inside(member: tarfile.TarInfo) -> str:
    """Its path in the chart: an archive holds the chart's folder."""
    return member.name.replace("\\", "/").removeprefix("./").partition("/")[2]


def _needed(path: str) -> bool:
    """Helm reads no subchart whose name begins with `_` or `.`, and no plain file in `charts/` but archives."""
    first, _, rest = path.partition("/")
    if not rest:
        return first in _KEPT
    if any(part in ("", ".", "..") for part in path.split("/")):
        return False
    if first != "charts":
        return first == "crds"
    subchart, _, inside = rest.partition("/")
    if subchart.startswith(("_", ".")):
        return False
    return _needed(inside) if inside else subchart.endswith(_ARCHIVE)


def _unpacked(path: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    if not path.endswith(_ARCHIVE):
        yield path, content
        return
    folder = path.removesuffix(_ARCHIVE)
    for inside, data in _from_archive(content):
        yield f"{folder}/{inside}", data
