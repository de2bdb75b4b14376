"""What to type next, as a value: made where a failure is understood, completed with flags where it is shown."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

HIDDEN = "…"
"""Stands in a command for a value that it must not repeat."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that can be pasted into a shell, word by word, the program first.

    `again` marks the deploy or rollback that the user typed: its own flags are put in when it is shown, `words` hold
    what is added to them.
    """

    words: tuple[str, ...]
    again: bool = False

    def __str__(self) -> str:
        return shlex.join(self.words)


@dataclass(frozen=True, slots=True)
class Hint:
    """A command and why to type it; without a command, `why` is a piece of advice. Falsy when there is nothing to say."""

    command: Command | None = None
    why: str = ""

    def __bool__(self) -> bool:
        return self.command is not None or bool(self.why)

    def __str__(self) -> str:
        """The command, or the advice where there is none: the `hint` of a JSON event."""
        return str(self.command) if self.command else self.why


NO_HINT = Hint()


def advice(why: str) -> Hint:
    return Hint(None, why)


def deploy_again(tag: str, *flags: str, why: str = "") -> Hint:
    """`shipit deploy` of that tag with these flags added."""
    return Hint(Command(("shipit", "deploy", "--tag", tag, *flags), again=True), why)


def rollback_again(revision: int, *flags: str, why: str = "") -> Hint:
    """`shipit rollback` to that revision with these flags added."""
    return Hint(Command(("shipit", "rollback", str(revision), *flags), again=True), why)


def shipit(*words: str, why: str = "") -> Hint:
    """Another command of shipit's."""
    return Hint(Command(("shipit", *words)), why)


def kubectl(*words: str, namespace: str = "", why: str = "") -> Hint:
    """`namespace` is "" for what lives in none."""
    return Hint(Command(("kubectl", *words, *_in(namespace))), why)


def helm(*words: str, namespace: str = "", why: str = "") -> Hint:
    return Hint(Command(("helm", *words, *_in(namespace))), why)


def _in(namespace: str) -> tuple[str, ...]:
    return ("-n", namespace) if namespace else ()
