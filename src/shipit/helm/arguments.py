"""Helm's argument lists, apart from running them; what differs between Helm's versions is decided here.

`--dry-run=server` means the same from 3.13 on, and a bare `--wait` is right for both: in Helm 4 it is the strategy
`watcher`, and no `--wait` is `hookOnly`. So the differences that are left are the names of the flags that are
refused, and the strategy that a user may choose with `--wait=legacy`. Flags arrive parsed, in `helm_flags`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shipit.config import HelmFlag, Use, switched_on
from shipit.errors import Refused, Usage
from shipit.helm.values import ValueFlags
from shipit.hints import advice
from shipit.model import HelmVersion, Json

OLDEST = HelmVersion(3, 13, 0)
STRATEGIES = HelmVersion(4, 0, 0)
"""Since then `--wait` takes one."""
_RESETTING = HelmVersion(3, 14, 0)
"""Since then helm can use the live release's values again without its chart's."""
HISTORY_MAX = 20
_LONG_AGO = "2020-01-01T00:00:00Z"
_NOT_RENDERING = (Use.WAITING, Use.IDENTITY)
_OF_UPGRADES = ("--reuse-values", "--reset-values", "--reset-then-reuse-values", "--hide-notes")
"""Flags that `helm template` doesn't have."""
_OF_ROLLBACKS = ("--force", "--force-conflicts", "--force-replace", "--history-max", "--wait-for-jobs")
"""Flags for upgrades that `helm rollback` has too, and with which alone it can do what they did."""


@dataclass(frozen=True, slots=True)
class Target:
    """The release that every helm command is about; `context` "" leaves the choice to helm."""

    release: str
    namespace: str
    context: str = ""


def environment(environ: Mapping[str, str], kubeconfig: str) -> dict[str, str]:
    """The environment that helm runs in: nothing in it leads helm to another cluster than shipit talks to.

    What HELM_KUBE… and HELM_NAMESPACE say is in `kubeconfig` (an absolute path) and in the namespace already.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith("HELM_KUBE") and name != "HELM_NAMESPACE"
    }
    return {**kept, "KUBECONFIG": kubeconfig} if kubeconfig else kept


def in_memory(data: Path) -> dict[str, str]:
    """The environment of a helm that knows of no releases but those in a file, and speaks to the cluster otherwise."""
    return {"HELM_DRIVER": "memory", "HELM_MEMORY_DRIVER_DATA": str(data)}


def first_revision(target: Target) -> Json:
    """The target as its first install would have left it, with nothing in it, for `in_memory`."""
    return deployed_revision(target, 1)


def deployed_revision(
    target: Target,
    revision: int,
    *,
    given: Json | None = None,
    chart_values: Json | None = None,
    server_side: bool = False,
) -> Json:
    """The target with that revision deployed and nothing in it, for `in_memory`: `given` are its own values, beside its
    chart's.
    """
    metadata = {"apiVersion": "v2", "name": target.release, "version": "0.0.0"}
    info = {"status": "deployed", "first_deployed": _LONG_AGO, "last_deployed": _LONG_AGO}
    return {
        "name": target.release,
        "namespace": target.namespace,
        "version": revision,
        "info": info,
        "chart": {"metadata": metadata, "values": chart_values or {}},
        "config": given or {},
        "manifest": "",
        **({"apply_method": "ssa"} if server_side else {}),
    }


def pull_args(helm_flags: Sequence[HelmFlag], chart: str, version: str, folder: Path) -> list[str]:
    """Fetch a chart, as an archive, into that folder."""
    given = [flag for flag in helm_flags if flag.use is Use.FETCHING and flag.name != "--dependency-update"]
    return [
        "pull",
        f"--destination={folder}",
        *([f"--version={version}"] if version else []),
        *_of_cluster(helm_flags),
        *_words(given),
        chart,
    ]


def dependency_args(helm_flags: Sequence[HelmFlag], chart: Path, *, anew: bool) -> list[str]:
    """Fetch what a chart depends on into its `charts/`: as its lock says, or `anew`, as its list does."""
    verifying = [flag for flag in helm_flags if flag.name in ("--verify", "--keyring")]
    what = "update" if anew else "build"
    return ["dependency", what, *_of_cluster(helm_flags), *_words(verifying), str(chart)]


def render_args(target: Target, helm_flags: Sequence[HelmFlag], chart: str, values: ValueFlags) -> list[str]:
    """Render as the real upgrade would, with `lookup` answered by the API server (3.13 and newer)."""
    return [
        "upgrade",
        "--install",
        "--dry-run=server",
        "--output=json",
        *_where(target),
        *values.below,
        *_words(
            flag for flag in helm_flags if flag.use not in _NOT_RENDERING and flag.name != "--hide-notes"
        ),
        *values.above,
        target.release,
        chart,
    ]


def template_args(
    target: Target,
    helm_flags: Sequence[HelmFlag],
    chart: str,
    values: ValueFlags,
    *,
    live: bool,
    kube_version: str,
    api_versions: Sequence[str],
) -> list[str]:
    """Render a first install without the API server's word on the objects; `live`: with its answers to `lookup`."""
    uses = (Use.CLUSTER, Use.FETCHING, Use.RENDERING, Use.VALUES)
    given = [flag for flag in helm_flags if flag.use in uses and flag.name not in _OF_UPGRADES]
    return [
        "template",
        *(["--dry-run=server"] if live else []),
        f"--kube-version={kube_version}",
        f"--api-versions={','.join(api_versions)}",
        *_where(target),
        *values.below,
        *_words(given),
        *values.above,
        target.release,
        chart,
    ]


