"""What a migration needs of the chart before the upgrade: there for it, and nothing that exists is changed for it."""

from __future__ import annotations

import json

import pytest

from tests.e2e.kit import APP, Json, Project, job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

READS = "          envFrom: [{configMapRef: {name: shop-settings}}, {secretRef: {name: shop-keys}}]\n"
ACCOUNT = "      restartPolicy: Never\n      serviceAccountName: shop\n"
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: shop-settings}
data: {COLOUR: "{{ .Values.colour }}"}
"""
KEYS = """\
apiVersion: v1
kind: Secret
metadata: {name: shop-keys}
stringData: {KEY: "k-{{ .Values.colour }}-9431"}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: shop}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: shop}
subjects: [{kind: ServiceAccount, name: shop}]
"""
OWN = ("configmap/shop-settings", "secret/shop-keys", "serviceaccount/shop", "role/shop", "rolebinding/shop")


def chart(
    project: Project, script: str = "echo colour $COLOUR; {{ if .Values.fail }}exit 3{{ end }}"
) -> None:
    values = (project.folder / "chart/values.yaml").read_text()
    project.write("chart/values.yaml", values + "colour: red\nfail: false\n")
    project.template("app", APP + READS)
    project.template("settings", SETTINGS)
    project.template("keys", KEYS)
    project.template("migrate", job(script).replace("      restartPolicy: Never\n", ACCOUNT) + READS)


def own(project: Project) -> dict[str, Json]:
    """The chart's objects that the migration needs, as they are."""
    found = {each: project.kube.get(*each.split("/")) for each in OWN}
    return {name: body for name, body in found.items() if body is not None}


def uids(project: Project) -> dict[str, str]:
    return {name: body["metadata"]["uid"] for name, body in own(project).items()}


def copies(project: Project) -> list[str]:
    there = [*project.kube.all("configmaps"), *project.kube.all("secrets")]
    return [each["metadata"]["name"] for each in there if "-shipit-" in each["metadata"]["name"]]


def noted(project: Project) -> list[Json]:
    lease = project.kube.get("lease", "shipit-shop")
    assert lease is not None
    note = lease["metadata"]["annotations"].get("shipit/prerequisites")
    return list(json.loads(note)["made"]) if note else []


@pytest.mark.parametrize("prerequisites", ['"auto"', '["templates/settings.yaml", "templates/keys.yaml"]'])
def test_a_first_install_makes_them_and_an_upgrade_leaves_them_until_the_migration_has_succeeded(
    project: Project, prerequisites: str
) -> None:
    chart(project)
    project.configure(f"prerequisites = {prerequisites}")

    first = project.deploy("v1")
    assert first.exit_code == 0, first.told
    assert first.log == ["colour red"]
    was = own(project)
    assert set(was) == set(OWN)
    assert noted(project) == [], "Helm's own from then on"

    failed = project.deploy("v2", "--set", "colour=blue,fail=true")
    assert failed.exit_code == 4, failed.told
    assert failed.log == ["colour blue"], "the migration has this release's settings"
    assert "the app is untouched (revision 1)" in failed.error["message"]
    assert own(project) == was, "to the last byte"
    assert copies(project) == []
    assert "k-blue-9431" not in failed.told

    done = project.deploy("v2", "--set", "colour=blue")
    assert done.exit_code == 0, done.told
    assert done.log == ["colour blue"]
    assert uids(project) == {name: body["metadata"]["uid"] for name, body in was.items()}
    assert own(project)["configmap/shop-settings"]["data"] == {"COLOUR": "blue"}
    assert copies(project) == []

    same = project.deploy("v3", "--set", "colour=blue")
    assert same.exit_code == 0, same.told
    project.without_template("migrate")
    project.run_helm("upgrade", "shop", "chart", "--set", "image.tag=v4,colour=green", "--wait")
    assert own(project)["configmap/shop-settings"]["data"] == {"COLOUR": "green"}
    project.run_helm("rollback", "shop", "1", "--wait")
    assert own(project)["configmap/shop-settings"]["data"] == {"COLOUR": "red"}
    assert uids(project) == {name: body["metadata"]["uid"] for name, body in was.items()}


def test_what_a_failed_first_install_leaves_bare_helm_takes_over(project: Project) -> None:
    chart(project)
    project.configure('prerequisites = "auto"')
    failed = project.deploy("v1", "--set", "fail=true")
    assert failed.exit_code == 4, failed.told
    assert "ConfigMap shop-settings" in failed.error["message"]
    assert "created for the migration" in failed.error["message"]
    assert "the app is not installed" in failed.error["message"]
    left = uids(project)
    assert set(left) == set(OWN)
    assert {each["uid"] for each in noted(project)} == set(left.values())

    project.without_template("migrate")
    project.run_helm("upgrade", "--install", "shop", "chart", "--set", "image.tag=v1,colour=blue", "--wait")
    assert uids(project) == left
    assert own(project)["configmap/shop-settings"]["data"] == {"COLOUR": "blue"}
    project.run_helm("upgrade", "shop", "chart", "--set", "image.tag=v2,colour=red", "--wait")
    assert own(project)["configmap/shop-settings"]["data"] == {"COLOUR": "red"}


