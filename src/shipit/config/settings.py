"""What a deploy is told: the configuration, the environment and the flags, settled and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from shipit.config.strvals import Assignment
from shipit.model import Json


@dataclass(frozen=True, slots=True)
class Overrides:
    """What flags (or their variables) say; None and empty: nothing. Values files are relative to the cwd.

    `migration_timeout` is --timeout, also called --migration-timeout; durations are Go's, as they were typed.
    """

    namespace: str | None = None
    context: str | None = None
    values: tuple[Path, ...] = ()
    set: tuple[str, ...] = ()
    set_string: tuple[str, ...] = ()
    migration_timeout: str | None = None
    upgrade_timeout: str | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """`[release]`. `chart` is a folder's absolute path when `chart_is_folder`, else what Helm takes; `values` are
    absolute paths, lowest first; `set` is the file's, `assignments` those of --set and --set-string in Helm's order;
    `timeout` is in seconds; None: the kubeconfig's context, the context's namespace."""

    name: str
    chart: str
    chart_is_folder: bool = True
    namespace: str | None = None
    context: str | None = None
    values: tuple[Path, ...] = ()
    set: Json = field(default_factory=dict)
    assignments: tuple[Assignment, ...] = ()
    tag_key: tuple[str, ...] = ("image.tag",)
    timeout: float = 300.0
    rollback_on_failure: bool = False
    create_namespace: bool = False
    helm_args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Migration:
    """`[migration]`. Timeouts are in seconds; `chart` is as in Release, None: the release's.

    `explicit` when the file says which Job it is (by template or chart); else it only says how to run what the
    chart holds. `phase` is None when the file leaves it to the hook.
    """

    name: str | None = None
    template: str | None = None
    chart: str | None = None
    values: tuple[Path, ...] = ()
    set: Json = field(default_factory=dict)
    timeout: float = 900.0
    start_timeout: float = 300.0
    phase: Literal["before", "after"] | None = None
    on_timeout: Literal["leave", "delete"] = "leave"

    @property
    def explicit(self) -> bool:
        return self.template is not None or self.chart is not None


@dataclass(frozen=True, slots=True)
class On:
    """`[on]`: commands of this machine, as argument lists."""

    start: tuple[str, ...] = ()
    success: tuple[str, ...] = ()
    failure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a `shipit.toml`, one of its environments and the flags say.

    `migrations` is never empty: without a [migration] it holds one with the defaults.
    """

    path: Path
    release: Release
    environment: str | None = None
    confirm: bool = False
    migrations: tuple[Migration, ...] = (Migration(),)
    on: On = On()
