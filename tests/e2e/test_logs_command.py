"""`shipit logs`: the log of the running or last migration, from its start."""

from __future__ import annotations

import pytest

from tests.e2e.kit import Project, job
from tests.e2e.stage import HELD, let_go

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SEVERAL = """\
      initContainers:
        - name: prepare
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          command: ["sh", "-c", "echo prepared; printf 'no newline'"]
      containers:
        - name: helper
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          command: ["sh", "-c", "echo helping"]
"""


def test_a_log_shown_again_hides_the_secrets_of_its_job(project4: Project) -> None:
    project = project4
    project.kube.kubectl("create", "secret", "generic", "database", "--from-literal=password=correct-horse")
    env = "          env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: database, key: password}}}]\n"
    project.template("migrate", job("echo as $PASSWORD; printf 'correct\\033[0m-horse'; exit 1") + env)
    assert project.start("deploy", "--tag", "v1").end().exit_code == 4

    for output in ("json", "plain"):
        shown = project.start("logs", output=output).end()
        assert shown.exit_code == 0, shown.told
        assert "as ***" in shown.stdout
        assert "horse" not in shown.stdout
    project.kube.kubectl("delete", "secret", "database")
    bare = project.start("logs").end()

    assert bare.log[0] == "as correct-horse"
    assert [each["message"] for each in bare.of("warning")] == [
        "this log is not masked for the Secrets that can't be read: database (not there any more)"
    ]


def test_a_migrations_log_is_shown_while_it_runs_and_afterwards(project4: Project) -> None:
    project = project4
    none = project.start("logs").end()
    assert (none.exit_code, none.outcome) == (3, "refused"), none.told
    assert "has no migration Job" in none.error["message"]
    project.template("migrate", job(HELD).replace("      containers:\n", SEVERAL))
    deploy = project.start("deploy", "--tag", "v1")
    deploy.until('"line": "begin"')

    now = project.start("logs").end()
    assert now.exit_code == 0, now.told
    assert "Job migrate of v1 is running" in now.result["message"]
    assert "begin" in now.log
    follower = project.start("logs", "--follow", output="plain")
    follower.until("begin")
    let_go(project.kube, "migrate")
    followed, deployed = follower.end(), deploy.end()
    later = project.start("logs", "migrate").end()
    other = project.start("logs", "nothing").end()

    assert deployed.exit_code == 0, deployed.told
    assert followed.exit_code == 0, followed.told
    assert "released" in followed.stdout
    heard: dict[str, list[str]] = {}
    for line in later.of("log"):
        heard.setdefault(line["container"], []).append(line["line"])
    assert heard == {
        "prepare": ["prepared", "no newline"],
        "helper": ["helping"],
        "migrate": ["begin", "released"],
    }
    assert sorted(later.log) == sorted(deployed.log)
    assert "is complete" in later.result["message"]
    assert other.exit_code == 3
    assert "has no migration Job nothing" in other.error["message"]
    assert other.error["details"] == ["migrate (v1)"]
