"""Helm's argument lists, apart from running them; what differs between Helm's versions is decided here.

`--dry-run=server` means the same from 3.13 on, and a bare `--wait` is right for both: in Helm 4 it is the strategy
`watcher`, and no `--wait` is `hookOnly`. So the differences that are left are the names of the flags that are
refused, and the strategy that a user may choose with `--wait=legacy`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shipit.errors import Refused, Usage
from shipit.model import HelmVersion

OLDEST = HelmVersion(3, 13, 0)
HISTORY_MAX = 20

# Flags that shipit sets itself, and what to use instead of them.
_OURS = {
    "--atomic": "rollback_on_failure = true",
    "--rollback-on-failure": "rollback_on_failure = true",
    "--create-namespace": "create_namespace = true",
    "--timeout": "timeout",
    "--namespace": "namespace",
    "-n": "namespace",
    "--kube-context": "context",
    "--kubeconfig": "the option --kubeconfig",
    "--description": "the option --message",
    "--dry-run": "shipit plan",
    "--install": "",
    "-i": "",
    "--no-hooks": "",
    "--output": "",
    "-o": "",
    "--hide-secret": "",
    "--help": "",
    "-h": "",
}

# Flags that say how to reach the cluster: every helm command takes them.
_GLOBAL = {
    "--burst-limit": True,
    "--debug": False,
    "--kube-apiserver": True,
    "--kube-as-group": True,
    "--kube-as-user": True,
    "--kube-ca-file": True,
    "--kube-insecure-skip-tls-verify": False,
    "--kube-tls-server-name": True,
    "--kube-token": True,
    "--qps": True,
    "--registry-config": True,
    "--repository-cache": True,
    "--repository-config": True,
    "--content-cache": True,
    "--color": True,
    "--colour": True,
}

# Flags that have done their work once the chart is rendered: how to find, check and post-render it.
_RENDER_ONLY = {
    "--ca-file": True,
    "--cert-file": True,
    "--dependency-update": False,
    "--devel": False,
    "--enable-dns": False,
    "--hide-notes": False,
    "--insecure-skip-tls-verify": False,
    "--key-file": True,
    "--keyring": True,
    "--pass-credentials": False,
    "--password": True,
    "--plain-http": False,
    "--post-renderer": True,
    "--post-renderer-args": True,
    "--render-subchart-notes": False,
    "--repo": True,
    "--skip-schema-validation": False,
    "--username": True,
    "--verify": False,
    "--version": True,
}

# Flags that say which values the release has; with `--reuse-values` none of them counts.
_VALUES = {
    "--values": True,
    "-f": True,
    "--set": True,
    "--set-file": True,
    "--set-json": True,
    "--set-literal": True,
    "--set-string": True,
    "--reset-then-reuse-values": False,
    "--reset-values": False,
    "--reuse-values": False,
}

_OTHERS_WITH_VALUE = {"--history-max": True, "--labels": True, "-l": True, "--server-side": True}
_TAKES_VALUE = {**_GLOBAL, **_RENDER_ONLY, **_VALUES, **_OTHERS_WITH_VALUE}


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of `helm_args` with the words it is made of: `("--set", "a=b")`, `("--set=a=b",)` or `("-fx",)`."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """The release that every helm command is about; `context` and `kubeconfig` "" leave the choice to helm."""

    release: str
    namespace: str
    context: str = ""
    kubeconfig: str = ""


def flags(helm_args: Sequence[str]) -> tuple[Flag, ...]:
    """Split `helm_args` into flags. Raises Usage for a word that belongs to none and for a flag that shipit sets."""
    found = tuple(_split(tuple(helm_args)))
    for flag in found:
        _refuse_ours(flag)
    return found


def render_args(target: Target, helm_args: Sequence[str], chart: str, values: Sequence[Path]) -> list[str]:
    """Render as the real upgrade would, with `lookup` answered by the API server (3.13 and newer)."""
    extra = _without(flags(helm_args), {"--wait", "--hide-notes"})
    return [
        "upgrade",
        "--install",
        "--dry-run=server",
        "--output=json",
        *_where(target),
        *extra,
        *_values(values),
        target.release,
        chart,
    ]


def upgrade_args(
    target: Target,
    helm_args: Sequence[str],
    chart: Path,
    values: Sequence[Path],
    *,
    timeout: float,
    wait: bool,
    description: str = "",
    reuse_values: bool = False,
) -> list[str]:
    """Apply a frozen chart. `reuse_values` keeps the live revision's values and takes no others."""
    given = flags(helm_args)
    unwanted = {"--wait", *_RENDER_ONLY, *(_VALUES if reuse_values else ())}
    if reuse_values:
        unwanted |= {"--labels", "-l"}
    return [
        "upgrade",
        "--install",
        "--no-hooks",
        *([_wait(given)] if wait else []),
        f"--timeout={_seconds(timeout)}",
        *([f"--description={description}"] if description else []),
        *_where(target),
        *_without(given, unwanted),
        *(["--reuse-values"] if reuse_values else _values(values)),
        target.release,
        str(chart),
    ]


