"""`shipit plan` on a real cluster: what it shows is what a deploy does, it changes nothing, and refuses as one would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.kit import Project, Result, deployment, hook, job
from tests.e2e.stage import HELD, StumblingHelm, account_kubeconfig, begun, let_go

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PASSWORD = "correct horse battery staple"
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: {{ .Values.color | default "red" }}, size: large}
"""
CREDENTIALS = """\
apiVersion: v1
kind: Secret
metadata: {name: credentials}
stringData: {password: {{ .Values.password | quote }}, user: anna-the-user}
"""
PROBED = deployment(
    '["sh", "-c", "sleep 100000"]',
    'readinessProbe: {periodSeconds: 1, exec: {command: ["sh", "-c", "echo no friend yet; [ {{ .Values.friends | default `some` }} = some ]"]}}',
)
ROLES = Path(__file__).parents[2] / "examples" / "rbac"


def planned(project: Project, tag: str, *args: str, output: str = "json") -> Result:
    return project.start("plan", "--tag", tag, *args, output=output).end()


def shown(result: Result) -> dict[str, object]:
    (plan,) = result.of("plan")
    return plan


def everything(project: Project) -> set[str]:
    """What there is in the namespace, each object with its version."""
    kinds = "leases,jobs,pods,secrets,configmaps,deployments,serviceaccounts,roles"
    found = project.kube.all(kinds)
    return {
        f"{each['kind']} {each['metadata']['name']} {each['metadata']['resourceVersion']}" for each in found
    }


@pytest.fixture
def shop(project: Project) -> Project:
    project.template("migrate", job("echo migrating"))
    project.template("settings", SETTINGS)
    project.template("credentials", CREDENTIALS)
    project.write("values.yaml", f'password: "{PASSWORD}"\n')
    project.configure(release='values = ["values.yaml"]')
    return project


def test_a_plan_shows_what_the_deploy_then_does_and_changes_nothing(shop: Project) -> None:
    before = everything(shop)
    first = planned(shop, "v1", "--exit-code")
    assert first.exit_code == 10, first.told
    assert everything(shop) == before, "no lock either"
    plan = shown(first)
    assert [step["name"] for step in plan["steps"]] == ["migrate", "upgrade"]  # type: ignore[attr-defined]
    assert "busybox:v1" in plan["steps"][0]["manifest"]  # type: ignore[index]

    done = shop.deploy("v1")
    assert done.exit_code == 0, done.told
    before = everything(shop)
    assert planned(shop, "v1", "--exit-code").exit_code == 0, "there is nothing to do"
    assert everything(shop) == before
    again = shop.deploy("v1", "--if-changed")
    assert (again.exit_code, again.outcome, again.result["revision"]) == (0, "deployed", 1), again.told
    assert len(shop.history()) == 1
    assert shop.kube.pods_by_job() == {"migrate": [1]}

    shop.write("values.yaml", 'password: "another password"\ncolor: blue\nreplicas: 2\n')
    shop.without_template("app")
    second = planned(shop, "v2", "--exit-code")
    assert second.exit_code == 10, second.told
    changes = {each["object"]: each for each in shown(second)["changes"]}  # type: ignore[attr-defined]
    assert {name: each["action"] for name, each in changes.items()} == {
        "ConfigMap settings": "change", "Secret credentials": "change", "Deployment shop": "delete",
    }  # fmt: skip
    marks = [line for line in changes["ConfigMap settings"]["lines"] if line[0] in "+-"]
    assert marks == ["-  color: red", "+  color: blue"]
    assert "+  password: '*** (the new value)'" in changes["Secret credentials"]["lines"]
    for secret in (PASSWORD, "another password"):
        assert secret not in second.told
    assert shown(second)["deleted"] == ["Job migrate of v1, which has succeeded"]


def test_what_was_changed_by_hand_is_told_even_where_it_refuses_the_deploy(shop: Project) -> None:
    assert shop.deploy("v1").exit_code == 0
    calm = planned(shop, "v2")
    assert calm.exit_code == 0, calm.told
    assert shown(calm)["by_hand"] == [], "what the API server adds is nobody's change"
    shop.kube.kubectl("scale", "deployment", "shop", "--replicas=3")
    shop.kube.kubectl("patch", "secret", "credentials", "-p", '{"stringData":{"password":"by-hand-1"}}')
    seen = planned(shop, "v2")
    told = [(each["object"], each["field"], each["message"]) for each in shown(seen)["by_hand"]]  # type: ignore[attr-defined]
    assert sorted(told) == [
        ("Deployment shop", "spec.replicas", "somebody scaled it to 3, revision 1 says 1"),
        ("Secret credentials", "data.password", "somebody changed its value"),
    ]
    assert "by-hand-1" not in seen.told
    deployed = shop.deploy("v2")
    assert deployed.exit_code == seen.exit_code, "a plan refuses what a deploy refuses, and nothing else"


