"""Ask which of several is meant, on a terminal; take the first elsewhere, and say so."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TypeVar

import typer

from shipit.cli.session import Session
from shipit.cli.streams import tell
from shipit.errors import Stopped, Usage

T = TypeVar("T")


def choose(session: Session, question: str, options: Sequence[T]) -> T:
    """The one that is meant; the first is the default, and what `--yes` takes. Raises Usage for no answer."""
    if len(options) == 1:
        return options[0]
    if session.common.yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        rest = "; ".join(map(str, options[1:]))
        tell(session.mask.text(f"{question}: took {options[0]}; there is also {rest}"))
        return options[0]
    tell(f"{question}:")
    for number, option in enumerate(options, 1):
        tell(f"  {number}. {option}")
    return options[_number(len(options))]


def _number(most: int) -> int:
    while True:
        try:
            answer = typer.prompt("Number", default="1", err=True)
        except typer.Abort as end:  # as in `confirm`
            if isinstance(end.__context__, Stopped):
                raise end.__context__ from None
            raise Usage("not answered; nothing was written") from None
        if answer.strip().isdecimal() and 1 <= int(answer) <= most:
            return int(answer) - 1
        tell(f"a number from 1 to {most}")
