"""Ask before something is done, on a terminal; demand `--yes` elsewhere."""

from __future__ import annotations

import sys

import typer

from shipit.cli.session import Session
from shipit.errors import Stopped, Usage


def confirm(session: Session, question: str, *, without_terminal: Usage, declined: Usage) -> None:
    """Return when the answer is yes, or `--yes` was given. Raises `declined`, or `without_terminal`."""
    if session.common.yes:
        return
    if not sys.stdin.isatty():
        raise without_terminal
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort as end:  # typer makes this of an end of input, and of whatever a signal raises
        if isinstance(end.__context__, Stopped):
            raise end.__context__ from None
        agreed = False
    if not agreed:
        raise declined
