"""Keeps the warnings, the logging and the tracebacks of libraries off the screen, which is shipit's own."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import warnings


def silence_libraries() -> None:
    """For the whole process, so only a program's entry point calls it, before any library is loaded.

    PYTHONWARNINGS and `-W` no longer count: as `error` they would make a deploy fail.
    """
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    warnings.showwarning = _drop  # a library may put a filter of its own in front,
    atexit.register(
        warnings.simplefilter, "ignore"
    )  # which counts alone once the interpreter takes itself apart
    logging.getLogger().addHandler(
        logging.NullHandler()
    )  # without one, `logging.error()` makes one for stderr
    logging.lastResort = None
    logging.raiseExceptions = False  # nor does a handler that fails write to stderr
    threading.excepthook = _drop  # while a command runs, its session tells of these
    sys.unraisablehook = _drop


def _drop(*_: object, **__: object) -> None: ...