def rollback_args(target: Target, helm_args: Sequence[str], revision: int, *, timeout: float) -> list[str]:
    given = flags(helm_args)
    return [
        "rollback",
        "--no-hooks",
        _wait(given),
        f"--timeout={_seconds(timeout)}",
        *_where(target),
        *_global(given),
        target.release,
        str(revision),
    ]


def history_args(target: Target, helm_args: Sequence[str]) -> list[str]:
    return [
        "history",
        "--output=json",
        f"--max={HISTORY_MAX}",
        *_where(target),
        *_global(flags(helm_args)),
        target.release,
    ]


def get_args(target: Target, helm_args: Sequence[str], what: str, revision: int) -> list[str]:
    """`what` is `manifest` or `hooks`."""
    return [
        "get",
        what,
        f"--revision={revision}",
        *_where(target),
        *_global(flags(helm_args)),
        target.release,
    ]


VERSION_ARGS = ["version", "--template={{.Version}}"]


def check_version(version: HelmVersion, binary: str) -> None:
    """Raises Refused for a helm that can't render with the API server's answers."""
    if version < OLDEST:
        found = f"helm {version.major}.{version.minor}"
        raise Refused(
            f"{binary} is {found}; shipit needs helm {OLDEST.major}.{OLDEST.minor} or newer, or helm 4",
            hint="install a newer helm (https://helm.sh/docs/intro/install/), or name one in SHIPIT_HELM",
        )


def _split(words: tuple[str, ...]) -> Iterator[Flag]:
    at = 0
    while at < len(words):
        word = words[at]
        name, joined = _name(word)
        if not name:
            raise Usage(
                f"release.helm_args: {word!r} belongs to no flag",
                hint='write a flag and its value as "--flag=value", or as two strings in a row',
            )
        length = 1 if joined or not _TAKES_VALUE.get(name, False) else 2
        yield Flag(name, words[at : at + length])
        at += length


def _name(word: str) -> tuple[str, bool]:
    """The flag's name, and whether its value is part of the same word."""
    if word.startswith("--") and len(word) > len("--"):
        name, equals, _ = word.partition("=")
        return name, bool(equals)
    if word.startswith("-") and len(word) > 1:
        return word[:2], len(word) > len("-f")
    return "", False


def _refuse_ours(flag: Flag) -> None:
    if flag.name in _OURS:
        instead = _OURS[flag.name]
        raise Usage(
            f"release.helm_args: {flag.name} is set by shipit itself",
            hint=f"use {instead} instead" if instead else "leave it out",
        )
    if flag.words == ("--wait",):
        raise Usage(
            "release.helm_args: shipit decides itself when helm waits",
            hint='leave it out; with helm 4, "--wait=legacy" chooses how helm waits',
        )


def _without(given: Sequence[Flag], unwanted: set[str]) -> list[str]:
    return [word for flag in given if flag.name not in unwanted for word in flag.words]


def _global(given: Sequence[Flag]) -> list[str]:
    return [word for flag in given if flag.name in _GLOBAL for word in flag.words]


def _wait(given: Sequence[Flag]) -> str:
    """`--wait`, or the strategy that the user chose (Helm 4)."""
    return next((flag.words[0] for flag in reversed(given) if flag.name == "--wait"), "--wait")


def _where(target: Target) -> list[str]:
    return [
        f"--namespace={target.namespace}",
        *([f"--kube-context={target.context}"] if target.context else []),
        *([f"--kubeconfig={target.kubeconfig}"] if target.kubeconfig else []),
    ]


def _values(values: Sequence[Path]) -> list[str]:
    """Helm reads `--values` as a line of CSV: a path with a comma or a quote must be quoted."""
    return [f"--values={_csv(str(path.absolute()))}" for path in values]


def _csv(text: str) -> str:
    if not any(sign in text for sign in ',"\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


def _seconds(duration: float) -> str:
    return f"{max(1, math.ceil(duration))}s"
