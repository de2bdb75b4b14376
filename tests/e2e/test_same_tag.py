"""The same tag deployed again after an interrupt: charts that render otherwise each time, and charts that were edited."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from sandbox import Sandbox
from tests.e2e.kit import APP, Project, Result, hook, job
from tests.e2e.stage import HELD, NEVER_READY, Stage, a_stage, begun, let_go, uid

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "{{ .Release.Name }}"
SALT = "{{ randAlphaNum 6 }} of {{ .Release.Revision }} at {{ now }}"
SALTED_APP = APP.replace("metadata: {labels:", f'metadata: {{annotations: {{salt: "{SALT}"}}, labels:')
USES = """\
                  envFrom: [{secretRef: {name: NAME-password}}]
                  volumeMounts: [{name: sql, mountPath: /sql}]
              volumes: [{name: sql, configMap: {name: NAME-sql}}]
""".replace("NAME", NAME)  # fmt: skip
PREREQUISITES = """\
apiVersion: v1
kind: Secret
metadata:
  name: NAME-password
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-5"}
stringData: {PASSWORD: "{{ .Values.password | default (randAlphaNum 12) }}"}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: NAME-sql
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-5"}
data: {1.sql: "{{ .Values.sql }}"}
""".replace("NAME", NAME)


def dressed(template: str) -> str:
    """A Job with the time in the annotations and labels of its pods."""
    notes = f'    metadata: {{annotations: {{at: "{SALT}"}}, labels: {{salt: "{{{{ randAlphaNum 6 }}}}"}}}}\n'
    return template.replace("  template:\n", f"  template:\n{notes}")


def salted(template: str) -> str:
    """A Job with the time in its environment: what it does is another thing with each rendering."""
    return template + f'          env: [{{name: SALT, value: "{SALT}"}}]\n'


def using(template: str) -> str:
    """A Job that takes a Secret and a ConfigMap which hooks make before it."""
    return template + USES.replace("                  ", "          ").replace("              ", "      ")


@dataclass(slots=True)
class Story:
    """A project, what is deployed to it before, and what it looks like when it is deployed again."""

    project: Project
    job: str = ""
    first: str = ""
    password: str = ""
    result: Result | None = None

    @property
    def done(self) -> Result:
        assert self.result is not None
        return self.result

    @property
    def pods(self) -> list[int]:
        return self.project.kube.pods_by_job()[self.job]


def plain(project: Project) -> None:
    project.template("migrate", dressed(job(HELD, name=NAME)))


def secretive(project: Project) -> None:
    project.template("before", PREREQUISITES)
    project.template("migrate", using(hook(HELD, "pre-install,pre-upgrade", name=NAME)))


def post(project: Project) -> None:
    project.template("app", SALTED_APP)
    project.template("migrate", salted(hook(HELD, "post-install,post-upgrade", name=NAME)))


def dated(project: Project) -> None:
    project.template("app", SALTED_APP)
    project.template("migrate", dressed(hook(HELD, "post-install,post-upgrade", name=NAME)))


def after(project: Project) -> None:
    project.template("app", SALTED_APP)
    project.template("migrate", salted(job(HELD, name=NAME)))
    project.configure('phase = "after"')


SCENES: dict[str, tuple[Callable[[Project], None], str]] = {
    "plain-3": (plain, "3"),
    "plain-4": (plain, "4"),
    "secretive": (secretive, "4"),
    "app-edited": (plain, "4"),
    "sql-edited": (secretive, "4"),
    "post-3": (post, "3"),
    "post-4": (post, "4"),
    "post-edited": (dated, "4"),
    "after": (after, "4"),
}
UPGRADES = ("plain-3", "plain-4", "post-4", "post-edited")
"""The others are first installs."""


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(sandbox, tmp_path_factory.mktemp("again")) as made:
        yield made


@pytest.fixture(scope="module")
def stories(stage: Stage) -> dict[str, Story]:
    """Each is interrupted in its migration, edited where its name says so, and deployed again."""
    cast = {name: Story(stage.project(name, helm), name) for name, (_, helm) in SCENES.items()}
    installs = [cast[name].project.start("deploy", "--tag", "v1", "--skip-migration") for name in UPGRADES]
    assert [each.end().exit_code for each in installs] == [0] * len(UPGRADES)
    at_work = {}
    cast["sql-edited"].project.write("chart/values.yaml", _values(sql="select 1", password="fixed"))
    for name, (scene, _) in SCENES.items():
        scene(cast[name].project)
        at_work[name] = cast[name].project.start("deploy", "--tag", "v2")
    for name, deploy in at_work.items():
        begun(stage.kube, name)
        deploy.kill(signal.SIGTERM)
        assert deploy.end().exit_code == 143
        cast[name].first = uid(stage.kube, name)
    cast["secretive"].password = _password(cast["secretive"])
    for name in ("app-edited", "post-edited"):
        cast[name].project.template("app", APP.replace("replicas: {{", "minReadySeconds: 1\n  replicas: {{"))
    cast["sql-edited"].project.write("chart/values.yaml", _values(sql="select 2", password="fixed"))
    again = {name: cast[name].project.start("deploy", "--tag", "v2") for name in SCENES}
    cast["sql-edited"].result = again.pop("sql-edited").end()
    for name, deploy in again.items():
        deploy.until('"attached"')
        let_go(stage.kube, name)
    begun_anew = cast["post-edited"]
    stage.kube.wait(lambda: len(begun_anew.pods) > 1)
    begun(stage.kube, "post-edited")
    let_go(stage.kube, "post-edited")
    for name, deploy in again.items():
        cast[name].result = deploy.end()
    return cast


def _values(**changed: str) -> str:
    return json.dumps({"replicas": 1, "image": {"repository": "registry.sandbox/busybox", "tag": "none"}, "run": "sleep 100000", **changed})  # fmt: skip


def _password(story: Story) -> str:
    found = story.project.kube.get("secret", f"{story.job}-password")
    assert found is not None
    return str(found["data"]["PASSWORD"])


@pytest.mark.parametrize(
    "name", ["plain-3", "plain-4", "secretive", "app-edited", "post-3", "post-4", "after"]
)
def test_its_own_migration_is_attached_to_and_runs_once(stories: dict[str, Story], name: str) -> None:
    story = stories[name]
    assert story.done.exit_code == 0, story.done.told
    assert story.done.log == ["begin", "released"]
    assert uid(story.project.kube, name) == story.first
    assert story.pods == [1]
    assert story.project.kube.image(name) == "v2"


def test_what_it_takes_from_a_random_secret_stays(stories: dict[str, Story]) -> None:
    assert _password(stories["secretive"]) == stories["secretive"].password


@pytest.mark.parametrize("name", ["post-3", "post-4", "after"])
def test_behind_the_upgrade_only_what_is_owed_runs(stories: dict[str, Story], name: str) -> None:
    story = stories[name]
    warned = [each["message"] for each in story.done.of("warning")]
    assert any("finishing what it left" in message for message in warned), story.done.told
    assert len(story.project.history()) == story.done.result["revision"] == (2 if name == "post-4" else 1)


def test_a_migration_that_was_edited_while_it_runs_stops_the_deploy(stories: dict[str, Story]) -> None:
    story = stories["sql-edited"]
    assert (story.done.exit_code, story.done.outcome) == (7, "busy"), story.done.told
    assert "is not what would run now: it differs in ConfigMap sql-edited-sql" in story.done.error["message"]
    assert story.pods == [1]
    assert story.project.history() == []


def test_an_app_edited_behind_its_upgrade_is_upgraded_again_and_what_was_owed_runs_then(
    stories: dict[str, Story],
) -> None:
    story = stories["post-edited"]
    assert story.done.exit_code == 0, story.done.told
    warned = "\n".join(each["message"] for each in story.done.of("warning"))
    assert "the app is upgraded again" in warned
    assert "still runs: waiting for its end" in warned
    assert story.pods == [1, 1], "once for each of the upgrades"
    assert [each["status"] for each in story.project.history()] == ["superseded", "superseded", "deployed"]


def test_after_a_failed_try_the_corrected_one_gets_what_was_corrected(project4: Project) -> None:
    project4.write("chart/values.yaml", _values(sql="selct 1", password="wrong"))
    project4.template("before", PREREQUISITES)
    script = 'echo "$PASSWORD: $(cat /sql/1.sql)"; grep -q select /sql/1.sql'
    project4.template("migrate", using(hook(script, "pre-install,pre-upgrade", name=NAME)))
    failed = project4.deploy("v1")
    assert (failed.exit_code, failed.log) == (4, ["wrong: selct 1"]), failed.told

    project4.write("chart/values.yaml", _values(sql="select 1", password="right"))
    done = project4.deploy("v1")

    assert (done.exit_code, done.log) == (0, ["right: select 1"]), done.told
    assert project4.kube.pods_by_job()["shop"] == [1, 1]


def test_a_late_rollout_of_a_chart_that_renders_otherwise_is_waited_for_again(project: Project) -> None:
    """A first install whose migration comes after it, done already; its pods become ready only later."""
    probed = NEVER_READY.replace(
        "metadata: {labels:", f'metadata: {{annotations: {{salt: "{SALT}"}}, labels:'
    )
    project.template("app", probed)
    project.template("migrate", salted(hook("echo fine", "post-install", name=NAME)))
    deploy = project.start("deploy", "--tag", "v1")
    deploy.until("no friend yet")
    deploy.kill(signal.SIGINT)
    assert deploy.end().exit_code == 130
    first = uid(project.kube, "shop")
    project.kube.kubectl(
        "patch", "deployment", "shop", "--type=json",
        "-p", '[{"op": "remove", "path": "/spec/template/spec/containers/0/readinessProbe"}]',
    )  # fmt: skip

    done = project.deploy("v1")

    assert done.exit_code == 0, done.told
    assert uid(project.kube, "shop") == first
    assert project.kube.pods_by_job()["shop"] == [1]
    assert [each["status"] for each in project.history()] == ["deployed"]
