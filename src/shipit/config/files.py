"""The charts and values files that a configuration names: what is on this machine is looked up before anything else."""

from __future__ import annotations

import re
import stat
from pathlib import Path

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_IN_REPOSITORY = re.compile(r"[A-Za-z0-9][^/]*/[^/]+")
_ELSEWHERE = 'a chart is a folder, an archive (.tgz), "oci://…", "repo/chart" or an archive\'s URL'


def values_problem(path: Path) -> str:
    """What is wrong with a values file, or "". A pipe is refused: helm reads the file more than once."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return f"no such file: {path}"
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    if stat.S_ISDIR(mode):
        return f"{path} is a folder; use a YAML file"
    if not stat.S_ISREG(mode):
        return f"{path} is a pipe or a device, and it is read more than once; use a file"
    return ""


def chart_at(chart: str, folder: Path) -> str:
    """The chart as helm finds it wherever it runs: the path of a folder or archive, seen from that folder; else its
    name in a repository or registry, as it is.
    """
    return chart if is_url(chart) or not (folder / chart).exists() else str(folder / chart)


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
