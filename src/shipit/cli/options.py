"""The options that every command has, said once."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from shipit.cli.command_line import CommandLine, typed
from shipit.cli.completion import environments


class OutputKind(StrEnum):
    AUTO = "auto"
    RICH = "rich"
    PLAIN = "plain"
    JSON = "json"
    GITHUB = "github"


def variable(name: str) -> str:
    """The environment variable of an option."""
    return f"SHIPIT_{name.upper().replace('-', '_')}"


def typed_lines(name: str) -> list[str]:
    """What the environment variable of an option says that may be given several times: one a line, as it is.

    (typer would split it at blanks, which a value may hold.)
    """
    lines = os.environ.get(variable(name), "").split("\n")
    return [line.removesuffix("\r") for line in lines if line.strip()]


@dataclass(frozen=True, slots=True)
class Options:
    """What `-c`, `-e`, `-n`, … said."""

    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar=variable("config"),
            metavar="FILE",
            help="Configuration file (default: the nearest shipit.toml upward).",
        ),
    ] = None
    env: Annotated[
        str | None,
        typer.Option(
            "--env",
            "-e",
            envvar=variable("env"),
            metavar="NAME",
            autocompletion=environments,
            help="Environment of the configuration to use.",
        ),
    ] = None
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            envvar=variable("namespace"),
            metavar="NAME",
            help="Namespace of the release.",
        ),
    ] = None
    context: Annotated[
        str | None,
        typer.Option(
            "--context",
            "--kube-context",
            envvar=variable("context"),
            metavar="NAME",
            help="Context of the kubeconfig to use.",
        ),
    ] = None
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            "--kubeconfig",
            envvar=variable("kubeconfig"),
            metavar="FILE",
            help="Path to the kubeconfig (default: same as kubectl).",
        ),
    ] = None
    output: Annotated[
        OutputKind,
        typer.Option("--output", "-o", envvar=variable("output"), help="Output format."),
    ] = OutputKind.AUTO
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", envvar=variable("quiet"), help="Show only warnings, the error and the result."
        ),
    ] = False
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", envvar=variable("verbose"), help="Name pods in log lines; show tracebacks."
        ),
    ] = False
    yes: Annotated[
        bool, typer.Option("--yes", "-y", envvar=variable("yes"), help="Don't ask for confirmation.")
    ] = False
    no_color: Annotated[
        bool,
        typer.Option("--no-color", envvar=variable("no_color"), help="Disable colors, as NO_COLOR does."),
    ] = False


@dataclass(frozen=True, slots=True)
class Common(Options):
    """The same, and the command line that they were typed in."""

    typed: CommandLine = field(default_factory=CommandLine)


LockWait = Annotated[
    str | None,
    typer.Option(
        "--lock-wait",
        envvar=variable("lock_wait"),
        metavar="DURATION",
        help="How long to wait for another deploy to finish.",
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        envvar=variable("report"),
        metavar="FILE",
        help="Write the result to FILE as JSON, or as a page (FILE.html).",
    ),
]


class OptionGroup:
    """Options that several commands have: a frozen dataclass of them, keyword only, which a command takes as one value."""


def with_common(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command whose first parameter is a `Common` its options, behind its own; an `OptionGroup` becomes its
    options where it stands.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {}
    own: list[inspect.Parameter] = []
    for name, parameter in list(inspect.signature(command).parameters.items())[1:]:
        kind = hints[name]
        if isinstance(kind, type) and issubclass(kind, OptionGroup):
            groups[name] = kind
            own += _parameters(kind)
        else:
            own.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kind))
    shared = _parameters(Options)

    @functools.wraps(command)
    def called(invocation: typer.Context, **values: Any) -> None:
        line = typed(invocation, values)
        common = Common(**_taken(Options, values), typed=line)
        for name, kind in groups.items():
            values[name] = kind(**_taken(kind, values))
        command(common, **values)

    invocation = inspect.Parameter("invocation", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    every = (*own, *shared, invocation)
    called.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    return called


def _parameters(kind: type[Any]) -> list[inspect.Parameter]:
    """The fields of a dataclass of options, as a command's parameters."""
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in fields(kind)
    ]


def _taken(kind: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    return {each.name: values.pop(each.name) for each in fields(kind)}
