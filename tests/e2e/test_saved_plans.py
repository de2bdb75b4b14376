"""Saved plans on a real cluster: carried out exactly, or refused with what moved; what is random is left out."""

from __future__ import annotations

import json
import time

import pytest

from tests.e2e.kit import Project, Result, job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PASSWORD = "correct horse battery staple"
RANDOM = """\
apiVersion: v1
kind: Secret
metadata: {name: session}
stringData: {key: {{ randAlphaNum 24 }}, password: {{ .Values.password | quote }}}
"""
LOOKED_UP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: looked-up}
data: {color: {{ dig "data" "color" "none" (lookup "v1" "ConfigMap" .Release.Namespace "theirs") }}}
"""


@pytest.fixture
def shop(project: Project) -> Project:
    project.template("migrate", job("echo migrating $PASSWORD"))
    project.template("session", RANDOM)
    project.write("values.yaml", f'password: "{PASSWORD}"\n')
    project.configure(release='values = ["values.yaml"]')
    return project


def save(project: Project, tag: str, *args: str) -> Result:
    saved = project.start("plan", "--tag", tag, "--save", "plan.json", *args).end()
    assert saved.exit_code == 0, saved.told
    return saved


def carry_out(project: Project, *args: str) -> Result:
    return project.start("deploy", "--plan", "plan.json", *args).end()


def refused(result: Result, *words: str) -> None:
    assert (result.exit_code, result.outcome) == (3, "refused"), result.told
    for each in words:
        assert each in json.dumps(result.error), result.told


def test_a_saved_plan_is_carried_out_and_then_no_longer_holds(shop: Project) -> None:
    (plan,) = save(shop, "v1").of("plan")
    assert plan["volatile"] == ["Secret session: stringData.key"]
    file = shop.folder / "plan.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in file.read_text()
    shown = shop.start("plan", "show", "plan.json", output="plain").end()
    assert "+ Secret session (shop/templates/session.yaml)" in shown.stdout

    done = carry_out(shop, "-m", "as planned", "--lock-wait", "1m")
    assert (done.exit_code, done.outcome, done.result["tag"]) == (0, "deployed", "v1"), done.told
    assert shop.kube.image() == "v1"
    assert shop.kube.pods_by_job() == {"migrate": [1]}

    unchanged = shop.start("deploy", "--tag", "v1", "--if-changed").end()
    assert unchanged.result["revision"] == 1, "what is random is no change"
    refused(carry_out(shop), "the plan no longer holds", "the release moved from revision 0 to revision 1")
    assert len(shop.history()) == 1


def test_a_plan_whose_chart_values_or_release_moved_is_refused(shop: Project) -> None:
    assert shop.deploy("v1").exit_code == 0
    save(shop, "v2", "--set", "replicas=1")
    values = (shop.folder / "chart/values.yaml").read_text()
    shop.write("chart/values.yaml", values + "more: 1\n")
    refused(carry_out(shop), "the chart changed")
    shop.write("chart/values.yaml", values)
    shop.write("values.yaml", "password: other\n")
    refused(carry_out(shop), "the values changed")
    shop.write("values.yaml", f'password: "{PASSWORD}"\n')
    shop.configure('timeout = "1m"', 'values = ["values.yaml"]')
    refused(carry_out(shop), "the steps are others")
    shop.configure(release='values = ["values.yaml"]')
    shop.run_helm("rollback", "shop", "1")
    refused(carry_out(shop), "the release moved from revision 1 to revision 2")
    assert shop.kube.pods_by_job() == {"migrate": [1]}


def test_what_the_chart_asks_the_cluster_is_named_when_it_has_changed(project4: Project) -> None:
    project4.template("migrate", job("echo migrating"))
    project4.template("looked-up", LOOKED_UP)
    save(project4, "v1")
    project4.kube.kubectl("create", "configmap", "theirs", "--from-literal=color=blue")
    refused(carry_out(project4), "ConfigMap looked-up is rendered otherwise")
    save(project4, "v1")
    assert carry_out(project4).exit_code == 0


def test_a_plan_that_died_half_way_is_picked_up_with_the_same_plan(project4: Project) -> None:
    project4.template("migrate", job("echo begin; sleep 5; echo done"))
    save(project4, "v1")
    first = project4.start("deploy", "--plan", "plan.json")
    first.until('"line": "begin"')
    first.kill()
    first.end()
    second = carry_out(project4, "--lock-wait", "2m")
    assert second.exit_code == 0, second.told
    assert project4.kube.pods_by_job() == {"migrate": [1]}


def test_an_expired_plan_and_a_secret_on_the_command_line_are_refused(project4: Project) -> None:
    project4.template("migrate", job("echo migrating"))
    save(project4, "v1", "--lifetime", "1s")
    time.sleep(2)
    refused(carry_out(project4), "the plan expired at")
    told = project4.start("plan", "--tag", "v1", "--save", "no.json", "--set", "db.password=hunter22").end()
    assert told.exit_code == 2, told.told
    assert "a saved plan holds no secret" in told.error["message"]
    assert "hunter22" not in told.told
    assert not (project4.folder / "no.json").exists()
    assert project4.history() == []
