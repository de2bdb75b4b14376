"""The ways in which a secret value is written in text: as it is, in JSON, in a URL, as base64, alone or inside a blob."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from itertools import islice
from urllib.parse import quote, quote_plus

from shipit.output.sanitize import visible
from shipit.output.secret_files import lines_in, values_in

SHORTEST = 6
"""A shorter form is no secret worth the damage: `true`, `5432`, `admin` would blank out half of every log."""

MANY = 1000
"""Values of one file that are looked for in every form; those after them as they are, and so all lines."""

LONGEST_QUOTED = 1 << 16
"""Characters of a value that somebody may write into one line, quoted or escaped."""

_GO = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "&<>\u2028\u2029"})
# As PEM and `openssl base64` fold, and as MIME and the `base64` command do.
_WIDTHS = (64, 76)


def forms(value: str) -> set[str]:
    """What to look for: some twenty forms of a value and of each value in it, and each of its lines."""
    values = [each for each in values_in(value) if len(each) >= SHORTEST]
    found = {*values, *(line for each in values for line in lines_in(each))}
    found.update(form for each in islice(values, MANY) for form in _written(each))
    found |= {visible(form) for form in found}
    return {form for form in found if len(form) >= SHORTEST}


def _written(value: str) -> Iterator[str]:
    if len(value) <= LONGEST_QUOTED:
        yield from _quoted(value)
    for form in _base64(value.encode("utf-8", "surrogatepass")):
        yield from (form, form.replace("+", "-").replace("/", "_"))


def _quoted(value: str) -> Iterator[str]:
    go = json.dumps(value, ensure_ascii=False)[1:-1]
    yield from (json.dumps(value)[1:-1], go, go.translate(_GO), repr(value)[1:-1], " ".join(value.split()))
    yield from (
        quote(value, safe="", errors="surrogatepass"),
        quote(value, errors="surrogatepass"),
        quote_plus(value, errors="surrogatepass"),
    )


def _base64(raw: bytes) -> Iterator[str]:
    whole = base64.b64encode(raw).decode()
    yield from (whole, whole.rstrip("="))
    for width in _WIDTHS:
        yield from (whole[at : at + width] for at in range(0, len(whole), width))
    for offset in range(3):
        yield _core(raw, offset)


def _core(raw: bytes, offset: int) -> str:
    """The digits that `raw` alone decides when it begins at that byte of a group of three, whatever stands around it."""
    digits = base64.b64encode(bytes(offset) + raw).decode().rstrip("=")
    mixed_before = (0, 2, 3)[offset]
    mixed_after = 1 if (offset + len(raw)) % 3 else 0
    return digits[mixed_before : len(digits) - mixed_after]
