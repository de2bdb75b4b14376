"""The place of a key is where a person would point at it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from shipit.config.places import TomlPath, places

TEXT = '''\
# a comment with [brackets] and = signs
top = 1
[release]
name = "shop"   # [not.a.table]
  chart = 'chart'
set = { a = ["x", { b = 1, "c d" = 2 }], e.f = true }
image . "t.ag" = """
[[not_a_table]]
name = "inner \\""""
list = [
  1, # one
  [2, 3],
  { k = "]}" },
]
[[migration]]
name = "first"
[[migration]]
name = 'second'
[migration.set]
deep = {}
[[migration.several]]
x = 1
[[migration.several]]
x = 2
["environments"."pr od".release]
namespace = \'\'\'a'b\'\'\'
'''

EXPECTED: dict[TomlPath, tuple[int, int]] = {
    ("top",): (2, 1),
    ("release",): (3, 1),
    ("release", "name"): (4, 1),
    ("release", "chart"): (5, 3),
    ("release", "set"): (6, 1),
    ("release", "set", "a"): (6, 9),
    ("release", "set", "a", 0): (6, 14),
    ("release", "set", "a", 1): (6, 19),
    ("release", "set", "a", 1, "b"): (6, 21),
    ("release", "set", "a", 1, "c d"): (6, 28),
    ("release", "set", "e"): (6, 42),
    ("release", "set", "e", "f"): (6, 42),
    ("release", "image"): (7, 1),
    ("release", "image", "t.ag"): (7, 1),
    ("release", "list"): (10, 1),
    ("release", "list", 0): (11, 3),
    ("release", "list", 1): (12, 3),
    ("release", "list", 1, 0): (12, 4),
    ("release", "list", 1, 1): (12, 7),
    ("release", "list", 2): (13, 3),
    ("release", "list", 2, "k"): (13, 5),
    ("migration",): (15, 1),
    ("migration", 0): (15, 1),
    ("migration", 0, "name"): (16, 1),
    ("migration", 1): (17, 1),
    ("migration", 1, "name"): (18, 1),
    ("migration", 1, "set"): (19, 1),
    ("migration", 1, "set", "deep"): (20, 1),
    ("migration", 1, "several"): (21, 1),
    ("migration", 1, "several", 0): (21, 1),
    ("migration", 1, "several", 0, "x"): (22, 1),
    ("migration", 1, "several", 1): (23, 1),
    ("migration", 1, "several", 1, "x"): (24, 1),
    ("environments",): (25, 1),
    ("environments", "pr od"): (25, 1),
    ("environments", "pr od", "release"): (25, 1),
    ("environments", "pr od", "release", "namespace"): (26, 1),
}


def test_every_key_table_and_item_has_its_place() -> None:
    assert places(TEXT) == EXPECTED


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        "a.b.c = 1\na.b.d = 2\n[t.u]\nv.w = [{x = 1}, {x = 2}]",
        "[[a]]\n[[a.b]]\nc = 1\n[[a.b]]\n[a.b.d]\ne = 1\n[[a]]\n[[a.b]]\nc = 3",
        'a = """"quoted""""\nb = """"""\nc = \'\'\'\'x\'\'\'\'\nd = "\\\\"\ne = 1979-05-27 07:32:00 # f = 1',
        "a = [ ]\nb = { }\nc = [ [ ], [ [ ] ] , ]\nd = inf",
        'a = [\n"x", # ]\n# , y\n"y"\n]\n',
        "\ta = 1\n\t[b]\n\t\tc = 2",
    ],
)
def test_no_key_is_without_a_place_and_no_place_without_a_key(text: str) -> None:
    assert set(places(text)) == set(_paths(tomllib.loads(text)))


def _paths(value: Any, path: TomlPath = ()) -> list[TomlPath]:
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    found = [path] if path else []
    return found + [each for key, child in children for each in _paths(child, (*path, key))]
