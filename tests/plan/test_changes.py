"""What an upgrade changes, object by object: told in lines, no value of a Secret among them."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

from shipit.events import ObjectChange
from shipit.model import Json, Plan, Ref, Resource
from shipit.plan.changes import changes_of
from tests.fakes import NAMESPACE
from tests.releases import a_release, a_request, config_map, planned


def resource(body: Json) -> Resource:
    name = body["metadata"]["name"]
    return Resource(Ref(body["apiVersion"], body["kind"], NAMESPACE, name), body, "shop/templates/x.yaml")


def secret(**data: str) -> Json:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {**config_map("creds", "Secret"), "data": encoded}


def changes(tmp_path: Path, live: list[Json], new: list[Json], **more: object) -> tuple[ObjectChange, ...]:
    plan: Plan = planned(a_request(tmp_path), a_release())
    plan = replace(plan, app=tuple(map(resource, new)), **more)  # type: ignore[arg-type]
    return changes_of(plan, map(resource, live))


def test_a_change_stands_among_what_is_around_it_and_the_rest_is_folded(tmp_path: Path) -> None:
    def many(value: str) -> Json:
        return config_map("a") | {"data": {f"k{number:02}": "x" for number in range(20)} | {"k10": value}}

    (change,) = changes(tmp_path, [many("one")], [many("two")])
    assert (change.action, change.object, change.template) == (
        "change",
        "ConfigMap a",
        "shop/templates/x.yaml",
    )
    assert [line for line in change.lines if line[0] in "+-"] == ["-  k10: one", "+  k10: two"]
    assert [line for line in change.lines if line[0] == "@"] == ["@12 unchanged lines", "@6 unchanged lines"]
    assert len(change.lines) == 2 + 2 * 3 + 2


def test_the_order_of_keys_and_a_quantity_of_comments_are_no_change(tmp_path: Path) -> None:
    one = config_map("a") | {"data": {"x": "1", "y": "2"}}
    other = {**dict(reversed(one.items())), "data": {"y": "2", "x": "1"}}
    assert changes(tmp_path, [one], [other]) == ()


def test_of_a_secret_the_keys_are_told_and_which_of_them_change(tmp_path: Path) -> None:
    old = secret(password="hunter2-old", user="someone", gone="secret-that-goes")
    new = config_map("creds", "Secret") | {
        "stringData": {"password": "hunter2-new", "user": "someone", "more": "n"}
    }
    (change,) = changes(tmp_path, [old], [new])
    told = "\n".join(change.lines)
    assert "-  password: '*** (the old value)'" in change.lines
    assert "+  password: '*** (the new value)'" in change.lines
    assert "   user: '***'" in change.lines, "in another field, and the same"
    assert "-  gone: '***'" in change.lines
    assert "+  more: '***'" in change.lines
    for value in ("hunter2", "secret-that-goes", base64.b64encode(b"hunter2-old").decode()):
        assert value not in told
    (created,) = changes(tmp_path / "2", [], [secret(password="hunter2-new")])
    assert created.action == "create"
    assert "hunter2" not in "\n".join(created.lines)
    assert "+  password: '***'" in created.lines


def test_a_secret_that_is_only_written_otherwise_does_not_change(tmp_path: Path) -> None:
    new = config_map("creds", "Secret") | {"stringData": {"a": "b"}}
    assert changes(tmp_path, [secret(a="b")], [new]) == ()


def test_what_the_release_loses_is_deleted_or_kept(tmp_path: Path) -> None:
    kept = config_map("kept")
    kept["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    hooks = config_map("hooks")
    taken = (Ref("v1", "ConfigMap", NAMESPACE, "hooks"),)
    found = changes(tmp_path, [config_map("gone"), kept, hooks], [], taken_over=taken)
    assert [(each.object, each.action) for each in found] == [
        ("ConfigMap gone", "delete"), ("ConfigMap kept", "keep"), ("ConfigMap hooks", "keep"),
    ]  # fmt: skip
    assert [each.lines for each in found] == [(), (), ()]


def test_a_text_of_several_lines_is_compared_line_by_line(tmp_path: Path) -> None:
    one = config_map("a") | {"data": {"conf": "a = 1\nb = 2\n"}}
    other = config_map("a") | {"data": {"conf": "a = 1\nb = 3\n"}}
    (change,) = changes(tmp_path, [one], [other])
    assert [line for line in change.lines if line[0] in "+-"] == ["-    b = 2", "+    b = 3"]
