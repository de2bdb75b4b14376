"""The charts and values files that a configuration names: looked up before anything else is done."""

from __future__ import annotations

import re
import stat
from pathlib import Path

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://")
_IN_REPOSITORY = re.compile(r"[A-Za-z0-9][^/]*/[^/]+")
ONLY_FOLDERS = "charts from a registry or repository are not supported yet; use a folder"


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


def chart_problem(chart: str, folder: Path) -> str:
    """What is wrong with a chart, or "" when it is a folder below (or beside) that one."""
    if _REMOTE.match(chart):
        return ONLY_FOLDERS
    path = folder / chart
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            return ""
    except FileNotFoundError:
        repository = f" ({ONLY_FOLDERS})" if _IN_REPOSITORY.fullmatch(chart) else ""
        return f"no such folder: {path}{repository}"
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    return f"{path} is a file; use the chart's folder"
