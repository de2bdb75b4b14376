"""What a stream showed of a log when it ended, and the line that marks a gap."""

from __future__ import annotations

from dataclasses import dataclass

from shipit.logs.timestamps import UNTIMED


def gap(why: str) -> bytes:
    """The line that marks a gap."""
    return UNTIMED + f"[shipit: some log lines may be missing here: {why}]".encode()


@dataclass(frozen=True, slots=True)
class Shown:
    """What a stream showed of the log. `met`: it repeated what is known; `news`: it brought what was not; `strange`: it
    held something that is not a line of the log, which said `words`; `unfinished`: it ended within a line; `large`: so
    much has come, all in all, that the log may have been rotated; `skipped`: a whole file may have come and gone before
    the stream was opened.
    """

    empty: bool = False
    met: bool = False
    news: bool = False
    strange: bool = False
    words: str = ""
    unfinished: bool = False
    large: bool = False
    skipped: bool = False


NOTHING = Shown()
