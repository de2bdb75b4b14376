"""A migration that takes too long is left running or deleted, as configured, and the next deploy knows what to do."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.kit import Project, job
from tests.e2e.stage import HELD, let_go, uid

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

UNTIL_V3 = f"case {{{{ .Values.image.tag }}}} in v3) echo quick;; *) {HELD};; esac"


def test_a_migration_past_its_timeout_runs_on_and_is_picked_up_or_replaced(project4: Project) -> None:
    project, kube = project4, project4.kube
    project.template("migrate", job(UNTIL_V3))
    first = project.start("deploy", "--tag", "v1")
    first.until('"line": "begin"')
    first.kill(signal.SIGINT)
    assert first.end().exit_code == 130
    running = uid(kube, "migrate")

    late = project.deploy("v1", "--timeout", "1s")
    assert (late.exit_code, late.outcome) == (5, "migration_timed_out"), late.told
    assert "did not end within 1 s" in late.error["message"]
    assert "still runs; the app is not installed" in late.error["message"]
    assert late.error["hint"].startswith("shipit logs migrate --follow ")
    assert "deploy v1 again" in late.error["hint_why"]
    assert late.log == ["begin"]
    assert late.result["migrations"][0]["outcome"] == "timed_out"
    assert uid(kube, "migrate") == running

    other = project.deploy("v2")
    assert (other.exit_code, other.outcome) == (7, "busy"), other.told
    assert f"Job migrate of v1 (run {first.end().run}) still runs, created" in other.error["message"]
    assert "--replace-running" in other.error["hint_why"]
    assert uid(kube, "migrate") == running

    attached = project.start("deploy", "--tag", "v1")
    attached.until('"attached"')
    let_go(kube, "migrate")
    done = attached.end()
    assert done.exit_code == 0, done.told
    assert done.log == ["begin", "released"]
    assert uid(kube, "migrate") == running
    assert kube.pods_by_job() == {"migrate": [1]}
    assert kube.image() == "v1"

    project.configure('on_timeout = "delete"')
    second = project.start("deploy", "--tag", "v2")
    second.until('"line": "begin"')
    second.kill(signal.SIGTERM)
    assert second.end().exit_code == 143
    deleted = project.deploy("v2", "--timeout", "1s")
    assert deleted.exit_code == 5, deleted.told
    assert "Job migrate was deleted; the app is untouched (revision 1)" in deleted.error["message"]
    assert kube.get("job", "migrate") is None

    third = project.start("deploy", "--tag", "v2")
    third.until('"line": "begin"')
    third.kill(signal.SIGINT)
    assert third.end().exit_code == 130
    running = uid(kube, "migrate")
    replaced = project.deploy("v3", "--replace-running")
    assert replaced.exit_code == 0, replaced.told
    assert replaced.log == ["quick"]
    assert uid(kube, "migrate") != running
    assert kube.image() == "v3"
