"""The command that was typed, and how a hint's command repeats it: pasted as it stands, it does the same again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from shipit.hints import HIDDEN, Command, Hint
from shipit.output import TELLING_KEY

_WHERE = ("config", "env", "namespace", "context", "kubeconfig")
"""The options that say where a release is: every command has them."""
_ONCE = ("rerun", "replace_running")
"""Not repeated: what was replaced or run again once is this deploy's own by now."""
_SETS = ("set_", "set_string")
_CONTEXT_FLAGS = {"kubectl": "--context", "helm": "--kube-context"}
_ASSIGNMENT = re.compile(r"([^=,]*)=((?:\{[^}]*\}|\\.|[^\\,])*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Option:
    """An option that was typed: its spellings, and its values, one for each time; a switch has none."""

    name: str
    flags: tuple[str, ...]
    values: tuple[str, ...] = ()


@dataclass(slots=True)
class CommandLine:
    """`options` are those that were typed; what comes from the environment is there again when a hint is pasted.

    `context` and `kubeconfig` are what kubectl and helm need to look at the same cluster, "" as long as they aren't
    known.
    """

    command: str = ""
    options: tuple[Option, ...] = ()
    context: str = ""
    kubeconfig: str = ""
    subcommand: str = ""

    def complete(self, hint: Hint, *, shows: Callable[[str], bool] = lambda _value: False) -> Hint:
        """The hint with all that its command needs to run from here.

        `shows` says of a value in `--set` and `--set-string` whether it may be repeated: a log outlives the moment, and
        more people read it. Under a key like `password` none is.
        """
        if hint.command is None:
            return hint
        words = hint.command.words
        more = self._typed(hint.command, shows) if words[0] == "shipit" else self._cluster(words)
        return replace(hint, command=replace(hint.command, words=(*words, *more)))

    def _typed(self, command: Command, shows: Callable[[str], bool]) -> Iterator[str]:
        whole = command.again and self.command == command.words[1]
        for option in self.options:
            if not set(option.flags).isdisjoint(command.words):  # the hint has a value of its own for it
                continue
            if option.name in _WHERE or (whole and option.name not in _ONCE):
                yield from _words(option, shows)

    def _cluster(self, words: tuple[str, ...]) -> Iterator[str]:
        flag = _CONTEXT_FLAGS.get(words[0])
        if flag is None:
            return
        for name, value in ((flag, self.context), ("--kubeconfig", self.kubeconfig)):
            if value and name not in words:
                yield from (name, value)


def typed(context: Any, values: dict[str, Any]) -> CommandLine:
    """What was typed, from typer's context and the values it hands over."""
    options = tuple(
        Option(param.name, tuple(param.opts), tuple(_texts(values[param.name])))
        for param in context.command.params
        if param.name in values
        and param.param_type_name == "option"
        and getattr(context.get_parameter_source(param.name), "name", "") == "COMMANDLINE"
    )
    kubeconfig = values.get("kubeconfig")
    return CommandLine(
        context.info_name or "",
        options,
        kubeconfig=str(kubeconfig) if kubeconfig else "",
        subcommand=context.invoked_subcommand or "",
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, bool):
        return
    for each in value if isinstance(value, list | tuple) else (value,):
        yield str(each.value if isinstance(each, Enum) else each)


def _words(option: Option, shows: Callable[[str], bool]) -> Iterator[str]:
    """The shortest flag with its value, once for each."""
    flag = min(option.flags, key=len)
    if not option.values:
        yield flag
    for value in option.values:
        yield from (flag, _shown(value, shows) if option.name in _SETS else value)


def _shown(assignments: str, shows: Callable[[str], bool]) -> str:
    """`a=1,db.password=x` as a hint may repeat it: `a=1,db.password=…`."""
    found = [(each[1], each[2]) for each in _ASSIGNMENT.finditer(assignments)]
    told = [shows(value) and not TELLING_KEY.search(key) for key, value in found]
    if found and all(told):
        return assignments
    each = (f"{key}={value if tell else HIDDEN}" for (key, value), tell in zip(found, told, strict=True))
    return ",".join(each) or HIDDEN
