"""A terminal that knows just what a live footer needs, and refuses everything else."""

from __future__ import annotations

import io
import re

_TOKENS = re.compile(r"\x1b\[(\?25[lh]|[0-9;]*[AKm])|(\r)|(\n)|(\t)|([^\x00-\x1f\x7f-\x9f])|(.)", re.DOTALL)


class Terminal(io.StringIO):
    """What was written to it as `rows`, each of at most `width` characters; `cursor` says whether it is shown.

    `raw` is every byte that came, `folded` the rows that are the rest of a line too wide for the screen.
    """

    def __init__(self, width: int = 80) -> None:
        super().__init__()
        self.width = width
        self.raw = ""
        self.cursor = True
        self.folded: set[int] = set()
        self._rows: list[list[str]] = [[]]
        self._row = self._column = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.raw += text
        for control, back, down, tab, letter, unknown in _TOKENS.findall(text):
            assert not unknown, f"{unknown!r} acts on the terminal"
            if control:
                self._control(control)
            elif back:
                self._column = 0
            elif down:
                self._down()
                self._column = 0
            elif tab:
                self._column = min(self._column // 8 * 8 + 8, self.width - 1)
            else:
                self._type(letter)
        return len(text)

    def _control(self, control: str) -> None:
        if control.startswith("?25"):
            self.cursor = control.endswith("h")
        elif control.endswith("A"):
            self._row = max(0, self._row - int(control[:-1] or 1))
        elif control == "2K":
            self._rows[self._row] = []
        else:
            assert control.endswith("m"), control

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append([])

    def _type(self, letter: str) -> None:
        if self._column == self.width:
            self._down()
            self._column = 0
            self.folded.add(self._row)
        row = self._rows[self._row]
        row.extend(" " * (self._column - len(row)))
        row[self._column : self._column + 1] = [letter]
        self._column += 1

    @property
    def rows(self) -> list[str]:
        return _used(["".join(row).rstrip() for row in self._rows])

    @property
    def lines(self) -> list[str]:
        """The rows with folded ones put together again, as copying from the terminal gives them."""
        lines: list[str] = []
        for number, row in enumerate("".join(row) for row in self._rows):
            if number in self.folded:
                lines[-1] += row
            else:
                lines.append(row)
        return _used([line.rstrip() for line in lines])


def _used(rows: list[str]) -> list[str]:
    """Without the empty ones at the bottom, which only the cursor has visited."""
    while rows and not rows[-1]:
        rows.pop()
    return rows
