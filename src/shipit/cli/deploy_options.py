"""The options of whatever plans a deploy: what is deployed, how, and what of earlier ones counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from shipit.cli.options import OptionGroup, typed_lines, variable

if TYPE_CHECKING:
    from shipit.config import Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployOptions(OptionGroup):
    """What `deploy` and `plan` have in common."""

    values: Annotated[
        list[str] | None,
        typer.Option(
            "--values",
            "-f",
            envvar=variable("values"),
            metavar="FILE",
            help="Values file, a URL, or - for stdin; may be repeated.",
        ),
    ] = None
    set_: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="K=V",
            default_factory=partial(typed_lines, "set"),
            show_default=False,
            help="Values, handed to helm as typed. They show in the process list: pass secrets in a values file. "
            "[env var: SHIPIT_SET, one a line]",
        ),
    ]
    set_string: Annotated[
        list[str],
        typer.Option(
            "--set-string",
            metavar="K=V",
            default_factory=partial(typed_lines, "set_string"),
            show_default=False,
            help="Like --set, but values are always strings. [env var: SHIPIT_SET_STRING, one a line]",
        ),
    ]
    migration_timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout",
            "--migration-timeout",
            envvar=[variable("timeout"), variable("migration_timeout")],
            metavar="DURATION",
            help="How long each migration may take: 90s, 15m, 1h30m.",
        ),
    ] = None
    upgrade_timeout: Annotated[
        str | None,
        typer.Option(
            "--upgrade-timeout",
            envvar=variable("upgrade_timeout"),
            metavar="DURATION",
            help="How long helm upgrade may take.",
        ),
    ] = None
    skip_migration: Annotated[
        bool,
        typer.Option(
            "--skip-migration",
            envvar=variable("skip_migration"),
            help="Upgrade the app without running any migration.",
        ),
    ] = False
    rerun: Annotated[
        bool,
        typer.Option(
            "--rerun",
            envvar=variable("rerun"),
            help="Run a migration again that an earlier attempt completed.",
        ),
    ] = False
    replace_running: Annotated[
        bool,
        typer.Option(
            "--replace-running",
            envvar=variable("replace_running"),
            help="Delete a migration that is still running.",
        ),
    ] = False
    preflight: Annotated[
        str | None,
        typer.Option(
            "--preflight",
            envvar=variable("preflight"),
            metavar="refuse|warn",
            help="What becomes of what dry runs, quotas and permission reviews refuse beforehand.",
        ),
    ] = None

    def flags(self) -> Flags:
        """The same as the configuration takes them."""
        from shipit.config import Flags

        return Flags(
            values=tuple(self.values or ()),
            set=tuple(self.set_),
            set_string=tuple(self.set_string),
            migration_timeout=self.migration_timeout,
            upgrade_timeout=self.upgrade_timeout,
            skip_migration=self.skip_migration,
            rerun=self.rerun,
            replace_running=self.replace_running,
            preflight=self.preflight,
        )
