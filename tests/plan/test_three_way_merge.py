"""The body of a dry-run PUT is what Helm's three-way merge would send."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shipit.plan.three_way_merge import three_way_merge


def test_what_the_cluster_added_stays() -> None:
    live = {
        "metadata": {"name": "shop", "resourceVersion": "7"},
        "spec": {"replicas": 5, "clusterIP": "10.0.0.1"},
    }
    new = {"metadata": {"name": "shop"}, "spec": {"replicas": 2}}
    assert three_way_merge(new, live, new) == {
        "metadata": {"name": "shop", "resourceVersion": "7"},
        "spec": {"replicas": 2, "clusterIP": "10.0.0.1"},
    }


def test_what_the_chart_no_longer_has_goes() -> None:
    old = {"metadata": {"labels": {"a": "1", "b": "2"}}, "data": {"x": "1"}}
    live = {"metadata": {"labels": {"a": "1", "b": "2", "c": "3"}}, "data": {"x": "1"}}
    new = {"metadata": {"labels": {"a": "1"}}}
    assert three_way_merge(old, live, new) == {"metadata": {"labels": {"a": "1", "c": "3"}}}


def test_an_object_that_helm_never_rendered_loses_nothing() -> None:
    assert three_way_merge(None, {"data": {"x": "1"}}, {"data": {"y": "2"}}) == {"data": {"x": "1", "y": "2"}}


def test_lists_are_replaced() -> None:
    assert three_way_merge({"l": [1]}, {"l": [1, 2]}, {"l": [3]}) == {"l": [3]}


def test_a_deployments_strategy_is_replaced_so_that_recreate_leaves_no_rolling_update_behind() -> None:
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    new = {"spec": {"strategy": {"type": "Recreate"}}}
    assert three_way_merge(None, live, new) == new


def test_a_field_set_to_null_goes() -> None:
    assert three_way_merge({}, {"spec": {"a": 1, "b": 2}}, {"spec": {"a": None}}) == {"spec": {"b": 2}}


def test_a_field_that_changes_its_type_is_replaced() -> None:
    assert three_way_merge({"a": "x"}, {"a": {"b": 1}}, {"a": "y"}) == {"a": "y"}
    assert three_way_merge({"a": "x"}, {"a": "x"}, {"a": {"b": 1}}) == {"a": {"b": 1}}


_values = st.recursive(
    st.integers(0, 2) | st.lists(st.integers(0, 2), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
_objects = st.dictionaries(st.sampled_from("abc"), _values, max_size=3)


@given(_objects, _objects)
def test_an_object_that_nobody_touched_becomes_the_new_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert three_way_merge(old, old, new) == new


@given(_objects, _objects, _objects)
def test_merging_again_changes_nothing(
    old: dict[str, Any], live: dict[str, Any], new: dict[str, Any]
) -> None:
    once = three_way_merge(old, live, new)
    assert three_way_merge(new, once, new) == once
