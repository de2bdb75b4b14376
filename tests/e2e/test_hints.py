"""What a failure says to type next is typed, and does what it says."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from tests.e2e.kit import Project, hook, job
from tests.e2e.stage import HELD, NEVER_READY, let_go, uid

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def test_the_hint_of_an_interrupt_picks_the_migration_up_with_every_flag(project4: Project) -> None:
    """Without the values file it would be another migration: busy, and a hint to delete the one that runs."""
    project, kube = project4, project4.kube
    project.template("migrate", job("echo {{ .Values.who }}; " + HELD))
    project.write("who.yaml", "who: anna\n")
    first = project.start("deploy", "--tag", "v1", "-f", "who.yaml", "--timeout", "10m")
    first.until('"line": "begin"')
    first.kill(signal.SIGINT)
    stopped = first.end()
    assert stopped.exit_code == 130, stopped.told
    running = uid(kube, "migrate")

    threading.Timer(5, let_go, (kube, "migrate")).start()
    done = project.paste(stopped.error["hint"])

    assert (done.exit_code, done.outcome) == (0, "deployed"), done.told
    assert done.log == ["anna", "begin", "released"]
    assert uid(kube, "migrate") == running
    assert kube.pods_by_job() == {"migrate": [1]}


def test_the_hint_of_a_timeout_waits_for_the_end_and_the_next_deploy_accepts_it(project4: Project) -> None:
    project, kube = project4, project4.kube
    project.template("migrate", job(HELD))
    late = project.deploy("v1", "--timeout", "8s")
    assert (late.exit_code, late.outcome) == (5, "migration_timed_out"), late.told

    threading.Timer(3, let_go, (kube, "migrate")).start()
    followed = project.paste(late.error["hint"])

    assert (followed.exit_code, followed.outcome) == (0, "succeeded"), followed.told
    assert followed.log == ["begin", "released"]
    done = project.deploy("v1")
    assert done.exit_code == 0, done.told
    assert kube.pods_by_job() == {"migrate": [1]}


def test_the_hint_of_a_failed_upgrade_brings_the_previous_app_back(project4: Project) -> None:
    project = project4
    project.template("migrate", job("echo fine"))
    assert project.deploy("v1").exit_code == 0
    project.template("app", NEVER_READY)
    failed = project.deploy("v2", "--upgrade-timeout", "5s")
    assert (failed.exit_code, failed.outcome) == (6, "upgrade_failed"), failed.told
    assert failed.error["hint"].startswith("shipit rollback 1 ")
    assert "--kubeconfig" in failed.error["hint"]

    asked = project.paste(
        failed.error["hint"]
    )  # the migration of v2 has run, and there is no terminal to ask on
    assert (asked.exit_code, asked.outcome) == (2, "usage"), asked.told
    assert "--yes" in asked.error["hint"]
    shown = project.paste(asked.error["hint"])

    assert shown.exit_code == 0, shown.told
    assert project.kube.image() == "v1"


def test_the_hint_of_an_unfinished_first_install_shows_its_log(project4: Project) -> None:
    project = project4
    project.template("migrate", hook("echo almost; exit 1", "post-install", name="seed"))
    failed = project.deploy("v1")
    assert (failed.exit_code, failed.outcome) == (9, "after_failed"), failed.told

    shown = project.paste(failed.error["hint"])

    assert (shown.exit_code, shown.outcome) == (0, "succeeded"), shown.told
    assert shown.log == ["almost"]
    project.template("migrate", hook("echo done", "post-install", name="seed"))
    time.sleep(1)
    assert project.deploy("v1").exit_code == 0, "what the install owes is run by the next deploy"
