"""The kubelet's time in front of a log line: told apart, and made comparable. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_STAMP = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) "  # RFC 3339, then a blank
)
USUAL = 30
"""Bytes of a time in UTC with nine digits of a second, as the kubelet writes it."""
UNTIMED = b" " * (USUAL + 1)
"""Stands before what has no time, where a time and a blank stand before the others."""


def is_stamped(line: bytes) -> bool:
    return _STAMP.match(line) is not None


def key_of(line: bytes) -> bytes:
    """A line's time in UTC, all of the same length: they compare as the times do. The line has to be stamped."""
    found = _STAMP.match(line)
    if found is None:
        return b""
    base, fraction, zone = found.groups()
    if zone != b"Z":
        moment = datetime.fromisoformat((base + zone).decode()).astimezone(UTC)
        base = moment.strftime("%Y-%m-%dT%H:%M:%S").encode()
    return base + b"." + (fraction or b"").ljust(9, b"0") + b"Z"


def are_usual(lines: list[bytes]) -> bool:
    """Whether every line is led by a time as the kubelet writes it, so that all of them can be cut at one place."""
    return all(line[USUAL - 1 : USUAL + 1] == b"Z " for line in lines)


def usual(line: bytes) -> bytes:
    """A stamped line with its time written as usual."""
    return key_of(line) + b" " + text_of(line)


def text_of(line: bytes) -> bytes:
    """What the container wrote: the line without its time."""
    return line.partition(b" ")[2]


def told(line: bytes) -> tuple[str, str]:
    """The time, "" when there is none, and the text of a line whose time is written as usual, or missing."""
    return line[:USUAL].decode("ascii", "replace").rstrip(), line[USUAL + 1 :].decode("utf-8", "replace")


def second_of(key: bytes) -> datetime:
    return datetime.fromisoformat(key[:19].decode()).replace(tzinfo=UTC)


def moment_of(key: bytes) -> datetime:
    return datetime.fromisoformat(key[:26].decode()).replace(tzinfo=UTC)
