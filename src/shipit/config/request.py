"""What is asked for: the flags as they were typed, the configuration that they settle, and the deploy to be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from shipit.config.helm_args import HelmFlag
from shipit.config.structure import MigrationSpec, OnTable, ReleaseSpec
from shipit.model import ChartFiles, Identity, Values


@dataclass(frozen=True, slots=True)
class Flags:
    """What flags (or their variables) say; None and empty: nothing. Values files are relative to the cwd; `-` is stdin.

    `preflight` is "refuse" or "warn", as the key. `migration_timeout` is --timeout, also called --migration-timeout; it and `upgrade_timeout` are Go durations, as
    they were typed; `lock_wait` is in seconds.
    """

    namespace: str | None = None
    context: str | None = None
    values: tuple[str, ...] = ()
    set: tuple[str, ...] = ()
    set_string: tuple[str, ...] = ()
    migration_timeout: str | None = None
    upgrade_timeout: str | None = None
    preflight: str | None = None
    skip_migration: bool = False
    rerun: bool = False
    replace_running: bool = False
    lock_wait: float = 0.0
    message: str = ""
    if_changed: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a `shipit.toml`, one of its environments and the flags say.

    `values` are the release's, from files, `set` and flags; `migrations` is one table that says nothing where the file
    has none; `helm_flags` are its `helm_args`; `from_variables` is what its `set` tables, its migrations' and `on` take
    from the environment.
    """

    path: Path
    release: ReleaseSpec
    values: Values
    migrations: tuple[MigrationSpec, ...] = (MigrationSpec(),)
    helm_flags: tuple[HelmFlag, ...] = ()
    on: OnTable = field(default_factory=OnTable)
    environment: str | None = None
    confirm: bool = False
    from_variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A deploy. `values` are the release's, without the tag; `workdir` is a private folder that is removed on every
    way out; `project` is the folder of shipit.toml, in which helm runs; `namespace` is the one that `spec` names, or
    else the context's; `lock_wait` is in seconds; `if_changed`: nothing is done where the release is
    like this already; `from_variables` as in `Config`. `charts` are the files of its charts,
    by name and version, once they are here; `environment` is the configuration's, "" for none.
    """

    run: str
    namespace: str
    tag: str
    spec: ReleaseSpec
    values: Values
    workdir: Path
    identity: Identity
    migrations: tuple[MigrationSpec, ...] = (MigrationSpec(),)
    project: Path = Path()
    skip_migration: bool = False
    rerun: bool = False
    replace_running: bool = False
    lock_wait: float = 0.0
    if_changed: bool = False
    from_variables: tuple[str, ...] = ()
    environment: str = ""
    charts: Mapping[tuple[str, str], ChartFiles] = field(default_factory=dict)

    @property
    def release(self) -> str:
        return self.spec.name

    @property
    def chart(self) -> str:
        """The path of the release's chart, once that is here."""
        return self._path(self.spec.chart, self.spec.version)

    def chart_of(self, migration: MigrationSpec) -> str:
        return self._path(migration.chart, migration.version) if migration.chart else self.chart

    def _path(self, name: str, version: str) -> str:
        found = self.charts.get((name, version))
        return str(found.path) if found else name

    def values_of(self, migration: MigrationSpec) -> Values:
        """What its own rendering gets, without the tag: the release's values, the migration's on top."""
        return replace(self.values.with_layers(*migration.layers), of_other_chart=bool(migration.chart))