def alone_args(
    target: Target, helm_flags: Sequence[HelmFlag], chart: str, values: ValueFlags, *, upgrade: bool
) -> list[str]:
    """Render without any cluster: `lookup` finds nothing, and the capabilities are those that helm was built with."""
    given = [flag for flag in helm_flags if flag.use is Use.VALUES and flag.name not in _OF_UPGRADES]
    return [
        "template",
        *(["--is-upgrade"] if upgrade else []),
        *_where(target),
        *values.below,
        *_words(given),
        *values.above,
        target.release,
        chart,
    ]


def definitions_args(
    target: Target, helm_flags: Sequence[HelmFlag], chart: Path, values: ValueFlags
) -> list[str]:
    """Print the `crds/` of a chart without templates, and of the subcharts that its values switch on."""
    given = [flag for flag in helm_flags if flag.use is Use.VALUES and flag.name not in _OF_UPGRADES]
    return [
        "template",
        "--include-crds",
        *_where(target),
        *values.below,
        *_words(given),
        *values.above,
        target.release,
        str(chart),
    ]


def upgrade_args(
    target: Target,
    helm_flags: Sequence[HelmFlag],
    chart: Path,
    values: ValueFlags | None,
    *,
    timeout: float,
    wait: bool,
    description: str = "",
    restores: bool = False,
) -> list[str]:
    """Apply a frozen chart; without `values` the live revision keeps its own, and its labels. `restores`: the values
    are all that an earlier revision had, and no others are laid over them.
    """
    uses = (Use.CLUSTER, Use.UPGRADE, Use.VALUES)
    given = [flag for flag in helm_flags if flag.use in uses]
    if values is None or restores:
        given = [flag for flag in given if flag.use is not Use.VALUES and flag.name not in ("--labels", "-l")]
    return [
        "upgrade",
        "--install",
        "--no-hooks",
        "--skip-crds",  # they have been installed, or were there
        *([_wait(helm_flags)] if wait else []),
        f"--timeout={_seconds(timeout)}",
        *([f"--description={description}"] if description else []),
        *_where(target),
        *(["--reset-values"] if restores else []),
        *(values.below if values else ["--reuse-values"]),
        *_words(given),
        *(values.above if values else []),
        target.release,
        str(chart),
    ]


def rollback_args(
    target: Target, helm_flags: Sequence[HelmFlag], revision: int, *, timeout: float, wait: bool = True
) -> list[str]:
    return [
        "rollback",
        "--no-hooks",
        *([_wait(helm_flags)] if wait else []),
        f"--timeout={_seconds(timeout)}",
        *_where(target),
        *_of_cluster(helm_flags),
        *_words(flag for flag in helm_flags if flag.name in _OF_ROLLBACKS),
        target.release,
        str(revision),
    ]


def history_args(target: Target, helm_flags: Sequence[HelmFlag]) -> list[str]:
    return [
        "history",
        "--output=json",
        f"--max={HISTORY_MAX}",
        *_where(target),
        *_of_cluster(helm_flags),
        target.release,
    ]


def get_args(target: Target, helm_flags: Sequence[HelmFlag], what: str, revision: int) -> list[str]:
    """`what` is `manifest` or `hooks`, and with arguments of its own `values` or `metadata`."""
    return [
        "get",
        *what.split(),
        f"--revision={revision}",
        *_where(target),
        *_of_cluster(helm_flags),
        target.release,
    ]


VERSION_ARGS = ["version", "--template={{.Version}}"]


def check_version(version: HelmVersion, binary: str) -> None:
    """Raises Refused for a helm that can't render with the API server's answers."""
    if version < OLDEST:
        found = f"helm {version.major}.{version.minor}"
        raise Refused(
            f"{binary} is {found}; shipit needs helm {OLDEST.major}.{OLDEST.minor} or newer, or helm 4",
            hint=advice(
                "install a newer helm (https://helm.sh/docs/intro/install/), or name one in SHIPIT_HELM"
            ),
        )


def check_flags(version: HelmVersion, helm_flags: Sequence[HelmFlag]) -> None:
    """Raises Usage for a flag that this helm would not understand, but only once the migration has run."""
    if version < STRATEGIES and _wait(helm_flags) != "--wait":
        raise Usage(
            f"[release] helm_args: {_wait(helm_flags)} needs helm 4, this is helm {version}",
            hint=advice("leave it out of helm_args, or name a helm 4 in SHIPIT_HELM"),
        )


def for_other_chart(version: HelmVersion, helm_flags: Sequence[HelmFlag]) -> Sequence[HelmFlag]:
    """The flags for a chart that is not the release's: with `--reuse-values` helm would give it the values.yaml of the
    live release's chart in place of its own.
    """
    if version < _RESETTING:
        return helm_flags
    again = HelmFlag("--reset-then-reuse-values", Use.VALUES, ("--reset-then-reuse-values",))
    on = switched_on(helm_flags, "--reuse-values")
    kept = [flag for flag in helm_flags if flag.name != "--reuse-values"]
    return [*kept, again] if on else kept


def _words(helm_flags: Iterable[HelmFlag]) -> list[str]:
    return [word for flag in helm_flags for word in flag.words]


def _of_cluster(helm_flags: Sequence[HelmFlag]) -> list[str]:
    return _words(flag for flag in helm_flags if flag.use is Use.CLUSTER)


def _wait(helm_flags: Sequence[HelmFlag]) -> str:
    """`--wait`, or the strategy that the user chose (Helm 4)."""
    chosen = next((flag for flag in reversed(helm_flags) if flag.use is Use.WAITING), None)
    return "--wait" if chosen is None or chosen.value in ("", "true") else chosen.words[0]


def _where(target: Target) -> list[str]:
    return [
        f"--namespace={target.namespace}",
        *([f"--kube-context={target.context}"] if target.context else []),
    ]


def _seconds(duration: float) -> str:
    return f"{max(1, math.ceil(duration))}s"
