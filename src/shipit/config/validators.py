"""What may be a tag, a name or an argument: each check answers with what is wrong, or with nothing.

The rules are those of Kubernetes, Helm and the image reference grammar, so that what passes here is not refused
by them in the middle of a deploy.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

from msgspec import UNSET, UnsetType

from shipit.config.awaited import AWAITED, awaited_kind
from shipit.config.helm_args import parse_helm_args
from shipit.config.keys import key_path
from shipit.config.workload_names import KINDS, workload_name
from shipit.errors import Usage
from shipit.hints import NO_HINT, Hint, advice

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_STEP = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_JOB = re.compile(r"[a-z0-9.*?-]{1,253}")
_LONGEST_RELEASE = 53  # Helm's own limit: it leaves room for suffixes in a name of 63
_LONGEST_LABEL = 63
_SHOWN = 60

LARGEST = 2**63 - 1
"""Of an integer, for Helm."""
MOST_RETRIES = 2**31 - 1
"""Of a Job's backoffLimit, for Kubernetes."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, "" when there is none."""
    listed = list(known)
    led = [each for each in listed if word and each.startswith(word)]
    return next(iter(led or difflib.get_close_matches(word, listed, 1)), "")


def check_tag(tag: str) -> str:
    """The tag itself, when it is a legal image tag, optionally with `@sha256:<64 hex digits>`. Raises Usage."""
    name, at, digest = tag.partition("@")
    if _TAG.fullmatch(name) and (not at or _DIGEST.fullmatch(digest)):
        return tag
    if not tag:
        raise Usage("--tag is empty", hint=advice("the variable of a CI script that holds it may not be set"))
    raise Usage(
        f"--tag {shown(tag)} is not a legal image tag: use up to 128 letters, digits, `.`, `_` and `-`, "
        "not beginning with `.` or `-`, optionally followed by `@sha256:` and 64 hex digits",
        hint=_tag_hint(name, tag.removeprefix("@")),
    )


def _tag_hint(name: str, digest: str) -> Hint:
    if _DIGEST.fullmatch(digest):
        return advice("write a tag in front of the digest: TAG@sha256:…")
    if re.fullmatch(r"\S+[:/]\S*", name):
        return advice("give only the tag, the part after the last `:` of the image's name")
    return NO_HINT


def shown(value: Any) -> str:
    """A value as a message may hold it: quoted, escaped, on one line, not too long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def release_name(name: str) -> str:
    if len(name) <= _LONGEST_RELEASE and _SUBDOMAIN.fullmatch(name):
        return ""
    return (
        f"{shown(name)} is not a valid release name: use up to {_LONGEST_RELEASE} lower-case letters, digits, `-` and "
        "`.`, with a letter or digit first and last"
    )


def namespace(name: str) -> str:
    if len(name) <= _LONGEST_LABEL and _LABEL.fullmatch(name):
        return ""
    return (
        f"{shown(name)} is not a valid namespace: use up to {_LONGEST_LABEL} lower-case letters, digits and `-`, with a "
        "letter or digit first and last"
    )


def step_name(name: str) -> str:
    if _STEP.fullmatch(name):
        return ""
    return f"{shown(name)} is not a valid name: use up to 63 letters, digits, `-`, `_` and `.`"


def job(name: str) -> str:
    if _JOB.fullmatch(name):
        return ""
    return (
        f"{shown(name)} is not the name of a Job; use lower-case letters, digits, `-` and `.`, "
        "and `*` or `?` for what changes"
    )


def template(name: str) -> str:
    if not name.startswith("/") and ".." not in name.split("/"):
        return ""
    return f'{shown(name)} is not inside the chart; use a path from its folder, like "templates/migrate.yaml"'


def prerequisites(found: str | tuple[str, ...]) -> str:
    """What is wrong with `prerequisites`, or ""."""
    if isinstance(found, str):
        return "" if found == "auto" else f'must be a list of templates, or "auto", not {shown(found)}'
    return next(filter(None, map(template, found)), "")


def wait_for(found: tuple[str, ...]) -> str:
    """What is wrong with `wait_for`, or ""."""
    for each in found:
        kind, slash, name = each.partition("/")
        if not (slash and awaited_kind(kind) and _SUBDOMAIN.fullmatch(name)):
            near = nearest(kind, AWAITED) if slash and not awaited_kind(kind) else ""
            meant = f"did you mean {near}/{name}? " if near else ""
            return f"{shown(each)} is not KIND/NAME; {meant}the kinds are {', '.join(AWAITED)}"
    return ""


def workload(text: str) -> str:
    if workload_name(text):
        return ""
    if text.partition("/")[0].lower() in ("job", "jobs"):
        return f"{shown(text)} is a Job already; name it with job, or its template with template"
    kinds = ", ".join(words[0] for words in KINDS.values())
    return f'{shown(text)} is not a workload; write kind/name, like "deployment/shop", with one of the kinds {kinds}'


def resources(table: dict[str, Any] | UnsetType) -> str:
    known = ("requests", "limits", "claims")
    for key in () if table is UNSET else table:
        if key not in known:
            return f'no such key {shown(key)}; use requests and limits, like {{ requests = {{ memory = "1Gi" }} }}'
    return "" if table is UNSET else json_values(table)


def longer_than_zero(seconds: float) -> str:
    return "" if seconds > 0 else "must be greater than zero"


def retries(count: int | UnsetType) -> str:
    return "" if count is UNSET or 0 <= count <= MOST_RETRIES else f"must be from 0 to {MOST_RETRIES}"


def not_negative(number: int) -> str:
    return "" if number >= 0 else "must be 0 or more"


def tag_keys(keys: str | tuple[str, ...]) -> str:
    """What is wrong with a `tag_key`, or "": it names at least one value, as `--set` takes it."""
    bad = [key for key in ((keys,) if isinstance(keys, str) else keys) if key_path(key) is None]
    if keys and not bad:
        return ""
    valid = (
        'write the path of a value as for --set, like "image.tag" or "images[0].tag", or a list of such paths'
    )
    return f"{shown(bad[0])} is not the path of a value; {valid}" if bad else f"names no value; {valid}"


def helm_args(args: tuple[str, ...]) -> str:
    """What is wrong with `helm_args`, or "". Shows the flag, never its value, which may be a secret."""
    try:
        parse_helm_args(args)
    except Usage as error:
        return error.message
    return ""


def local_command(words: tuple[str, ...]) -> str:
    """What is wrong with a command and its arguments, or "". Shows none of it: an argument may be a secret."""
    return "its first word is the program to run, and is empty" if words and not words[0].strip() else ""


def json_values(table: dict[str, Any], where: str = "") -> str:
    """Values that YAML and JSON can carry to Helm: no dates, no infinities, no integers of more than 64 bits."""
    for key, value in table.items():
        path = where + ("" if not where or key.startswith("[") else ".") + key
        problem = ""
        match value:
            case bool() | str():
                pass
            case int() if abs(value) > LARGEST:
                problem = f"{path} is too large for helm; write it in quotes"
            case float() if abs(value) == float("inf") or value != value:  # noqa: PLR0124 - only NaN is unlike itself
                problem = f"{path} is not a number that YAML has; write it in quotes"
            case int() | float():
                pass
            case dict():
                problem = json_values(value, path)
            case list():
                problem = json_values({f"[{i}]": each for i, each in enumerate(value)}, path)
            case _:
                problem = f"{path} is a date or time, which YAML has no type for; write it in quotes"
        if problem:
            return problem
    return ""
