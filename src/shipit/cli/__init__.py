"""The command line: flags become one call, an outcome becomes an exit code."""

from __future__ import annotations

import os
import sys

from shipit.cli import streams
from shipit.cli.silence import silence_libraries

_SUPPORTED = os.name == "posix"


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    streams.open_closed()
    if not _SUPPORTED:  # process groups, signals and file locks are not what they are there
        streams.tell("error: shipit runs on Linux and macOS; on Windows use it in WSL")
        sys.exit(2)
    silence_libraries()
    code = run(sys.argv[1:])
    streams.let_go()
    sys.exit(code)


def run(argv: list[str]) -> int:
    """Run a command line; the exit code is the outcome's, 2 for one that can't be understood."""
    try:
        from shipit.cli.app import call  # here, for a Ctrl-C while all of it is loaded is one like any other

        return call(argv)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return streams.unwritable(error)
