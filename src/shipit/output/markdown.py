"""Foreign words in GitHub's Markdown, where they stay words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from shipit.output.sanitize import pieces

_MARKDOWN = re.compile(r"[\\`*_\[\]<>#|~&$!@]")
_FENCES = re.compile(r"~{3,}")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/-]+")


def escaped(text: str) -> str:
    """Foreign words on one line of Markdown that stay words: no link, image, tag, mention or table cell."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(pieces(text)))


def link(text: str, address: str) -> str:
    """A link, or the words alone where the address is none that could be trusted to stay one."""
    return f"[{escaped(text)}]({address})" if _ADDRESS.fullmatch(address) else escaped(text)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of cells that are Markdown already; nothing without a row."""
    lines = [_row(cells) for cells in rows]
    return [_row(heads), "|" + "---|" * len(heads), *lines, ""] if lines else []


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def fenced(lines: Sequence[str], language: str) -> list[str]:
    """A block that none of its lines can close."""
    fence = fence_of(lines)
    return [f"{fence}{language}", *lines, fence]


def fence_of(lines: Iterable[str]) -> str:
    return "~" * max(3, *(len(run) + 1 for line in lines for run in _FENCES.findall(line)), 0)


def folded(title: str, lines: Sequence[str]) -> list[str]:
    """Lines that show once somebody clicks on the title."""
    return ["<details>", f"<summary>{escaped(title)}</summary>", "", *lines, "", "</details>", ""]
