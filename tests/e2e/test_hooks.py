"""The chart's hooks: shipit runs them around the upgrade in Helm's order, by Helm's policies, and Helm runs none."""

from __future__ import annotations

import json

import pytest

from tests.e2e.kit import APP, Project, Result, hook

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BEFORE = "pre-install,pre-upgrade"
AFTER = "post-install,post-upgrade"

NEEDS = """\
          env:
            - name: PASSWORD
              valueFrom: {secretKeyRef: {name: creds, key: password}}
          envFrom:
            - configMapRef: {name: conf}
"""


def resource(kind: str, name: str, *, weight: int, rest: str = "", policy: str = "") -> str:
    """A hook that is neither Job nor Pod, for before the upgrade; `rest` are its other fields."""
    notes = {"helm.sh/hook": BEFORE, "helm.sh/hook-weight": str(weight)}
    if policy:
        notes["helm.sh/hook-delete-policy"] = policy
    return (
        f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}, annotations: {json.dumps(notes)}}}\n{rest}"
    )


def pod(script: str, name: str) -> str:
    notes = json.dumps({"helm.sh/hook": "pre-install"})
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {notes}}}\n"
        "spec:\n  restartPolicy: Never\n  terminationGracePeriodSeconds: 0\n"
        f"  containers: [{{name: c, image: 'registry.sandbox/busybox:v1', command: [sh, -c, {json.dumps(script)}]}}]\n"
    )


def begun(result: Result) -> list[str]:
    """The steps in the order in which they were begun."""
    of_ours = ("lock", "prepare", "clear", "rollout")
    return [
        e["step"] for e in result.of("step") if e["state"] == "started" and not e["step"].startswith(of_ours)
    ]


def names(project: Project, kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in project.kube.all(kind)}


def test_hooks_run_once_each_in_helms_order_with_what_they_need(project: Project) -> None:
    project.template("creds", resource("Secret", "creds", weight=-10, rest="stringData: {password: {{ randAlphaNum 12 }}}\n"))  # fmt: skip
    project.template("conf", resource("ConfigMap", "conf", weight=-10, rest="data: {WHO: '{{ .Values.image.tag }}'}\n", policy="before-hook-creation,hook-succeeded"))  # fmt: skip
    project.template("runner", resource("ServiceAccount", "runner", weight=-10))
    migrate = hook("echo $WHO ${#PASSWORD}", BEFORE, name="migrate", policy="before-hook-creation,hook-succeeded")  # fmt: skip
    migrate = migrate.replace("      containers:", "      serviceAccountName: runner\n      containers:")
    project.template("z-check", hook("echo checked", "pre-install", name="check", weight=-5))
    project.template("greet", pod("echo greeted", "greet"))
    project.template("init", hook("echo init", "pre-install", name="init"))
    project.template("migrate", migrate + NEEDS)
    project.template("user", hook("echo user", "post-install,pre-upgrade", name="user", weight=5))
    project.template("both", hook("echo both", "pre-upgrade,post-upgrade", name="both", weight=6))
    project.template("post", hook("echo post", AFTER, name="post", policy="hook-succeeded"))
    project.template("probe", hook("echo never", "test", name="probe"))

    first = project.deploy("v1")

    assert first.exit_code == 0, first.told
    needed = ["conf", "creds", "runner"]
    assert begun(first) == [*needed, "check", "greet", "init", "migrate", "upgrade", "post", "user"]
    assert first.log == ["checked", "greeted", "init", "v1 12", "post", "user"]
    assert {m["outcome"] for m in first.result["migrations"]} == {"succeeded"}

    second = project.deploy("v2")

    assert second.exit_code == 0, second.told
    assert begun(second) == [*needed, "migrate", "user", "both", "upgrade", "post", "both"]
    assert second.log == ["v2 12", "user", "both", "post", "both"]
    assert project.kube.image() == "v2"
    assert [(r["revision"], r["status"]) for r in project.history()] == [(1, "superseded"), (2, "deployed")]
    assert project.kube.pods_by_job() == {
        "check": [1], "init": [1], "migrate": [1, 1], "user": [1, 1], "both": [1, 1], "post": [1, 1],
    }  # fmt: skip
    assert names(project, "jobs") == {"check", "init", "user", "both"}, "the rest is deleted by its policy"
    assert "conf" not in names(project, "configmaps")
    assert "creds" in names(project, "secrets")
    assert names(project, "pods") >= {"greet"}
    assert "name: probe" in project.run_helm("get", "hooks", "shop").stdout, "helm test finds its hook"


