"""`test = true` against real helm and a real cluster: the chart's test hooks run last, as `helm test` runs them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import Sandbox
from tests.e2e.kit import Project, hook
from tests.e2e.stage import Stage, a_stage

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: {{{{ .Release.Name }}}}-test
  annotations: {{"helm.sh/hook": {event}, "helm.sh/hook-weight": "2"}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
    - name: test
      image: "{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag }}}}"
      command: ["sh", "-c", "echo pod test of {{{{ .Values.image.tag }}}}; {script}"]
"""


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(sandbox, tmp_path_factory.mktemp("helm-test")) as found:
        yield found


def shop_with_tests(
    stage: Stage, release: str, helm: str, *, script: str = "true", event: str = "test"
) -> Project:
    """Migrates in a hook; its tests are a Job of low weight, which deletes itself, and a bare Pod."""
    project = stage.project(release, helm)
    project.template("migrate", hook("echo migrating", "pre-install,pre-upgrade", name=f"{release}-migrate"))
    project.template(
        "test-job",
        hook("echo job test", event, name=f"{release}-test-job", weight=1, policy="hook-succeeded"),
    )
    project.template("test-pod", POD.format(script=script, event=event))
    project.configure(release="test = true")
    return project


@pytest.mark.parametrize(("helm", "event"), [("3", "test-success"), ("4", "test"), ("3.13", "test")])
def test_tests_run_last_and_again_with_each_deploy(stage: Stage, helm: str, event: str) -> None:
    release = f"good-{helm.replace('.', '-')}"
    project = shop_with_tests(stage, release, helm, event=event)
    for tag in ("v1", "v2"):
        ended = project.deploy(tag)
        assert ended.exit_code == 0, ended.told
        assert ended.log == ["migrating", "job test", f"pod test of {tag}"]
    assert project.kube.get("job", f"{release}-test-job") is None, "hook-succeeded"
    found = project.kube.get("pod", f"{release}-test")
    assert found is not None, "the Pod has the default policy"
    assert found["status"]["phase"] == "Succeeded"
    project.run_helm("test", release)
    assert project.deploy("v1").exit_code == 0, "what helm test left makes room"


def test_a_test_that_fails_is_9_and_the_app_stays(stage: Stage) -> None:
    project = shop_with_tests(stage, "bad", "4", script="echo no answer; exit 3")
    project.configure(release="test = true\nrollback_on_failure = true")
    ended = project.deploy("v1", "--skip-migration")
    assert (ended.exit_code, ended.outcome) == (9, "after_failed"), ended.told
    assert "Pod bad-test failed" in ended.error["message"]
    assert "the app is upgraded to v1 (revision 1)" in str(ended.error)
    assert ended.log == ["job test", "pod test of v1", "no answer"]
    assert [each["status"] for each in project.history()] == ["deployed"]
