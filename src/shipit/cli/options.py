"""The options that every command has, said once."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from shipit.cli.command_line import CommandLine, typed


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


def with_common(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command whose first parameter is a `Common` its options, behind its own."""
    hints = get_type_hints(Options, include_extras=True)
    shared = [
        inspect.Parameter(
            each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name]
        )
        for each in fields(Options)
    ]
    own_hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=own_hints[name])
        for name, parameter in list(inspect.signature(command).parameters.items())[1:]
    ]

    @functools.wraps(command)
    def called(invocation: typer.Context, **values: Any) -> None:
        line = typed(invocation, values)
        common = Common(**{parameter.name: values.pop(parameter.name) for parameter in shared}, typed=line)
        command(common, **values)

    invocation = inspect.Parameter("invocation", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    every = (*own, *shared, invocation)
    called.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    return called
