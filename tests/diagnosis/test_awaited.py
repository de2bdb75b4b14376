"""What a migration waits for, judged from what the API server shows."""

from __future__ import annotations

import pytest

from shipit.diagnosis import object_awaited, service_awaited, workload_awaited
from shipit.model import Json, Ref, Workload

SERVICE = Ref("v1", "Service", "shop", "db")
JOB = Ref("batch/v1", "Job", "shop", "seed")
DATABASE = Workload(Ref("apps/v1", "StatefulSet", "shop", "db"), 2, 2, 1, 1, observed=True, selector="app=db")


def endpoints(*ready: bool | None) -> list[Json]:
    return [{"endpoints": [{"conditions": {"ready": each} if each is not None else {}}]} for each in ready]


@pytest.mark.parametrize(
    ("slices", "words"),
    [
        ([], "Service db: it has no endpoints"),
        ([{"endpoints": None}], "Service db: it has no endpoints"),
        (endpoints(False, False), "Service db: none of its 2 endpoints is ready"),
        (endpoints(False, True), ""),
        (endpoints(None), ""),
    ],
)
def test_a_service_needs_a_ready_endpoint(slices: list[Json], words: str) -> None:
    found = service_awaited(SERVICE, {"spec": {}}, slices)
    assert (found.reason if found else "") == words


def test_a_name_elsewhere_has_no_endpoints() -> None:
    assert service_awaited(SERVICE, {"spec": {"type": "ExternalName"}}, []) is None


def test_a_workload_needs_all_its_pods_and_one_at_least() -> None:
    some = workload_awaited(DATABASE, (), {}, 1)
    assert some is not None
    assert some.reason == "StatefulSet db: 1 of 2 pods are ready"
    none = workload_awaited(Workload(DATABASE.ref, 0, 0, 0, 0, observed=True, selector="app=db"), (), {}, 1)
    assert none is not None
    assert none.reason == "StatefulSet db wants no pods"
    every = Workload(DATABASE.ref, 2, 2, 2, 2, observed=True, selector="app=db")
    assert workload_awaited(every, (), {}, 1) is None


def test_a_job_has_to_be_complete() -> None:
    failed = {
        "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    }
    found = object_awaited(JOB, failed, ())
    assert found is not None
    assert found.kind == "fatal"
    assert (
        object_awaited(JOB, {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}, ()) is None
    )
    assert object_awaited(Ref("v1", "Secret", "shop", "db-app"), {}, ()) is None
