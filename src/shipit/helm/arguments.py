"""Helm's argument lists, apart from running them; what differs between Helm's versions is decided here.

`--dry-run=server` means the same from 3.13 on, and a bare `--wait` is right for both: in Helm 4 it is the strategy
`watcher`, and no `--wait` is `hookOnly`. So the differences that are left are the names of the flags that are
refused, and the strategy that a user may choose with `--wait=legacy`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shipit.errors import Refused
from shipit.helm import flags
from shipit.helm.flags import Flag
from shipit.model import HelmVersion

OLDEST = HelmVersion(3, 13, 0)
HISTORY_MAX = 20


@dataclass(frozen=True, slots=True)
class Target:
    """The release that every helm command is about; `context` "" leaves the choice to helm."""

    release: str
    namespace: str
    context: str = ""


def environment(environ: Mapping[str, str], kubeconfig: str) -> dict[str, str]:
    """The environment that helm runs in: nothing in it leads helm to another cluster than shipit talks to.

    `kubeconfig` are the absolute paths of the kubeconfig files that shipit read, as KUBECONFIG lists them (helm runs
    in another folder); "" when it read none.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith("HELM_KUBE") and name != "HELM_NAMESPACE"
    }
    return {**kept, "KUBECONFIG": kubeconfig} if kubeconfig else kept


def render_args(target: Target, helm_args: Sequence[str], chart: str, values: Sequence[Path]) -> list[str]:
    """Render as the real upgrade would, with `lookup` answered by the API server (3.13 and newer)."""
    extra = _without(flags.parse(helm_args), {"--wait", "--hide-notes"})
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
    given = flags.parse(helm_args)
    unwanted = {"--wait", *flags.RENDER_ONLY, *(flags.VALUES if reuse_values else ())}
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
    given = flags.parse(helm_args)
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
        *_global(flags.parse(helm_args)),
        target.release,
    ]


def get_args(target: Target, helm_args: Sequence[str], what: str, revision: int) -> list[str]:
    """`what` is `manifest` or `hooks`."""
    return [
        "get",
        what,
        f"--revision={revision}",
        *_where(target),
        *_global(flags.parse(helm_args)),
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


def _without(given: Sequence[Flag], unwanted: set[str]) -> list[str]:
    return [word for flag in given if flag.name not in unwanted for word in flag.words]


def _global(given: Sequence[Flag]) -> list[str]:
    return [word for flag in given if flag.name in flags.GLOBAL for word in flag.words]


def _wait(given: Sequence[Flag]) -> str:
    """`--wait`, or the strategy that the user chose (Helm 4)."""
    return next((flag.words[0] for flag in reversed(given) if flag.name == "--wait"), "--wait")


def _where(target: Target) -> list[str]:
    return [
        f"--namespace={target.namespace}",
        *([f"--kube-context={target.context}"] if target.context else []),
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