def test_what_only_a_failed_deploy_needed_goes_with_the_next_that_succeeds(project: Project) -> None:
    """A new ConfigMap of v2, whose migration fails, is corrected and then given up again."""
    chart(project)
    project.configure('prerequisites = "auto"')
    assert project.deploy("v1").exit_code == 0
    extra = SETTINGS.replace("shop-settings", "shop-extra").replace("COLOUR", "EXTRA")
    project.template("extra", extra)
    reads = READS.replace("]\n", ", {configMapRef: {name: shop-extra}}]\n")
    script = "echo colour $COLOUR $EXTRA; {{ if .Values.fail }}exit 3{{ end }}"
    project.template("migrate", job(script).replace("      restartPolicy: Never\n", ACCOUNT) + reads)

    failed = project.deploy("v2", "--set", "fail=true")
    assert failed.exit_code == 4, failed.told
    assert failed.log == ["colour red red"]
    corrected = project.deploy("v2", "--set", "fail=true,colour=blue")
    assert corrected.exit_code == 4, corrected.told
    assert corrected.log == ["colour blue blue"], "nobody but the migration has the new one"
    extra_was = project.kube.get("configmap", "shop-extra")
    assert extra_was is not None
    assert own(project)["configmap/shop-settings"]["data"] == {"COLOUR": "red"}

    project.without_template("extra")
    project.template("migrate", job(script).replace("      restartPolicy: Never\n", ACCOUNT) + READS)
    done = project.deploy("v3")
    assert done.exit_code == 0, done.told
    project.kube.wait(lambda: project.kube.get("configmap", "shop-extra") is None, within=30)
    assert noted(project) == []


def test_a_running_migration_keeps_its_copies_when_shipit_dies_and_the_next_deploy_takes_them_away(
    project4: Project,
) -> None:
    chart(project4, "echo colour $COLOUR; until [ -e /tmp/go ]; do sleep 0.1; done; echo end")
    project4.configure('prerequisites = "auto"')
    kube = project4.kube
    first = project4.start("deploy", "--tag", "v1")
    first.until("colour red")
    kube.kubectl("exec", "job/migrate", "--", "touch", "/tmp/go")
    assert first.end().exit_code == 0

    second = project4.start("deploy", "--tag", "v2", "--set", "colour=blue")
    second.until("colour blue")
    second.kill()
    assert second.end().exit_code < 0
    there = copies(project4)
    assert len(there) == 2, there
    third = project4.start("deploy", "--tag", "v2", "--set", "colour=blue")
    third.until("attached")
    assert copies(project4) == there
    kube.kubectl("exec", "job/migrate", "--", "touch", "/tmp/go")
    ended = third.end()
    assert ended.exit_code == 0, ended.told
    kube.wait(lambda: copies(project4) == [], within=30)
    assert noted(project4) == []
    assert kube.pods_by_job() == {"migrate": [1, 1]}


def test_without_them_a_refusal_or_a_warning_says_what_to_write(project4: Project) -> None:
    chart(project4)
    refused = project4.deploy("v1")
    assert refused.exit_code == 3, refused.told
    assert 'prerequisites = "auto"' in refused.error["hint"]
    assert own(project4) == {}

    project4.configure('prerequisites = "auto"')
    assert project4.deploy("v1").exit_code == 0
    project4.configure()
    warned = project4.deploy("v2", "--set", "colour=blue")
    assert warned.exit_code == 0, warned.told
    assert warned.log == ["colour red"]
    told = [each["message"] for each in warned.of("warning")]
    assert any("Job migrate reads ConfigMap shop-settings as it is now" in each for each in told), told


def test_a_claim_or_role_that_differs_is_used_as_it_is_and_told(project4: Project) -> None:
    chart(project4)
    project4.configure('prerequisites = "auto"')
    assert project4.deploy("v1").exit_code == 0
    project4.template("keys", KEYS.replace("verbs: [get]", "verbs: [get, list]"))
    failed = project4.deploy("v2", "--set", "fail=true")
    assert failed.exit_code == 4, failed.told
    told = [each["message"] for each in failed.of("warning")]
    assert any("uses Role shop as it is" in each for each in told), told
    assert own(project4)["role/shop"]["rules"][0]["verbs"] == ["get"]
    assert project4.deploy("v2").exit_code == 0
    assert own(project4)["role/shop"]["rules"][0]["verbs"] == ["get", "list"]