def test_a_failing_hook_stops_before_the_upgrade_and_is_told_after_it(project4: Project) -> None:
    def failing(name: str) -> str:
        return f"echo {name}; [ x{{{{ .Values.fail }}}} != x{name} ]"

    project4.write("chart/values.yaml", (project4.folder / "chart/values.yaml").read_text() + "fail: ''\n")
    ends = "hook-succeeded,hook-failed"
    project4.template("a", hook(failing("first"), BEFORE, name="first", weight=1, policy=ends))
    project4.template("b", hook(failing("second"), BEFORE, name="second", weight=2))
    project4.template("c", hook(failing("last"), AFTER, name="last"))

    before = project4.deploy("v1", "--set", "fail=second")
    assert before.exit_code == 4, before.told
    assert before.log == ["first", "second"]
    assert "the app is not installed" in before.error["message"]
    assert (project4.history(), names(project4, "jobs")) == ([], {"second"}), "is kept for inspection"

    late = project4.deploy("v1", "--set", "fail=last")
    assert late.exit_code == 9, late.told
    assert late.outcome == "after_failed"
    assert "Job last failed" in late.error["message"]
    assert "upgraded to v1 (revision 1)" in late.error["message"]
    assert (project4.kube.image(), len(project4.history())) == ("v1", 1)

    stopped = project4.deploy("v2", "--set", "fail=first")
    assert stopped.exit_code == 4, stopped.told
    assert stopped.outcome == "migration_failed"
    assert "untouched (revision 1)" in stopped.error["message"]
    assert stopped.log == ["first"]
    assert (project4.kube.image(), len(project4.history())) == ("v1", 1)
    assert names(project4, "jobs") == {"second", "last"}, "the first is deleted by its policy"

    assert project4.deploy("v3").exit_code == 0
    assert project4.kube.image() == "v3"
    assert project4.kube.pods_by_job() == {"first": [1] * 4, "second": [1] * 3, "last": [1] * 2}


def test_a_migration_of_the_install_alone_runs_until_it_has_succeeded_and_then_no_more(
    project4: Project,
) -> None:
    """To Helm the second try is an upgrade, which has no such hook."""
    project4.template("migrate", hook("exit 3", "post-install", name="migrate"))

    failed = project4.deploy("v1")
    assert failed.exit_code == 9, failed.told
    project4.template("migrate", hook("echo fine", "post-install", name="migrate"))
    again = project4.deploy("v2")
    assert again.exit_code == 0, again.told
    assert again.log == ["fine"]
    assert project4.kube.image() == "v2"
    upgraded = project4.deploy("v3")
    assert upgraded.exit_code == 0, upgraded.told
    assert upgraded.log == []
    assert project4.kube.pods_by_job() == {"migrate": [1, 1]}


def test_a_policy_that_keeps_the_old_object_refuses_the_next_deploy_before_anything_changes(
    project4: Project,
) -> None:
    """As Helm does, but before the first hook ran. A chart whose hooks are all for upgrades installs without any."""
    project4.template("a", hook("echo first", "pre-upgrade", name="first", weight=-1))
    project4.template("b", hook("echo kept", "pre-upgrade", name="kept", policy="hook-failed"))
    project4.template("c", resource("ConfigMap", "settings", weight=0, policy="hook-failed"))
    installed = project4.deploy("v1")
    assert installed.exit_code == 0, installed.told
    assert (installed.result["migrations"], names(project4, "jobs")) == ([], set())

    both = project4.deploy("v2")
    assert both.exit_code == 3, both.told
    assert "ConfigMap" in both.error["message"]
    assert "settings" in both.error["message"]
    assert "before-hook-creation" in both.error["hint"]
    project4.without_template("c")
    assert project4.deploy("v2").exit_code == 0

    refused = project4.deploy("v3")
    assert refused.exit_code == 3, refused.told
    assert "Job" in refused.error["message"]
    assert "kept" in refused.error["message"]
    assert project4.kube.pods_by_job() == {"first": [1], "kept": [1]}
    assert project4.kube.image() == "v2"


def test_a_hook_that_succeeded_is_no_obstacle_after_an_upgrade_that_failed(project4: Project) -> None:
    """Helm deletes it at the end of its event; shipit keeps it until the upgrade has come, for a retry to find."""
    project4.template("a", hook("echo done", BEFORE, name="migrate", policy="hook-succeeded"))
    project4.template(
        "app", APP.replace(".Values.image.tag }}", '.Values.image.tag }}{{ .Values.broken | default "" }}')
    )
    assert project4.deploy("v1").exit_code == 0

    failed = project4.deploy("v2", "--set", "broken=:::")
    assert failed.exit_code == 6, failed.told
    assert "InvalidImageName" in failed.error["message"]

    assert project4.deploy("v3").exit_code == 0
    assert project4.kube.pods_by_job() == {"migrate": [1, 1, 1]}
    assert names(project4, "jobs") == set()