def test_an_autoscaler_is_no_hand(shop: Project) -> None:
    assert shop.deploy("v1").exit_code == 0
    shop.kube.kubectl("autoscale", "deployment", "shop", "--min=2", "--max=3", "--name=scaler")
    shop.kube.wait(lambda: (shop.kube.get("deployment", "shop") or {})["spec"]["replicas"] == 2)
    seen = planned(shop, "v2")
    assert [each["message"] for each in shown(seen)["by_hand"]] == [  # type: ignore[attr-defined]
        "HorizontalPodAutoscaler scaler scaled it to 2, revision 1 says 1"
    ]


def test_who_may_only_read_sees_the_plan(shop: Project, tmp_path: Path) -> None:
    assert shop.deploy("v1").exit_code == 0
    shop.kube.apply((ROLES / "planner.yaml").read_text())
    shop.kubeconfig = account_kubeconfig(shop.kube, "shipit-planner", tmp_path / "planner.kubeconfig")
    seen = planned(shop, "v2", "--exit-code")
    assert seen.exit_code == 10, seen.told
    assert shown(seen)["changes"]
    (warned,) = seen.of("warning")
    assert "you may not deploy, and nothing was tried" in warned["message"], "and all else could be read"
    assert shown(seen)["by_hand"] == []
    assert shop.deploy("v2").exit_code == 3


def test_a_plan_takes_no_lock_and_tells_who_has_it(project4: Project) -> None:
    project4.template("migrate", hook(HELD, "pre-install,pre-upgrade", name="migrate"))
    holder = project4.start("deploy", "--tag", "v1", "-m", "the big one")
    begun(project4.kube, "migrate")
    seen = planned(project4, "v1")
    assert seen.exit_code == 0, seen.told
    assert any("a deploy holds the lock" in each["message"] for each in seen.of("warning"))
    assert [step["action"] for step in shown(seen)["steps"]] == ["attach", "upgrade"]  # type: ignore[attr-defined]
    other = planned(project4, "v2")
    assert (other.exit_code, other.outcome) == (7, "busy"), "as a deploy would end"
    let_go(project4.kube, "migrate")
    assert holder.end().exit_code == 0


@pytest.mark.long
def test_a_release_that_a_dead_helm_left_pending_is_planned_as_a_deploy_would_find_it(
    project: Project,
) -> None:
    """The live values too, where the release keeps them; a deploy then does what the plan said."""
    project.template("migrate", job("echo migrating"))
    project.template("settings", SETTINGS)
    project.template("app", PROBED)
    project.configure(release='helm_args = ["--reuse-values"]')
    assert project.deploy("v1", "--set", "color=green").exit_code == 0
    helm = StumblingHelm(project, "upgrade")
    deploy = project.start("deploy", "--tag", "v2", "--set", "friends=none")
    project.kube.wait(lambda: project.history()[-1]["status"] == "pending-upgrade")
    busy = planned(project, "v2")
    assert (busy.exit_code, busy.outcome) == (7, "busy"), busy.told
    helm.kill()
    deploy.kill()
    deploy.end()
    assert [each["status"] for each in project.history()] == ["deployed", "pending-upgrade"]
    before = everything(project)
    seen = planned(project, "v3")
    assert seen.exit_code == 0, seen.told
    assert everything(project) == before
    assert any("left revision 2 pending-upgrade" in each["message"] for each in seen.of("warning")), seen.told
    plan = shown(seen)
    assert (plan["base_revision"], plan["revision"], plan["by_hand"]) == (1, 2, [])
    assert {each["object"]: each["action"] for each in plan["changes"]} == {"Deployment shop": "change"}  # type: ignore[attr-defined]
    done = project.deploy("v3")
    assert (done.exit_code, done.result["revision"]) == (0, 2), done.told
    assert project.kube.kubectl("get", "configmap", "settings", "-o", "jsonpath={.data.color}") == "green"


def test_a_dry_run_is_a_plan_and_github_gets_it_in_its_summary(project4: Project) -> None:
    project4.template("migrate", job("echo migrating"))
    summary = project4.folder / "summary"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    dry = project4.start("deploy", "--tag", "v1", "--dry-run", output="github", env=env).end()
    assert dry.exit_code == 0, dry.told
    text = summary.read_text()
    assert "plan shop v1" in text
    assert "+   Deployment shop (shop/templates/app.yaml)" in text
    assert project4.history() == []
    assert project4.kube.all("jobs") == []
    plain = planned(project4, "v1", output="plain").stdout
    assert "\nManifest: 1 created\n  + Deployment shop (shop/templates/app.yaml)\n" in plain


def test_a_namespace_and_definitions_that_a_deploy_makes_are_only_told(project4: Project) -> None:
    name = f"{project4.kube.namespace}-new"
    project4.template("migrate", job("echo migrating"))
    project4.configure(release="create_namespace = true")
    seen = planned(project4, "v1", "-n", name)
    assert seen.exit_code == 0, seen.told
    first = shown(seen)["steps"][0]  # type: ignore[index]
    assert (first["name"], first["object"]) == ("namespace", f"Namespace {name}")
    assert project4.kube.kubectl("get", "namespace", name, "--ignore-not-found") == ""
    refused = planned(project4, "v1", "--set", "image.repository=Not/Legal")
    assert refused.exit_code in (0, 3), refused.told
    assert json.dumps(shown(seen))
