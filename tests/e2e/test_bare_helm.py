"""Releases that bare Helm made before, and bare Helm afterwards."""

from __future__ import annotations

import pytest

from tests.e2e.kit import APP, Project, hook, job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def statuses(project: Project) -> list[str]:
    return [revision["status"] for revision in project.history()]


def the_uid(project: Project) -> str:
    found = project.kube.get("job", "migrate")
    assert found is not None
    return str(found["metadata"]["uid"])


def image_of_job(project: Project) -> str:
    found = project.kube.get("job", "migrate")
    assert found is not None
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]


def breakable(project: Project) -> None:
    """The app's image is no image with `--set broken=:::`, which the migration's stays."""
    broken = '.Values.image.tag }}{{ .Values.broken | default "" }}'
    project.template("app", APP.replace(".Values.image.tag }}", broken))
    project.configure(release="rollback_on_failure = true")


def test_a_release_with_a_plain_job_is_taken_over_and_left_to_bare_helm_again(project: Project) -> None:
    breakable(project)
    project.template("migrate", job("echo up", spec="ttlSecondsAfterFinished: 1000"))
    project.template("probe", hook("echo probed", "test", name="probe"))
    project.run_helm("install", "shop", "chart", "--set", "image.tag=v1", "--wait")
    project.kube.kubectl("wait", "--for=condition=complete", "job/migrate", "--timeout=60s")

    failed = project.deploy("v2", "--set", "broken=:::")
    assert failed.exit_code == 6, failed.told
    assert "InvalidImageName" in failed.error["message"]
    assert "rolled back to revision 2" in failed.error["message"]
    assert statuses(project) == ["superseded", "superseded", "failed", "deployed"]
    assert "handover" in project.history()[1]["description"]
    assert (project.kube.image(), image_of_job(project)) == ("v1", "v2")
    assert project.kube.pods_by_job() == {"migrate": [1, 1]}, "v1's by Helm, v2's by shipit: none runs again"

    done = project.deploy("v3")
    assert done.exit_code == 0, done.told
    assert done.result["revision"] == 5
    assert "handover" not in [e["step"] for e in done.of("step")], "the handover is made once"
    assert "kind: Job" not in project.run_helm("get", "manifest", "shop").stdout
    ours = the_uid(project)

    project.run_helm("test", "shop")
    project.run_helm("rollback", "shop", "2", "--wait")
    assert project.kube.image() == "v1"
    project.run_helm("upgrade", "shop", "chart", "--set", "image.tag=v3", "--wait")
    assert (project.kube.image(), the_uid(project)) == ("v3", ours), "its Job is the one that has run"
    assert project.kube.pods_by_job() == {"migrate": [1, 1, 1], "probe": [1]}

    again = project.deploy("v4")
    assert again.exit_code == 0, again.told
    assert "handover" in project.history()[-2]["description"], "bare Helm has taken the Job in again"
    project.run_helm("uninstall", "shop", "--wait")
    assert (project.history(), project.kube.all("deployments")) == ([], [])

    fresh = project.deploy("v4")
    assert fresh.exit_code == 0, fresh.told
    assert [m["outcome"] for m in fresh.result["migrations"]] == ["succeeded"]
    assert project.kube.pods_by_job() == {"migrate": [1] * 5, "probe": [1]}


def test_a_release_with_a_hook_is_taken_over_and_left_to_bare_helm_again(project: Project) -> None:
    breakable(project)
    project.template("migrate", hook("echo up", "pre-install,pre-upgrade", name="migrate"))
    project.run_helm("install", "shop", "chart", "--set", "image.tag=v1", "--wait")

    failed = project.deploy("v2", "--set", "broken=:::")
    assert failed.exit_code == 6, failed.told
    assert "rolled back to revision 1" in failed.error["message"]
    assert statuses(project) == ["superseded", "failed", "deployed"]
    assert (project.kube.image(), image_of_job(project)) == ("v1", "v2")
    assert project.kube.pods_by_job() == {"migrate": [1, 1]}

    done = project.deploy("v2")
    assert done.exit_code == 0, done.told
    assert (project.kube.image(), image_of_job(project)) == ("v2", "v2")
    assert project.kube.pods_by_job() == {"migrate": [1, 1, 1]}

    project.run_helm("upgrade", "shop", "chart", "--set", "image.tag=v3", "--wait")
    assert project.kube.pods_by_job() == {"migrate": [1, 1, 1, 1]}, "Helm runs its hook, over our Job"
    project.run_helm("rollback", "shop", "4", "--wait")
    assert project.kube.image() == "v2"
    project.run_helm("uninstall", "shop", "--wait")
    assert project.kube.all("deployments") == []
