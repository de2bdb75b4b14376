"""The flags of `release.helm_args`: which of them shipit sets itself, and which step of a deploy each one is for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shipit.errors import Usage

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

# Flags that lead helm to a cluster of its own: shipit would migrate in one and upgrade in the other.
_ELSEWHERE = {
    "--kube-apiserver",
    "--kube-ca-file",
    "--kube-insecure-skip-tls-verify",
    "--kube-tls-server-name",
    "--kube-token",
}

# Flags that say how to speak to the cluster: every helm command takes them.
GLOBAL = {
    "--burst-limit": True,
    "--debug": False,
    "--kube-as-group": True,
    "--kube-as-user": True,
    "--qps": True,
    "--registry-config": True,
    "--repository-cache": True,
    "--repository-config": True,
    "--content-cache": True,
    "--color": True,
    "--colour": True,
}

# Flags that have done their work once the chart is rendered: how to find, check and post-render it.
RENDER_ONLY = {
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
VALUES = {
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
_TAKES_VALUE = {**GLOBAL, **RENDER_ONLY, **VALUES, **_OTHERS_WITH_VALUE}


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of `helm_args` with the words it is made of: `("--set", "a=b")`, `("--set=a=b",)` or `("-fx",)`."""

    name: str
    words: tuple[str, ...]


def parse(helm_args: Sequence[str]) -> tuple[Flag, ...]:
    """Split `helm_args` into flags. Raises Usage for a word that belongs to none and for a flag that shipit sets."""
    found = []
    for flag in _split(tuple(helm_args)):
        _refuse_ours(flag)  # before the next word is looked at: it may be this one's value
        found.append(flag)
    return tuple(found)


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
    if flag.name in _ELSEWHERE:
        raise Usage(
            f"release.helm_args: {flag.name} would be known to helm alone, not to shipit: "
            "they must talk to the same cluster, in the same way",
            hint="write a context for it into the kubeconfig: context under [release], or --context",
        )
    if flag.words == ("--wait",):
        raise Usage(
            "release.helm_args: shipit decides itself when helm waits",
            hint='leave it out; with helm 4, "--wait=legacy" chooses how helm waits',
        )
