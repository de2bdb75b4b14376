"""The private folder that a command keeps its chart copies and values in, and the folders that dead ones left."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from shipit.errors import refusing
from shipit.model import Json

_NAME = re.compile(r"shipit-\d+-\w+(\.new)?")
_NEW = ".new"  # not yet locked by its owner
_FRESH = 60.0  # seconds in which it may be so


@contextlib.contextmanager
def private_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder that only this user can enter (0700), gone with all that is in it on every way out.

    Its owner holds a lock on it, so that what a `kill -9` left behind is told from what is in use, in other
    containers with the same temporary folder too; a process number alone could not tell. Each start sweeps.
    """
    with refusing():
        parent = parent or Path(tempfile.gettempdir())
        sweep(parent)
        made = Path(tempfile.mkdtemp(prefix=f"shipit-{os.getpid()}-", suffix=_NEW, dir=parent))
    folder = made.with_suffix("")
    try:
        with contextlib.ExitStack() as lock:
            with refusing():
                lock.enter_context(_locked(made))
                made.rename(folder)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(made, ignore_errors=True)


def write_values(folder: Path, values: Json) -> Path:
    """Write values for `helm --values` (JSON is YAML), readable by this user only: argv shows in process lists."""
    opened, path = tempfile.mkstemp(prefix="values-", suffix=".json", dir=folder)
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        json.dump(values, file, ensure_ascii=True)
    return Path(path)


def sweep(parent: Path) -> None:
    """Remove the folders of this user's shipits that are gone."""
    with contextlib.suppress(OSError):
        for folder in parent.iterdir():
            if _NAME.fullmatch(folder.name):
                _remove_if_stale(folder)


def _remove_if_stale(folder: Path) -> None:
    with contextlib.suppress(OSError):
        found = folder.lstat()
        fresh = folder.suffix == _NEW and time.time() - found.st_ctime < _FRESH
        if found.st_uid != os.getuid() or fresh:
            return
        with _locked(folder):
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Raises BlockingIOError when another process has it."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(opened)
