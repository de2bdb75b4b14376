"""Settings, `user:password`, URLs, base64: the values that a text holds in whatever dialect, found line by line."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

TELLING_KEY = re.compile(
    r"pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|dsn|signature"
    r"|(?:private|api|access|account|signing|encryption|master|license)[-_]?key",
    re.IGNORECASE,
)
"""What the key of a value is called that must not be shown."""

LONGEST_LINE = 1024
"""Characters of a line `user:password`."""

# Not a secret where it is a value of a file, unless its key says so: ports, limits, times, dates.
NUMBER = re.compile(r"[-+\d_.,:]{1,10}|\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[-+][\d:]+)?")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{7,}={0,2}")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_SETTING = re.compile(
    r"\s*(?:export\s+|-\s+)?[\"']?(?P<key>[\w.\-/ \[\]]{1,100}?)[\"']?\s*(?:=>|[=:])\s*(?P<value>\S.*)"
)
SECTION = re.compile(r"\s*\[+\s*(?P<name>[^\[\]]+?)\s*\]+\s*")
_LONG_QUOTE = re.compile(r"^\s*(?:export\s+)?[\w.]+=([\"'])(?P<value>[^\"']*\n[^\"']*)\1\s*$", re.MULTILINE)
_QUOTED = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")
_TOLD = re.compile(
    rf"(?:{TELLING_KEY.pattern})[\w.-]*[\"']?\s*(?:=>|[=:])\s*(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s,;}}\"']+))",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    rf"^\s*[\w.-]*(?:{TELLING_KEY.pattern})[\w.-]*\s+(\S+)\s*$", re.IGNORECASE | re.MULTILINE
)
_NETRC = re.compile(r"\b(?:login|password|account)\s+(\S+)")
_URL = re.compile(r"(?<![\w+.-])[A-Za-z][\w+.-]*://[^\s\"'<>]+")
_USER_INFO = re.compile(r"://(?P<user>[^\s/:@]*)(?::(?P<password>[^\s/]+))?@")
_TAGGED = re.compile(r"<(?P<tag>[\w.:-]+)[^<>]*>(?P<text>[^<>]+)</(?P=tag)\s*>")
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))")
_SIGNS = {"n": "\n", "t": "\t", "r": "\r"}


class Found(NamedTuple):
    """A value in a file: its key, its text, and whether the key tells of a secret; or a key alone."""

    key: str
    text: str = ""
    telling: bool = False


def tells_of_secret(key: str) -> bool:
    return TELLING_KEY.search(key) is not None


def of_lines(text: str) -> list[Found]:
    """What a file that no parser understands sets, line by line, in whatever dialect."""
    found: list[Found] = []
    continued = re.sub(r"\\\r?\n[ \t]*", "", text)
    for line in dict.fromkeys((*text.splitlines(), *continued.splitlines())):
        if section := SECTION.fullmatch(line):
            found.append(Found(section["name"]))
        elif setting := _SETTING.fullmatch(line):
            key, tells = setting["key"], tells_of_secret(setting["key"])
            found += [Found(key, each, tells) for each in ("", *_spellings(setting["value"]))]
        found += [Found("", each, telling=True) for each in _fields(line.strip())]
    found += [Found("", each["value"], telling=True) for each in _LONG_QUOTE.finditer(text)]
    tagged = text.lstrip().startswith("<")
    if tagged:
        found += [
            Found("", html.unescape(each["text"].strip()), telling=True) for each in _TAGGED.finditer(text)
        ]
    if tagged or "\n" in text.strip():
        found += [Found("", html.unescape(each[1] or each[2] or "")) for each in _QUOTED.finditer(text)]
    return found


def _spellings(value: str) -> set[str]:
    """What a setting's text may mean: with its quotes or without, up to a comment, its escapes undone."""
    value = value.strip()
    bare = re.split(r"\s[#;]", value, maxsplit=1)[0].rstrip(" \t,;")
    found = {value, bare}
    found |= {each[1:-1] for each in found if len(each) > 1 and each[0] == each[-1] and each[0] in "\"'"}
    return found | {_ESCAPED.sub(_unescaped, each) for each in found if "\\" in each}


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _SIGNS.get(found[2], found[2])


def _fields(line: str) -> Iterator[str]:
    """`user:password`, and `host:port:database:user:password` of a .pgpass."""
    if len(line) > LONGEST_LINE or "://" in line or NUMBER.fullmatch(line) or re.search(r"\s", line):
        return
    fields = [re.sub(r"\\(.)", r"\1", each) for each in re.split(r"(?<!\\):", line)]
    if len(fields) == 5:  # noqa: PLR2004 - as psql reads them
        yield from fields
    elif len(fields) > 1 and fields[0]:
        yield line.partition(":")[2]


def told(text: str) -> Iterator[str]:
    """What stands behind a word like `password`, wherever in the text."""
    for found in _TOLD.finditer(text):
        yield next(each for each in found.groups() if each is not None)
    for found in _BESIDE.finditer(text):
        yield found[1]
    if text.lstrip().startswith(("machine", "default")):
        for found in _NETRC.finditer(text):
            yield found[1]


def in_urls(text: str) -> Iterator[str]:
    """The passwords of URLs, and a user that stands alone: there it is a token as often as not."""
    if "://" not in text:
        return
    for url in _URL.findall(text):
        if user_info := _USER_INFO.search(url):
            secret = user_info["password"] or user_info["user"]
            yield from (secret, unquote(secret))
        for key, value in _query(url):
            if tells_of_secret(key) or key.lower() in ("sig", "key"):
                yield value


def _query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query)
    except ValueError:
        return []


def decoded(text: str) -> str | None:
    """What base64 holds, where that is text."""
    packed = "".join(text.split())
    if not _BASE64.fullmatch(packed):
        return None
    try:
        standard = packed.replace("-", "+").replace("_", "/").rstrip("=")
        found = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return None if _CONTROL.search(found) else found
