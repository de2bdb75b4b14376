"""Ask before something is done, on a terminal; demand `--yes` elsewhere."""

from __future__ import annotations

import sys

import typer

from shipit.cli.session import Declined, Session
from shipit.cli.streams import tell
from shipit.errors import Stopped, Usage


def confirm(session: Session, question: str, *, without_terminal: Usage, declined: str) -> None:
    """Return when the answer is yes, or `--yes` was given. Raises Declined, or `without_terminal`."""
    check_can_ask(session, without_terminal)
    if not session.common.yes and not _agreed(session.mask.text(question)):
        raise Declined(declined)


def check_can_ask(session: Session, without_terminal: Usage) -> None:
    """Raises `without_terminal` where nobody sits who could answer, and `--yes` was not given."""
    if not session.common.yes and not sys.stdin.isatty():
        raise without_terminal


def _agreed(question: str) -> bool:
    while True:
        try:
            answer = typer.prompt(
                f"{question} [y/N]", default="", show_default=False, prompt_suffix=" ", err=True
            )
        except typer.Abort as end:  # typer makes this of an end of input, and of whatever a signal raises
            if isinstance(end.__context__, Stopped):
                raise end.__context__ from None
            return False
        match answer.strip().lower():
            case "y" | "yes":
                return True
            case "" | "n" | "no":
                return False
        tell("answer yes or no")
