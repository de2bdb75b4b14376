"""An upgrade that fails after its migration: which pod, why and its last words; what is rolled back, what stays.

The deploys lie side by side, since they mostly wait: for a second pull, for restarts, for helm's timeout.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from sandbox import Sandbox
from tests.e2e.kit import APP, VALUES, Project, Result, job
from tests.e2e.stage import HELD, NEVER_READY, Stage, StumblingHelm, a_stage, begun, let_go

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "{{ .Release.Name }}"
FINE = job("echo fine", name=NAME)
NO_IMAGE = APP.replace("{{ .Values.image.repository }}", "registry.sandbox/no-such-app")
CRASHING = VALUES.replace(
    '"echo app $HOSTNAME; sleep 100000"', '"echo starting; sleep 1; echo no database >&2; exit 3"'
)
PROBE = """\
          readinessProbe: {exec: {command: ["true"]}, initialDelaySeconds: 5}
"""

FAILING = {
    "image-3": "",
    "image-4": "",
    "back-3": "rollback_on_failure = true\n",
    "back-4": "rollback_on_failure = true\n",
    "crash": "max_restarts = 3\n",
    "ready-3": 'timeout = "20s"\n',
    "ready-4": 'timeout = "20s"\n',
    "first": "rollback_on_failure = true\n",
}


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(sandbox, tmp_path_factory.mktemp("upgrade")) as made:
        yield made


@pytest.fixture(scope="module")
def projects(stage: Stage) -> dict[str, Project]:
    """Releases that run v1, but for `first`, which was never installed."""
    made = {name: stage.project(name, "3" if name.endswith("-3") else "4") for name in FAILING}
    for name, project in made.items():
        project.template("migrate", FINE)
        project.configure(release=FAILING[name])
    started = {name: made[name].start("deploy", "--tag", "v1") for name in FAILING if name != "first"}
    for deploy in started.values():
        done = deploy.end()
        assert done.exit_code == 0, done.told
    return made


@pytest.fixture(scope="module")
def failed(projects: dict[str, Project]) -> dict[str, Result]:
    """How v2 ended, whose app can't run."""
    for name, project in projects.items():
        if name.startswith(("image", "back", "first")):
            project.template("app", NO_IMAGE)
        elif name == "crash":
            project.write("chart/values.yaml", CRASHING)
            # With no readiness probe it would be ready for a moment after each start, which is enough for helm
            project.template("app", APP + PROBE)
        else:
            project.template("app", NEVER_READY)
    started = {name: project.start("deploy", "--tag", "v2") for name, project in projects.items()}
    return {name: deploy.end() for name, deploy in started.items()}


WORDS = {
    "image": ("container app", "no-such-app:v2: not found"),
    "back": ("container app", "no-such-app:v2: not found", "the app was rolled back to revision 1"),
    "crash": ("container app exited with code 3", "restarted 3 times"),
    "ready": ("Readiness probe failed: no friend yet",),
    "first": ("container app", "not found", "revision 1 is failed and was not rolled back"),
}


@pytest.mark.parametrize("name", FAILING)
def test_the_pod_and_its_reason_are_told_instead_of_helms_deadline(
    failed: dict[str, Result], name: str
) -> None:
    found = failed[name]
    assert (found.exit_code, found.outcome) == (6, "upgrade_failed"), found.told
    message = found.error["message"]
    assert [words for words in WORDS[name.partition("-")[0]] if words not in message] == [], message
    assert f"pod {name}-" in message
    assert "the migration is done" in message
    assert "deadline exceeded" not in message
    assert "timed out waiting" not in message
    assert found.of("rollout"), "the rollout was watched"
    assert [each["outcome"] for each in found.result["migrations"]] == ["succeeded"]


def test_the_apps_last_words_are_shown(failed: dict[str, Result]) -> None:
    assert failed["crash"].error["details"][:2] == ["starting", "no database"]
    assert [line["line"] for line in failed["crash"].of("app_log")] == ["starting", "no database"]
    for name in ("ready-3", "ready-4"):
        assert failed[name].error["details"][:1] == ["waiting for a friend"]


@pytest.mark.parametrize("name", ["back-3", "back-4"])
def test_the_app_is_rolled_back_where_that_is_configured(
    failed: dict[str, Result], projects: dict[str, Project], name: str
) -> None:
    assert failed[name].exit_code == 6
    project = projects[name]
    assert project.kube.image(name) == "v1"
    assert [each["status"] for each in project.history()] == ["superseded", "failed", "deployed"]
    assert project.kube.get("deployment", name)["status"]["availableReplicas"] == 1  # type: ignore[index]
    assert project.kube.pods_by_job()[name] == [1, 1], "the rollback runs no migration"


