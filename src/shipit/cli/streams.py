"""The standard streams of this process: one that is closed or can't be written changes no outcome."""

from __future__ import annotations

import contextlib
import os
import sys


def open_closed() -> None:
    """Let what was closed (`>&-`) lead to /dev/null: else whatever is opened next gets its number, and what is
    written there.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: the one that was closed
            os.set_inheritable(opened, True)  # noqa: FBT003 - its only way to be called
            setattr(sys, name, os.fdopen(opened, mode, encoding="utf-8"))


def unwritable(error: OSError) -> int:
    """Say that stdout can't be written, where that can be said; the exit code, as for all that this machine can't do."""
    from shipit.errors import EXIT_CODES, Outcome

    tell(f"error: can't write to stdout: {(error.strerror or str(error)).lower()}")
    return EXIT_CODES[Outcome.REFUSED]


def tell(line: str) -> None:
    """A line on stderr, if it takes one."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def let_go() -> None:
    """Flush; what can't be is dropped: the interpreter, which flushes too, would end with 120 and a traceback."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
