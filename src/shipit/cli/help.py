"""How help looks: options and commands in groups, examples below, as wide as the terminal, nothing cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

_OPTIONS = {
    "Values": ("values", "set_", "set_string"),
    "Migration": ("migration_timeout", "skip_migration", "rerun", "replace_running"),
    "Where": ("config", "env", "namespace", "context", "kubeconfig"),
    "Output": ("output", "quiet", "verbose", "no_color", "report"),
}
_COMMANDS = {
    "Deploy": ("deploy", "plan", "rollback"),
    "Look": ("status", "history", "logs", "watch", "doctor"),
    "Lock": ("lock", "unlock"),
    "Set up": ("init", "schema"),
}
_VARIABLES = "Every option has a variable, SHIPIT_<NAME>: for --lock-wait, SHIPIT_LOCK_WAIT."
EXAMPLES = {
    "deploy": (
        ("shipit deploy v42", "migrate, then upgrade"),
        ("shipit deploy v42 --env production --dry-run", "only show what would be done"),
        ("shipit deploy v42 --timeout 2h --lock-wait 10m", "a long migration, behind another deploy"),
        ("shipit deploy v42 -f prod.yaml --set replicas=3", "other values"),
    ),
    "plan": (
        ("shipit plan --tag v42", "the steps, the Job, the diff"),
        ("shipit plan --tag v42 --save plan.json", "for deploy --plan plan.json"),
    ),
    "logs": (
        ("shipit logs -f", "follow the running migration"),
        ("shipit logs v41 --tail 100", "the end of an earlier deploy's"),
        ("shipit logs --since 5m --timestamps", "with the lines' own times"),
    ),
    "rollback": (
        ("shipit rollback", "to the last good revision"),
        ("shipit rollback 17", "to that one"),
    ),
    "doctor": (
        ("shipit doctor --env production", "what a deploy there needs"),
        ("shipit doctor --role > role.yaml", "for whoever may grant it"),
    ),
    "init": (("shipit init ./chart", "write a shipit.toml that fits it"),),
}


class _Grouped:
    """What commands and groups of commands have in common."""

    name: str | None

    def format_options(self, context: Any, formatter: Any) -> None:
        params = self.get_params(context)  # type: ignore[attr-defined]
        for param in params:
            param.show_envvar = False
        arguments = [each for each in params if each.param_type_name == "argument"]
        options = [each for each in params if each.param_type_name == "option"]
        _section(formatter, "Arguments", (each.get_help_record(context) for each in arguments))
        for title, members in _grouped(options, _OPTIONS, "Options"):
            _section(formatter, title, (each.get_help_record(context) for each in members))

    def format_epilog(self, context: Any, formatter: Any) -> None:
        if self.name in EXAMPLES:
            with formatter.section("Examples"):
                formatter.write_dl(list(EXAMPLES[self.name]))
        if context.parent is not None:
            formatter.write_paragraph()
            formatter.write_text(_VARIABLES)


class Command(_Grouped, TyperCommand):
    """A command whose options are in groups."""


class Group(_Grouped, TyperGroup):
    """A command with commands of its own, those in groups too."""

    def format_options(self, context: Any, formatter: Any) -> None:
        super().format_options(context, formatter)
        self.format_commands(context, formatter)

    def format_commands(self, context: Any, formatter: Any) -> None:
        found = [self.get_command(context, name) for name in self.list_commands(context)]
        shown = [each for each in found if each is not None and not each.hidden]
        for title, members in _grouped(shown, _COMMANDS, "Commands"):
            rows = ((each.name or "", each.get_short_help_str(1000)) for each in members)
            _section(formatter, title, rows)


def _grouped(
    members: list[Any], groups: dict[str, tuple[str, ...]], rest: str
) -> Iterable[tuple[str, list[Any]]]:
    """The members of each group in the group's order; first what is in none."""
    known = {name for names in groups.values() for name in names}
    yield rest, [each for each in members if each.name not in known]
    for title, names in groups.items():
        yield (
            title,
            sorted((each for each in members if each.name in names), key=lambda each: names.index(each.name)),
        )


def _section(formatter: Any, title: str, records: Iterable[tuple[str, str] | None]) -> None:
    rows = [record for record in records if record is not None]
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)
