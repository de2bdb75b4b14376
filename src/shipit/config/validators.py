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

from shipit.config.durations import ALLOWED as DURATIONS
from shipit.config.durations import seconds
from shipit.errors import Usage

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_STEP = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_WORKLOAD = re.compile(rf"(deployment|statefulset|daemonset|cronjob)/{_SUBDOMAIN.pattern}")
_LONGEST_RELEASE = 53  # Helm's own limit: it leaves room for suffixes in a name of 63
_LONGEST_LABEL = 63
_SHOWN = 60

MOST_EXACT = 2**53
"""Helm reads a number of a values file as a float: a larger integer loses digits (seen with Helm 3.13 to 4.3)."""

# what shipit itself hands to helm, or decides: the key or flag that is meant instead
_OWN_ARGS = {
    "--install": "shipit always passes it",
    "-i": "shipit always passes --install",
    "--atomic": "use [release] rollback_on_failure",
    "--rollback-on-failure": "use [release] rollback_on_failure",
    "--cleanup-on-fail": "use [release] rollback_on_failure",
    "--wait": "shipit always waits for the rollout",
    "--wait-for-jobs": "shipit waits for every Job that it runs",
    "--timeout": "use [release] timeout",
    "--namespace": "use [release] namespace",
    "-n": "use [release] namespace",
    "--kube-context": "use [release] context",
    "--kubeconfig": "use shipit's own --kubeconfig",
    "--dry-run": "use `shipit plan`",
    "--version": "use [release] version",
    "--values": "use [release] values",
    "-f": "use [release] values",
    "--no-hooks": "shipit runs the hooks itself",
    "--create-namespace": "use [release] create_namespace",
    "--output": "use shipit's own --output",
    "-o": "use shipit's own --output",
    "--help": "use `helm upgrade --help`",
    "-h": "use `helm upgrade --help`",
}


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, "" when there is none."""
    listed = list(known)
    led = [each for each in listed if word and each.startswith(word)]
    return next(iter(led or difflib.get_close_matches(word, listed, 1)), "")


def check_tag(tag: str) -> str:
    """The tag itself, when it is a legal image tag, optionally with `@sha256:<64 hex digits>`; else raises Usage."""
    name, at, digest = tag.partition("@")
    if _TAG.fullmatch(name) and (not at or _DIGEST.fullmatch(digest)):
        return tag
    image = re.fullmatch(r"\S+[:/]\S*", name) is not None
    raise Usage(
        f"--tag {shown(tag)} is not a legal image tag: allowed are up to 128 letters, digits, `.`, `_` and `-`, "
        "not led by `.` or `-`, and `@sha256:` with 64 hex digits after it",
        hint="give only the tag, without the image's name: what stands behind its last `:`" if image else "",
    )


def shown(value: Any) -> str:
    """A value as a message may hold it: quoted, escaped, on one line, not too long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def not_empty(text: str) -> str:
    return "" if text else "must be text, not empty"


def release_name(name: str) -> str:
    if len(name) <= _LONGEST_RELEASE and _SUBDOMAIN.fullmatch(name):
        return ""
    return (
        f"{shown(name)} is no release name for Helm; allowed are up to {_LONGEST_RELEASE} lower-case letters, digits, "
        "`-` and `.`, a letter or digit first and last"
    )


def namespace(name: str) -> str:
    if len(name) <= _LONGEST_LABEL and _LABEL.fullmatch(name):
        return ""
    return (
        f"{shown(name)} is no namespace's name; allowed are up to {_LONGEST_LABEL} lower-case letters, digits and `-`, "
        "a letter or digit first and last"
    )


def step_name(name: str) -> str:
    if _STEP.fullmatch(name):
        return ""
    return f"{shown(name)} is no name for a migration; allowed are up to 63 letters, digits, `-`, `_` and `.`"


def workload(name: str) -> str:
    if _WORKLOAD.fullmatch(name):
        return ""
    return (
        f'{shown(name)} names no workload; allowed is "deployment/NAME", or statefulset, daemonset, cronjob'
    )


def template(name: str) -> str:
    if not name.startswith("/") and ".." not in name.split("/"):
        return ""
    return f'{shown(name)} is not inside the chart; allowed is a path from its folder, like "templates/migrate.yaml"'


def positive_duration(text: str) -> str:
    found = seconds(text)
    if found is None:
        return f"{shown(text)} is not {DURATIONS}"
    return "" if found > 0 else f"{shown(text)} is no time at all; allowed is {DURATIONS}, more than zero"


def helm_args(args: tuple[str, ...]) -> str:
    """Refuses what is shipit's own. Shows the option, never its value, which may be a secret."""
    if args and not args[0].startswith("-"):
        return "the first one is no option of helm; allowed are options of `helm upgrade`, like --skip-crds"
    for arg in args:
        option = arg.partition("=")[0] if arg.startswith("--") else arg[:2]
        if option in _OWN_ARGS:
            return f"{option} is shipit's own: {_OWN_ARGS[option]}"
        if option == "--":
            return "`--` would end helm's options; allowed are options of `helm upgrade`"
    return ""


def json_values(table: dict[str, Any], where: str = "") -> str:
    """Values that YAML and JSON can carry to Helm: no dates, no infinities, no integers that lose digits."""
    for key, value in table.items():
        path = where + ("" if not where or key.startswith("[") else ".") + key
        match value:
            case bool() | str():
                problem = ""
            case int():
                problem = (
                    ""
                    if abs(value) <= MOST_EXACT
                    else f"{path} would lose digits in helm; write it in quotes"
                )
            case float():
                problem = (
                    "" if abs(value) < float("inf") else f"{path} is no number for YAML; write it in quotes"
                )
            case dict():
                problem = json_values(value, path)
            case list():
                problem = json_values({f"[{i}]": each for i, each in enumerate(value)}, path)
            case _:
                problem = f"{path} is a date or time, which YAML leaves open; write it in quotes"
        if problem:
            return problem
    return ""
