"""Whatever a chart is called and renders, the file is TOML that says the same."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from shipit.init import Proposal, Row, TagKeys, file_text
from shipit.init.look import Place

APP = Place("Deployment", "shop", "shop/templates/app.yaml", "app", "acme/shop:v1")
JOB = Place("Job", "migrate", "shop/templates/migrate.yaml", "migrate", "acme/shop:v1")
FLYWAY = Place("Job", "migrate", "shop/templates/migrate.yaml", "migrate", "flyway/flyway:10")
NAME = (Row("name", "shop"),)


def read(release: tuple[Row, ...], migration: Proposal, tag: TagKeys | None) -> dict[str, Any]:
    return tomllib.loads(file_text(release, migration, tag))


@pytest.mark.parametrize(
    "text", ['a "quoted" one', "line\nbreak", "back\\slash", "del\x7f", "tab\t", "\u2028", "ü€"]
)
def test_odd_texts_stay_what_they_are(text: str) -> None:
    found = read(
        (Row("chart", text, text),), Proposal(text, text, (Row("template", text, text),), notes=(text,)), None
    )
    assert found["release"]["chart"] == text
    assert found["migration"]["template"] == text


def test_a_dollar_is_no_variable() -> None:
    found = read((Row("chart", "a${b}"),), Proposal("x", ""), None)
    assert found["release"]["chart"] == "a$${b}"


def test_tables_lists_and_comments() -> None:
    rows = (Row("set", {"a b": {"on": True}}), Row("from", "deployment/shop", off=True))
    found = read(NAME, Proposal("x", "", rows), TagKeys(("a.tag", "b.tag"), (APP,)))
    assert found["migration"] == {"set": {"a b": {"on": True}}}
    assert found["release"]["tag_key"] == ["a.tag", "b.tag"]


def test_only_a_migration_that_no_tag_reaches_needs_none() -> None:
    tag = TagKeys(("image.tag",), (APP, JOB))
    assert read(NAME, Proposal("x", "", (), (JOB,)), tag)["migration"] == {}
    assert read(NAME, Proposal("x", "", (), (FLYWAY,)), tag)["migration"] == {"require_tag": False}


def test_many_places_are_counted() -> None:
    places = tuple(Place("Deployment", f"d{n}", "t", "c", "i:t") for n in range(5))
    assert TagKeys(("k",), places).reaches == "Deployment d0, Deployment d1, Deployment d2 and 2 more"
