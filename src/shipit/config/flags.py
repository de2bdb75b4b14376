"""What flags lay over the configuration, each checked like the key that it stands for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from shipit.config import validators
from shipit.config.files import values_problem
from shipit.config.settings import Overrides
from shipit.config.strvals import Assignment, parse_set
from shipit.errors import Usage
from shipit.model import Json

Check = Callable[[str], str]


def over_release(flags: Overrides) -> Json:
    """The keys of [release] that flags replace. Raises Usage, naming the flag."""
    return _given(
        namespace=_checked("--namespace", flags.namespace, validators.namespace),
        context=_checked("--context", flags.context, validators.not_empty),
        timeout=_checked("--upgrade-timeout", flags.upgrade_timeout, validators.positive_duration),
    )


def over_migrations(flags: Overrides) -> Json:
    """The keys of every [migration] that flags replace. Raises Usage, naming the flag."""
    return _given(timeout=_checked("--timeout", flags.migration_timeout, validators.positive_duration))


def values(flags: Overrides, cwd: Path) -> tuple[Path, ...]:
    """The values files of --values. Raises Usage."""
    for path in flags.values:
        if problem := values_problem(cwd / path):
            raise Usage(f"--values: {problem}")
    return tuple(cwd / path for path in flags.values)


def assignments(flags: Overrides) -> tuple[Assignment, ...]:
    """What --set and --set-string assign, in Helm's order: every --set, then every --set-string. Raises Usage."""
    typed = [each for text in flags.set for each in parse_set(text)]
    texts = [each for text in flags.set_string for each in parse_set(text, flag="--set-string", strings=True)]
    return (*typed, *texts)


def _checked(flag: str, value: str | None, check: Check) -> str | None:
    if value is not None and (problem := check(value)):
        raise Usage(f"{flag}: {problem}")
    return value


def _given(**found: str | None) -> Json:
    return {key: value for key, value in found.items() if value is not None}
