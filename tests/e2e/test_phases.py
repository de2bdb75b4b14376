"""What runs once the upgrade is applied: before the pods that may wait for it are waited for, or after them."""

from __future__ import annotations

import pytest

from tests.e2e.kit import Project, deployment, hook, job
from tests.e2e.stage import NEVER_READY
from tests.e2e.test_first_install import DATABASE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

POST = "post-install,post-upgrade"
BY_TAG = DATABASE.replace("touch /tmp/www/schema", "touch /tmp/www/schema-$QUERY_STRING")
MIGRATES = (
    "[ {{ .Values.image.tag }} != v3 ] || exit 5; "
    "until wget -q -O - http://$DB_SERVICE_HOST:8080/cgi-bin/migrate?{{ .Values.image.tag }} 2>/dev/null; do sleep 0.3; done"
)
READY_ONCE_MIGRATED = deployment(
    '["sh", "-c", "sleep 100000"]',
    'readinessProbe: {periodSeconds: 1, exec: {command: ["sh", "-c", "wget -q -O /dev/null http://$DB_SERVICE_HOST:8080/schema-{{ .Values.image.tag }}"]}}',
)


def test_an_app_that_is_ready_only_after_its_post_upgrade_hook(project: Project) -> None:
    """Each of its schemas is asked for by one tag; v3's migration fails, and v4 has no image."""
    project.template("db", BY_TAG)
    project.template("app", READY_ONCE_MIGRATED)
    project.template("migrate", hook(MIGRATES, POST, name="migrate"))
    project.configure(release='timeout = "60s"\nrollback_on_failure = true')
    for tag in ("v1", "v2"):
        done = project.deploy(tag)
        assert done.exit_code == 0, done.told
        assert done.result["duration_s"] < 60
        assert done.log == ["migrated"]
        ended = [e["step"] for e in done.of("step") if e["state"] == "done"]
        assert ended.index("upgrade") < ended.index("migrate") < ended.index("rollout")
    prepared = next(e["message"] for e in done.of("step") if (e["step"], e["state"]) == ("prepare", "done"))
    assert prepared.endswith("once it is applied, while pods of the live tag still serve: migrate")

    stopped = project.deploy("v3")
    assert (stopped.exit_code, stopped.outcome) == (9, "after_failed"), stopped.told
    message = stopped.error["message"]
    assert "Job migrate failed" in message
    assert (
        "the app is upgraded to v3 (revision 3); its rollout was not waited for: Deployment shop 0/1"
        in message
    )
    assert [r["status"] for r in project.history()] == ["superseded", "superseded", "deployed"]

    project.template(
        "app", READY_ONCE_MIGRATED.replace("{{ .Values.image.repository }}", "registry.sandbox/no-such-app")
    )
    failed = project.deploy("v4")
    assert (failed.exit_code, failed.outcome) == (6, "upgrade_failed"), failed.told
    assert "not found" in failed.error["message"]
    assert "the app was rolled back to revision 2" in failed.error["message"], "v3 was never ready"
    assert project.kube.image() == "v2"
    assert project.kube.pods_by_job()["migrate"] == [1, 1, 1, 1]


def test_where_helm_waits_first_a_hanging_rollout_names_what_was_still_to_run(project: Project) -> None:
    project.template("db", BY_TAG)
    project.template("app", READY_ONCE_MIGRATED)
    project.template("migrate", hook(MIGRATES, POST, name="migrate"))
    project.configure(release='timeout = "10s"\nhelm_args = ["--wait"]')
    failed = project.deploy("v1")
    assert failed.exit_code == 6, failed.told
    assert "Readiness probe failed" in failed.error["message"]
    assert "migrate would have run once the pods are ready" in failed.error["hint_why"]
    assert 'phase = "during"' in failed.error["hint_why"]
    assert project.kube.pods_by_job() == {}


def test_a_plain_job_runs_in_the_phase_that_is_configured(project4: Project) -> None:
    project4.template("migrate", job("echo up"))
    around = ("upgrade", "migrate", "rollout")
    for number, (phase, order) in enumerate({"during": around, "after": around[:2]}.items(), 1):
        project4.configure(migration=f'phase = "{phase}"')
        done = project4.deploy(f"v{number}")
        assert done.exit_code == 0, done.told
        ended = [e["step"] for e in done.of("step") if e["state"] == "done" and e["step"] in around]
        assert tuple(ended) == order


def test_while_shipit_waits_somebody_else_may_move_the_release(project4: Project) -> None:
    project4.template("migrate", hook("echo up", POST, name="migrate"))
    assert project4.deploy("v1").exit_code == 0
    project4.template("app", NEVER_READY)
    project4.configure(release="rollback_on_failure = true")
    deploy = project4.start("deploy", "--tag", "v2")
    deploy.until("no friend yet")
    project4.run_helm("rollback", "shop", "1", "--no-hooks")
    ended = deploy.end()
    assert (ended.exit_code, ended.outcome) == (7, "busy"), ended.told
    assert (
        "v2 was applied as revision 2, someone else moved the release to revision 3" in ended.error["message"]
    )
    assert [r["status"] for r in project4.history()] == ["superseded", "superseded", "deployed"]
    assert project4.kube.image() == "v1"
