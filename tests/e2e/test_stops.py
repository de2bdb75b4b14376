"""A migration that can't succeed is stopped early, with the reason in the cluster's own words and the app untouched.

All of these deploys run side by side, since they mostly wait: for a second pull, a quota, a back-off.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import Sandbox
from tests.e2e.kit import Project, Result, job
from tests.e2e.stage import Stage, a_stage, uid

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "{{ .Release.Name }}"
GOOD = job("echo fine", name=NAME)
IMAGE = '"{{ .Values.image.repository }}:{{ .Values.image.tag }}"'
COMMAND = 'command: ["sh", "-c", "echo fine"]'
NOT_ROOT = """\
          securityContext: {runAsNonRoot: true}
"""
RETRIES = """\
      initContainers:
        - name: prepare
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          command: ["sh", "-c", "echo prepared"]
"""
HELPER = """\
        - name: helper
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          command: ["sh", "-c", "echo helping"]
"""
NO_MORE_PODS = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: full, annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: "-5"}}
spec: {hard: {pods: "0"}}
"""

CASES = {
    "no-image": GOOD,
    "no-name": GOOD.replace("{{ .Values.image.repository }}:", "registry.sandbox/BusyBox:"),
    "no-user": GOOD + NOT_ROOT,
    "no-node": GOOD.replace("restartPolicy", "nodeSelector: {no: where}\n      restartPolicy"),
    "suspended": job("echo fine", name=NAME, spec="suspend: true\n"),
    "no-command": GOOD.replace(COMMAND, 'command: ["/no/such/program"]'),
    "no-memory": GOOD.replace(COMMAND, 'command: ["tail", "/dev/zero"]\n          resources: {limits: {memory: 24Mi}}'),
    "retries": job("echo trying; printf 'no luck'; exit 3", name=NAME).replace("backoffLimit: 0", "backoffLimit: 1")
    .replace("      containers:\n", RETRIES + "      containers:\n") + HELPER,
    "too-long": job("echo slow; sleep 1000", name=NAME, spec="activeDeadlineSeconds: 20\n"),
}  # fmt: skip
NEVER_STARTED = ("no-image", "no-name", "no-user", "no-node", "suspended", "no-pod")


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(sandbox, tmp_path_factory.mktemp("stops")) as made:
        yield made


@pytest.fixture(scope="module")
def full(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A namespace that has no room for a pod once the deploy is under way."""
    with a_stage(sandbox, tmp_path_factory.mktemp("full")) as made:
        yield made


@pytest.fixture(scope="module")
def projects(stage: Stage, full: Stage) -> dict[str, Project]:
    made = {case: stage.project(case) for case in CASES}
    for case, project in made.items():
        project.template("migrate", CASES[case])
    for case in ("no-node", "suspended"):
        made[case].configure('start_timeout = "4s"')
    made["no-pod"] = full.project("no-pod")
    made["no-pod"].template("full", NO_MORE_PODS)
    made["no-pod"].template(
        "migrate", job("echo fine", name=NAME, annotations={"helm.sh/hook": "pre-install"})
    )
    return made


@pytest.fixture(scope="module")
def stopped(projects: dict[str, Project]) -> dict[str, Result]:
    """How the first deploy of each ended."""
    started = {
        case: project.start("deploy", "--tag", "not-there" if case == "no-image" else "v1")
        for case, project in projects.items()
    }
    return {case: running.end() for case, running in started.items()}


WORDS = {
    "no-image": ("container migrate", "PullBackOff", "not found"),
    "no-name": ("InvalidImageName", "BusyBox"),
    "no-user": ("CreateContainerConfigError", "image will run as root"),
    "no-node": ("no container has started within 4 s", "Unschedulable", "node affinity/selector"),
    "suspended": ("no container has started within 4 s", "the Job is suspended"),
    "no-pod": ("no pod can be created", "exceeded quota: full"),
    "no-command": ("StartError", "/no/such/program"),
    "no-memory": ("container migrate ran out of memory", "OOMKilled"),
    "retries": ("container migrate exited with code 3", "last of 2 pods"),
    "too-long": ("DeadlineExceeded", "active longer than specified deadline"),
}


@pytest.mark.parametrize("case", WORDS)
def test_the_reason_is_told_in_the_clusters_own_words(stopped: dict[str, Result], case: str) -> None:
    found = stopped[case]
    assert (found.exit_code, found.outcome) == (4, "migration_failed"), found.told
    assert [words for words in WORDS[case] if words not in found.error["message"]] == [], found.error
    assert "the app is not installed" in found.error["message"]
    assert found.error["hint"]
    assert [each["outcome"] for each in found.result["migrations"]][-1:] == ["failed"], found.told


@pytest.mark.parametrize("case", NEVER_STARTED)
def test_what_never_started_can_not_start_by_itself_later(
    stopped: dict[str, Result], projects: dict[str, Project], case: str
) -> None:
    assert "no container ever started" in stopped[case].error["message"]
    left = projects[case].kube.get("job", case)
    assert left is not None
    assert left["spec"]["suspend"] is True
    assert left["metadata"]["annotations"]["shipit/never-started"]
    assert "Suspended" in [each["type"] for each in left["status"]["conditions"]]
    assert not projects[case].kube.all("pods", f"batch.kubernetes.io/job-name={case}")


@pytest.mark.parametrize("case", ["no-command", "no-memory", "retries"])
def test_what_did_start_is_left_for_a_look(
    stopped: dict[str, Result], projects: dict[str, Project], case: str
) -> None:
    assert "is kept for inspection" in stopped[case].error["message"]
    left = projects[case].kube.get("job", case)
    assert left is not None
    assert "shipit/never-started" not in left["metadata"]["annotations"]
    assert projects[case].kube.all("pods", f"batch.kubernetes.io/job-name={case}")


def test_every_container_and_every_retry_is_heard_to_its_last_unfinished_line(
    stopped: dict[str, Result],
) -> None:
    heard = [(line["attempt"], line["container"], line["line"]) for line in stopped["retries"].of("log")]
    for attempt in (1, 2):
        mine = [(container, line) for number, container, line in heard if number == attempt]
        assert mine[0] == ("prepare", "prepared")
        assert [line for container, line in mine if container == "migrate"] == ["trying", "no luck"]
        assert ("helper", "helping") in mine
    assert len(heard) == 8
    assert len({line["pod"] for line in stopped["retries"].of("log")}) == 2
    assert "no luck" in stopped["retries"].error["details"]
    warned = [each["message"] for each in stopped["retries"].of("warning")]
    assert any("may run up to 2 times" in message for message in warned)


def test_the_last_lines_before_a_deadline_are_not_lost_with_the_pod(stopped: dict[str, Result]) -> None:
    assert stopped["too-long"].log == ["slow"]


def test_the_next_deploy_replaces_what_never_started(
    stopped: dict[str, Result], projects: dict[str, Project], full: Stage
) -> None:
    old = {case: uid(projects[case].kube, case) for case in NEVER_STARTED}
    full.kube.kubectl("delete", "quota", "full")
    projects["no-pod"].without_template("full")
    for case in ("no-name", "no-user", "no-node", "suspended"):
        projects[case].template("migrate", GOOD)
    again = {case: projects[case].start("deploy", "--tag", "v1") for case in NEVER_STARTED}

    for case, running in again.items():
        done = running.end()
        assert done.exit_code == 0, done.told
        assert uid(projects[case].kube, case) != old[case]
        assert projects[case].kube.image(case) == "v1"
        assert projects[case].kube.pods_by_job()[case][-1] == 1
        assert done.log == ["fine"]
