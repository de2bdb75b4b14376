"""The ways in which a secret value is written in text: as it is, in JSON, in a URL, as base64, alone or inside a blob."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator
from urllib.parse import quote, quote_plus, unquote

from shipit.output.sanitize import visible

SHORTEST = 6
"""A shorter form is no secret worth the damage: `true`, `5432`, `admin` would blank out half of every log."""

TELLING_KEY = re.compile(
    r"pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|private[-_]?key|api[-_]?key|access[-_]?key|dsn",
    re.IGNORECASE,
)
"""What the key of a value is called that must not be shown."""

MANY = 256
"""Lines of an .env file that are taken apart; of a longer value only whole lines and the whole are looked for."""

# No blanks around the sign: `script_location = alembic` of an .ini file would blank out half of every log.
_SETTING = re.compile(r"(?:export\s+)?[A-Za-z_]\w*=(?P<value>\S.*)", re.ASCII)
_USER_INFO = re.compile(r"[A-Za-z][\w+.-]*://[^\s/:@]*:(?P<password>[^\s/]+)@")
_GO = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "&<>\u2028\u2029"})
# As PEM and `openssl base64` fold, and as MIME and the `base64` command do.
_WIDTHS = (64, 76)


def forms(value: str, names: Collection[str] = ()) -> set[str]:
    """What to look for: some twenty forms of a value and of each password in it, and each of its lines.

    A part that is one of `names` is not looked for: what is public anyway is no secret.
    """
    lines = [line.strip() for line in value.splitlines()]
    parts = [part for part in {value, *_parts(value, lines)} if part.strip() not in names]
    found = {*lines, *(form for part in parts if len(part) >= SHORTEST for form in _written(part))}
    found |= {visible(form) for form in found}
    return {form for form in found if len(form) >= SHORTEST and form.strip() not in names}


def _parts(value: str, lines: list[str]) -> Iterator[str]:
    """The value's own text, the password of a URL, and what the lines `KEY=value` of an .env file set."""
    yield value.strip()
    yield from _passwords(value)
    for line in lines[:MANY]:
        if matched := _SETTING.fullmatch(line):
            setting = matched["value"]
            yield setting
            yield setting.strip("'\"")
            yield from _passwords(setting)


def _passwords(value: str) -> Iterator[str]:
    for matched in _USER_INFO.finditer(value):
        yield from (matched["password"], unquote(matched["password"]))


def _written(value: str) -> Iterator[str]:
    go = json.dumps(value, ensure_ascii=False)[1:-1]
    yield from (value, json.dumps(value)[1:-1], go, go.translate(_GO), repr(value)[1:-1])
    yield from (
        quote(value, safe="", errors="surrogatepass"),
        quote(value, errors="surrogatepass"),
        quote_plus(value, errors="surrogatepass"),
    )
    raw = value.encode("utf-8", "surrogatepass")
    for form in _base64(raw):
        yield from (form, form.replace("+", "-").replace("/", "_"))


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
