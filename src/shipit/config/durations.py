"""Durations as Go writes them: `90s`, `15m`, `1h30m`."""

from __future__ import annotations

import re
from decimal import Decimal

from shipit.errors import Usage

# the units of https://pkg.go.dev/time#ParseDuration, in seconds
_UNITS = {
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("1e-3"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),  # U+00B5, the micro sign
    "μs": Decimal("1e-6"),  # U+03BC, the Greek letter
    "ns": Decimal("1e-9"),
}
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PART = re.compile(rf"({_NUMBER})(h|ms|us|µs|μs|ns|m|s)")
_LONGEST_TEXT = 100
_LONGEST = Decimal(2**63 - 1) / 10**9  # what Go can hold: 292 years

PATTERN = rf"^({_NUMBER}(h|ms|us|µs|μs|ns|m|s))+$"
ALLOWED = 'a duration like "90s", "15m" or "1h30m" (units h, m, s, ms)'


def parse_duration(text: str, where: str = "") -> float:
    """Seconds, zero or more. Raises Usage, led by `where` (a flag or a key), for anything that Go would not read.

    Go's rules, but for the sign: sums of decimal numbers with a unit, or a bare `0`.
    """
    found = seconds(text)
    if found is None:
        raise Usage(f"{where}{': ' if where else ''}{text[:_LONGEST_TEXT]!r} is not {ALLOWED}")
    return found


def seconds(text: str) -> float | None:
    """The seconds that a text stands for, None when it is no duration."""
    if text == "0":
        return 0.0
    parts = _PART.findall(text)
    if not text or len(text) > _LONGEST_TEXT or "".join(map("".join, parts)) != text:
        return None
    total = sum((Decimal(number) * _UNITS[unit] for number, unit in parts), Decimal(0))
    return float(total) if total <= _LONGEST else None


def format_duration(seconds: float) -> str:
    """`1h30m`, `15m`, `2.5s`, `0s`: what `parse_duration` and Go read back as the same number of seconds."""
    exact = Decimal(repr(float(seconds))).quantize(Decimal("1e-9"))
    whole, rest = divmod(exact, 60)
    hours, minutes = divmod(int(whole), 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else ""]
    if rest or not any(parts):
        number = f"{rest:f}"
        parts.append((number.rstrip("0").rstrip(".") if "." in number else number) + "s")
    return "".join(parts)
