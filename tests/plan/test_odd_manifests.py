"""Whatever the API server accepts is survived: any field left out, null, or of a type that nobody expected."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.chart import (
    candidates,
    digest,
    images,
    pod_spec,
    references_of,
    split,
    uses_tag,
    without,
    workloads,
)
from shipit.cluster.parse import job_of, pod_of
from shipit.cluster.workloads import selector_of, workload_of
from shipit.deploy.suspend import _may_hide_a_pod
from shipit.diagnosis import Observation, diagnose
from shipit.errors import Refused
from shipit.lock.record import holder_of
from shipit.model import Json, Ref, Step, as_map, spec_of, uid_of
from shipit.plan.gitops import _application, _helm_release
from shipit.plan.job_metadata import job_hash, with_metadata
from shipit.plan.job_spec import as_created
from shipit.plan.secret_values import secret_values
from shipit.plan.step_checks import check_step
from shipit.plan.step_warnings import warnings_of
from shipit.plan.three_way_merge import three_way_merge
from tests.fakes import NAMESPACE
from tests.odd_manifests import DEPLOYMENT, JOB, MISSING, POD, SECRET, changed, paths
from tests.odd_manifests import Path as Where
from tests.releases import a_release, a_request, hook, manifest, planned, rendered

OBJECTS = [JOB, POD, DEPLOYMENT, SECRET]
TEXTS = ("labels", "annotations", "matchLabels")
"""Of these maps Kubernetes takes a null for an empty text."""
FIELDS = [
    pytest.param(body, path, id=f"{body['kind']}.{'.'.join(map(str, path))}")
    for body in OBJECTS
    for path in paths(body)
    if path[-2:-1] not in [(each,) for each in TEXTS]
]
NEEDED = {("kind",), ("apiVersion",), ("metadata",), ("metadata", "name")}
"""Without these it is no object."""
ODD = [MISSING, None, 0, 1, 3.0, True, "", "x", [], {}, [None], ["x"], {"x": None}, [{}]]
CHANGES = st.sampled_from(OBJECTS).flatmap(
    lambda body: st.tuples(
        st.just(body),
        st.lists(st.tuples(st.sampled_from(list(paths(body))), st.sampled_from(ODD)), min_size=1, max_size=4),
    )
)


def a_step(body: Json) -> Step:
    kind = str(body.get("kind"))
    return Step("migrate", Ref("v1", kind, "shop", "migrate"), body, "before", 7200.0, 300.0, migration=True)  # fmt: skip


def read_all(body: Json) -> list[Any]:
    """What every reader of manifests makes of it: a refusal is an answer too."""
    step = a_step(body)
    documents = split(f"---\n# Source: shop/templates/x.yaml\n{json.dumps(body)}\n", "shop")
    try:
        check_step(step)
        refused = ""
    except Refused as error:
        refused = error.message
    made = with_metadata(body, release="shop", namespace="shop", run="r", tag="v2", hash="h", revision=2)
    job, pod = job_of(body), pod_of(body)
    job_hash(body)
    digest(documents)
    three_way_merge(body, body, made)
    return [
        refused,
        list(warnings_of([step])),
        list(warnings_of([a_step(as_created(body, 2))])),
        pod_spec(body) and [images(body), references_of(body), uses_tag(body, "v2")],
        [ref.kind for ref in workloads(documents)],
        [each.ref.kind for each in candidates(documents)],
        len(without(documents, {each.ref for each in candidates(documents)})),
        sorted(secret_values(body)),
        (_helm_release(body), _application(body), uid_of(body)),
        _may_hide_a_pod(step, job),
        (job, diagnose(Observation(job, (pod,)))),
        (pod, diagnose(Observation(None, (pod,)))),
        workload_of(Ref("apps/v1", "Deployment", "shop", "shop"), body),
        selector_of(as_map(spec_of(body).get("selector"))),
        holder_of(body),
    ]


@pytest.mark.parametrize(("body", "path"), FIELDS)
def test_a_null_is_what_a_field_that_is_left_out_is(body: Json, path: Where) -> None:
    """As for the API server: it takes a null as "not given"."""
    null = read_all(changed(body, path, None))
    if isinstance(path[-1], str):
        assert null == read_all(changed(body, path, MISSING))


@given(CHANGES)
def test_nothing_that_is_left_out_null_or_odd_is_too_odd(found: tuple[Json, list[tuple[Where, Any]]]) -> None:
    body, changes = found
    for path, value in changes:
        body = changed(body, path, value)
    read_all(body)


@pytest.mark.parametrize("value", [None, MISSING], ids=["null", "left out"])
@pytest.mark.parametrize("body", [JOB, POD], ids=["Job", "Pod"])
def test_a_deploy_of_it_is_prepared_or_refused_in_words(tmp_path: Path, body: Json, value: Any) -> None:
    prepared = 0
    for number, path in enumerate(path for path in paths(body) if path not in NEEDED):
        asked, world = a_request(tmp_path / str(number)), a_release()
        odd = changed(body, path, value)
        world.helm.rendered = (
            rendered(manifest(odd)) if body is JOB else rendered("", hook(odd, "pre-upgrade"))
        )
        for each in references_of(odd):
            ref = Ref("v1", each.kind, NAMESPACE, each.name)
            held = world.cluster.objects.setdefault(ref, {"kind": each.kind, "metadata": {"name": each.name}})
            held.setdefault("data", {})[each.key] = ""
        with suppress(Refused):
            plan = planned(asked, world)
            assert [step.ref.name for step in plan.before] == ["migrate"]
            prepared += 1
    assert prepared > number / 2
