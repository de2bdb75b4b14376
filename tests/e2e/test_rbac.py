"""The Roles in examples/rbac are enough, and nothing in them is too much: the audit log is the witness."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sandbox import Sandbox
from tests.e2e.kit import APP, Json, Project, Running, job
from tests.e2e.stage import (
    HELD,
    NEVER_READY,
    Audit,
    Stage,
    StumblingHelm,
    a_stage,
    account_kubeconfig,
    let_go,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROLES = Path(__file__).parents[2] / "examples" / "rbac"
NAME = "{{ .Release.Name }}"
SERVICE = f"apiVersion: v1\nkind: Service\nmetadata: {{name: {NAME}-SUFFIX}}\nspec: {{ports: [{{port: 80}}]}}\n---\n"
MAP = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {NAME}-SUFFIX}}\ndata: {{tag: {{{{ .Values.image.tag }}}}}}\n---\n"
HOOK_POD = f"""\
apiVersion: v1
kind: Pod
metadata:
  name: {NAME}-hook
  annotations: {{helm.sh/hook: "post-install,post-upgrade"}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers: [{{name: hook, image: "{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag }}}}", command: [echo, hooked]}}]
"""
NEEDS = """\
          envFrom: [{secretRef: {name: no-such}}, {configMapRef: {name: no-such}}]
      serviceAccountName: no-such
      volumes: [{name: data, persistentVolumeClaim: {claimName: no-such}}]
"""
OLDER = {("list", "apps", "deployments"), ("list", "", "services"), ("list", "", "configmaps")}
"""What Helm 4 does on a Kubernetes whose watches don't begin with a list."""

Right = tuple[str, str, str]


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(sandbox, tmp_path_factory.mktemp("rbac")) as made:
        for role in ("deployer", "viewer", "unlocker"):
            made.kube.apply((ROLES / f"{role}.yaml").read_text())
        yield made


def granted(role: str) -> set[Right]:
    documents: list[Json] = list(yaml.safe_load_all((ROLES / f"{role}.yaml").read_text()))
    (rules,) = (each["rules"] for each in documents if each["kind"] == "Role")
    return {
        (verb, group, resource)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def witnessed(audit: Audit, stage: Stage, role: str) -> tuple[set[Right], list[str]]:
    """What was asked for as that account, and what of it was denied."""
    user = f"system:serviceaccount:{stage.kube.namespace}:shipit-{role}"
    used, denied = set(), []
    for each in audit.requests(user):
        about = each.get("objectRef", {})
        if each["user"]["username"] != user or "resource" not in about:
            continue
        if each["responseStatus"]["code"] == 403:
            denied.append(f"{each['verb']} {each['requestURI']}")
        if not about["resource"].startswith("selfsubject"):
            sub = f"/{about['subresource']}" if "subresource" in about else ""
            used.add((each["verb"], about.get("apiGroup", ""), about["resource"] + sub))
    return used, denied


def acting_as(project: Project, role: str) -> Project:
    project.kubeconfig = account_kubeconfig(
        project.kube, f"shipit-{role}", project.folder / f"kubeconfig-{role}"
    )
    return project


def fill(project: Project, *suffixes: str) -> None:
    """Objects of each kind that the Role names; those of a suffix that is left out next time are deleted."""
    texts = [SERVICE, MAP, APP.replace(f"name: {NAME}\n", f"name: {NAME}-SUFFIX\n", 1) + "---\n"]
    project.template("things", "".join(text.replace("SUFFIX", each) for each in suffixes for text in texts))


def test_a_deployer_needs_all_of_its_role_and_no_more(stage: Stage, sandbox: Sandbox) -> None:
    audit = Audit(sandbox)
    projects = [acting_as(stage.project(f"helm{version}", version), "deployer") for version in ("3", "4")]

    def all_deploy(tag: str, code: int) -> None:
        for running in [project.start("deploy", "--tag", tag) for project in projects]:
            ended = running.end()
            assert ended.exit_code == code, ended.told

    for project in projects:
        project.template("migrate", job("echo fine", name=NAME))
        project.configure('template = "templates/migrate.yaml"')
        project.template("hook", HOOK_POD)
        fill(project, "stays", "goes")
    all_deploy("v1", 0)
    for project in projects:
        fill(project, "stays")
    all_deploy("v2", 0)
    for project in projects:
        project.without_template("hook")  # helm waits for the pods where nothing runs before they are ready
    all_deploy("v3", 0)
    all_deploy("not-there", 4)
    for project in projects:
        waits = f'wait_for = ["service/{project.release}-stays"]\nstart_timeout = "3s"'
        project.configure(f'template = "templates/migrate.yaml"\n{waits}')
    all_deploy("v4", 3)
    for project in projects:
        project.configure('template = "templates/migrate.yaml"')
        project.template("migrate", job("echo fine", name=NAME) + NEEDS)
    all_deploy("v4", 3)
    recover_from_a_kill(stage)

    used, denied = witnessed(audit, stage, "deployer")
    assert denied == []
    assert used - granted("deployer") == set()
    assert granted("deployer") - used - OLDER == set(), "granted and never used"


def recover_from_a_kill(stage: Stage) -> None:
    """A helm that died with its shipit leaves a pending release, which whoever takes the lock over clears; an unlocker
    breaks the lock of a dead shipit.
    """
    project = acting_as(stage.project("killed"), "deployer")
    project.template("app", NEVER_READY)
    helm = StumblingHelm(project, "upgrade")
    deploy = project.start("deploy", "--tag", "v1", "--skip-migration")
    deploy.until("no friend yet")
    helm.kill()
    deploy.kill()
    deploy.end()
    project.template("app", APP)
    again = project.deploy("v1", "--skip-migration")
    assert again.exit_code == 0, again.told
    assert any("had left pending-install" in each["message"] for each in again.of("warning")), again.told
    project.template("app", NEVER_READY)
    deploy = project.start("deploy", "--tag", "v2", "--skip-migration")
    deploy.until("no friend yet")
    deploy.kill()
    deploy.end()
    audit = Audit(stage.kube.sandbox)
    unlocked = acting_as(project, "unlocker").start("unlock", "--yes").end()
    assert unlocked.exit_code == 0, unlocked.told
    assert "broke the lock" in unlocked.result["message"]
    used, denied = witnessed(audit, stage, "unlocker")
    assert denied == []
    assert used == granted("unlocker")


def test_a_viewer_needs_all_of_its_role_and_no_more(stage: Stage, sandbox: Sandbox) -> None:
    project = stage.project("viewed")
    project.template("migrate", job(HELD, name=NAME))
    deploy = project.start("deploy", "--tag", "v1")
    deploy.until('"line": "begin"')
    audit = Audit(sandbox)
    acting_as(project, "viewer")

    follower: Running = project.start("logs", "--follow")
    follower.until('"line": "begin"')
    let_go(project.kube, "viewed")

    followed = follower.end()
    assert followed.exit_code == 0, followed.told
    assert followed.log == ["begin", "released"]
    assert deploy.end().exit_code == 0
    assert project.start("history").end().exit_code == 0
    seen = project.start("status").end()
    assert seen.exit_code == 0, seen.told
    assert [each.partition(":")[0] for each in seen.of("status")[0]["unknown"]] == ["Helm's revisions"]
    used, denied = witnessed(audit, stage, "viewer")
    assert all("/secrets" in each for each in denied), "Helm's own, which status does without"
    used -= {right for right in used if right[2] == "secrets"}
    assert used == granted("viewer")


def test_a_viewer_is_told_of_secrets_that_it_may_not_read(stage: Stage) -> None:
    project = stage.project("hidden")
    stage.kube.kubectl("create", "secret", "generic", "hidden", "--from-literal=password=correct-horse")
    taken = "          envFrom: [{secretRef: {name: hidden}}]\n"
    project.template("migrate", job("echo fine", name=NAME) + taken)
    assert project.start("deploy", "--tag", "v1").end().exit_code == 0
    acting_as(project, "viewer")

    shown = project.start("logs").end()

    assert shown.exit_code == 0, shown.told
    assert shown.log == ["fine"]
    (warning,) = shown.of("warning")
    assert "hidden (not allowed)" in warning["message"]
