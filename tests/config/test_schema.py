"""The schema for editors, the example and what shipit reads are one."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest

from shipit.config import Flags, format_duration, load_config, schema
from shipit.config.structure import EnvironmentTable, FileTable, MigrationSpec, ReleaseSpec

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "shipit.toml.example").read_text(encoding="utf-8")
TABLES = (FileTable, EnvironmentTable, ReleaseSpec, MigrationSpec)


def keys(table: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(table)]


def uncommented(text: str) -> str:
    """The example with every key in it switched on."""
    return re.sub(r"(?m)^# (?=\[|\w+ = )", "", text)


def problems(document: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema())
    return [error.message for error in validator.iter_errors(document)]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_key_has_a_description_and_its_default() -> None:
    definitions = schema()["$defs"]
    for table in TABLES:
        properties = definitions[table.__name__]["properties"]
        assert list(properties) == keys(table)
        for field in msgspec.structs.fields(table):
            about = properties[field.encode_name]
            assert about["description"]
            assert ("default" in about) == (
                field.default not in ("", msgspec.UNSET, msgspec.NODEFAULT)
                or field.default_factory is not msgspec.NODEFAULT
            )
    assert definitions["MigrationSpec"]["properties"]["timeout"]["default"] == "15m"


@pytest.mark.parametrize("text", [EXAMPLE, uncommented(EXAMPLE)], ids=["as it is", "all keys on"])
def test_the_example_is_valid(text: str) -> None:
    assert problems(tomllib.loads(text)) == []


def test_every_key_is_in_the_example() -> None:
    everything = tomllib.loads(uncommented(EXAMPLE))
    assert sorted(everything["release"]) == sorted(keys(ReleaseSpec))
    assert sorted(everything["migration"]) == sorted(keys(MigrationSpec))
    assert sorted(everything) == sorted(keys(FileTable))
    assert "confirm" in everything["environments"]["production"]


def test_the_defaults_in_the_example_are_the_real_ones() -> None:
    for table, name in ((ReleaseSpec, "release"), (MigrationSpec, "migration")):
        shown = tomllib.loads(uncommented(EXAMPLE))[name]
        for key in ("tag_key", "timeout", "start_timeout", "on_timeout", "rollback_on_failure"):
            if key in shown:
                default = getattr(table(), key)
                assert shown[key] == (format_duration(default) if isinstance(default, float) else default)


def test_the_example_loads(tmp_path: Path) -> None:
    (tmp_path / "chart").mkdir()
    (tmp_path / "values.yaml").touch()
    (tmp_path / "shipit.toml").write_text(EXAMPLE, encoding="utf-8")
    config = load_config(None, "production", tmp_path, {}, Flags())
    assert (config.release.namespace, config.release.context) == ("shop-prod", "prod-eu")
    assert (config.confirm, config.migrations[0].timeout) == (True, 3600)


def test_the_notes_example_loads_and_is_valid() -> None:
    folder = ROOT / "examples" / "notes"
    assert problems(tomllib.loads((folder / "shipit.toml").read_text(encoding="utf-8"))) == []
    assert load_config(None, None, folder, {}, Flags()).release.namespace == "shipit-demo"


@pytest.mark.parametrize(
    "text",
    [
        "[relase]",
        "[release]\nnamespce = 'a'",
        "[release]\ntimeout = '5 minutes'",
        "[release]\ntimeout = 5",
        "[migration]\nphase = 'befor'",
        "[[migration]]\nnam = 'x'",
        "migration = ['x']",
        "[migration]\nnam = 'x'",
        "[on]\nstart = 'x'",
        "[environments.p]\nconfirm = 'yes'",
        "[environments.p.release]\nvalues = 'a'",
    ],
)
def test_an_editor_sees_what_is_wrong(text: str) -> None:
    assert problems(tomllib.loads(text))


def test_a_variable_may_stand_for_a_duration() -> None:
    assert problems(tomllib.loads("[release]\ntimeout = '${T:-5m}'")) == []


def test_several_migrations_and_their_overlays_are_valid() -> None:
    text = "[[migration]]\nname = 'x'\n[[migration]]\nname = 'y'\n[[environments.p.migration]]\nname = 'y'\n"
    assert problems(tomllib.loads(text)) == []


def test_the_page_of_all_keys_is_the_one_that_the_keys_make() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "reference.py"))
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == script["configuration"](), "make reference writes it anew"
