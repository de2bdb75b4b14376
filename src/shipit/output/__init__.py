"""From events to text: a live terminal, plain lines, JSON lines, or a GitHub Actions log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TextIO, assert_never

from shipit.model import Clock
from shipit.output.html_page import page
from shipit.output.jsonl import result
from shipit.output.mask import Mask
from shipit.output.output import Output, Renderer
from shipit.output.record import Record
from shipit.output.secret_lines import TELLING_KEY
from shipit.output.sink import Sink

Kind = Literal["auto", "rich", "plain", "json", "github"]


def open_output(
    kind: Kind,
    *,
    stdout: TextIO,
    stderr: TextIO,
    environ: Mapping[str, str],
    clock: Clock,
    run: str,
    quiet: bool = False,
    verbose: bool = False,
    no_color: bool = False,
    pager: bool = False,
) -> Output:
    """The output of that kind; `auto` is github inside Actions, rich on a terminal that can do it, else plain.

    `pager`: who reads it may leave when they have seen enough, and need not be told.
    """
    out, err = Sink(stdout), Sink(stderr)
    renderer = _renderer(
        _choose(out, environ) if kind == "auto" else kind,
        out,
        err,
        environ=environ,
        clock=clock,
        run=run,
        verbose=verbose,
        no_color=no_color,
    )
    return Output(renderer, out=out, err=err, quiet=quiet, pager=pager)


def _choose(out: Sink, environ: Mapping[str, str]) -> Literal["rich", "plain", "github"]:
    if environ.get("GITHUB_ACTIONS") == "true":
        return "github"
    return "rich" if out.isatty() and environ.get("TERM", "") not in ("dumb", "unknown") else "plain"


def _renderer(
    kind: Literal["rich", "plain", "json", "github"],
    out: Sink,
    err: Sink,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    run: str,
    verbose: bool,
    no_color: bool,
) -> Renderer:
    # Imported where they are used: rich costs 40 ms, and a script that reads JSON doesn't need it.
    match kind:
        case "json":
            from shipit.output.jsonl import JsonLines

            return JsonLines(out, clock=clock, run=run)
        case "plain":
            from shipit.output.plain import Plain

            return Plain(out, err, clock=clock, verbose=verbose)
        case "github":
            from shipit.output.github import GitHub

            return GitHub(out, environ=environ, clock=clock, run=run, verbose=verbose)
        case "rich":
            from shipit.output.live import Rich

            return Rich(out, err, environ=environ, clock=clock, verbose=verbose, no_color=no_color)
        case _:
            assert_never(kind)
