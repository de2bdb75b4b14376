"""Foreign text made harmless: nothing in it acts on a terminal, moves the cursor or starts a line of its own."""

from __future__ import annotations

import re

# ECMA-48: CSI with parameters and a final byte; OSC, DCS, SOS, PM and APC strings up to BEL or ST; other escapes of
# two or three bytes. A string that is never ended loses only its introducer, so that no text is swallowed; none
# reaches over another control code, so that a line of nothing but introducers is read once.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x1f\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
# C0 but the tab, DEL and C1, and the marks that turn the direction of writing, with which a line can pose as another.
_CONTROLS = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]"
)
# What nobody sees: the above, and the marks without a width, which stay in the text.
_UNSEEN = re.compile(f"{_ESCAPES.pattern}|{_CONTROLS.pattern}|[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def scalars(text: str) -> str:
    """The text with lone surrogates, which no encoding can hold, as U+FFFD."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def pieces(text: str) -> list[str]:
    """The lines of a text, at least one, without control codes.

    A carriage return ends a line too: a progress bar that redraws itself becomes one line per drawing, and none of
    them can hide what stood there before.
    """
    if text.isprintable():
        return [text]
    lines = _ESCAPES.sub("", text).splitlines()
    return [piece for line in lines if (piece := _CONTROLS.sub("", scalars(line)))] or [""]


def one_line(text: str) -> str:
    """The whole text on one line, without control codes."""
    return text if text.isprintable() else " ".join(pieces(text))


def visible(text: str) -> str:
    """What can be seen of a text, its lines joined."""
    return text if text.isprintable() else _UNSEEN.sub("", text)


def visible_at(text: str) -> list[int]:
    """Where in the text each character of `visible(text)` stands."""
    seen: list[int] = []
    done = 0
    for unseen in _UNSEEN.finditer(text):
        seen += range(done, unseen.start())
        done = unseen.end()
    return [*seen, *range(done, len(text))]
