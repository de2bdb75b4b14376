"""What a Job does: which changes of its manifest make it another one, and by which words they are told."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.model import Json
from shipit.plan.doing import content_of, doing_digest, doing_of

JOB: Json = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "migrate", "labels": {"a": "b"}},
    "spec": {
        "backoffLimit": 0,
        "template": {
            "metadata": {"annotations": {"at": "noon"}},
            "spec": {
                "serviceAccountName": "runner",
                "initContainers": [{"name": "wait", "image": "shop:v2", "command": ["wait"]}],
                "containers": [
                    {
                        "name": "c",
                        "image": "shop:v2",
                        "args": ["up"],
                        "env": [
                            {"name": "A", "value": "1"},
                            {
                                "name": "B",
                                "valueFrom": {"secretKeyRef": {"name": "secret", "key": "b"}},
                            },
                        ],
                        "envFrom": [{"configMapRef": {"name": "settings"}}],
                        "volumeMounts": [{"name": "sql", "mountPath": "/sql"}],
                        "resources": {"limits": {"cpu": "1"}},
                    }
                ],
                "volumes": [{"name": "sql", "configMap": {"name": "sql"}}],
            },
        },
    },
}
POD = ("spec", "template", "spec")
C = (*POD, "containers", 0)


def with_(path: tuple[Any, ...], value: Any) -> Json:
    found = copy.deepcopy(JOB)
    here: Any = found
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = value
    return found


def digest(body: Json, **hooks: Any) -> str:
    return doing_digest(doing_of(body, lambda kind, name: hooks.get(name)))


def test_names_labels_annotations_and_resources_are_no_part_of_it() -> None:
    for path, value in (
        (("metadata",), {"name": "migrate-x7k2p", "annotations": {"a": "b"}}),
        (("spec", "template", "metadata"), {"labels": {"rolled": "x7k2p"}}),
        (("spec", "backoffLimit"), 3),
        ((*C, "resources"), {"limits": {"cpu": "2"}}),
        ((*POD, "nodeSelector"), {"disk": "ssd"}),
    ):
        assert digest(with_(path, value)) == digest(JOB), path


@pytest.mark.parametrize(
    ("path", "value", "title"),
    [
        ((*C, "image"), "shop:v3", "container c: image"),
        ((*C, "command"), ["other"], "container c: command"),
        ((*C, "args"), ["down"], "container c: args"),
        ((*C, "workingDir"), "/other", "container c: workingDir"),
        ((*C, "env", 0, "value"), "2", "container c: env A"),
        ((*C, "env", 1, "valueFrom", "secretKeyRef", "key"), "other", "container c: env B"),
        ((*C, "envFrom"), None, "container c: envFrom"),
        ((*C, "volumeMounts", 0, "mountPath"), "/other", "container c: volumeMounts"),
        ((*POD, "initContainers", 0, "command"), ["other"], "init container wait: command"),
        ((*POD, "serviceAccountName"), "other", "serviceAccountName"),
        ((*POD, "volumes", 0, "configMap"), {"name": "other"}, "volume sql"),
    ],
)
def test_what_it_does_is_told_by_name(path: tuple[Any, ...], value: Any, title: str) -> None:
    before, after = (doing_of(body, lambda kind, name: None) for body in (JOB, with_(path, value)))
    assert doing_digest(before) != doing_digest(after)
    assert [before[key].title for key in before if before[key].value != after[key].value] == [title]


def test_a_hook_s_object_counts_by_what_it_holds_whatever_it_is_called() -> None:
    other = with_((*POD, "volumes", 0, "configMap"), {"name": "sql-x7k2p"})
    assert digest(other, **{"sql-x7k2p": "select 1"}) == digest(JOB, sql="select 1")
    assert digest(other, **{"sql-x7k2p": "select 2"}) != digest(JOB, sql="select 1")
    assert digest(other) != digest(JOB)
    projected = [{"name": "sql", "projected": {"sources": [{"secret": {"name": "secret"}}]}}]
    assert digest(with_((*POD, "volumes"), projected), secret="a") != digest(
        with_((*POD, "volumes"), projected), secret="b"
    )


def test_one_object_that_is_used_twice_is_not_two() -> None:
    twice = [{"configMapRef": {"name": "a"}}, {"configMapRef": {"name": "b"}}]
    once = [{"configMapRef": {"name": "a"}}, {"configMapRef": {"name": "a"}}]
    assert digest(with_((*C, "envFrom"), twice), a="x", b="x") != digest(
        with_((*C, "envFrom"), once), a="x", b="x"
    )


def test_a_secret_holds_the_same_written_in_either_way() -> None:
    plain = {"kind": "Secret", "stringData": {"a": "1"}}
    encoded = {"kind": "Secret", "data": {"a": "MQ=="}}
    assert content_of(plain) == content_of(encoded) == {"a": "1"}


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(
    path=st.sampled_from(
        [
            ("spec",),
            ("spec", "template"),
            POD,
            (*POD, "containers"),
            C,
            *((*C, key) for key in JOB["spec"]["template"]["spec"]["containers"][0]),
            (*C, "env", 0),
            (*C, "env", 1, "valueFrom"),
            (*C, "env", 1, "valueFrom", "secretKeyRef"),
            (*POD, "volumes"),
            (*POD, "volumes", 0, "configMap"),
            (*POD, "serviceAccountName"),
        ]
    ),
    value=ANY,
)
def test_whatever_stands_in_a_field_is_no_traceback(path: tuple[Any, ...], value: Any) -> None:
    assert len(digest(with_(path, value), sql={}, secret={})) == 64
