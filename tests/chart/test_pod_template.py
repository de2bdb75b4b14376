"""The tag that a deploy asks for is looked for where it counts: in the images of the containers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.chart.pod_template import Image, held_by_digest, image, images, pod_template_of, uses_tag

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def job(*names: str, **spec: Any) -> dict[str, Any]:
    containers = [{"name": f"c{n}", "image": name} for n, name in enumerate(names)]
    return {"kind": "Job", "spec": {"template": {"spec": {"containers": containers, **spec}}}}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("shop", Image("shop", "", "")),
        ("shop:v2", Image("shop", "v2", "")),
        ("registry:5000/shop", Image("registry:5000/shop", "", "")),
        ("registry:5000/team/shop:v2", Image("registry:5000/team/shop", "v2", "")),
        (f"shop@{DIGEST}", Image("shop", "", DIGEST)),
        (f"registry:5000/shop:v2@{DIGEST}", Image("registry:5000/shop", "v2", DIGEST)),
        ("", Image("", "", "")),
    ],
)
def test_an_image_has_its_parts(text: str, parts: Image) -> None:
    assert image(text) == parts


def test_a_tag_is_used_when_it_is_an_images_whole_tag() -> None:
    assert uses_tag(job("registry:5000/shop:v2"), "v2")
    assert uses_tag(job("sidecar:1", "shop:v2"), "v2")
    assert uses_tag(job("sidecar:1", initContainers=[{"image": "shop:v2"}]), "v2")


@pytest.mark.parametrize(
    "name", ["shop:v2.1", "shop:av2", "v2", "v2/shop", "shop-v2:latest", "registry:v2/shop"]
)
def test_a_tag_is_not_used_when_it_only_occurs_somewhere(name: str) -> None:
    assert not uses_tag(job(name), "v2")


def test_a_tag_in_an_environment_variable_or_a_label_is_not_used() -> None:
    body = job("shop:v1")
    body["metadata"] = {"labels": {"version": "v2"}}
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "TAG", "value": "shop:v2"}]
    assert not uses_tag(body, "v2")


def test_a_tag_with_a_digest_must_have_that_digest() -> None:
    assert uses_tag(job(f"shop:v2@{DIGEST}"), f"v2@{DIGEST}")
    assert not uses_tag(job(f"shop:v2@{OTHER}"), f"v2@{DIGEST}")
    assert not uses_tag(job("shop:v2"), f"v2@{DIGEST}")


def test_an_image_held_by_a_digest_of_its_own_does_not_run_the_tag() -> None:
    body = job(f"shop:v2@{OTHER}", "shop:v1")
    assert not uses_tag(body, "v2")
    assert held_by_digest(body, "v2") == (f"shop:v2@{OTHER}",)
    assert held_by_digest(body, f"v2@{OTHER}") == ()
    assert held_by_digest(job("shop:v2"), "v2") == ()


def test_init_containers_come_first() -> None:
    assert images(job("b:1", initContainers=[{"image": "a:1"}, {}, "odd"])) == ("a:1", "b:1")


def test_every_kind_that_runs_pods_has_its_template() -> None:
    pod = {"spec": {"containers": [{"image": "a:1"}]}}
    assert images({"kind": "Pod", **pod}) == ("a:1",)
    for kind in ("Job", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
        assert images({"kind": kind, "spec": {"template": pod}}) == ("a:1",)
    assert images({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": pod}}}}) == ("a:1",)
    assert pod_template_of({"kind": "Secret"}) is None
    assert images({"kind": "Secret"}) == ()


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "template", "containers", "image", "kind"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(["Job", "Pod", "CronJob", "Secret"]), _json)
def test_whatever_a_chart_writes_is_looked_through(kind: str, spec: Any) -> None:
    assert isinstance(images({"kind": kind, "spec": spec}), tuple)
    assert isinstance(uses_tag({"kind": kind, "spec": spec}, "v2"), bool)
