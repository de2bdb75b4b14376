"""docs/schemas: a JSON Schema for each report of `-o json`, made from the events; UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import json
import os
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import jsonschema  # type: ignore[import-untyped]
import pytest

from shipit.events import Ended, History, Planned, Status
from shipit.output import jsonl
from tests.golden.stories import STORIES
from tests.output.test_jsonl import told

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"
REPORTS: dict[str, Any] = {each.TYPE: each for each in (History, Status, Planned, Ended)}
NULLABLE = ("revision", "base_revision")


def schema_of(kind: Any) -> dict[str, Any]:
    """Of a line of this event: what it always holds, no other field allowed."""
    inner = _object(kind)
    line = {
        "time": {"type": "string", "format": "date-time"},
        "run": {"type": "string"},
        "type": {"const": kind.TYPE},
    }
    inner["properties"] = line | inner["properties"]
    inner["required"] = [*line, *inner["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"The {kind.TYPE} line of shipit -o json",
        **inner,
    }


def _object(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    properties: dict[str, Any] = {}
    for name in jsonl._names(kind):
        if name == "hint":
            properties |= {"hint": {"type": "string"}, "hint_why": {"type": "string"}}
        elif name in NULLABLE:
            properties[name] = {"type": ["integer", "null"]}
        elif name in jsonl._SECONDS:
            properties[f"{name}_s"] = {"type": ["number", "null"]}
        else:
            properties[name] = _value(hints[name])
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _value(hint: Any) -> dict[str, Any]:
    origin, args = get_origin(hint), get_args(hint)
    if origin is tuple:
        return {"type": "array", "items": _value(args[0])}
    if origin is Literal:
        return {"enum": list(args)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_value(each) for each in args]}
    if is_dataclass(hint):
        assert fields(hint)
        return _object(hint)
    names = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}
    return {"type": names[hint]}


@pytest.mark.parametrize("name", REPORTS)
def test_the_schema_is_that_of_the_event(name: str) -> None:
    path = FOLDER / f"{name}.json"
    text = json.dumps(schema_of(REPORTS[name]), indent=2) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text


def test_what_is_told_is_as_the_schemas_say() -> None:
    seen = set()
    for story in STORIES.values():
        for line in told(*(event for _, event in story)):
            if line["type"] in REPORTS:
                seen.add(line["type"])
                schema = json.loads((FOLDER / f"{line['type']}.json").read_text())
                jsonschema.validate(line, schema)
                with pytest.raises(jsonschema.ValidationError):
                    jsonschema.validate(line | {"more": 1}, schema)
    assert seen == set(REPORTS)
