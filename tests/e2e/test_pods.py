"""A bare Pod runs as a migration, as a Job does."""

from __future__ import annotations

import json

import pytest

from tests.e2e.kit import Kube, Project, Result
from tests.e2e.stage import HELD

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def pod(script: str, *, name: str = "migrate", policy: str = "Never", spec: str = "") -> str:
    return f"""\
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  restartPolicy: {policy}
  terminationGracePeriodSeconds: 0
  {spec}
  containers:
    - name: migrate
      image: "{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag }}}}"
      command: ["sh", "-c", {json.dumps(script)}]
"""


def deployed(project: Project, tag: str, *args: str) -> Result:
    done = project.deploy(tag, *args)
    assert done.exit_code == 0, done.told
    return done


def uid(kube: Kube, name: str = "migrate") -> str:
    found = kube.get("pod", name)
    assert found is not None, f"there is no Pod {name}"
    return str(found["metadata"]["uid"])


def test_a_pod_is_created_watched_kept_and_cleared_for_the_next_deploy(project: Project) -> None:
    kube = project.kube
    project.template("migrate", pod("echo migrated with $HOSTNAME"))
    first = deployed(project, "v1")
    assert first.log == ["migrated with migrate"]
    assert [(m["name"], m["outcome"]) for m in first.result["migrations"]] == [("migrate", "succeeded")]
    before = uid(kube)
    assert "kind: Pod" not in project.run_helm("get", "manifest", "shop").stdout

    project.configure('template = "templates/migrate.yaml"\nphase = "after"')
    second = deployed(project, "v2")
    assert second.log == ["migrated with migrate"]
    assert uid(kube) != before
    assert kube.image() == "v2"
    logged = project.start("logs").end()
    assert (logged.exit_code, logged.log) == (0, second.log)

    project.template("migrate", pod("echo broken; exit 3"))
    project.configure('job = "migr*"')
    failed = project.deploy("v3")
    assert failed.exit_code == 4, failed.told
    assert "exited with code 3" in failed.error["message"]
    assert kube.image() == "v2"
    assert uid(kube), "left for a look"

    project.configure('job = "migr*"\nretries = 2')
    assert "retries under [migration] are for Jobs" in project.deploy("v3").error["message"]


def test_a_pod_that_bare_helm_ran_is_handed_over_and_helm_can_roll_back(project: Project) -> None:
    kube = project.kube
    project.template("migrate", pod("echo migrated"))
    project.run_helm("install", "shop", "chart", "--set", "image.tag=v1")
    kube.wait(lambda: (kube.get("pod", "migrate") or {})["status"]["phase"] == "Succeeded")
    before = uid(kube)
    project.configure('template = "templates/migrate.yaml"', release="rollback_on_failure = true")

    done = deployed(project, "v2")
    assert done.log == ["migrated"]
    assert uid(kube) != before
    assert [each["description"] for each in project.history()][1:] == [
        "shipit handover",
        "shipit deploy of v2",
    ]
    assert "kind: Pod" not in project.run_helm("get", "manifest", "shop").stdout

    ours = uid(kube)
    project.run_helm("rollback", "shop", "2", "--wait")
    assert (kube.image(), uid(kube)) == ("v1", ours), "bare helm leaves the migration's Pod alone"
    assert deployed(project, "v3").log == ["migrated"]


def test_a_pod_that_runs_past_its_timeout_is_picked_up_by_the_next_deploy(project4: Project) -> None:
    kube = project4.kube
    project4.template("migrate", pod(HELD))
    project4.configure('template = "templates/migrate.yaml"\ntimeout = "5s"')
    late = project4.deploy("v1")
    assert late.exit_code == 5, late.told
    before = uid(kube)
    assert project4.deploy("v2").exit_code == 7

    project4.configure('template = "templates/migrate.yaml"\ntimeout = "3m"')
    running = project4.start("deploy", "--tag", "v1")
    running.until('"state": "attached"')
    kube.kubectl("exec", "migrate", "--", "touch", "/tmp/go")
    done = running.end()
    assert (done.exit_code, uid(kube)) == (0, before), done.told
    assert done.log == ["begin", "released"]

    project4.configure('template = "templates/migrate.yaml"\ntimeout = "5s"\non_timeout = "delete"')
    assert project4.deploy("v2").exit_code == 5
    assert kube.get("pod", "migrate") is None


def test_a_pod_that_never_starts_is_taken_away(project4: Project) -> None:
    project4.template("migrate", pod("echo never", spec="nodeSelector: {no: such}"))
    project4.configure('template = "templates/migrate.yaml"\nstart_timeout = "3s"')
    failed = project4.deploy("v1")
    assert failed.exit_code == 4, failed.told
    assert project4.kube.get("pod", "migrate") is None
    assert project4.history() == []


def test_a_pod_that_never_ends_is_refused_where_it_is_named_and_helm_s_elsewhere(project4: Project) -> None:
    project4.template("migrate", pod("sleep 100000", policy="Always"))
    project4.configure('template = "templates/migrate.yaml"')
    refused = project4.deploy("v1")
    assert refused.exit_code == 3, refused.told
    assert "Pod migrate would run again and again" in refused.error["message"]
    assert (project4.history(), project4.kube.all("pods")) == ([], [])
