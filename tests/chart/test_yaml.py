"""What Helm reads in a YAML text is what shipit reads in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.chart.yaml import load_yaml
from shipit.errors import Refused


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True),
        ("Yes", True),
        ("on", True),
        ("n", False),
        ("OFF", False),
        ("yEs", "yEs"),
        ("true", True),
        ("12:30", "12:30"),
        ("190:20:30", "190:20:30"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
        ("=", "="),
        ("017", 15),
        ("0o17", 15),
        ("-0o17", -15),
        ("08", 8),
        ("0b101", 5),
        ("-0b101", -5),
        ("0x1F", 31),
        ("+12", 12),
        ("1_000", 1000),
        ("1_000.5", 1000.5),
        ("_1", "_1"),
        ("1.5", 1.5),
        (".5", 0.5),
        (".5_1", 0.51),
        ("1.", 1),
        ("1e3", 1000),
        ("1E-2", 0.01),
        ("1e999", "1e999"),
        ("0.0.1", "0.0.1"),
        ("1.2.3", "1.2.3"),
        ("0x", "0x"),
        ("-", [None]),
        ("9223372036854775807", 2**63 - 1),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 2.0**64),
        ("-9223372036854775809", -(2.0**63) - 1),
        ("1" * 5000, "1" * 5000),
        ("~", None),
        ("Null", None),
        ("", None),
        ("'12'", "12"),
        ('"yes"', "yes"),
        ("!!str 12", "12"),
        ("!!str yes", "yes"),
        ("!!int '12'", 12),
        ("!!float 3", 3),
        ("!!bool 'yes'", True),
        ("!!binary aGVsbG8=", "hello"),
        ("!!timestamp 2024-01-01", "2024-01-01"),
        ("!mine 12", "12"),
        ("|\n  12\n", "12\n"),
    ],
)
def test_a_scalar_is_what_go_yaml_makes_of_it(text: str, value: Any) -> None:
    found = load_yaml(text)
    assert found == value
    assert type(found) is type(value)


def test_keys_that_are_no_text_become_text() -> None:
    assert load_yaml("8080: a\nyes: b\n1.5: c\n0x10: d") == {"8080": "a", "true": "b", "1.5": "c", "16": "d"}


def test_of_equal_keys_the_last_one_counts() -> None:
    assert load_yaml("a: 1\nb: 2\na: 3") == {"a": 3, "b": 2}


def test_a_merge_key_counts_from_where_it_stands() -> None:
    text = "base: &b {x: 1, z: 2}\nbefore: {x: 5, <<: *b}\nafter: {<<: *b, x: 5}"
    assert load_yaml(text)["before"] == {"x": 1, "z": 2}
    assert load_yaml(text)["after"] == {"x": 5, "z": 2}


def test_the_first_of_several_merged_maps_wins() -> None:
    assert load_yaml("a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc: {<<: [*a, *b]}")["c"] == {"x": 1, "z": 3}


def test_an_anchor_may_be_set_again_and_an_alias_means_the_last_one() -> None:
    """As in two containers that a chart's loop makes of one text (read with Helm 3.22 and 4.3)."""
    text = """
one: &x {name: a, env: &e [1]}
two: *x
three: &x {name: b, env: &e [2], same: *e}
four: *x
five: {<<: *x, name: c}
"""
    b = {"name": "b", "env": [2], "same": [2]}
    a = {"name": "a", "env": [1]}
    assert load_yaml(text) == {"one": a, "two": a, "three": b, "four": b, "five": {**b, "name": "c"}}
    assert load_yaml("a: &x 017\nb: &x 12:30\nc: *x\n") == {"a": 15, "b": "12:30", "c": "12:30"}


def test_an_alias_of_nothing_is_refused_all_the_same() -> None:
    with pytest.raises(Refused, match="undefined alias"):
        load_yaml("a: &x 1\nb: &x 2\nc: *y\n")
    with pytest.raises(Refused, match="contains itself"):
        load_yaml("a: &x 1\nb: &x [*x]\n")


def test_what_two_aliases_name_can_be_changed_apart() -> None:
    found = load_yaml("a: &l {app: shop}\nb: *l")
    found["a"]["app"] = "other"
    assert found["b"] == {"app": "shop"}


def test_only_the_first_document_is_read() -> None:
    assert load_yaml("a: 1\n---\nb: 2\n") == {"a": 1}
    assert load_yaml("a: 1\n...\nnot: [read") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [", "shop/templates/x.yaml, line 3: while parsing a flow node"),
        ("a: b: c", "shop/templates/x.yaml, line 1: mapping values are not allowed in this context"),
        ("a:\n\t- b", "shop/templates/x.yaml, line 2"),
        ("a: 1\n{x: 1}: 2", "shop/templates/x.yaml, line 2"),
        ("? [a]\n: 2", "shop/templates/x.yaml, line 1: invalid map key"),
        ("a: 1\n~: 2", "shop/templates/x.yaml, line 2: invalid map key"),
        ("a: .inf", "shop/templates/x.yaml, line 1: .inf can't be written as JSON"),
        ("a: !!int x", "shop/templates/x.yaml, line 1: cannot decode !!str `x` as a !!int"),
        ("a: !!binary '%'", "line 1: !!binary value contains invalid base64 data"),
        ("a: !!binary abc", "line 1: !!binary value contains invalid base64 data"),
        ("a: {<<: 5}", "line 1: map merge requires map"),
        ("a: &a [*a]", "line 1"),
        ("a: *nowhere", "line 1"),
        ("a: \x00", "shop/templates/x.yaml"),
        ("a: \ud800", "shop/templates/x.yaml: not valid UTF-8"),
        ("[" * 5000, "shop/templates/x.yaml"),
        ("[" * 900 + "]" * 900, "shop/templates/x.yaml: nested too deeply"),
    ],
)
def test_what_cannot_be_read_names_its_source_and_line(text: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        load_yaml(text, "shop/templates/x.yaml")
    assert message in refused.value.message


def test_a_billion_laughs_are_refused_before_they_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(Refused, match="excessive aliasing"):
        load_yaml("\n".join(lines))


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text("abc\n\t\"'é: #-0", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab1 ", max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(_json)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert load_yaml(json.dumps(value)) == value


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        load_yaml(text)
    except Refused as error:
        assert error.message.startswith("YAML")  # noqa: PT017 - both ends are fine