@pytest.mark.parametrize("name", ["image-3", "image-4", "crash", "ready-3", "ready-4"])
def test_it_stays_as_it_is_where_it_is_not(
    failed: dict[str, Result], projects: dict[str, Project], name: str
) -> None:
    assert failed[name].error["hint"].startswith("shipit rollback 1")
    assert [each["status"] for each in projects[name].history()] == ["deployed", "failed"]
    assert projects[name].kube.image(name) == "v2"


def test_the_next_deploy_is_not_judged_by_the_pods_that_the_broken_one_left(
    failed: dict[str, Result], projects: dict[str, Project]
) -> None:
    names = [name for name in failed if name.startswith(("image", "crash"))]
    for name in names:
        projects[name].template("app", APP)
        projects[name].write("chart/values.yaml", VALUES)
    forward = [projects[name].start("deploy", "--tag", "v3") for name in names]
    for deploy in forward:
        done = deploy.end()
        assert done.exit_code == 0, done.told


def test_a_failed_first_install_stays_for_a_look(
    failed: dict[str, Result], projects: dict[str, Project]
) -> None:
    assert failed["first"].exit_code == 6
    assert [each["status"] for each in projects["first"].history()] == ["failed"]
    assert projects["first"].kube.get("deployment", "first") is not None


def test_a_release_that_somebody_else_moved_meanwhile_is_left_to_them(stage: Stage) -> None:
    project = stage.project("moved")
    project.template("migrate", job(HELD, name=NAME))
    deploy = project.start("deploy", "--tag", "v2")
    begun(project.kube, "moved")
    project.without_template("migrate")
    project.run_helm("install", "moved", "chart", "--set", "image.tag=v3", "--wait")
    let_go(project.kube, "moved")

    ended = deploy.end()

    assert (ended.exit_code, ended.outcome) == (7, "busy"), ended.told
    assert "someone else moved the release meanwhile: revision 1" in ended.error["message"]
    assert "shipit deploy --tag v2" in ended.error["hint"]
    assert [each["status"] for each in project.history()] == ["deployed"]
    assert project.kube.image("moved") == "v3"


def test_a_tag_that_was_moved_between_migration_and_app_is_warned_of(stage: Stage, sandbox: Sandbox) -> None:
    def crane(*args: str) -> None:
        subprocess.run(
            [str(sandbox.crane), *args, "--insecure"], check=True, capture_output=True, env={"NO_PROXY": "*"}
        )

    repository = f"{sandbox.push_registry}/{stage.kube.namespace}"
    crane("copy", f"{sandbox.push_registry}/busybox:v1", f"{repository}:v9")
    project = stage.project("tag")
    project.write("chart/values.yaml", VALUES.replace("busybox", stage.kube.namespace))
    project.template("app", APP.replace("image:", "imagePullPolicy: Always\n          image:"))
    project.template("migrate", job(HELD, name=NAME))
    deploy = project.start("deploy", "--tag", "v9")
    begun(project.kube, "tag")
    crane("mutate", f"{repository}:v9", "--label", "built=again", "-t", f"{repository}:v9")
    let_go(project.kube, "tag")

    done = deploy.end()

    assert done.exit_code == 0, done.told
    warned = [each["message"] for each in done.of("warning")]
    assert any("the tag v9 was moved" in message for message in warned), warned


def abandoned(project: Project) -> None:
    """A release that a helm of somebody's left pending: it was killed in its rollout."""
    project.template("app", NEVER_READY)
    helm = StumblingHelm(project, "upgrade")
    argv = [project.environ.pop("SHIPIT_HELM"), "upgrade", "--install", "--wait", project.release, "chart"]
    argv += ["--set", "image.tag=v1", "-n", project.kube.namespace]
    argv += ["--kubeconfig", str(project.kube.sandbox.kubeconfig)]
    with subprocess.Popen(argv, cwd=project.folder, stdout=subprocess.DEVNULL) as process:
        project.kube.wait(lambda: project.kube.get("deployment", project.release))
        helm.kill()
        process.wait()
    assert [each["status"] for each in project.history()] == ["pending-install"]


def test_a_pending_release_is_somebody_elses_until_its_helm_must_be_dead(stage: Stage) -> None:
    project = stage.project("pending")
    abandoned(project)
    since = time.monotonic()
    project.template("app", APP)
    project.template("migrate", FINE)

    busy = project.deploy("v2")

    assert (busy.exit_code, busy.outcome) == (7, "busy"), busy.told
    assert "the release is pending-install (revision 1)" in busy.error["message"]
    assert "helm history pending" in busy.error["hint"]
    assert project.kube.get("job", "pending") is None
    stage.kube.wait(lambda: time.monotonic() - since > 32)
    project.write("chart/values.yaml", VALUES.replace("replicas: 1", "replicas: 0"))
    done = project.deploy("v2", "--upgrade-timeout", "10s")
    assert done.exit_code == 0, done.told
    warned = [each["message"] for each in done.of("warning")]
    assert any("a helm that died had left pending-install" in m for m in warned), warned
    assert [each["status"] for each in project.history()] == ["deployed"]
