"""The main job: the migration runs once with the new tag, and the app follows only if it succeeded."""

from __future__ import annotations

import pytest

from tests.e2e.kit import Project, job

pytestmark = pytest.mark.e2e


def test_the_migration_runs_once_with_each_tag_and_the_app_follows(project: Project) -> None:
    project.template("migrate", job("echo migrating with $HOSTNAME; sleep 1; printf done"))
    uids = []
    for number, tag in enumerate(["v1", "v2"], start=1):
        done = project.deploy(tag)
        assert done.exit_code == 0, done.told
        assert done.result["revision"] == number
        assert [m["outcome"] for m in done.result["migrations"]] == ["succeeded"]
        assert done.log[-1] == "done", "the last line has no newline and is kept"
        assert project.kube.image() == tag
        migration = project.kube.get("job", "migrate")
        assert migration is not None
        assert migration["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":{tag}")
        assert project.kube.pods_made(migration["metadata"]["uid"]) == 1
        uids.append(migration["metadata"]["uid"])
    assert uids[0] != uids[1]
    assert "kind: Job" not in project.run_helm("get", "manifest", "shop").stdout


def test_a_failing_migration_leaves_the_app_untouched_and_the_job_for_a_look(project: Project) -> None:
    project.template("migrate", job("echo fine"))
    assert project.deploy("v1").exit_code == 0
    project.template("migrate", job("echo 'ERROR: column exists'; exit 3"))
    failed = project.deploy("v2")
    assert failed.exit_code == 4, failed.told
    assert failed.outcome == "migration_failed"
    assert "3" in failed.error["message"]
    assert "untouched" in failed.error["message"]
    assert "ERROR: column exists" in failed.error["details"]
    assert project.kube.image() == "v1"
    assert project.kube.get("job", "migrate") is not None
    assert len(project.history()) == 1
