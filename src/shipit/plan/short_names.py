"""Names of Jobs that fit: their pods carry them as a label."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator

LONGEST = 63
"""Of a label's value."""
_DIGITS = 5


def shortened(name: str) -> str:
    """With room for a number; what is cut off still tells one from another."""
    longest = LONGEST - _DIGITS
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    return f"{name[: longest - _DIGITS - 1].rstrip('-.')}-{digest}"


def numbered(name: str) -> Iterator[str]:
    """`migrate`, `migrate-2`, `migrate-3`, …"""
    return itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
