"""What is no secret although a Secret holds it: the words of texts that stand in clear elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"\w+")
LONGEST = 512
"""Characters of a word that is looked up: what is longer names nothing."""


class PublicWords:
    """Texts that stand in clear where anybody may read them who reads our output: names, the release's manifests.

    A piece of such a text is public where it begins and ends with a word: of `db-migrator`, `migrator` is and `igrator`
    is not.
    """

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._words: set[str] = set()
        self._whole = ""
        self._asked: dict[str, bool] = {}

    def add(self, texts: Iterable[str]) -> None:
        new = {text for text in texts if text} - self._texts
        if new:
            self._texts |= new
            self._words.update(word for text in new for word in _WORD.findall(text))
            self._whole = "\0".join(sorted(self._texts))
            self._asked.clear()

    def hold(self, piece: str) -> bool:
        """Whether it stands in one of the texts, from the begin of a word to the end of one."""
        piece = piece.strip()
        if len(piece) > LONGEST or not self._words.issuperset(_WORD.findall(piece)):
            return False
        if piece not in self._asked:
            self._asked[piece] = any(
                _words_around(self._whole, at, at + len(piece)) == (at, at + len(piece))
                for at in _places(piece, self._whole)
            )
        return self._asked[piece]

    def hold_around(self, text: str, start: int, end: int) -> bool:
        """The same of the whole words that a piece of a text belongs to."""
        start, end = _words_around(text, start, end)
        return self.hold(text[start:end])


def _places(piece: str, text: str) -> Iterable[int]:
    at = text.find(piece) if piece else -1
    while at >= 0:
        yield at
        at = text.find(piece, at + 1)


def _words_around(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the words begin and end that a piece of a text cuts; not farther than is looked up."""
    first, last = max(0, start - LONGEST), min(len(text), end + LONGEST)
    while start > first and _both(text, start):
        start -= 1
    while end < last and _both(text, end):
        end += 1
    return start, end


def _both(text: str, at: int) -> bool:
    """Whether a word goes on there."""
    return _in_word(text[at - 1]) and _in_word(text[at])


def _in_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"
