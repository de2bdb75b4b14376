"""What a deploy is asked for: the configuration, the flags and the private files, made ready by `cli/wiring.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shipit.model.deploy import Identity


@dataclass(frozen=True, slots=True)
class MigrationSpec:
    """A `[migration]` of the configuration.

    `values` are the files of a rendering of its own (its own chart, or its values on top of the release's), None
    when it is to be found in the release's rendering; `probe` are the same with another tag. `named` is false for a table that only sets timeouts, or none.
    """

    name: str = ""
    template: str = ""
    chart: str = ""
    values: tuple[Path, ...] | None = None
    probe: tuple[Path, ...] | None = None
    timeout: float = 900.0
    start_timeout: float = 300.0
    phase: Literal["before", "after"] | None = None
    on_timeout: Literal["leave", "delete"] = "leave"

    @property
    def named(self) -> bool:
        return bool(self.template or self.chart or self.values is not None)


@dataclass(frozen=True, slots=True)
class Request:
    """`values` end with the file that holds `set` and the tag; `probe` is the same with another tag.

    `workdir` is a private folder that is removed on every way out; `lock_wait` and timeouts are seconds.
    """

    run: str
    release: str
    namespace: str
    tag: str
    chart: str
    values: tuple[Path, ...]
    probe: tuple[Path, ...]
    workdir: Path
    identity: Identity
    migrations: tuple[MigrationSpec, ...] = (MigrationSpec(),)
    tag_key: tuple[str, ...] = ("image.tag",)
    timeout: float = 300.0
    rollback_on_failure: bool = False
    create_namespace: bool = False
    skip_migration: bool = False
    rerun: bool = False
    replace_running: bool = False
    lock_wait: float = 0.0
