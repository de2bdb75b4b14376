"""One log out of many streams: each is asked for anew from a second on, and repeats what was seen. Pure.

What the streams are like (kubelet and containerd 1.34, measured, and the kubelet's sources):
- a stream serves one file, the newest; when the kubelet rotates it, the stream ends as if all were read, or falls
  silent until the container ends;
- containerd goes on in the new file in the middle of a line, however short: the old one ends with its beginning;
- `sinceTime` counts in whole seconds, and is compared line by line;
- a long line is written in parts, and a part begins with a time only at the start of a line or of a file; so the
  rest of a line may lead a stream without its beginning, and without a time;
- lines of stdout and stderr may stand a little out of the order of their times;
- when the kubelet can't read a log it says so in the stream, without a time.

It relies on one thing: lines with the very same time (in nanoseconds) lie in the same file.
"""

from __future__ import annotations

import re
from datetime import datetime

from shipit.logs.dedup import OVERLAP, SeenLines
from shipit.logs.timestamps import USUAL, is_stamped, key_of, keys_of, second_of, text_of

LONGEST = 1 << 20
"""Bytes of a line that are kept."""
MOST_SAID = 50
"""Different lines that are shown of what is no line of the log."""
CUT = b" [shipit: the rest of this line is left out]"

_KUBELET = re.compile(rb"unable to retrieve container logs|failed to |rpc error|error |Error ")


def gap(why: str) -> bytes:
    """The line that marks a gap."""
    return f"[shipit: some log lines may be missing here: {why}]".encode()


