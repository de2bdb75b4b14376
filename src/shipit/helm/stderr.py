"""Pure: helm's own words on stderr → clean lines without secrets, and the cause that can be read from them.

helm exits 1 for everything and names no cause but in its text (3.13 to 4.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from shipit.errors import HelmFailed, HelmReason
from shipit.helm.causes import CAUSES, Cause
from shipit.hints import NO_HINT, Command, Hint
from shipit.output import TELLING_KEY

HIDDEN = "***"
LONGEST_LINE = 4096
"""Characters of a line that are kept: a chart may make helm quote whole files in one."""

_NOISE = re.compile(
    r"WARNING: Kubernetes configuration file is (?:group|world)-readable"
    r"|Flag --\S+ has been deprecated"
    r"|Use --debug flag to render out invalid YAML"
    r"|(?:time=\S+ )?level=(?:WARN|INFO|DEBUG)\b"
    r"|WARNING: This chart is deprecated"
    r"|Release \S+ does not exist\. Installing it now"
)
_PREFIX = re.compile(r"^(?:Error: )?(?:(?:UPGRADE|INSTALLATION) FAILED: )?")

# Each takes time in proportion to the text: one that begins with a run of letters begins only where the run does.
_SECRETS = (
    # what the API server quotes of an object that it can't decode
    re.compile(r"(?P<kept>error found in #\d+ byte of ).*"),
    # the whole assignment
    re.compile(r"(?P<kept>failed parsing --set-json data ).*"),
    re.compile(r"(?P<kept>\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}", re.IGNORECASE),
    re.compile(r"(?P<kept>://)[^\s/@]+(?=@)"),
    re.compile(r"(?<![\w-])(?=[\w-]+\.[\w-]+\.)(?P<kept>(?:[\w-]*?-)??)eyJ[\w-]+\.[\w-]+\.[\w-]*"),
    re.compile(
        rf"(?P<kept>(?<![\w.-])[\w.-]*(?:{TELLING_KEY.pattern})\b[\"']?\s*(?:=|:)\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;}}]+)",
        re.IGNORECASE,
    ),
)


_SCHEMA = re.compile(r"values don't meet the specifications of the schema\(s\) in the following chart\(s\):")
_PLACE = re.compile(r"\S+:\d+:\d+")
_MOST_SAID = 4
"""Lines that a message holds of several."""
_UNKNOWN_KIND = re.compile(r'no matches for kind "([^"]+)" in version "([^"]+)"')


def clean(text: str, masked: Callable[[str], str] = str) -> tuple[str, ...]:
    """helm's words, line by line: without `Error:`, without warnings that say nothing about the failure, and with
    everything cut out that `masked` knows for a secret or that looks like one."""
    hidden = hide(masked(text))  # before anything is cut: half a secret is not recognised
    lines = (_PREFIX.sub("", _cut(line).rstrip()) for line in hidden.splitlines())
    return tuple(line for line in lines if line and not _NOISE.match(line))


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def hide(text: str) -> str:
    """Without what looks like a secret."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\g<kept>{HIDDEN}", text)
    return text


def reason(lines: Iterable[str]) -> HelmReason:
    """The cause that helm's words name, "other" when they name none that is known."""
    found = _find(lines)
    return found.reason if found else "other"


def failure(
    lines: tuple[str, ...],
    doing: str,
    *,
    release: str = "",
    namespace: str = "",
    chart: str = "",
    causes: Sequence[Cause] = CAUSES,
) -> HelmFailed:
    """The error for what helm said while `doing` ("rendering release shop")."""
    found = _find(lines, causes)
    known = {"release": release, "namespace": namespace, "chart": chart}
    what = found.says.format(**known) if found else f"helm failed while {doing}"
    return HelmFailed(
        f"{what}: {_said(lines)}",
        reason=found.reason if found else "other",
        hint=_filled(found.hint, known) if found else NO_HINT,
        details=lines if len(lines) > 1 else (),
        unknown_kinds=unknown_kinds(lines),
    )


def _said(lines: Sequence[str]) -> str:
    """The gist of it in one line: all of its lines are the error's details."""
    if not lines:
        return "it said nothing"
    first, *rest = (line.strip() for line in lines)
    if rest and _SCHEMA.match(first):
        told = "; ".join(line.removeprefix("- ") for line in rest[:_MOST_SAID])
        more = len(rest) - _MOST_SAID
        return told.replace(":; ", ": ") + (f"; and {more} more" if more > 0 else "")
    if rest and _PLACE.fullmatch(first):  # and what was done there, and what came of it
        return f"{first}: {' '.join(rest[:_MOST_SAID])}"
    if rest and first.endswith(":"):  # it only announces what follows
        return f"{first} {rest[-1]}"
    return first.rstrip(":")


def unknown_kinds(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The API versions and kinds that the API server doesn't serve: helm names all of them, and nothing else then."""
    found = _UNKNOWN_KIND.findall("\n".join(lines))
    return tuple(dict.fromkeys((version, kind) for kind, version in found))


def _filled(hint: Hint, known: dict[str, str]) -> Hint:
    """A hint with the names put in: {release}, {namespace}, {chart}."""
    words = tuple(word.format(**known) for word in hint.command.words) if hint.command else ()
    return Hint(Command(words) if words else None, hint.why.format(**known))


def _find(lines: Iterable[str], causes: Sequence[Cause] = CAUSES) -> Cause | None:
    text = "\n".join(lines)
    return next((each for each in causes if each.pattern.search(text)), None)
