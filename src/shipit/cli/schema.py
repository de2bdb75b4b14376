"""`shipit schema`."""

from __future__ import annotations

import json

import typer


def print_schema() -> None:
    """Print the JSON Schema of shipit.toml.

    For editors that complete and check it.
    """
    from shipit.config import schema

    typer.echo(json.dumps(schema(), indent=2))
