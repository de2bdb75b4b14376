"""What is refused or told of a step before it runs: that it never ends, may run twice, or is ended in its middle."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from shipit.errors import Refused
from shipit.model import Json, Ref, Step
from shipit.plan.job_spec import as_created
from shipit.plan.step_checks import check_step
from shipit.plan.step_warnings import LONG, warnings_of

ONCE: Json = {"backoffLimit": 0}
SIX: Json = {"backoffLimit": 6, "podReplacementPolicy": "Failed"}


def job(spec: Json, pod: Json | None = None, *, notes: Json | None = None, timeout: float = 900.0) -> Step:
    template = {
        "metadata": {"annotations": notes},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c"}], **(pod or {})},
    }
    body = {"kind": "Job", "metadata": {"name": "up"}, "spec": {**spec, "template": template}}
    return Step("up", Ref("batch/v1", "Job", "shop", "up"), body, "before", timeout, 300.0, migration=True)  # fmt: skip


def pod(spec: Json, *, notes: Json | None = None, timeout: float = 900.0) -> Step:
    body = {"kind": "Pod", "metadata": {"name": "up", "annotations": notes}, "spec": spec}
    return Step("up", Ref("v1", "Pod", "shop", "up"), body, "before", timeout, 300.0, migration=True)


def told(*steps: Step) -> list[str]:
    found = list(warnings_of(steps))
    assert all(each.hint for each in found), "each says what to write"
    return [each.message for each in found]


# ── running twice ────────────────────────────────────────────────────────────────────────────────

TWO_AT_ONCE = "Job up may run in two pods at once: one that is evicted is replaced while it still ends"
UNSET = "Job up may run up to 7 times: backoffLimit is not set, and Kubernetes' default is 6"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (ONCE, []),
        ({"backoffLimit": 0.0}, []),
        (
            {**ONCE, "suspend": True},
            ["Job up is made suspended (suspend: true): it runs only once somebody, or a queue, lets it go"],
        ),
        (SIX, ["Job up may run up to 7 times: backoffLimit is 6"]),
        ({}, [UNSET, TWO_AT_ONCE]),
        ({"backoffLimit": None}, [UNSET, TWO_AT_ONCE]),
        ({"backoffLimit": 1}, ["Job up may run up to 2 times: backoffLimit is 1", TWO_AT_ONCE]),
        ({**SIX, "podReplacementPolicy": None}, ["Job up may run up to 7 times: backoffLimit is 6", TWO_AT_ONCE]),
        ({**SIX, "podReplacementPolicy": "TerminatingOrFailed"}, ["Job up may run up to 7 times: backoffLimit is 6", TWO_AT_ONCE]),
        (
            {**ONCE, "podFailurePolicy": {"rules": [{"action": "FailJob"}, {"action": "Ignore"}]}},
            ["Job up may run again whatever backoffLimit says: podFailurePolicy ignores some failures"],
        ),
        ({**ONCE, "podFailurePolicy": {"rules": [{"action": "FailJob"}]}}, []),
        ({**ONCE, "podFailurePolicy": None}, []),
        (
            {"backoffLimit": 2, "podFailurePolicy": {"rules": [{"action": "Count"}]}},
            ["Job up may run up to 3 times: backoffLimit is 2"],  # its podReplacementPolicy is Failed
        ),
        ({**ONCE, "completions": 3}, ["Job up runs 3 pods to their end: completions is 3"]),
        (
            {**ONCE, "completions": 3, "parallelism": 2, "completionMode": "Indexed"},
            [
                "Job up runs 3 pods to their end, one for each index: completions is 3",
                "Job up runs 2 pods at once: parallelism is 2",
            ],
        ),
        ({**ONCE, "completions": 2, "parallelism": 5}, ["Job up runs 2 pods to their end: completions is 2", "Job up runs 2 pods at once: parallelism is 5"]),
        ({**ONCE, "parallelism": 4}, ["Job up runs 4 pods at once: parallelism is 4"]),
        ({**ONCE, "parallelism": 4, "completions": 1}, []),
        ({**ONCE, "parallelism": None, "completions": None}, []),
        (
            {"backoffLimitPerIndex": 1, "completions": 1, "completionMode": "Indexed", "podReplacementPolicy": "Failed"},
            ["Job up may run each index up to 2 times: backoffLimitPerIndex is 1"],
        ),
        ({"backoffLimitPerIndex": 0, "completions": 1, "completionMode": "Indexed"}, []),
    ],
)  # fmt: skip
def test_a_job_that_may_run_twice_is_told_with_what_makes_it_so(spec: Json, words: list[str]) -> None:
    assert told(job(spec)) == words


def test_a_restart_in_the_pod_is_told() -> None:
    (again,) = told(job(ONCE, {"restartPolicy": "OnFailure"}))
    assert again == "Job up starts a failed container again, at least once: restartPolicy is OnFailure"  # fmt: skip
    (often,) = told(pod({"restartPolicy": "OnFailure"}))
    assert often.endswith("as often as it fails until the timeout: restartPolicy is OnFailure")


def test_the_file_s_own_retries_are_no_news() -> None:
    step = job({})
    for retries in (0, 3):
        made = as_created(step.manifest, retries)
        assert made["spec"]["backoffLimit"] == retries
        assert made["spec"]["podReplacementPolicy"] == "Failed"
        assert told(replace(step, manifest=made, retries=retries)) == []
    assert "backoffLimit" not in as_created(step.manifest, None)["spec"]
    assert as_created({"kind": "Job", "spec": None}, 1) == {"kind": "Job", "spec": None}


def test_only_migrations_are_told_of() -> None:
    assert told(replace(job({}), migration=False)) == []


def test_what_is_true_of_several_is_told_once() -> None:
    """A chart may run five hook Jobs in a row."""
    other = replace(job(SIX), ref=Ref("batch/v1", "Job", "shop", "seed"))
    often = "may run up to 7 times: backoffLimit is 6"
    assert told(job(SIX), other, job(SIX)) == [f"Job up, Job seed {often}"]


# ── ended in the middle ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "kept",
    [{"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}, {"karpenter.sh/do-not-disrupt": "true"}],
)
def test_a_long_migration_that_may_be_evicted_is_told_unless_it_is_kept_on_its_node(kept: Json) -> None:
    for one in (partial(job, ONCE), partial(pod, {"restartPolicy": "Never"})):
        (words,) = told(one(timeout=LONG))
        assert "may be evicted in the middle: the timeout is 30m" in words
        assert told(one(timeout=LONG, notes=kept)) == []
        assert told(one(timeout=900.0)) == [], "the default nags nobody"
        (words,) = told(one(timeout=3600.0, notes=dict.fromkeys(kept, "nonsense")))
        assert "the timeout is 1h" in words


@pytest.mark.parametrize(
    ("spec", "inside", "seconds"),
    [(600, None, 600), (None, 300, 300), (600, 300, 300), (900, None, 0), (3600, 7200, 0), (None, None, 0)],
)
def test_a_deadline_below_the_timeout_is_told(spec: int | None, inside: int | None, seconds: int) -> None:
    step = job({**ONCE, "activeDeadlineSeconds": spec}, {"activeDeadlineSeconds": inside})
    words = f"Job up is ended after {seconds} s by activeDeadlineSeconds, before the timeout of 15m"
    assert told(step) == ([words] if seconds else [])


# ── hopeless ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, "is not set, and Kubernetes' default is Always"),
        ({"restartPolicy": None}, "is not set"),
        ({"restartPolicy": "Always", "activeDeadlineSeconds": 60}, "is Always"),
    ],
)
def test_a_pod_that_is_started_again_after_it_ended_well_is_refused(spec: Json, words: str) -> None:
    for step in (pod(spec), replace(pod(spec), migration=False)):
        with pytest.raises(Refused, match=f"Pod up would run again and again, and never end: its restartPolicy {words}") as refused:  # fmt: skip
            check_step(step)
        assert "restartPolicy: Never" in str(refused.value.hint)


@pytest.mark.parametrize("policy", ["Never", "OnFailure"])
def test_a_pod_that_ends_is_not(policy: str) -> None:
    check_step(pod({"restartPolicy": policy}))


def test_a_pod_can_t_be_retried() -> None:
    check_step(replace(pod({"restartPolicy": "Never"}), retries=0))
    with pytest.raises(Refused, match=r"retries under \[migration\] are for Jobs"):
        check_step(replace(pod({"restartPolicy": "Never"}), retries=1))


def test_a_migration_that_completes_without_a_pod_is_refused() -> None:
    with pytest.raises(Refused, match="runs nothing: its completions is 0"):
        check_step(job({**ONCE, "completions": 0}))
    for fine in (job({**ONCE, "completions": 1}), replace(job({**ONCE, "completions": 0}), migration=False)):
        check_step(fine)


def test_a_job_whose_pods_can_t_be_told_from_another_s_is_refused() -> None:
    with pytest.raises(Refused, match="manualSelector"):
        check_step(job({**ONCE, "manualSelector": True}))
