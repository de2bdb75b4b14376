"""What is known before anything changes refuses the deploy, with the app and the old Job as they were."""

from __future__ import annotations

import pytest

from tests.e2e.kit import APP, Project, Result, job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NEEDS = """\
          envFrom: [{secretRef: {name: no-secret}}, {configMapRef: {name: no-map}}]
          volumeMounts: [{name: data, mountPath: /data}]
      serviceAccountName: no-account
      volumes: [{name: data, persistentVolumeClaim: {claimName: no-claim}}]
"""
NO_PODS = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: full}\nspec: {hard: {pods: '1'}}\n"


def state(project: Project) -> list[object]:
    """What a refused deploy must not touch."""
    found: list[object] = [len(project.history())]
    for kind, name in (("job", "migrate"), ("deployment", "shop")):
        body = project.kube.get(kind, name)
        assert body is not None
        found += [
            body["metadata"]["uid"],
            body["metadata"]["generation"],
            body["metadata"].get("annotations"),
        ]
    return found


def refused(project: Project, *words: str) -> Result:
    before = state(project)
    result = project.deploy("v2")
    assert result.exit_code == 3, result.told
    assert result.outcome == "refused"
    told = " ".join([result.error["message"], *result.error["details"]])
    assert [word for word in words if word not in told] == [], result.told
    assert state(project) == before
    return result


def test_what_the_cluster_would_not_accept_is_refused_with_nothing_changed(project: Project) -> None:
    good = job("echo up")
    project.template("migrate", good)
    assert project.deploy("v1").exit_code == 0

    project.template("migrate", good + NEEDS)
    refused(
        project,
        "Secret no-secret",
        "ConfigMap no-map",
        "ServiceAccount no-account",
        "PersistentVolumeClaim no-claim",
    )
    project.template("migrate", good.replace("backoffLimit: 0", "backofLimit: 0"))
    refused(project, "Job", "backofLimit")
    project.template("migrate", good.replace("backoffLimit: 0", "backoffLimit: none"))
    refused(project, "Job", "backoffLimit")
    project.template("migrate", good)

    project.template("app", APP.replace("matchLabels: {app:", "matchLabels: {other: x, app:").replace("metadata: {labels: {app:", "metadata: {labels: {other: x, app:"))  # fmt: skip
    refused(project, "Deployment", "shop/templates/app.yaml", "immutable")
    project.template("app", APP.replace("- name: app", "- name: APP"))
    refused(project, "Deployment", "shop/templates/app.yaml", "APP")
    project.template("app", APP.replace("{{ .Values.replicas }}", "many"))
    refused(project, "Deployment", "shop/templates/app.yaml", "spec.replicas")
    project.template("app", APP)

    project.kube.apply(NO_PODS)
    project.kube.wait(
        lambda: project.kube.kubectl("get", "quota", "full", "-o", "jsonpath={.status.used.pods}")
    )
    refused(project, "pod of Job", "exceeded quota: full")
    project.kube.kubectl("delete", "quota", "full")
    label = "pod-security.kubernetes.io/enforce"
    project.kube.kubectl("label", "namespace", project.kube.namespace, f"{label}=restricted")
    refused(project, "pod of Job", "PodSecurity")
    project.kube.kubectl("label", "namespace", project.kube.namespace, f"{label}-")

    # a field that the API server doesn't know: with Helm 3 it is dropped with a warning, Helm 4's apply is refused
    project.template("app", APP.replace("replicas:", "replikas: 3\n  replicas:"))
    if not project.run_helm("version", "--short").stdout.startswith("v3"):
        refused(project, "Deployment", "replikas")
        project.template("app", APP)
    done = project.deploy("v2")
    assert done.exit_code == 0, done.told
    assert project.kube.pods_by_job() == {"migrate": [1, 1]}
