"""Whatever a cluster answers, a diagnosis comes out, and success is never guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipit.diagnosis import Observation, diagnose, outcome_of, why_not_ready, why_vanished
from shipit.diagnosis.causes import MOST_WORDS, ended, last_line, shortened
from shipit.diagnosis.waits import cant_pull, held_up
from shipit.model import Condition, Container, Job, KubeEvent, Pod, Ref, Termination, Workload

BORN = datetime(2026, 3, 1, tzinfo=UTC)
IMAGE = "ghcr.io/acme/timeout-denied-503:v2"

moments = st.none() | st.integers(0, 900).map(lambda seconds: BORN + timedelta(seconds=seconds))
words = st.sampled_from(
    ["", "x", "not found", "Back-off pulling image", "a\n\nb", "Failed to pull image: eof", "…" * 700]
)
reasons = st.sampled_from(
    [
        "",
        "Error",
        "Completed",
        "OOMKilled",
        "StartError",
        "ContainerStatusUnknown",
        "ErrImagePull",
        "ImagePullBackOff",
        "CrashLoopBackOff",
        "RunContainerError",
        "CreateContainerConfigError",
        "InvalidImageName",
        "PodInitializing",
    ]
)
ends = st.builds(
    Termination,
    exit_code=st.integers(-1, 300),
    reason=reasons,
    message=words,
    signal=st.integers(0, 70),
    started_at=moments,
    finished_at=moments,
    container_id=words,
)
containers = st.builds(
    Container,
    name=st.sampled_from(["migrate", "proxy"]),
    image=words,
    init=st.booleans(),
    sidecar=st.booleans(),
    state=st.sampled_from(["waiting", "running", "terminated"]),
    reason=reasons,
    message=words,
    restarts=st.integers(0, 9),
    termination=st.none() | ends,
    last_termination=st.none() | ends,
)
conditions = st.lists(
    st.builds(
        Condition,
        type=st.sampled_from(
            [
                "Complete",
                "Failed",
                "SuccessCriteriaMet",
                "FailureTarget",
                "PodScheduled",
                "Ready",
                "ReplicaFailure",
            ]
        ),
        status=st.sampled_from(["True", "False", "Unknown"]),
        reason=st.sampled_from(["", "BackoffLimitExceeded", "DeadlineExceeded", "Unschedulable"]),
        message=words,
    ),
    max_size=3,
).map(tuple)
pods = st.builds(
    Pod,
    name=st.just("shop-1"),
    namespace=st.just("shop"),
    uid=st.sampled_from(["1", "2"]),
    phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown", ""]),
    created=st.just(BORN) | st.just(BORN + timedelta(seconds=60)),
    reason=reasons,
    message=words,
    deleting=st.booleans(),
    conditions=conditions,
    containers=st.lists(containers, max_size=3).map(tuple),
)
jobs = st.builds(
    Job,
    name=st.just("shop"),
    namespace=st.just("shop"),
    uid=st.just("j"),
    created=st.just(BORN),
    failed=st.integers(0, 7),
    succeeded=st.integers(0, 3),
    wanted=st.integers(1, 3),
    active=st.integers(0, 1),
    terminating=st.integers(0, 1),
    suspended=st.booleans(),
    deleting=st.booleans(),
    conditions=conditions,
)
events = st.lists(
    st.builds(
        KubeEvent,
        reason=st.sampled_from(["FailedCreate", "FailedMount", "Pulling", "Unhealthy", "Completed", ""]),
        message=words,
        count=st.integers(0, 9),
        last_seen=moments,
    ),
    max_size=3,
).map(tuple)
observations = st.builds(
    Observation,
    job=st.none() | jobs,
    pods=st.lists(pods, max_size=3).map(tuple),
    job_events=events,
    pod_events=st.dictionaries(st.sampled_from(["1", "2"]), events, max_size=2),
    elapsed=st.floats(0, 1000),
    gone=st.lists(pods, max_size=2).map(tuple),
)
workloads = st.builds(
    Workload,
    ref=st.just(Ref("apps/v1", "Deployment", "shop", "shop")),
    desired=st.integers(0, 3),
    updated=st.integers(0, 3),
    ready=st.integers(0, 3),
    available=st.integers(0, 3),
    observed=st.booleans(),
    selector=st.just("app=shop"),
    conditions=conditions,
)


@given(observations)
def test_every_observation_has_a_diagnosis_fit_to_print(seen: Observation) -> None:
    for found in (diagnose(seen), why_vanished(seen)):
        assert found is None or (found.reason and "\n" not in found.reason + str(found.hint))


@given(observations)
def test_what_ended_is_never_waited_for_and_what_is_done_is_never_fatal(seen: Observation) -> None:
    found = diagnose(seen)
    if seen.job and seen.job.failure and not seen.job.has_succeeded:
        assert found
        assert found.kind == "fatal"
    elif seen.job and seen.job.finished:
        assert found is None or found.kind == "note"


@given(st.none() | jobs | pods)
def test_success_is_never_guessed(found: Job | Pod | None) -> None:
    verdict = outcome_of(found, "j")
    if verdict == "succeeded":
        assert isinstance(found, Job)
        complete = any(c.type == "Complete" and c.status == "True" for c in found.conditions)
        failed = any(c.type == "Failed" and c.status == "True" for c in found.conditions)
        assert complete != failed
        assert complete or (found.succeeded >= found.wanted and not (found.active or found.terminating))


@given(workloads, st.lists(pods, max_size=3).map(tuple), st.floats(0, 1000), events)
def test_every_rollout_has_an_answer(
    workload: Workload, found: tuple[Pod, ...], elapsed: float, told: tuple[KubeEvent, ...]
) -> None:
    finding = why_not_ready(workload, found, {"1": told}, elapsed)
    assert finding is None or (finding.reason and "\n" not in finding.reason)
    if workload.done:
        assert finding is None


@pytest.mark.parametrize(
    ("message", "hope", "hint"),
    [
        ("manifest unknown: manifest unknown", "none", "push"),
        (
            "pull access denied, repository does not exist or may require authorization",
            "none",
            "imagePullSecrets",
        ),
        ("unexpected status from HEAD request to x: 401 Unauthorized", "none", "imagePullSecrets"),
        ("failed to authorize: failed to fetch anonymous token: 403 Forbidden", "none", "imagePullSecrets"),
        ("no match for platform in manifest: not found", "none", "can't use"),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "none",
            "can't use",
        ),
        ("unexpected status from HEAD request to x: 503 Service Unavailable", "some", "reach"),
        ("toomanyrequests: You have reached your pull rate limit", "some", "reach"),
        ("dial tcp: lookup registry.acme: no such host", "some", "reach"),
        ("net/http: TLS handshake timeout", "some", "reach"),
        ("unexpected EOF", "some", "reach"),
        ("something nobody foresaw", "some", "the node can pull"),
        ("", "some", "the node can pull"),
    ],
)
def test_only_what_pulling_again_cannot_change_is_final(message: str, hope: str, hint: str) -> None:
    text = f'Back-off pulling image "{IMAGE}": ErrImagePull: failed to resolve reference "{IMAGE}": {message} ({IMAGE})'
    waiting = Container("migrate", image=IMAGE, reason="ImagePullBackOff", message=text)
    cause = cant_pull(waiting, ())
    assert cause.hope == hope
    assert hint in str(cause.hint)
    first = Container("migrate", image=IMAGE, reason="ErrImagePull", message=text)
    assert cant_pull(first, ()).hope == "some"
    again = KubeEvent("Failed", f'Failed to pull image "{IMAGE}": {message}', "Warning", count=2)
    assert cant_pull(first, (again,)).hope == hope


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (
            Termination(137, "ContainerStatusUnknown"),
            "how it ended was not observed (ContainerStatusUnknown)",
        ),
        (Termination(139, "Error"), "exited with code 139 (Error, SIGSEGV)"),
        (Termination(135, "Error"), "exited with code 135 (Error, SIGBUS)"),
        (Termination(160, "Error"), "exited with code 160 (Error, signal 32)"),
        (Termination(1, "", signal=9), "exited with code 1 (SIGKILL)"),
        (Termination(0, "Completed"), "exited with code 0 (Completed)"),
        (Termination(255), "exited with code 255"),
        (
            Termination(1, "Error", "a\nOperationalError: no such table\n"),
            "(Error): OperationalError: no such table",
        ),
    ],
)
def test_an_end_is_told_with_what_its_code_means(end: Termination, text: str) -> None:
    assert text in ended(Container("migrate"), end).reason


def test_a_configuration_error_of_an_unknown_kind_has_no_hint() -> None:
    odd = Container("migrate", reason="CreateContainerConfigError", message="something else")
    cause = held_up(odd, ())
    assert cause
    assert (cause.reason, str(cause.hint)) == (
        "container migrate: CreateContainerConfigError: something else",
        "",
    )


def test_words_are_cut_to_one_line() -> None:
    assert shortened(" a\n  b. ") == "a b"
    assert len(shortened("x" * 5000)) == MOST_WORDS
    assert last_line("Traceback\n  File\nDatabaseError: gone\n\n") == "DatabaseError: gone"
    assert last_line("\n") == ""
