"""What shipit says about Jobs whose containers don't start, and when it stops waiting for them.

The looks were captured from a real Kubernetes.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from shipit.diagnosis import Finding, diagnose
from tests.captured import looks, observation, told

NOT_FOUND = "registry.sandbox/busybox:nope: not found"


# ── images ───────────────────────────────────────────────────────────────────────────────────────


def test_an_image_that_is_not_there_gets_a_second_pull_and_no_third() -> None:
    assert told("pull-no-tag") == [
        ("waiting", f"container migrate: ErrImagePull: {NOT_FOUND}"),
        ("fatal", f"container migrate: ImagePullBackOff: {NOT_FOUND}"),
        ("fatal", f"container migrate: ErrImagePull: {NOT_FOUND}"),
    ]


def test_an_init_containers_image_counts_too() -> None:
    assert told("pull-in-init") == [("fatal", f"container wait-for-db: ImagePullBackOff: {NOT_FOUND}")]


@pytest.mark.parametrize(
    ("name", "words"),
    [("pull-refused", "connection refused"), ("pull-no-registry", "network is unreachable")],
)
def test_a_registry_that_cannot_be_reached_may_come_back_until_the_start_timeout(
    name: str, words: str
) -> None:
    last = looks(name)[-1]
    early, late = diagnose(observation(last)), diagnose(observation(last, elapsed=301.0))
    assert early
    assert early.kind == "waiting"
    assert early.reason.startswith("container migrate: ImagePullBackOff: Head ")
    assert early.reason.endswith(words)
    assert late
    assert late.kind == "fatal"
    assert late.reason == f"no container has started within 300 s: {early.reason}"


def test_an_older_kubelet_tells_why_only_in_events() -> None:
    look = looks("pull-no-tag")[1]
    (pod,) = look.pods
    silent = replace(pod.containers[0], message='Back-off pulling image "registry.sandbox/busybox:nope"')
    found = diagnose(observation(replace(look, pods=(replace(pod, containers=(silent,)),))))
    assert found
    assert (found.kind, found.reason) == ("fatal", f"container migrate: ImagePullBackOff: {NOT_FOUND}")


def test_a_name_that_is_none_ends_at_once() -> None:
    ((kind, reason),) = told("invalid-image-name")
    assert kind == "fatal"
    assert reason.startswith("container migrate: InvalidImageName: ")
    assert reason.endswith("repository name (Busy Box) must be lowercase")


def test_an_image_that_may_not_be_pulled_ends_at_once() -> None:
    ((kind, reason),) = told("never-pull")
    assert kind == "fatal"
    assert reason.endswith("is not present with pull policy of Never")


# ── what a pod needs ─────────────────────────────────────────────────────────────────────────────


def test_a_missing_secret_gets_a_moment_to_come_up() -> None:
    words = 'container migrate: CreateContainerConfigError: secret "db" not found'
    assert told("no-secret-env") == [("waiting", words), ("fatal", words)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-secret-key", "couldn't find key url in Secret shop/present"),
        ("no-configmap-envfrom", 'configmap "settings" not found'),
        ("run-as-non-root", "container has runAsNonRoot and image will run as root"),
    ],
)
def test_a_container_that_cannot_be_configured_ends_after_that_moment(name: str, words: str) -> None:
    first = looks(name)[0]
    early, late = diagnose(observation(first)), diagnose(observation(first, elapsed=13.0))
    assert early
    assert late
    assert early.reason.startswith(f"container migrate: CreateContainerConfigError: {words}")
    assert (early.kind, late.kind) == ("waiting", "fatal")
    assert late.hint


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-secret-volume", 'FailedMount: MountVolume.SetUp failed for volume "v" : secret "tls" not found'),
        (
            "no-claim",
            'Unschedulable: 0/1 nodes are available: persistentvolumeclaim "data" not found. not found',
        ),
        ("too-big", "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu"),
        (
            "node-selector",
            "Unschedulable: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector",
        ),
    ],
)
def test_what_may_yet_come_is_waited_for_until_the_start_timeout(name: str, words: str) -> None:
    last = looks(name)[-1]
    early, late = diagnose(observation(last)), diagnose(observation(last, elapsed=301.0))
    assert early
    assert late
    assert (early.kind, early.reason) == ("waiting", words)
    assert (late.kind, late.reason) == ("fatal", f"no container has started within 300 s: {words}")


def test_a_long_pull_is_named_and_not_taken_for_an_old_trouble() -> None:
    look = looks("no-secret-volume")[-1]
    (pod,) = look.pods
    pulling = replace(look.pod_events[pod.uid][-1], reason="Pulling", message='Pulling image "shop:v2"')
    events = {pod.uid: (*look.pod_events[pod.uid], pulling)}
    found = diagnose(replace(observation(look), pod_events=events))
    assert found == Finding("waiting", 'Pulling image "shop:v2"')


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "quota",
            "no pod can be created: exceeded quota: pods, requested: pods=1, used: pods=0, limited: pods=0",
        ),
        (
            "no-account",
            (
                "no pod can be created: error looking up service account shop/migrator: "
                'serviceaccount "migrator" not found'
            ),
        ),
        (
            "admission",
            (
                "no pod can be created: ValidatingAdmissionPolicy 'only-our-registry' with binding 'only-our-registry' "
                "denied request: images must come from registry.example.com"
            ),
        ),
    ],
)
def test_a_job_that_may_have_no_pod_ends_after_a_moment(name: str, words: str) -> None:
    last = looks(name)[-1]
    early, late = diagnose(observation(last, elapsed=9.0)), diagnose(observation(last))
    assert early
    assert late
    assert [(each.kind, each.reason) for each in (early, late)] == [("waiting", words), ("fatal", words)]
    assert late.hint


def test_a_namespace_that_demands_more_security_says_what() -> None:
    ((kind, reason),) = told("pod-security")
    assert kind == "fatal"
    assert reason.startswith(
        'no pod can be created: violates PodSecurity "restricted:latest": allowPrivilege'
    )


def test_a_webhook_that_is_down_is_no_answer() -> None:
    look = looks("admission")[-1]
    words = 'Error creating: Internal error occurred: failed calling webhook "x": connect: connection refused'
    down = replace(look, events=tuple(replace(event, message=words) for event in look.events))
    early, late = diagnose(observation(down)), diagnose(observation(down, elapsed=300.0))
    assert early
    assert late
    assert (early.kind, late.kind) == ("waiting", "fatal")


def test_a_job_without_any_pod_or_word_is_waited_for() -> None:
    look = replace(looks("quota")[0], events=())
    assert diagnose(observation(look, elapsed=3.0)) is None
    assert diagnose(observation(look, elapsed=30.0)) == Finding("waiting", "the Job has no pod yet")
    late = diagnose(observation(look, elapsed=300.0))
    assert late == Finding("fatal", "no container has started within 300 s: the Job has no pod yet")


def test_a_suspended_job_may_be_released_by_whoever_suspended_it() -> None:
    ((kind, reason),) = told("suspended")
    assert (kind, reason) == ("waiting", "the Job is suspended, it starts no pods")
    late = diagnose(observation(looks("suspended")[0], elapsed=300.0))
    assert late
    assert late.kind == "fatal"
