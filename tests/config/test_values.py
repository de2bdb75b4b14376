"""The values that Helm gets last: the file's tables, --set and --set-string, and the tag.

What each `--set` means was compared with `helm template` of Helm 3.22 and 4.3.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.chart.yaml import load_yaml
from shipit.config import Config, Migration, Release, overlay_values, parse_set, values_files
from shipit.config.strvals import assign, written
from shipit.errors import Usage
from shipit.model import Json

BELOW: Json = {
    "a": {"b": 1, "c": [1, 2, {"k": "v"}]},
    "l": ["x", "y", "z"],
    "ll": [[1, 2], [3]],
    "n": None,
}


def laid(text: str, *, strings: bool = False, over: Json | None = None) -> Json:
    values = dict(over or {})
    for each in parse_set(text, strings=strings):
        assign(values, each, BELOW)
    return values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("a=1", {"a": 1}),
        ("a=1,", {"a": 1}),
        ("a.b.c=x,a.b.d=y", {"a": {"b": {"c": "x", "d": "y"}}}),
        ("x=", {"x": ""}),
        ("x=,y=1", {"x": "", "y": 1}),
        ("x=a=b", {"x": "a=b"}),
        (" x= 1", {" x": " 1"}),
        ("x=true,y=FALSE,z=nUll", {"x": True, "y": False, "z": None}),
        ("x=0,y=007,z=-5,w=+5,v=-012,u=-0", {"x": 0, "y": "007", "z": -5, "w": 5, "v": -12, "u": 0}),
        ("x=1.5,y=1e3,z=0x10,w=1_000", {"x": "1.5", "y": "1e3", "z": "0x10", "w": "1_000"}),
        ("x=9223372036854775808", {"x": "9223372036854775808"}),
        ("x={a,1,true,null}", {"x": ["a", 1, True, None]}),
        ("x={},y={a,}", {"x": [""], "y": ["a", ""]}),
        ("x={a,b},y=2", {"x": ["a", "b"], "y": 2}),
        (r"x={a\,b,c\}}", {"x": ["a,b", "c}"]}),
        ("x={{a}", {"x": ["{a"]}),
        ("x=[]", {"x": "[]"}),
        (r"x\.y=1,x\,z=2", {"x.y": 1, "x,z": 2}),
        (r"x=a\,b,y=c\\d", {"x": "a,b", "y": r"c\d"}),
        ("x=a\\", {"x": "a\\"[:1]}),
        ("x[0]=a,x[1]=b", {"x": ["a", "b"]}),
        ("x[1]=a", {"x": [None, "a"]}),
        ("x[0].a=1,x[0].b=2", {"x": [{"a": 1, "b": 2}]}),
        ("x[0][1].k=1", {"x": [[None, {"k": 1}]]}),
        ("x[0]={a,b}", {"x": [["a", "b"]]}),
        ("x.a=1,x=2", {"x": 2}),
        ("ü=日本", {"ü": "日本"}),
    ],
)
def test_set_means_what_it_means_to_helm(text: str, values: Json) -> None:
    found = laid(text)
    assert found == values
    assert json.dumps(found) == json.dumps(values), "true is not 1"


def test_set_string_leaves_everything_as_text() -> None:
    assert laid("a=1,b=true,c=null,d={0,x},e=", strings=True) == {
        "a": "1",
        "b": "true",
        "c": "null",
        "d": ["0", "x"],
        "e": "",
    }


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("l[1]=q", {"l": ["x", "q", "z"]}),
        ("l[4]=q", {"l": ["x", "y", "z", None, "q"]}),
        ("l[0].k=1", {"l": [{"k": 1}, "y", "z"]}),
        ("a.c[2].k=w", {"a": {"c": [1, 2, {"k": "w"}]}}),
        ("a.c[2].j=w", {"a": {"c": [1, 2, {"k": "v", "j": "w"}]}}),
        ("ll[0][1]=9", {"ll": [[1, 9], [3]]}),
        ("ll[2][1]=9", {"ll": [[1, 2], [3], [None, 9]]}),
        ("n[0]=1", {"n": [1]}),
        ("n.z=1", {"n": {"z": 1}}),
        ("a.b=null", {"a": {"b": None}}),
    ],
)
def test_an_item_of_a_list_keeps_the_rest_of_the_list_below(text: str, values: Json) -> None:
    before = json.dumps(BELOW)
    assert laid(text) == values
    assert json.dumps(BELOW) == before


def test_a_list_that_was_set_before_is_not_taken_from_below() -> None:
    assert laid("l[1]=q", over={"l": ["only"]}) == {"l": ["only", "q"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "--set x: has no value"),
        ("x.y,z=1", "--set x.y: has no value"),
        ("x[0]", "--set x[0]: has no value"),
        ("=1", "--set: a name in it is empty"),
        ("a..b=1", "--set a: a name in it is empty"),
        ("x.=1", "--set x: a name in it is empty"),
        ("x[0=1", "--set x: an index is missing its `]` or is none; allowed is [0] to [65536]"),
        ("x[-1]=1", "--set x: an index is missing its `]` or is none; allowed is [0] to [65536]"),
        ("x[70000]=1", "--set x: an index is missing its `]` or is none; allowed is [0] to [65536]"),
        ("x[٣]=1", "--set x: an index is missing its `]` or is none; allowed is [0] to [65536]"),
        ("x[0]y=1", "--set x[0]: there is text behind its `]`"),
        ("x={secret", "--set x: a list must end with `}`, and a `,` must follow before the next key"),
        ("x={secret}y=1", "--set x: a list must end with `}`, and a `,` must follow before the next key"),
        ("x=9007199254740993", "--set x: an integer of more than 53 bits would lose digits in helm; use --set-string"),
        (".".join("x" * 40) + "=1", "--set " + ".".join("x" * 30) + ": more than 30 levels deep"),
        ("x=1,x.y=2", "--set x.y: x is no table by what was set before"),
        ("x.y=1,x[0]=2", "--set x[0]: x is no list by what was set before"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_without_showing_the_value(text: str, message: str) -> None:
    with pytest.raises(Usage) as caught:
        laid(text)
    assert caught.value.message == message


@given(st.text(alphabet="ab.,=[]{}\\0123 -é", max_size=40), st.booleans())
def test_no_text_makes_the_parser_fail_otherwise(text: str, strings: bool) -> None:
    with contextlib.suppress(Usage):
        json.dumps(laid(text, strings=strings))


@given(
    st.lists(st.text(min_size=1) | st.integers(0, 65536), min_size=1, max_size=8).filter(
        lambda parts: isinstance(parts[0], str)
    ),
    st.text(),
)
def test_a_path_that_is_written_is_read_back(parts: list[str | int], value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace(",", "\\,").replace("{", "\\{")
    (found,) = parse_set(f"{written(tuple(parts))}={escaped}", strings=True)
    assert (found.path, found.value) == (tuple(parts), value)


def configured(*texts: str, files: tuple[Path, ...] = (), **release: Any) -> Config:
    assignments = tuple(each for text in texts for each in parse_set(text))
    return Config(
        path=Path("/shipit.toml"),
        release=Release(name="shop", chart="/chart", values=files, assignments=assignments, **release),
    )


def unread(text: str) -> Any:
    raise AssertionError("no values file is needed")


def test_the_tag_is_text_at_every_key_and_beats_everything() -> None:
    config = configured(
        "image.tag=flag,worker.tag=flag",
        set={"image": {"tag": "file", "pull": "Always"}},
        tag_key=("image.tag", "worker.tag", r"labels.app\.kubernetes\.io/version"),
    )
    assert overlay_values(config, "1e3", unread) == {
        "image": {"tag": "1e3", "pull": "Always"},
        "worker": {"tag": "1e3"},
        "labels": {"app.kubernetes.io/version": "1e3"},
    }


def test_flags_beat_a_migrations_values_which_beat_the_releases() -> None:
    config = configured("c=flag", set={"a": 1, "b": {"x": 1, "y": 1}, "c": 1})
    migration = Migration(set={"b": {"y": 2}, "c": 2, "migrate": True})
    assert overlay_values(config, "v1", unread, migration) == {
        "a": 1,
        "b": {"x": 1, "y": 2},
        "c": "flag",
        "migrate": True,
        "image": {"tag": "v1"},
    }
    assert config.release.set == {"a": 1, "b": {"x": 1, "y": 1}, "c": 1}
    assert migration.set == {"b": {"y": 2}, "c": 2, "migrate": True}


def test_a_list_item_is_set_in_the_list_of_the_values_files(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("1.yaml", "2.yaml", "3.yaml"))
    first.write_text("containers:\n- {name: app, tag: old}\n- {name: sidecar, tag: old}\n")
    second.write_text("# nothing\n")
    third.write_text("hosts: [a, b]\n")
    config = configured("hosts[1]=c", files=(first, second), tag_key=("containers[0].tag",))
    migration = Migration(values=(third,))
    assert values_files(config, migration) == (first, second, third)
    assert overlay_values(config, "v2", load_yaml, migration) == {
        "containers": [{"name": "app", "tag": "v2"}, {"name": "sidecar", "tag": "old"}],
        "hosts": ["a", "c"],
    }
    assert overlay_values(config, "v2", load_yaml)["hosts"] == [None, "c"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- 1\n- 2\n", ": holds [1, 2]; a values file holds a table (key: value)"),
        (b"a: \xff\n", ": is not UTF-8 (byte 3)"),
        (None, ": can't be read: No such file or directory"),
    ],
)
def test_a_values_file_that_is_none_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "values.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Usage) as caught:
        overlay_values(configured("a[0]=1", files=(path,)), "v1", load_yaml)
    assert caught.value.message == f"{path}{message}"
