"""What Helm is told and what it answers: values; its version, a rendering, a line of the history, how a helm ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from shipit.model.kubernetes import Json

Storage = Literal["Secret", "ConfigMap"]
"""The kind of the objects that Helm keeps its releases in."""


class HelmVersion(NamedTuple):
    """`(3, 13, 0)`; the patch number is 0 when a build doesn't print it."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return ".".join(str(part) for part in self)


Layer = Path | str | Json
"""A values file; the URL of one that only helm can read (`secrets://…`); or a table."""


@dataclass(frozen=True, slots=True)
class Values:
    """What a release gets on top of its chart's own values, lowest first, in Helm's order.

    `layers` are values files, URLs and, as tables, what must not show in a process list; they lie on each other as
    several `--values` do. `set` and `set_string` are assignments as they were typed. `of_other_chart`: they are for a
    chart that is not the release's, which brings defaults of its own.
    """

    layers: tuple[Layer, ...] = ()
    set: tuple[str, ...] = ()
    set_string: tuple[str, ...] = ()
    of_other_chart: bool = False

    def with_layers(self, *layers: Layer) -> Values:
        return replace(self, layers=(*self.layers, *layers))

    def with_tag(self, tag: str, keys: Sequence[str]) -> Values:
        """With a tag, as text, at every key. A legal tag holds nothing that `--set-string` would want escaped."""
        return replace(self, set_string=(*self.set_string, *(f"{key}={tag}" for key in keys)))


@dataclass(frozen=True, slots=True)
class ChartFiles:
    """A chart on this machine: a folder or an archive. `digest` is the archive's (`sha256:…`), "" for a folder."""

    path: Path
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook as Helm renders it. `weight` is 0 and `delete_policies` empty when the chart sets none."""

    name: str
    kind: str
    path: str
    manifest: str
    events: tuple[str, ...]
    weight: int = 0
    delete_policies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A release as `helm upgrade --install --dry-run=server -o json` renders it.

    `revision` is the one that the upgrade will make; `install` is true when there is no release yet;
    `server_side` when Helm would apply server-side (Helm 4's default), False for a three-way merge;
    `force_conflicts` when it would then take fields from other managers, `force_replace` when it would replace objects
    instead of merging. `notes` is the rendered NOTES.txt, "" when there is none.
    """

    manifest: str
    hooks: tuple[Hook, ...]
    revision: int
    install: bool
    server_side: bool
    notes: str = ""
    force_conflicts: bool = False
    force_replace: bool = False


@dataclass(frozen=True, slots=True)
class Revision:
    """One line of `helm history`. `status` is Helm's: deployed, failed, superseded, pending-upgrade, …"""

    number: int
    status: str
    chart: str = ""
    app_version: str = ""
    description: str = ""
    updated: datetime | None = None

    @property
    def pending(self) -> bool:
        return self.status.startswith("pending-")


@dataclass(frozen=True, slots=True)
class HelmExit:
    """How a helm process ended; `stderr` with secrets cut out, its last 200 lines."""

    code: int
    stderr: tuple[str, ...] = ()
