"""Writes docs/configuration.md from the keys themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from shipit.config import EnvironmentTable, MigrationSpec, OnTable, ReleaseSpec, about_of, format_duration

DOCS = Path(__file__).resolve().parent.parent / "docs"
_WRITTEN = "<!-- Written by scripts/reference.py; `make reference` writes it anew. -->"

_INTRODUCTION = (
    "`${NAME}` in a text is that environment variable; an unset one is an error, `${NAME:-default}` is not. "
    "`shipit schema` prints the same as JSON Schema, for editors."
)


def configuration() -> str:
    """Every key of shipit.toml."""
    lines = [
        "# shipit.toml, key by key",
        _WRITTEN,
        "",
        _INTRODUCTION,
    ]
    for title, kind in (
        ("[release]", ReleaseSpec),
        ("[migration], or several [[migration]]", MigrationSpec),
        ("[on]", OnTable),
        ("[environments.NAME]", EnvironmentTable),
    ):
        lines += ["", f"## {title}", str(kind.__doc__), ""]
        lines += ["| key | what it means | value | default |", "|---|---|---|---|"]
        lines += [_row(field) for field in msgspec.structs.fields(kind)]
    return "\n".join(lines) + "\n"


def _row(field: Any) -> str:
    meta = about_of(field.type)
    allowed = meta.extra["allowed"]
    cells = (f"`{field.encode_name}`", str(meta.description), allowed, _default(field, allowed))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(field: Any, allowed: str) -> str:
    match field.default:
        case float() as seconds if "duration" in allowed:
            return f'`"{format_duration(seconds)}"`'
        case bool() as value:
            return f"`{str(value).lower()}`"
        case int() as value:
            return f"`{value}`"
        case str() as value if value:
            return f'`"{value}"`'
    return ""


def main() -> None:
    (DOCS / "configuration.md").write_text(configuration(), encoding="utf-8")


if __name__ == "__main__":
    main()
