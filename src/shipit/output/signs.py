"""The signs that a terminal shows beside the words: each says something without its colour, in ASCII too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signs:
    done: str = "✓"
    failed: str = "✗"
    skipped: str = "–"
    pending: str = "○"
    trouble: str = "!"
    arrow: str = "→"
    rule: str = "│"
    dot: str = "·"
    more: str = "…"
    spinner: str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

    def turning(self, at: float) -> str:
        """The spinner's picture at a time in seconds."""
        return self.spinner[int(at * 8) % len(self.spinner)]


UNICODE = Signs()
ASCII = Signs(
    done="+", failed="x", skipped="-", pending="o", arrow="->", rule="|", dot="-", more="...", spinner="|/-\\"
)


def signs_for(encoding: str) -> Signs:
    """Those that a stream of that encoding can hold."""
    try:
        "✓✗–○→│·…⠋".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE
