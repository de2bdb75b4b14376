"""Of several deploys of a release one acts; who has lost the lock stops before its next change."""

from __future__ import annotations

import getpass
import signal
import socket

import pytest

from tests.e2e.kit import Project, Running, job
from tests.e2e.stage import HELD, let_go, uid

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture
def project(project4: Project) -> Project:
    project4.template("migrate", job(HELD))
    return project4


def holding(project: Project, *args: str) -> Running:
    """A deploy of v1 in its migration."""
    deploy = project.start("deploy", "--tag", "v1", *args)
    deploy.until('"line": "begin"')
    return deploy


def test_a_second_deploy_is_told_who_is_at_it_or_waits_for_its_turn(project: Project) -> None:
    holder = holding(project, "-m", "the big one")
    waiting = project.start("deploy", "--tag", "v2", "--skip-migration", "--lock-wait", "5m")

    busy = project.deploy("v3")

    assert (busy.exit_code, busy.outcome) == (7, "busy"), busy.told
    who = f"{getpass.getuser()} deploys v1 from {socket.gethostname()} since 20"
    assert who in busy.error["message"]
    assert "(the big one)" in busy.error["message"]
    assert "--lock-wait" in busy.error["hint_why"]
    assert [(each["step"], each["state"]) for each in busy.of("step")] == [("lock", "started")]
    waiting.until("waiting for it to end")
    let_go(project.kube, "migrate")
    first, second = holder.end(), waiting.end()
    assert (first.exit_code, second.exit_code) == (0, 0), first.told + second.told
    told = [step for step in second.of("step") if step["step"] == "lock"]
    assert all(who in step["message"] for step in told)
    words = [step["message"].rpartition("; ")[2] for step in told]
    assert words == ["checking that it is alive", "waiting for it to end"]
    assert 0 < told[1]["timeout_s"] <= 300
    assert (first.result["revision"], second.result["revision"]) == (1, 2)
    assert project.kube.image() == "v2"
    assert project.kube.pods_by_job() == {"migrate": [1]}


def test_a_holder_that_slept_past_its_lease_changes_nothing_when_it_wakes(project: Project) -> None:
    sleeper = holding(project)
    migration = uid(project.kube, "migrate")
    sleeper.kill(signal.SIGSTOP)
    successor = project.start("deploy", "--tag", "v1", "--lock-wait", "1m")
    successor.until('"attached"')
    let_go(project.kube, "migrate")
    done = successor.end()
    sleeper.kill(signal.SIGCONT)
    late = sleeper.end()

    assert done.exit_code == 0, done.told
    assert any("took over the lock of a dead deploy" in each["message"] for each in done.of("warning"))
    assert done.log == ["begin", "released"]
    assert late.exit_code in (7, 8), late.told
    assert "the lock of the release was lost" in late.error["message"]
    assert [each["status"] for each in project.history()] == ["deployed"]
    assert uid(project.kube, "migrate") == migration
    assert project.kube.pods_by_job() == {"migrate": [1]}


def test_a_lock_that_was_broken_stops_its_holder_before_the_upgrade(project: Project) -> None:
    holder = holding(project)

    asked = project.start("unlock").end()
    assert asked.exit_code == 2, asked.told
    assert f"{getpass.getuser()} deploys v1 from" in asked.error["message"]
    assert "--yes" in asked.error["hint"]
    broken = project.start("unlock", "--yes").end()
    assert broken.exit_code == 0, broken.told
    assert f"{getpass.getuser()} deploys v1 from" in broken.result["message"]
    let_go(project.kube, "migrate")
    stopped = holder.end()

    assert (stopped.exit_code, stopped.outcome) == (7, "busy"), stopped.told
    assert "the lock of the release was lost: it was broken or removed" in stopped.error["message"]
    assert "the app is not installed" in stopped.error["message"]
    assert project.history() == []
    free = project.start("unlock", "--yes").end()
    assert "nobody holds the lock" in free.result["message"]
    again = project.deploy("v1")
    assert again.exit_code == 0, again.told
    assert [each["outcome"] for each in again.result["migrations"]] == ["resumed"]
    assert project.kube.pods_by_job() == {"migrate": [1]}
