"""Secrets: on no command line, in no message of helm's, in no folder that outlives its shipit.

That no output shows the values that a migration prints is told in test_outputs.py.
"""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.e2e.kit import Project, deployment, job
from tests.e2e.stage import NEVER_READY, StumblingHelm

CRASHING = """\
apiVersion: v1
kind: Secret
metadata: {name: rendered}
stringData: {token: from-the-chart-itself}
---
""" + deployment(
    '["sh", "-c", "echo can not reach $USERNAME with $PASSWORD and $TOKEN; exit 1"]',
    "envFrom: [{secretRef: {name: outside}}]",
    "env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: rendered, key: token}}}]",
    'readinessProbe: {exec: {command: ["false"]}}',
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FROM_FILE = "from-the-file-of-values"
FROM_FLAG = "from-the-command-line"


def command_lines() -> dict[int, str]:
    """Of every process on this machine."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                found[int(folder.name)] = (folder / "cmdline").read_text(errors="replace")
            except OSError:
                continue
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_values_are_on_no_command_line_and_gone_after_a_kill_and_the_next_run(project4: Project) -> None:
    project = project4
    temporary = project.folder / "tmp"
    temporary.mkdir()
    environ = {"TMPDIR": str(temporary), "DB_PASSWORD": FROM_FILE}
    project.configure(release='set = {db = {password = "${DB_PASSWORD}"}}')
    project.template("app", NEVER_READY)
    helm = StumblingHelm(project, "upgrade")

    deploy = project.start(
        "deploy", "--tag", "v1", "--skip-migration", "--set", f"api.token={FROM_FLAG}", env=environ
    )
    deploy.until("no friend yet")
    lines = command_lines()

    assert [pid for pid, line in lines.items() if FROM_FILE in line] == []
    shown = {pid: line for pid, line in lines.items() if FROM_FLAG in line}
    assert shown.pop(deploy.process.pid)
    assert all("helm" in line for line in shown.values()), "helm gets it as it was typed, nobody else"
    (folder,) = temporary.glob("shipit-*")
    assert mode(folder) == 0o700
    values = [
        path for path in folder.rglob("*") if path.is_file() and FROM_FILE in path.read_text(errors="replace")
    ]
    assert values
    assert {mode(path) for path in values} == {0o600}
    deploy.kill()
    deploy.end()
    project.kube.wait(helm.gone)
    assert folder.exists()
    refused = project.start("deploy", "--tag", "v1", env={**environ, "SHIPIT_HELM": "no-helm"}).end()
    assert refused.exit_code == 3, refused.told
    assert list(temporary.iterdir()) == []


def test_what_helm_says_of_a_value_is_not_told(project4: Project) -> None:
    project = project4
    project.configure(release='set = {db = {password = "${DB_PASSWORD}"}}')
    project.template("migrate", job("echo fine"))
    project.template("broken", '{{ fail (printf "can not reach the database with %s" .Values.db.password) }}')

    refused = project.start("deploy", "--tag", "v1", "-v", env={"DB_PASSWORD": FROM_FILE}).end()

    assert refused.exit_code == 3, refused.told
    assert "can not reach the database with" in refused.error["message"]
    assert any("Traceback" in line for line in refused.error["details"]), "-v shows it"
    assert FROM_FILE not in refused.stdout + refused.stderr


def test_the_last_lines_of_a_failing_app_hide_its_secrets_but_no_names(project4: Project) -> None:
    project = project4
    namespace = project.kube.namespace
    literals = ("--from-literal=PASSWORD=made-by-hand", f"--from-literal=USERNAME={namespace}")
    project.kube.kubectl("create", "secret", "generic", "outside", *literals)
    project.template("app", CRASHING)

    failed = project.start("deploy", "--tag", "v1", "--skip-migration", "--upgrade-timeout", "20s").end()

    assert failed.exit_code == 6, failed.told
    assert failed.of("app_log")[-1]["line"] == f"can not reach {namespace} with *** and ***"
    assert failed.result["namespace"] == namespace
    assert "made-by-hand" not in failed.stdout + failed.stderr
    assert "from-the-chart-itself" not in failed.stdout + failed.stderr
