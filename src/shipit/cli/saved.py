"""A saved plan on the command line: what it was asked for with, and what may still be asked beside it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from shipit.cli.deploy_options import DeployOptions
from shipit.cli.session import Session
from shipit.errors import Usage
from shipit.hints import HIDDEN
from shipit.output import TELLING_KEY

if TYPE_CHECKING:
    from shipit.plan import Options, SavedPlan

_FLAGS = {
    "set_": "--set",
    "migration_timeout": "--timeout",
}


@dataclass(frozen=True, slots=True)
class Saved:
    """A plan, and the options that it was made with."""

    plan: SavedPlan
    tag: str
    options: DeployOptions


def tag_from_plan(context: typer.Context, plan: Path | None) -> Path | None:
    """With `--plan` no tag has to be named: the plan knows it."""
    if plan is not None:
        context.default_map = {**(context.default_map or {}), "tag": ""}
    return plan


def saved_options(session: Session, options: DeployOptions, tag: str, path: Path) -> Saved:
    """Read a plan, and let what it was made with count. Raises Usage for a flag that says otherwise, and as
    `read_plan`.
    """
    from shipit.plan import read_plan

    plan = read_plan(path)
    asked = plan.options
    common = session.common
    known = _options(asked)
    told = [("--tag", tag, asked.tag), ("--env", common.env, asked.environment)]
    told += [("--namespace", common.namespace, plan.namespace)]
    for each in fields(DeployOptions):
        flag = _FLAGS.get(each.name, f"--{each.name.replace('_', '-')}")
        told.append((flag, getattr(options, each.name), getattr(known, each.name)))
    for flag, given, planned in told:
        if given and given != planned:
            raise Usage(f"{flag} says otherwise than the plan {path}; a plan is carried out as it was saved")
    session.common = replace(common, env=asked.environment)
    session.tag = asked.tag
    return Saved(plan, asked.tag, known)


def to_save(session: Session, options: DeployOptions, tag: str) -> Options:
    """What was asked for, as a plan holds it. Raises Usage for a secret among it."""
    from shipit.plan import Options

    for text in options.values or ():
        if text == "-" or Path(text).is_fifo():
            raise Usage(
                "--values: what comes from stdin or a pipe is gone when the plan is carried out; use a file"
            )
        if "://" in text and (TELLING_KEY.search(text) or session.mask.text(text) != text):
            raise Usage("--values: a saved plan holds no secret, and the URL has one in it; use a file")
    for flag, assignments in (("--set", options.set_), ("--set-string", options.set_string)):
        for text in assignments:
            if TELLING_KEY.search(text) or session.mask.text(text) != text:
                key = text.partition("=")[0]
                raise Usage(
                    f"{flag} {key}={HIDDEN}: a saved plan holds no secret; give it in a values file, "
                    "or in set under [release] with ${NAME}"
                )
    flags = options.flags()
    typed = {each.name.removesuffix("_") for each in fields(DeployOptions)}
    return Options(tag=tag, environment=session.common.env, **{name: getattr(flags, name) for name in typed})


def _options(asked: Options) -> DeployOptions:
    taken: dict[str, Any] = {
        "values": list(asked.values) or None,
        "set_": list(asked.set),
        "set_string": list(asked.set_string),
    }
    rest = [each.name for each in fields(DeployOptions) if each.name not in taken]
    return DeployOptions(**taken, **{name: getattr(asked, name) for name in rest})
