"""First installs: the migration before the app, or after it because the database comes with the chart."""

from __future__ import annotations

import pytest

from tests.e2e.kit import APP, Project, hook, job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DATABASE = """\
apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  selector: {app: db}
  ports: [{port: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: db
          image: registry.sandbox/busybox:1
          command: [sh, -c, "mkdir -p /tmp/www/cgi-bin; cd /tmp/www; printf '#!/bin/sh\\ntouch /tmp/www/schema; echo; echo migrated' >cgi-bin/migrate; chmod +x cgi-bin/migrate; exec httpd -f -p 8080 -h /tmp/www"]
          readinessProbe: {periodSeconds: 1, tcpSocket: {port: 8080}}
"""

CRASHES_UNMIGRATED = "wget -q -O /dev/null http://$DB_SERVICE_HOST:8080/schema || exit 1; sleep 100000"
MIGRATES = "until wget -q -O - http://$DB_SERVICE_HOST:8080/cgi-bin/migrate 2>/dev/null; do sleep 0.3; i=1$i; [ ${#i} -lt 200 ]; done"


def test_a_first_install_whose_migration_fails_installs_nothing(project4: Project) -> None:
    project4.template("migrate", job("echo no; exit 1"))
    failed = project4.deploy("v1")
    assert failed.exit_code == 4, failed.told
    assert "the app is not installed" in failed.error["message"]
    assert (project4.history(), project4.kube.all("deployments")) == ([], [])

    project4.template("migrate", job("echo up"))
    done = project4.deploy("v1")
    assert done.exit_code == 0, done.told
    assert done.result["revision"] == 1
    assert project4.kube.pods_by_job() == {"migrate": [1, 1]}


def test_an_app_that_needs_its_migration_to_get_ready_is_installed_before_it(project: Project) -> None:
    """The database is the chart's own: `post-install,pre-upgrade`. Waiting for the app first would never end."""
    project.template("db", DATABASE)
    project.write("chart/values.yaml", (project.folder / "chart/values.yaml").read_text() + "fail: ''\n")
    project.template("app", APP.replace("{{ .Values.run | quote }}", f'"{CRASHES_UNMIGRATED}"'))
    failing = f"[ x{{{{ .Values.fail }}}} = x ] || exit 5; {MIGRATES}"
    project.template("migrate", hook(failing, "post-install,pre-upgrade", name="migrate"))

    failed = project.deploy("v1", "--set", "fail=yes")
    assert failed.exit_code == 9, failed.told
    assert "Job migrate failed" in failed.error["message"]
    assert "upgraded to v1 (revision 1)" in failed.error["message"]
    assert [r["status"] for r in project.history()] == ["deployed"]
    project.run_helm("uninstall", "shop", "--wait")

    installed = project.deploy("v1")
    assert installed.exit_code == 0, installed.told
    order = [e["step"] for e in installed.of("step") if e["state"] == "done"]
    assert order.index("upgrade") < order.index("migrate") < order.index("rollout")
    assert installed.log == ["migrated"]
    assert all(d["status"].get("readyReplicas") == 1 for d in project.kube.all("deployments"))

    upgraded = project.deploy("v2")
    assert upgraded.exit_code == 0, upgraded.told
    order = [e["step"] for e in upgraded.of("step") if e["state"] == "done"]
    assert order.index("migrate") < order.index("upgrade")
    assert project.kube.pods_by_job() == {"migrate": [1, 1, 1]}
    assert [r["status"] for r in project.history()] == ["superseded", "deployed"]
