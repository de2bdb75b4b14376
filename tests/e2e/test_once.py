"""How often a migration may run: told beforehand, set by the file, refused where it would never end, right when it fails."""

from __future__ import annotations

import json

import pytest

from tests.e2e.kit import Json, Project, deployment, job
from tests.e2e.stage import HELD, begun

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NULLS = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  labels:
  annotations:
spec:
  backoffLimit: {{ .Values.retries }}
  parallelism:
  completions:
  podFailurePolicy:
  template:
    metadata:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      serviceAccountName:
      imagePullSecrets:
      initContainers:
      volumes:
      containers:
        - name: migrate
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          command: ["sh", "-c", "echo migrated"]
          env:
          envFrom:
          resources:
"""
OWNED = deployment('["sh", "-c", "sleep 100000"]').replace(
    "metadata:\n  name: {{ .Release.Name }}\n",
    "metadata:\n  name: {{ .Release.Name }}\n  annotations:\n  labels:\n"
    "    helm.toolkit.fluxcd.io/name: shop\n    helm.toolkit.fluxcd.io/namespace: flux-system\n",
    1,
)


def warned(events: list[Json]) -> list[str]:
    return [each["message"] for each in events if each["type"] == "warning"]


def the_job(project: Project) -> Json:
    found = project.kube.get("job", "migrate")
    assert found is not None
    return found


def test_what_a_chart_leaves_empty_is_kubernetes_default_and_the_file_sets_the_retries(
    project: Project,
) -> None:
    project.template("migrate", NULLS)
    project.template("app", OWNED)
    installed = project.deploy("v1")
    assert installed.exit_code == 0, installed.told
    assert installed.log == ["migrated"]
    often, at_once = warned(installed.events)
    assert "may run up to 7 times: backoffLimit is not set" in often
    assert "may run in two pods at once" in at_once

    tracked = f"store:apps/Deployment:{project.kube.namespace}/shop"
    project.kube.kubectl("annotate", "deployment/shop", f"argocd.argoproj.io/tracking-id={tracked}")
    project.configure(migration="retries = 2\ntimeout = '1h'")
    upgraded = project.deploy("v2")
    assert upgraded.exit_code == 0, upgraded.told
    spec = the_job(project)["spec"]
    assert (spec["backoffLimit"], spec["podReplacementPolicy"]) == (2, "Failed")
    evicted, flux, argo = warned(upgraded.events)
    assert "may be evicted in the middle: the timeout is 1h" in evicted
    assert "HelmRelease flux-system/shop" in flux
    assert "Application store" in argo
    assert project.kube.pods_by_job() == {"migrate": [1, 1]}


POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: migrate
  annotations: {helm.sh/hook: "pre-install,pre-upgrade"}
spec:
  POLICY
  terminationGracePeriodSeconds: 1
  containers:
    - name: migrate
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
      command: ["sh", "-c", "echo migrated"]
"""


def test_a_hook_pod_that_would_be_started_again_and_again_is_refused(project4: Project) -> None:
    for policy, why in (("", "is not set"), ("restartPolicy: Always", "is Always")):
        project4.template("migrate", POD.replace("POLICY", policy))
        refused = project4.deploy("v1")
        assert refused.exit_code == 3, refused.told
        assert f"its restartPolicy {why}" in refused.error["message"]
        assert "restartPolicy: Never" in refused.error["hint"]
    assert (project4.kube.all("pods"), project4.history()) == ([], [])

    project4.template("migrate", POD.replace("POLICY", "restartPolicy: OnFailure"))
    done = project4.deploy("v1")
    assert done.exit_code == 0, done.told
    assert done.log == ["migrated"]
    assert "starts a failed container again" in warned(done.events)[0]


def test_a_migration_whose_node_is_drained_is_said_to_have_been_evicted(project4: Project) -> None:
    """Its program answers SIGTERM with an exit code of its own, as many do."""
    kube = project4.kube
    project4.template("migrate", job(f"trap 'exit 3' TERM; {HELD}"))
    running = project4.start("deploy", "--tag", "v1")
    begun(kube, "migrate")
    (pod,) = (each["metadata"]["name"] for each in kube.all("pods"))
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": kube.namespace},
    }
    path = f"/api/v1/namespaces/{kube.namespace}/pods/{pod}/eviction"
    kube.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))
    ended = running.end()
    assert (ended.exit_code, ended.outcome) == (4, "migration_failed"), ended.told
    assert f"pod {pod} was evicted, as a drain of its node" in ended.error["message"]
    assert "safe-to-evict" in ended.error["hint"]
    assert project4.history() == []


def test_a_job_that_failed_although_its_pod_had_succeeded_is_not_run_again(project4: Project) -> None:
    """Its deadline came in between. The controller of this Job is the test: Kubernetes' own leaves it alone."""
    kube = project4.kube
    project4.template(
        "migrate", job("echo up", spec="managedBy: example.com/tests\nactiveDeadlineSeconds: 900")
    )
    killed = project4.start("deploy", "--tag", "v1")
    killed.until('"created"')
    killed.kill()
    killed.end()
    conditions = [
        {
            "type": kind,
            "status": "True",
            "reason": "DeadlineExceeded",
            "lastTransitionTime": "2026-01-01T00:00:09Z",
        }
        for kind in ("FailureTarget", "Failed")
    ]
    status = {"startTime": "2026-01-01T00:00:00Z", "succeeded": 1, "conditions": conditions}
    kube.kubectl(
        "patch",
        "job",
        "migrate",
        "--subresource=status",
        "--type=merge",
        "-p",
        json.dumps({"status": status}),
    )
    failed = the_job(project4)["metadata"]["uid"]

    done = project4.deploy("v1")
    assert done.exit_code == 0, done.told
    assert [each["outcome"] for each in done.result["migrations"]] == ["resumed"]
    (told,) = warned([each for each in done.of("warning") if "Failed" in each["message"]])
    assert told == "Job migrate is Failed (DeadlineExceeded), but its pod had succeeded: it has migrated"
    assert the_job(project4)["metadata"]["uid"] == failed
    assert kube.image() == "v1"
