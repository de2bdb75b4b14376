"""What a Secret holds is hidden, in files too; what is public stays readable: names, and the command to type next."""

from __future__ import annotations

import json

import pytest

from tests.e2e.kit import Kube, Project, deployment, hook
from tests.e2e.stage import HELD, let_go

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CONFIG = """\
production:
  adapter: postgresql
  database: postgres
  url: postgres://migrator:of-the-url@db.internal/postgres
  api:
    tokens: [of-a-list]
    limit: 1000000
"""
ENV = "# all of it\nSMTP_PASSWORD='of an env file'\nMODE=production\n"
SECRETS = ("correct-horse", "of-the-url", "of-a-list", "of an env file")

TELLING = """\
echo "connecting as $DB_USER to $DB_NAME in $MODE with $DB_PASSWORD"
sed 's/^/config: /' /etc/app/config.yaml
sed -n 's/^SMTP_PASSWORD=/smtp: /p' /etc/app/env
echo "retry in $MODE: $DB_PASSWORD" >/dev/termination-log
exit 3
"""


def migrator(project: Project, events: str = "pre-install,pre-upgrade") -> None:
    """A hook Job `migrator` whose container has that name too, with a Secret of variables and one of files."""
    volume = "volumes: [{name: files, secret: {secretName: files}}]\n      containers:\n"
    container = "- name: migrator\n          envFrom: [{secretRef: {name: database}}]\n"
    container += "          volumeMounts: [{name: files, mountPath: /etc/app}]"
    text = hook(TELLING, events, name="migrator").replace("containers:\n", volume)
    project.template("migrator", text.replace("- name: migrate", container))


def secrets(kube: Kube) -> None:
    literals = {
        "DB_USER": "migrator",
        "DB_NAME": "postgres",
        "MODE": "production",
        "DB_PASSWORD": "correct-horse",
    }
    for name, values in (("database", literals), ("files", {"config.yaml": CONFIG, "env": ENV})):
        kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values})


def test_a_users_name_in_a_secret_hides_neither_the_job_nor_the_command_to_type(project4: Project) -> None:
    project = project4
    secrets(project.kube)
    migrator(project)

    kinds = ("json", "plain", "github", "rich")
    ends = {kind: project.start("deploy", "--tag", "v1", output=kind).end() for kind in kinds}

    for kind, end in ends.items():
        said = end.stdout + end.stderr
        assert end.exit_code == 4, said
        assert [secret for secret in SECRETS if secret in said] == [], kind
        for words in (
            "kept for inspection",
            "container migrator exited with code 3",
            "connecting as migrator to postgres in production with ***",
            "smtp: ***",
            "limit: 1000000",
            "shipit logs migrator",
        ):
            assert words in said, (kind, words, said)
    told = ends["json"]
    assert "retry in production: ***" in json.dumps(told.error)
    assert "config:   url: ***" in told.log
    pasted = project.paste(told.error["hint"])
    assert pasted.exit_code == 0, pasted.told
    assert pasted.log == told.log, "nothing else is hidden here than there"


def test_a_secret_that_appears_while_the_deploy_runs_is_hidden_too(project4: Project) -> None:
    project = project4
    kube = project.kube
    late = "env: [{name: LATE, valueFrom: {secretKeyRef: {name: late, key: password, optional: true}}}]"
    project.template("first", hook(HELD, "pre-install", name="first", weight=1))
    second = hook("echo with $LATE", "pre-install", name="second", weight=2)
    project.template("second", second.replace("- name: migrate", f"- name: migrate\n          {late}"))
    crashing = deployment('["sh", "-c", "echo can not go on with $LATE; exit 1"]', late)
    project.template("app", crashing.replace("password, optional", "other, optional"))

    deploy = project.start("deploy", "--tag", "v1", "--upgrade-timeout", "20s")
    deploy.until('"line": "begin"')
    literals = ("--from-literal=password=made-meanwhile", "--from-literal=other=of-the-app-itself")
    kube.kubectl("create", "secret", "generic", "late", *literals)
    let_go(kube, "first")
    end = deploy.end()

    assert "with ***" in end.log, end.told
    assert end.of("app_log")[-1]["line"] == "can not go on with ***", end.told
    assert "made-meanwhile" not in end.stdout + end.stderr
    assert "of-the-app-itself" not in end.stdout + end.stderr
