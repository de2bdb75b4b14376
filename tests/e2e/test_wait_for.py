"""`wait_for`: a migration is made once what it needs is ready; until then nothing is changed, and it is said why."""

from __future__ import annotations

import threading

import pytest

from tests.e2e.kit import Project, deployment, hook, job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DATABASE = deployment(
    '["sh", "-c", "sleep 12; touch /tmp/up; sleep 100000"]',
    'readinessProbe: {exec: {command: ["test", "-e", "/tmp/up"]}, periodSeconds: 1}',
).replace("{{ .Release.Name }}", "db")
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  selector: {app: db}
  ports: [{port: 5432}]
"""


def plain(text: str) -> str:
    """A template as an object that is there without Helm."""
    return text.replace(
        "{{ .Values.image.repository }}:{{ .Values.image.tag }}", "registry.sandbox/busybox:v1"
    )


def test_a_migration_waits_for_its_database_and_for_a_secret_that_an_operator_makes(project: Project) -> None:
    kube = project.kube
    takes = "          env: [{name: KEY, valueFrom: {secretKeyRef: {name: db-app, key: key}}}]\n"
    project.template("migrate", job("echo key ${#KEY}") + takes)
    project.configure('wait_for = ["deployment/db", "svc/db", "secret/db-app"]\nstart_timeout = "2m"')
    kube.apply(plain(DATABASE))
    kube.apply(SERVICE)
    running = project.start("deploy", "--tag", "v1")
    running.until("Deployment db")
    assert kube.get("job", "migrate") is None
    running.until("Secret db-app does not exist")
    kube.kubectl("create", "secret", "generic", "db-app", "--from-literal=key=k-12345")
    done = running.end()
    assert done.exit_code == 0, done.told
    assert done.log == ["key 7"]
    told = [each["message"] for each in done.of("step") if each["step"] == "wait"]
    assert any("isn't ready yet" in each or "of 1 pods" in each or "Readiness" in each for each in told), told

    again = project.deploy("v2")
    assert again.exit_code == 0, again.told
    assert [each for each in again.of("step") if each["step"] == "wait"] == []


def test_what_does_not_come_is_a_refusal_and_nothing_was_changed(project4: Project) -> None:
    kube = project4.kube
    project4.template("migrate", job("echo up"))
    assert project4.deploy("v1").exit_code == 0
    was = kube.get("job", "migrate")
    project4.configure('wait_for = ["service/db"]\nstart_timeout = "5s"')
    kube.apply(SERVICE)
    refused = project4.deploy("v2")
    assert refused.exit_code == 3, refused.told
    assert "was not ready within 5 s: Service db: it has no endpoints" in refused.error["message"]
    assert kube.get("job", "migrate") == was
    assert project4.deploy("v2", "--skip-migration").exit_code == 0


def test_what_only_the_chart_brings_can_not_be_waited_for_before_the_upgrade(project4: Project) -> None:
    project4.template("migrate", job("echo up"))
    project4.template("db", DATABASE)
    project4.configure('wait_for = ["deployment/db"]')
    refused = project4.deploy("v1")
    assert refused.exit_code == 3, refused.told
    assert "Deployment db, which the chart brings with the upgrade" in refused.error["message"]
    assert "first_install" in refused.error["hint"]

    project4.configure('wait_for = ["deployment/db"]\nfirst_install = "during"')
    done = project4.deploy("v1")
    assert done.exit_code == 0, done.told
    assert done.log == ["up"]
    assert any(each["step"] == "wait" for each in done.of("step")), "it was applied, and not ready at once"
    assert project4.deploy("v2").exit_code == 0


def test_what_an_earlier_step_makes_is_waited_for_in_its_turn(project4: Project) -> None:
    """A hook runs before, and an operator makes the Secret meanwhile: that the first has run is told by its exit code."""
    kube = project4.kube
    project4.template("prepare", hook("echo preparing", "pre-install,pre-upgrade", name="prepare", weight=-5))
    project4.template("migrate", job("echo up"))
    text = 'template = "templates/migrate.yaml"\nwait_for = ["secret/db-app"]\nstart_timeout = "{}"'
    project4.configure(text.format("4s"))
    failed = project4.deploy("v1")
    assert failed.exit_code == 4, failed.told
    assert "Secret db-app does not exist" in failed.error["message"]
    assert kube.get("job", "migrate") is None

    def operator() -> None:
        kube.wait(lambda: kube.all("pods", "job-name=prepare"))
        threading.Event().wait(3)
        kube.kubectl("create", "secret", "generic", "db-app", "--from-literal=key=k-12345")

    kube.kubectl("delete", "job", "prepare", "--ignore-not-found")
    project4.configure(text.format("1m"))
    maker = threading.Thread(target=operator)
    maker.start()
    done = project4.deploy("v1", "--rerun")
    maker.join()
    assert done.exit_code == 0, done.told
    assert done.log == ["preparing", "up"]
