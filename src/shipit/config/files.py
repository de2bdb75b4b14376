"""The charts and values files that a configuration names: what is on this machine is looked up before anything else."""

from __future__ import annotations

import re
import stat
from pathlib import Path

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_IN_REPOSITORY = re.compile(r"[A-Za-z0-9][^/]*/[^/]+")
_ELSEWHERE = 'a chart is a folder, an archive (.tgz), "oci://…", "repo/chart" or an archive\'s URL'


STDIN = Path("/dev/stdin")
"""What `--values -` means."""


def layer_of(text: str, folder: Path) -> Path | str:
    """A values file as seen from that folder, or the URL of one."""
    return text if is_url(text) else folder / text


def values_problem(layer: Path | str) -> str:
    """What is wrong with a values file on this machine, or ""."""
    if isinstance(layer, str) or layer == STDIN:
        return ""
    try:
        mode = layer.stat().st_mode
    except FileNotFoundError:
        return f"no such file: {layer}"
    except OSError as error:
        return f"{layer} can't be read: {error.strerror}"
    return f"{layer} is a folder; use a YAML file" if stat.S_ISDIR(mode) else ""


def chart_at(chart: str, folder: Path) -> str:
    """The chart as helm finds it wherever it runs: the path of a folder or archive, seen from that folder; else its
    name in a repository or registry, as it is.
    """
    if is_url(chart):
        return chart
    try:
        return str(folder / chart) if (folder / chart).exists() else chart
    except OSError:  # `chart_problem` says so
        return chart


def chart_problem(chart: str, folder: Path, *, in_repository: bool) -> str:
    """What is wrong with a chart, or "". `in_repository`: helm_args name one that it may be in (`--repo`)."""
    if is_url(chart):
        return ""
    path = folder / chart
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        named = in_repository or _IN_REPOSITORY.fullmatch(chart)
        return "" if named else f"no such folder: {path}; {_ELSEWHERE}"
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    if stat.S_ISDIR(mode) or path.suffix in (".tgz", ".gz"):
        return ""
    return f"{path} is neither a folder nor an archive (.tgz)"


def is_url(text: str) -> bool:
    return _URL.match(text) is not None
