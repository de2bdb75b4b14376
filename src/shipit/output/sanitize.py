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


# Colours and weights; not blinking, hidden or overstruck text, with which a line can pose as another.
_SGR = re.compile(r"\x1b\[((?:[0-9]{1,3}(?:[;:][0-9]{1,3}){0,15})?)m")
_HARMLESS = frozenset(
    [
        *range(5),
        7,
        *range(21, 25),
        27,
        *range(30, 38),
        39,
        *range(40, 48),
        49,
        *range(90, 98),
        *range(100, 108),
    ]
)
RESET = "\x1b[0m"


def last_state(text: str) -> str:
    """What a line shows in the end that redraws itself with carriage returns, as a progress bar does."""
    if "\r" not in text:
        return text
    return next((part for part in reversed(text.split("\r")) if visible(part).strip()), "")


def log_pieces(text: str, *, colors: bool = False) -> list[str]:
    """The lines of a line that somebody else wrote, as `pieces`, of a bar its last state; with `colors` its colours are
    kept, each line's ended with the line.
    """
    text = last_state(text)
    if not colors or "\x1b[" not in text:
        return pieces(text)
    return [_colored(line) for line in text.splitlines()] or [""]


def _colored(line: str) -> str:
    parts, done = [], 0
    for found in _SGR.finditer(line):
        parts += [one_line(line[done : found.start()]), _sgr(found[1])]
        done = found.end()
    return "".join([*parts, one_line(line[done:]), RESET if done else ""])


def _sgr(numbers: str) -> str:
    """The sequence with what of it is colour, "" where nothing is."""
    codes = [int(each or 0) for each in re.split("[;:]", numbers)]
    kept: list[int] = []
    while codes:
        code = codes.pop(0)
        if code in (38, 48):  # an indexed colour, or red, green and blue
            more = {5: 2, 2: 4}.get(codes[0] if codes else 0, len(codes))
            kept += [code, *codes[:more]] if more in (2, 4) and len(codes) >= more else []
            codes = codes[more:]
        elif code in _HARMLESS:
            kept.append(code)
    return f"\x1b[{';'.join(map(str, kept))}m" if kept else ""


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
