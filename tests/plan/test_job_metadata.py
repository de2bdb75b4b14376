"""What shipit creates says whose it is, and is known again by its hash."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from shipit.plan.job_metadata import job_hash, placed, with_metadata

JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "shop-migrate", "labels": {"app": "shop"}, "annotations": {"note": "x"}},
    "spec": {
        "backoffLimit": 0,
        "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": []}},
    },
}


def dress(body: dict[str, Any], **changed: Any) -> dict[str, Any]:
    as_usual: dict[str, Any] = {
        "release": "shop",
        "namespace": "prod",
        "run": "r1",
        "tag": "v2",
        "hash": job_hash(body),
        "revision": 7,
    }
    return with_metadata(body, **(as_usual | changed))


def test_a_job_says_whose_it_is() -> None:
    found = dress(JOB)
    assert found["metadata"] == {
        "name": "shop-migrate",
        "namespace": "prod",
        "labels": {"app": "shop", "app.kubernetes.io/managed-by": "Helm", "shipit/release": "shop"},
        "annotations": {
            "note": "x",
            "meta.helm.sh/release-name": "shop",
            "meta.helm.sh/release-namespace": "prod",
            "helm.sh/resource-policy": "keep",
            "shipit/run": "r1",
            "shipit/tag": "v2",
            "shipit/hash": job_hash(JOB),
            "shipit/revision": "7",
            "shipit/version": "2",
        },
    }
    assert found["spec"] == JOB["spec"]


def test_the_rendered_object_is_left_alone() -> None:
    before = copy.deepcopy(JOB)
    dress(JOB)["spec"]["template"]["metadata"]["labels"]["app"] = "other"
    assert before == JOB


def test_a_namespace_of_its_own_stays() -> None:
    found = dress({**JOB, "metadata": {"name": "m", "namespace": "data"}})
    assert found["metadata"]["namespace"] == "data"
    assert found["metadata"]["annotations"]["meta.helm.sh/release-namespace"] == "prod"


def test_other_hooks_objects_only_get_their_namespace() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db", "annotations": {"helm.sh/hook": "x"}},
    }
    assert dress(secret) == {**secret, "metadata": {**secret["metadata"], "namespace": "prod"}}  # type: ignore[dict-item]


def test_a_kind_without_namespace_gets_none() -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "x"}}
    assert placed(role, "prod") == role
    assert placed({**role, "metadata": {"name": "x", "namespace": "odd"}}, "prod") == role


@pytest.mark.parametrize("metadata", [None, 5, {"labels": None}, {"labels": [1], "annotations": "x"}])
def test_odd_metadata_is_no_traceback(metadata: Any) -> None:
    body = {**JOB, "metadata": metadata}
    assert dress(body)["metadata"]["labels"]["shipit/release"] == "shop"
    assert job_hash(body) == job_hash(dress(body))


def test_the_hash_is_the_same_before_and_after_dressing() -> None:
    assert job_hash(dress(JOB)) == job_hash(JOB)
    assert job_hash(dress(JOB, run="r2", tag="v3", revision=8)) == job_hash(JOB)
    assert len(job_hash(JOB)) == 16


def test_the_hash_is_that_of_what_the_job_does() -> None:
    other_image = copy.deepcopy(JOB)
    other_image["spec"]["template"]["spec"]["containers"] = [{"image": "shop:v3"}]
    other_note = copy.deepcopy(JOB)
    other_note["metadata"]["annotations"]["note"] = "y"
    assert len({job_hash(JOB), job_hash(other_image), job_hash(other_note)}) == 3


def test_the_hash_outlives_a_random_name() -> None:
    renamed = {**JOB, "metadata": {**JOB["metadata"], "name": "shop-migrate-x7k2p"}}
    assert job_hash(renamed) == job_hash(JOB)


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    assert job_hash(dict(reversed(JOB.items()))) == job_hash(JOB)
