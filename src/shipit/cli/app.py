"""The commands and what is common to them, as typer wants it."""

from __future__ import annotations

from typing import Annotated

import typer

from shipit import __version__
from shipit.cli.deploy import deploy
from shipit.cli.doctor import doctor
from shipit.cli.help import Command, Group
from shipit.cli.history import history
from shipit.cli.init import init
from shipit.cli.lock import lock
from shipit.cli.logs import logs
from shipit.cli.options import with_common
from shipit.cli.plan import plan, show
from shipit.cli.rollback import rollback
from shipit.cli.schema import print_schema
from shipit.cli.session import usage_exit
from shipit.cli.status import status
from shipit.cli.unlock import unlock
from shipit.cli.watch import watch

app = typer.Typer(
    name="shipit",
    cls=Group,
    help="Run an app's database migration once, where you can watch it, then upgrade the app with Helm.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    rich_markup_mode=None,
)
app.command("deploy")(with_common(deploy))
app.command("doctor")(with_common(doctor))
app.command("history")(with_common(history))
app.command("init")(with_common(init))
app.command("lock")(with_common(lock))
app.command("logs")(with_common(logs))
app.command("rollback")(with_common(rollback))
_plan = typer.Typer(cls=Group, rich_markup_mode=None)
_plan.callback(invoke_without_command=True)(with_common(plan))
_plan.command("show")(with_common(show))
app.add_typer(_plan, name="plan")
app.command("status")(with_common(status))
app.command("unlock")(with_common(unlock))
app.command("watch")(with_common(watch))
app.command("schema")(print_schema)
for each in (*app.registered_commands, *_plan.registered_commands):
    each.cls = Command


def _print_version(value: bool) -> None:  # noqa: FBT001 - typer hands it over so
    if value:
        typer.echo(f"shipit {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None and not version:
        typer.echo(context.get_help())


# Typer carries click inside since 0.20 and shows only some of its errors: this is what all of them are.
_CommandLineError: type[Exception] = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)


def call(argv: list[str]) -> int:
    """Run a command line; its exit code. Raises OSError when its help, or what else it prints, can't be written."""
    try:
        code = app(argv, standalone_mode=False, prog_name="shipit")
    except _CommandLineError as error:
        return usage_exit(error, argv)
    except typer.Abort:
        return 130
    except typer.Exit as left:
        return left.exit_code
    return code if isinstance(code, int) else 0
