"""The commands of every day: what was deployed, and a release that nobody is to deploy."""

from __future__ import annotations

import getpass
import signal

import pytest

from tests.e2e.kit import Json, Project, job
from tests.e2e.stage import HELD, let_go

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def history(project: Project, *args: str) -> list[Json]:
    shown = project.start("history", *args).end()
    assert shown.exit_code == 0, shown.told
    (event,) = shown.of("history")
    found: list[Json] = event["deploys"]
    return found


def test_each_deploy_is_in_the_history_and_a_freeze_stops_the_next(project4: Project) -> None:
    project = project4
    project.template("migrate", job('[ "{{ .Values.image.tag }}" != v2 ]'))
    assert history(project) == []
    first = project.deploy("v1", "-m", "the first")
    assert first.exit_code == 0, first.told
    assert project.deploy("v2").exit_code == 4

    failed, good = history(project)
    assert (good["id"], good["tag"], good["outcome"], good["revision"]) == (first.run, "v1", "deployed", 1)
    assert (good["who"], good["message"]) == (getpass.getuser(), "the first")
    assert [(each["name"], each["outcome"]) for each in good["migrations"]] == [("migrate", "succeeded")]
    assert (failed["tag"], failed["exit_code"], failed["revision"]) == ("v2", 4, None)
    project.start("history", "--plot", "plot.svg").end()
    assert "<svg" in (project.folder / "plot.svg").read_text()
    events = [each for each in project.kube.all("events") if each["involvedObject"]["kind"] == "Lease"]
    assert sorted(each["reason"] for each in events) == ["Deployed", "MigrationFailed"]

    (seen,) = project.start("status").end().of("status")
    assert (seen["revision"], seen["tag"], seen["lock"], seen["owed"], seen["unknown"]) == (
        1,
        "v1",
        "",
        [],
        [],
    )
    assert seen["last_deploy"]["id"] == failed["id"]
    assert [each["object"] for each in seen["rollout"]] == ["Deployment shop"]

    frozen = project.start("lock", "-m", "the sale", "--for", "2h").end()
    assert frozen.exit_code == 0, frozen.told
    busy = project.deploy("v3", "--lock-wait", "5m")
    assert (busy.exit_code, busy.outcome) == (7, "busy"), busy.told
    assert f"frozen by {getpass.getuser()}" in busy.error["message"]
    assert "the sale" in busy.error["message"]
    asked = project.start("unlock").end()
    assert (asked.exit_code, "--yes" in asked.error["hint"]) == (2, True), asked.told
    assert project.start("unlock", "--yes").end().exit_code == 0
    assert project.deploy("v3").exit_code == 0
    assert [each["tag"] for each in history(project, "--limit", "2")] == ["v3", "v2"]


def test_another_terminal_sees_a_running_deploy_and_ends_as_it_does(project4: Project) -> None:
    project = project4
    project.template("migrate", job(f"{HELD}; exit 3"))
    none = project.start("watch").end()
    assert (none.exit_code, "no deploy of shop is running" in none.result["message"]) == (0, True), none.told
    deploy = project.start("deploy", "--tag", "v1")
    deploy.until('"line": "begin"')
    watching, left = project.start("watch"), project.start("watch")
    watching.until('"line": "begin"')
    left.until('"line": "begin"')
    left.kill(signal.SIGINT)
    gone = left.end()
    assert (gone.exit_code, "the deploy goes on" in gone.error["message"]) == (130, True), gone.told
    let_go(project.kube, "migrate")

    seen = watching.end()
    assert deploy.end().exit_code == 4
    assert (seen.exit_code, seen.outcome, seen.result["tag"]) == (4, "migration_failed", "v1"), seen.told
    assert seen.log == ["begin", "released"]
