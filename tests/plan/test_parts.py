"""Two renderings of one chart, part by part: what is rendered anew each time is found, and left out."""

from __future__ import annotations

import pytest

from shipit.errors import Refused
from shipit.model import Json, Ref, Resource
from shipit.plan.parts import app_parts, paired, volatile_paths
from tests.fakes import NAMESPACE
from tests.releases import config_map


def resource(name: str, data: Json, source: str = "shop/templates/x.yaml") -> Resource:
    return Resource(Ref("v1", "ConfigMap", NAMESPACE, name), config_map(name) | {"data": data}, source)


def test_what_differs_is_volatile_and_the_rest_still_counts() -> None:
    one, again, later, other = (
        app_parts([resource("a", {"key": key, "list": ["x", item], "same": same})])
        for key, item, same in (("1", "r1", "s"), ("2", "r2", "s"), ("3", "r3", "s"), ("4", "r4", "changed"))
    )
    found = volatile_paths(one, again)
    (paths,) = found.values()
    assert sorted(paths) == [("data", "key"), ("data", "list", 1)]
    assert one[0].without(paths) == later[0].without(paths)
    assert one[0].without(paths) != other[0].without(paths)


def test_a_name_that_is_another_each_time_is_found_again_by_its_place() -> None:
    one, again = app_parts([resource("a-x1", {"k": "v"})]), app_parts([resource("a-y2", {"k": "v"})])
    assert volatile_paths(one, again) == {one[0].key: (("metadata", "name"),)}
    assert [(a and a.key, b and b.key) for a, b in paired(one, again)] == [(one[0].key, again[0].key)]


def test_other_objects_each_time_can_not_be_planned() -> None:
    one = app_parts([resource("a", {})])
    with pytest.raises(Refused, match="ConfigMap b is in one of two renderings only"):
        volatile_paths(one, app_parts([resource("a", {}), resource("b", {}, "shop/templates/b.yaml")]))


def test_two_objects_of_one_template_are_not_mixed_up() -> None:
    ones = app_parts([resource("a", {"k": "1"}), resource("b-x1", {"k": "2"})])
    others = app_parts([resource("a", {"k": "1"}), resource("b-y2", {"k": "2"})])
    assert volatile_paths(ones, others) == {ones[1].key: (("metadata", "name"),)}
