"""The command that was typed, and how a hint's command repeats it: pasted as it stands, it does the same again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from shipit.hints import AnyHint, Command, Hint, as_hint
from shipit.output import TELLING_KEY

_WHERE = ("config", "env", "namespace", "context", "kubeconfig")
"""The options that say where a release is: every command has them."""
_ONCE = ("tag", "rerun", "replace_running")
"""Not repeated: a hint names its tag itself, and what was replaced once is this deploy's own by now."""
_SETS = ("set_", "set_string")
_HIDDEN = "…"
_ASSIGNMENT = re.compile(r"([^=,]*)=(\{[^}]*\}|(?:\\.|[^\\,])*)", re.DOTALL)


@dataclass(slots=True)
class CommandLine:
    """`options` are those that were typed, each by its name with the words that repeat it; what came from the
    environment is not typed. `context`, `namespace` and `kubeconfig` are what kubectl and helm need to look at the
    same cluster, "" as long as they aren't known.
    """

    command: str = ""
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()
    context: str = ""
    kubeconfig: str = ""

    def complete(self, given: AnyHint) -> Hint:
        """The hint with all that its command needs to run from here."""
        hint = as_hint(given)
        return replace(hint, command=self._complete(hint.command)) if hint.command else hint

    def _complete(self, command: Command) -> Command:
        program = command.words[0]
        if program == "shipit":
            more = self._repeated(whole=command.again and self.command == "deploy")
        else:
            flag = {"kubectl": "--context", "helm": "--kube-context"}.get(program, "")
            more = (flag, self.context) if flag and self.context else ()
            more += ("--kubeconfig", self.kubeconfig) if flag and self.kubeconfig else ()
        return Command((*command.words, *more))

    def _repeated(self, *, whole: bool) -> tuple[str, ...]:
        return tuple(
            word
            for name, words in self.options
            if name in _WHERE or (whole and name not in _ONCE)
            for word in words
        )


def typed(context: Any, values: dict[str, Any], *, terminal: bool) -> CommandLine:
    """What was typed, from typer's context and the values it hands over.

    The values of --set and --set-string are kept for a terminal only, and never under keys that name a secret: a log
    outlives the moment and its readers are more.
    """
    options = tuple(
        (param.name, tuple(_words(param, values[param.name], terminal=terminal)))
        for param in context.command.params
        if param.name in values
        and getattr(context.get_parameter_source(param.name), "name", "") == "COMMANDLINE"
    )
    kubeconfig = values.get("kubeconfig")
    return CommandLine(context.info_name or "", options, kubeconfig=str(kubeconfig) if kubeconfig else "")


def _words(param: Any, value: Any, *, terminal: bool) -> Iterator[str]:
    """The shortest flag with its value, once for each; an argument is its own value."""
    if param.param_type_name == "argument":
        yield str(value)
        return
    flag = min(param.opts, key=len)
    if isinstance(value, bool):
        yield flag
        return
    for each in value if isinstance(value, list | tuple) else (value,):
        text = str(each.value if isinstance(each, Enum) else each)
        yield from (flag, shown(text, terminal=terminal) if param.name in _SETS else text)


def shown(assignments: str, *, terminal: bool) -> str:
    """`a=1,db.password=x` as a hint may repeat it: `a=1,db.password=…`, elsewhere than on a terminal `a=…,db.password=…`."""

    def hidden(found: re.Match[str]) -> str:
        keep = terminal and not TELLING_KEY.search(found[1])
        return found[0] if keep else f"{found[1]}={_HIDDEN}"

    return _ASSIGNMENT.sub(hidden, assignments)
