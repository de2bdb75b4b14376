"""What shipit says about Jobs and Pods that end, or should: by what their pods know, not by the Job's own words.

The looks were captured from a real Kubernetes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shipit.diagnosis import Finding, Observation, diagnose, outcome_of, why_vanished
from shipit.model import Condition, Job
from tests.captured import looks, observation, told, watched

NOT_FOUND = "registry.sandbox/busybox:nope: not found"


# ── ends ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("exit-1", "container migrate exited with code 1 (Error)"),
        ("exit-126", "container migrate exited with code 126 (Error, found but not executable)"),
        ("exit-127", "container migrate exited with code 127 (Error, command not found)"),
        ("exit-143", "container migrate exited with code 143 (Error, SIGTERM)"),
        ("exit-message", "container migrate exited with code 3 (Error): relation users does not exist"),
        ("oom", "container migrate ran out of memory (OOMKilled, exit code 137)"),
        (
            "bad-command",
            'container migrate: StartError: exec: "/no/such/program": stat /no/such/program: no such file or directory',
        ),
        ("init-fails", "container wait-for-db exited with code 2 (Error)"),
        ("exit-1-retry", "container migrate exited with code 1 (Error); it was the last of 2 pods"),
        ("evicted", 'pod evicted-pkfrs: Evicted: Usage of EmptyDir volume "v" exceeds the limit "1Mi"'),
        ("deadline", "DeadlineExceeded: Job was active longer than specified deadline"),
        ("pod-deleted", "pod pod-deleted-97g6c was deleted"),
        (
            "failure-policy",
            (
                "PodFailurePolicy: Container migrate for pod shop/failure-policy-48vp8 failed with exit code 42 "
                "matching FailJob rule at index 0; container migrate exited with code 42 (Error)"
            ),
        ),
        ("crash-onfailure", "container migrate exited with code 1 (Error)"),
    ],
)
def test_a_failed_job_is_told_by_what_its_pod_knows(name: str, words: str) -> None:
    assert told(name)[-1] == ("fatal", words)


def test_between_two_tries_the_first_is_told() -> None:
    assert told("exit-1-retry")[0] == (
        "waiting",
        "container migrate exited with code 1 (Error); pod 1 of at most 2 failed",
    )


def test_restarts_in_one_pod_are_counted() -> None:
    assert told("crash-onfailure")[:2] == [
        ("waiting", "container migrate exited with code 1 (Error); restarted 1 time"),
        ("waiting", "the Job is ending: container migrate exited with code 1 (Error)"),
    ]


def test_pods_that_nobody_saw_leave_only_the_jobs_own_words() -> None:
    found = diagnose(observation(looks("crash-onfailure")[-1]))
    assert found
    assert (
        found.reason
        == "BackoffLimitExceeded: Job has reached the specified backoff limit; its pods are gone, and their logs with them"
    )


def test_a_command_that_cannot_be_started_is_tried_again_but_not_for_minutes() -> None:
    kinds = [kind for kind, _ in told("bad-command-onfailure")]
    assert kinds == ["waiting", "fatal", "fatal"]


def test_a_command_that_cannot_be_started_in_two_pods_ends_a_job_with_more_tries_left() -> None:
    look = looks("bad-command")[-1]
    assert look.job
    (pod,) = look.pods
    retrying = replace(look, job=replace(look.job, conditions=(), backoff_limit=6, failed=1))
    once = diagnose(observation(retrying))
    twice = diagnose(observation(replace(retrying, pods=(pod, replace(pod, uid="2")))))
    assert once
    assert twice
    assert (once.kind, twice.kind) == ("waiting", "fatal")
    assert once.reason.endswith("; pod 1 of at most 7 failed")
    of_index = diagnose(
        observation(replace(retrying, job=replace(look.job, conditions=(), backoff_limit=2**31 - 1)))
    )
    assert of_index
    assert of_index.reason.endswith("; pod 1 failed")


def test_out_of_memory_is_not_mistaken_for_the_deletion_that_follows() -> None:
    look = looks("oom")[-1]
    (pod,) = look.pods
    found = diagnose(observation(replace(look, pods=(replace(pod, deleting=True),))))
    assert found
    assert found.reason == "container migrate ran out of memory (OOMKilled, exit code 137)"


def test_a_deadline_that_ran_out_before_the_start_says_what_it_waited_for() -> None:
    late, waiting = looks("deadline")[-1], looks("pull-no-tag")[1]
    found = diagnose(observation(late, gone=waiting.pods))
    assert found
    assert found.reason == (
        "DeadlineExceeded: Job was active longer than specified deadline; "
        f"container migrate: ImagePullBackOff: {NOT_FOUND}"
    )


def test_a_success_is_nothing_to_speak_of() -> None:
    assert told("complete") == [("", ""), ("", "")]
    assert told("running") == [("", "")]


def test_a_native_sidecar_that_is_killed_at_the_end_is_no_failure() -> None:
    assert told("native-sidecar") == [("", ""), ("", "")]


def test_a_childs_out_of_memory_casts_a_doubt_on_a_success() -> None:
    assert told("oom-child") == [
        ("note", "container migrate exited with code 0, but a process in it ran out of memory (OOMKilled)")
    ]


# ── pods that don't end ──────────────────────────────────────────────────────────────────────────


def test_a_sidecar_that_never_ends_is_named() -> None:
    (found,) = watched("sidecar")
    assert found
    assert (found.kind, found.reason) == (
        "waiting",
        "container migrate has exited, but proxy is still running and keeps the pod alive",
    )
    assert "native sidecar" in str(found.hint)


def test_a_failure_that_a_sidecar_hides_ends_when_no_other_try_is_left() -> None:
    look = looks("sidecar")[0]
    assert look.job
    (pod,) = look.pods
    migrate, proxy = pod.containers
    assert migrate.termination
    failed = replace(migrate, termination=replace(migrate.termination, exit_code=1, reason="Error"))
    hidden = replace(look, pods=(replace(pod, containers=(failed, proxy)),))
    early, late = diagnose(observation(hidden)), diagnose(observation(hidden, elapsed=60.0))
    more = replace(hidden, job=replace(look.job, backoff_limit=2))
    retried = diagnose(observation(more, elapsed=60.0))
    words = "container migrate exited with code 1 (Error), but proxy is still running and keeps the pod alive"
    assert early
    assert late
    assert retried
    assert [each.reason for each in (early, late, retried)] == [words] * 3
    assert [each.kind for each in (early, late, retried)] == ["waiting", "fatal", "waiting"]


def test_a_lost_node_is_told_in_the_clusters_words() -> None:
    look = looks("running")[0]
    (pod,) = look.pods
    lost = replace(pod, reason="NodeLost", message="Node n1 which was running pod x is unresponsive")
    found = diagnose(observation(replace(look, pods=(lost,))))
    assert found
    assert found.reason == f"pod {pod.name}: NodeLost: Node n1 which was running pod x is unresponsive"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("EvictionByEvictionAPI", "was evicted, as a drain of its node or an autoscaler does"),
        ("PreemptionByScheduler", "was preempted, to make room for a pod of higher priority"),
        ("DeletionByTaintManager", "was deleted, for its node has a taint that it does not tolerate"),
        ("DeletionByPodGC", "was deleted, for its node is gone"),
        ("TerminationByKubelet", "was ended by its node, which shuts down or is short of something"),
        ("SomethingNew", ""),
    ],
)
def test_a_pod_that_the_cluster_ends_is_said_to_be_so_whatever_its_exit_code(reason: str, words: str) -> None:
    look = looks("exit-1")[-1]
    (pod,) = look.pods
    (container,) = pod.containers
    target = Condition("DisruptionTarget", "True", reason, "the cluster's own words")
    told = " ".join(filter(None, (f"pod {pod.name}", words))) + f": {reason}: the cluster's own words"

    def ended(code: int) -> Finding | None:
        assert container.termination
        ended = replace(container, termination=replace(container.termination, exit_code=code, reason="Error"))
        drained = replace(pod, conditions=(target,), containers=(ended,), deleting=True)
        return diagnose(observation(replace(look, pods=(drained,))))

    for code, more in ((143, ""), (137, ""), (3, "; container migrate exited with code 3 (Error)")):
        found = ended(code)
        assert found
        assert (found.kind, found.reason) == ("fatal", told + more)
        assert not more or "exited" in found.reason

    running = replace(looks("running")[0].pods[0], name=pod.name, conditions=(target,), deleting=True)
    found = diagnose(observation(replace(looks("running")[0], pods=(running,))))
    assert found
    assert (found.kind, found.reason) == ("waiting", told)


def test_a_disruption_that_did_not_come_is_none() -> None:
    look = looks("exit-1")[-1]
    (pod,) = look.pods
    spared = replace(pod, conditions=(Condition("DisruptionTarget", "False", "PreemptionByScheduler"),))
    found = diagnose(observation(replace(look, pods=(spared,))))
    assert found
    assert found.reason == "container migrate exited with code 1 (Error)"


@pytest.mark.parametrize("seen", ["ended", "ending", "gone"])
def test_a_pod_that_was_evicted_and_ended_with_0_casts_a_doubt_on_a_success(seen: str) -> None:
    look = looks("complete")[-1]
    (pod,) = look.pods
    assert look.job
    target = Condition("DisruptionTarget", "True", "EvictionByEvictionAPI")
    evicted = replace(pod, deleting=True, conditions=(target,))
    if seen != "ended":
        evicted = replace(evicted, phase="Running")
    pods = replace(look, pods=() if seen == "gone" else (evicted,))
    gone = (evicted,) if seen == "gone" else ()
    found = diagnose(observation(pods, gone=gone))
    assert found
    assert found.kind == "note"
    assert "was evicted" in found.reason
    assert found.reason.endswith("; it exited with code 0 all the same")
    assert "did all of its work" in str(found.hint)

    if seen == "ended":
        bare = diagnose(replace(observation(pods), job=None))
        assert bare == found
    retried = replace(pods, pods=(*pods.pods, replace(pod, uid="2")), job=replace(look.job, failed=1))
    assert diagnose(observation(retried, gone=gone)) is None, "the pod after it succeeded"
    cleaned_up = replace(look, pods=(replace(pod, deleting=True),))
    assert diagnose(observation(cleaned_up)) is None


def test_a_later_pod_has_its_own_time_to_start() -> None:
    look = looks("too-big")[-1]
    assert look.job
    (pod,) = look.pods
    second = replace(pod, created=look.job.created + timedelta(seconds=600))
    again = replace(look, pods=(second,))
    early, late = diagnose(observation(again, elapsed=700.0)), diagnose(observation(again, elapsed=901.0))
    assert early
    assert late
    assert (early.kind, late.kind) == ("waiting", "fatal")


def test_a_job_on_its_way_out_says_what_holds_it() -> None:
    look = looks("running")[0]
    assert look.job
    leaving = replace(look.job, deleting=True, finalizers=("foregroundDeletion",))
    found = diagnose(observation(replace(look, job=leaving)))
    assert found == Finding(
        "waiting", "the Job is being deleted, waiting for its finalizers: foregroundDeletion"
    )


# ── bare pods ────────────────────────────────────────────────────────────────────────────────────


def test_a_bare_pod_is_judged_like_a_jobs() -> None:
    def bare(name: str, look: int = -1) -> Finding | None:
        return diagnose(replace(observation(looks(name)[look]), job=None))

    assert bare("exit-1") == Finding("fatal", "container migrate exited with code 1 (Error)")
    assert bare("complete") is None
    assert bare("running") is None
    unscheduled = bare("too-big")
    assert unscheduled
    assert unscheduled.kind == "waiting"
    child = bare("oom-child")
    assert child
    assert child.kind == "note"
    assert diagnose(Observation(None)) is None


# ── verdicts ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "look", "verdict"),
    [
        ("complete", -1, "succeeded"),
        ("complete", 0, "running"),
        ("exit-1", -1, "failed"),
        ("crash-onfailure", 1, "running"),
        ("running", 0, "running"),
        ("suspended", 0, "running"),
    ],
)
def test_only_complete_and_failed_count(name: str, look: int, verdict: str) -> None:
    job = looks(name)[look].job
    assert job
    assert outcome_of(job, job.uid) == verdict
    assert outcome_of(job, "another") == "vanished"


def test_a_bare_pod_counts_by_its_phase() -> None:
    (failed,), (done,), (running,) = (looks(name)[-1].pods for name in ("exit-1", "complete", "running"))
    assert [outcome_of(pod, pod.uid) for pod in (failed, done, running)] == ["failed", "succeeded", "running"]
    assert outcome_of(None, "1") == "vanished"


def test_a_job_that_is_both_has_failed() -> None:
    job = looks("complete")[-1].job
    assert job
    both = replace(job, conditions=(*job.conditions, Condition("Failed", "True")))
    assert outcome_of(both, both.uid) == "failed"


LATE = Condition("Failed", "True", "DeadlineExceeded", "Job was active longer than specified deadline")


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ({"succeeded": 1}, "succeeded"),
        ({"succeeded": 1, "failed": 2}, "succeeded"),
        ({"succeeded": 3, "wanted": 3}, "succeeded"),
        ({"succeeded": 2, "wanted": 3}, "failed"),
        ({"succeeded": 0, "failed": 1}, "failed"),
        ({"succeeded": 1, "active": 1}, "failed"),
        ({"succeeded": 1, "terminating": 1}, "failed"),
    ],
)
def test_a_job_whose_pods_had_all_succeeded_before_its_deadline_has_migrated(
    more: dict[str, int], verdict: str
) -> None:
    look = looks("deadline")[-1]
    assert look.job
    job = replace(look.job, conditions=(LATE,), **{"failed": 0, **more})  # type: ignore[arg-type]
    assert outcome_of(job, job.uid) == verdict
    found = diagnose(observation(replace(look, job=job)))
    assert found
    if verdict == "succeeded":
        pods = "its pod" if job.wanted == 1 else "all 3 of its pods"
        told = f"({LATE.reason}: {LATE.message}), but {pods} had succeeded: it has migrated"
        assert (found.kind, found.reason) == ("note", f"Job deadline is Failed {told}")
    else:
        assert found.kind == "fatal"


def test_pods_that_were_seen_to_succeed_count_though_their_job_counts_them_as_failed() -> None:
    look = looks("deadline")[-1]
    assert look.job
    late = replace(look.job, conditions=(LATE,), succeeded=0, failed=1)
    assert late.having_seen(1).has_succeeded
    assert not late.having_seen(0).has_succeeded
    running = replace(late, conditions=())
    assert running.having_seen(1) == running, "what still runs is judged by what it says"


def test_success_criteria_met_is_not_yet_complete() -> None:
    job = looks("complete")[0].job
    assert job
    early: Job = replace(job, succeeded=1, conditions=(Condition("SuccessCriteriaMet", "True"),))
    assert outcome_of(early, early.uid) == "running"


# ── gone ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_removed_by_its_ttl_left_a_word_but_no_verdict() -> None:
    done, gone = looks("ttl")
    assert gone.job is None
    found = why_vanished(replace(observation(done), job_events=gone.events))
    assert (found.kind, found.reason) == ("note", "its last Event says Completed: Job completed")
    assert "ttlSecondsAfterFinished" in str(found.hint)


def test_a_job_deleted_while_it_ran_left_nothing() -> None:
    found = why_vanished(observation(looks("running")[0]))
    assert found.reason == "it was deleted"
    leaving = looks("pod-deleted")[1]
    assert why_vanished(observation(leaving)).reason == "pod pod-deleted-97g6c was deleted"
