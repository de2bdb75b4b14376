"""How a line is laid out on a terminal of some width: hanging texts, a time at the right, cells instead of letters."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from shipit.output.sanitize import visible

WIDEST = 100
"""Columns from which a time at the right would be too far from its words."""
NARROW = 24
"""Columns of text below which nothing hangs: the terminal folds."""


def width_of(text: str) -> int:
    """Columns that a text takes; control codes take none."""
    return len(text) if text.isascii() and text.isprintable() else cell_len(visible(text).expandtabs(8))


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most so many columns, at blanks where there are any."""
    return [line.rstrip(" ") for line in folded(text, width)]


def folded(text: str, width: int) -> list[str]:
    """The same with every letter kept: a blank at which a line ends stands at its end."""
    lines: list[str] = []
    while width_of(text) > width:
        head = _head(text, width)
        at = text.rfind(" ", 0, len(head) + 1)
        end = at + 1 if at > len(head) // 3 else len(head)
        lines.append(text[:end])
        text = text[end:]
    return [*lines, text]


def _head(text: str, width: int) -> str:
    """As many letters as fit into the columns, at least one."""
    end = width if text.isascii() else 0
    if not end:
        used = 0
        for end, letter in enumerate(text):  # noqa: B007 - counts
            used += cell_len(letter)
            if used > width:
                break
    return text[: max(1, end)]


def hung(lead: str, text: str, width: int) -> Iterator[str]:
    """The text behind its lead, its further lines below it; on a narrow terminal as one line."""
    room = width - width_of(lead)
    lines = wrapped(text, room) if room >= NARROW else [text]
    yield lead + lines[0]
    yield from (" " * width_of(lead) + line for line in lines[1:])


def columns(lead: str, text: str, right: str, width: int) -> Iterator[str]:
    """A lead, a text that hangs below itself, and something at the right of the first line."""
    width = min(width, WIDEST)
    room = width - width_of(lead) - len(right) - 2
    if room < NARROW // 2:
        yield " ".join(filter(None, (f"{lead}{text}", right)))
        return
    first, *rest = wrapped(text, room)
    gap = " " * (width - width_of(lead) - width_of(first) - len(right))
    yield f"{lead}{first}{gap}{right}".rstrip()
    yield from (" " * width_of(lead) + line for line in rest)
