"""How long a step is watched: never much longer than its own timeout."""

from __future__ import annotations

import pytest

from shipit.deploy.completion import wait_for_completion
from shipit.errors import ApiError, IdentityChanged, Unreachable
from shipit.logs.follower import Follower
from shipit.model import Fingerprint, Job, Ref, Step
from shipit.states import StepOutcome
from tests.fakes import NAMESPACE, Script, fakes

JOB = Ref("batch/v1", "Job", NAMESPACE, "migrate")


@pytest.mark.parametrize(
    ("ends", "timeout", "least", "most"), [(9.0, 10.0, 3.0, 6.0), (9.0, 3600.0, 60.0, 3600.0)]
)
def test_the_end_of_a_log_is_waited_for_until_shortly_after_the_steps_timeout(
    ends: float, timeout: float, least: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []
    monkeypatch.setattr(Follower, "finish", lambda _, seconds: given.append(seconds))
    world = fakes()
    world.cluster.scripts["migrate"] = Script(starts=0.5, ends=ends - 0.5, outcome="failed")
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "namespace": NAMESPACE}}
    world.cluster.create(body)
    job = world.cluster.job(NAMESPACE, "migrate")
    assert isinstance(job, Job)
    step = Step("migrate", JOB, body, "before", timeout, timeout)
    assert wait_for_completion(step, job, world.world, world.told).outcome is StepOutcome.FAILED
    (seconds,) = given
    assert least <= seconds <= most


@pytest.mark.parametrize(
    ("error", "ends_at_once"), [(IdentityChanged("elsewhere"), True), (Unreachable("silent"), False)]
)
def test_silence_is_waited_out_and_a_kubeconfig_that_leads_elsewhere_is_not(
    error: ApiError, ends_at_once: bool
) -> None:
    world = fakes()
    world.cluster.scripts["migrate"] = Script(starts=0.5, ends=8)
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "namespace": NAMESPACE}}
    world.cluster.create(body)
    job = world.cluster.job(NAMESPACE, "migrate")
    assert isinstance(job, Job)
    world.cluster.broken = lambda _: error
    step = Step("migrate", JOB, body, "before", 20.0, 20.0, Fingerprint(earlier="h"))
    if ends_at_once:
        with pytest.raises(IdentityChanged):
            wait_for_completion(step, job, world.world, world.told)
        assert world.clock.monotonic() < 5
    else:
        assert wait_for_completion(step, job, world.world, world.told).outcome is StepOutcome.UNKNOWN
        assert world.clock.monotonic() >= 20
