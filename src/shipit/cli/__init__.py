"""The command line: flags become one call, an outcome becomes an exit code."""

from __future__ import annotations

import sys

from shipit.cli import streams
from shipit.cli.silence import silence_libraries


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    streams.open_closed()
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