class JoinedLog:
    """The lines of one container's log in order, once each, without their times; a gap is marked by a line of its own.

    `first` is the second of the first line. Of the last stream: `met` when it repeated what is known, `empty` when it
    held no byte, `strange` when it held what is no line of the log. Its reader sets `abrupt` when it ended while lines
    were coming: then what comes next has to follow soon, unless it is known.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._held = b""
        self._carry = b""
        self._seen = SeenLines()
        self._clean = True
        self._count = 0
        self._said: set[bytes] = set()
        self.first: datetime | None = None
        self.met = self.empty = self.strange = self.abrupt = False
        self._begin()

    def _begin(self) -> None:
        """A new stream: first comes what was seen before."""
        self._repeating = bool(self._seen.latest or self._held)
        self._first = True
        self._fed = self._strange = self._held_again = False
        self._seen.begin()

    @property
    def progress(self) -> tuple[int, int]:
        """Grows with everything new."""
        return self._count, len(self._held)

    @property
    def unfinished(self) -> bool:
        """Whether a line has begun to come and not ended."""
        return bool(self._held or self._carry)

    def since(self) -> datetime | None:
        """The time to ask the next stream from; None for everything."""
        return self._seen.since()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that a chunk completes."""
        self._fed = self._fed or bool(chunk)
        done, newline, rest = chunk.rpartition(b"\n")
        if not newline:
            self._keep(chunk)
            return []
        if self._size:
            first, newline, others = done.partition(b"\n")
            self._keep(first)
            done = _shortened(self._kept()) + newline + others
        self._keep(rest)
        return self._take(done.split(b"\n"))

    def end_of_stream(self, *, clean: bool) -> list[bytes]:
        """The stream ended; `clean` when it was not cut. The lines that are complete by that."""
        rest, out = self._kept(), []
        if rest and not is_stamped(rest):
            leads = self._repeating and self._first and not _KUBELET.match(rest)
            out = self._foreign(rest) if clean and not leads else []
            rest, clean = b"", False
        out += self._leave(rest) if rest else []
        self.met = self._seen.met or self._held_again
        self.empty, self.strange = not self._fed, self._strange
        if not self._repeating or self.met or rest:
            self._clean = clean and not self._strange
        self._begin()
        return out

    def restarted(self, *, missed: bool = False) -> list[bytes]:
        """The container ended and another one runs in its place: what follows is another log."""
        out = self.finish()
        if missed or not self._clean:
            out.append(gap("the container was restarted, and its log before that was not read to its end"))
        self._clean = True
        return out

    def doubt(self) -> None:
        """So much time has passed since the last stream that the log may have been rotated more than once."""
        self._clean = False

    def finish(self) -> list[bytes]:
        """The log is over: the last line, when it has no newline."""
        if not self._held and not self._carry:
            return []
        last = _shortened(self._carry + text_of(self._held))
        self._held = self._carry = b""
        self._count += 1
        return [last]

    def _keep(self, piece: bytes) -> None:
        if not piece:
            return
        if self._size <= LONGEST:
            self._pieces.append(piece)
        self._size += len(piece)

    def _kept(self) -> bytes:
        """The line that was kept in pieces, one byte more of it than will be shown."""
        line = b"".join(self._pieces)[: LONGEST + 1]
        self._pieces, self._size = [], 0
        return line

    def _take(self, lines: list[bytes]) -> list[bytes]:
        out: list[bytes] = []
        if self._repeating:
            lines = self._unseen(lines, out)
            if not lines:
                return out
        texts = self._texts(lines)
        if self._carry:
            texts[0] = _shortened(self._carry + texts[0])
            self._carry = b""
        return out + texts if out else texts

    def _texts(self, lines: list[bytes]) -> list[bytes]:
        """What new lines say; they are remembered."""
        self._first = False
        texts = [line[USUAL + 1 :] for line in lines]
        if any(line[USUAL - 1 : USUAL + 1] != b"Z " for line in lines):
            stamped = [is_stamped(line) for line in lines]
            texts = [
                text
                for line, good in zip(lines, stamped, strict=True)
                for text in ([text_of(line)] if good else self._foreign(line))
            ]
            lines = [line for line, good in zip(lines, stamped, strict=True) if good]
        self._count += len(lines)
        if lines:
            keys = keys_of(lines)
            self.first = self.first or second_of(keys[0])
            self._seen.remember(keys, lines)
        return texts

    def _foreign(self, line: bytes) -> list[bytes]:
        """Somebody else speaks: the kubelet, or a proxy. It need not say the same thing each time it is asked."""
        self._strange = True
        if line in self._said or not line.strip() or len(self._said) >= MOST_SAID:
            return []
        self._said.add(line)
        return [b"[shipit: the kubelet says: " + line[:1000] + b"]"]

    def _unseen(self, lines: list[bytes], out: list[bytes]) -> list[bytes]:
        """The lines from the first new one on; what has to come before it goes to `out`."""
        for at, line in enumerate(lines):
            leads, self._first = self._first, False
            if not is_stamped(line):
                if not leads or _KUBELET.match(line):
                    out += self._foreign(line)
            elif not self._seen.has(line):
                out += self._resolve(line)
                return lines[at:]
        return []

    def _resolve(self, line: bytes) -> list[bytes]:
        """The first new line tells what became of an unfinished one, and whether the streams meet."""
        self._repeating = False
        held, self._held = self._held, b""
        if held and line[:LONGEST].startswith(held[:LONGEST]):
            return []
        latest = key_of(held) or self._seen.latest
        soon = second_of(key_of(line)) - second_of(latest) <= OVERLAP if latest else True
        if held and self._clean and soon:
            # Written in parts, and the log was rotated between them
            self._carry += text_of(held)
            return []
        out = []
        if held or self._carry:
            out.append(_shortened(self._carry + text_of(held)))
            self._carry = b""
        follows = self._clean and not self._seen.blind and (soon or not self.abrupt)
        if held or not (self._seen.met or follows):
            out.append(gap("the log could not be read for a while, and what follows is not what was next"))
        self._count += len(out)
        return out

    def _leave(self, rest: bytes) -> list[bytes]:
        """A stream ended within a line."""
        if not self._repeating:
            self._held = rest
            return []
        if self._held.startswith(rest):
            self._held_again = True
            return []
        if self._seen.has_within(rest):
            return []
        out = self._resolve(rest)
        self._held = rest
        return out


def _shortened(line: bytes) -> bytes:
    return line if len(line) <= LONGEST else line[:LONGEST] + CUT
