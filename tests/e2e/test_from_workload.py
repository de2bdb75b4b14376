"""A chart without a migration: the Job is made from a workload, runs once, and an init container is lifted into it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox import Sandbox
from tests.e2e.kit import Json, Kube, Project, Result, small_project

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

IMAGE = '"{{ .Values.image.repository }}:{{ .Values.image.tag }}"'

APP = f"""\
apiVersion: v1
kind: Service
metadata: {{name: shop}}
spec: {{selector: {{app: shop}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop, team: a}}}}
    spec:
      terminationGracePeriodSeconds: 0
      securityContext: {{runAsUser: 1000, runAsNonRoot: true}}
      volumes: [{{name: rendered, emptyDir: {{}}}}, {{name: settings, configMap: {{name: settings}}}}]
      topologySpreadConstraints:
        - {{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {{matchLabels: {{app: shop}}}}}}
      initContainers:
        - name: proxy
          image: {IMAGE}
          restartPolicy: Always
          command: ["sh", "-c", "sleep 100000"]
        - name: render
          image: {IMAGE}
          command: ["sh", "-c", "echo rendered > /rendered/file"]
          volumeMounts: [{{name: rendered, mountPath: /rendered}}]
        - name: schema
          image: {IMAGE}
          command: ["sh", "-c", "echo schema $COLOUR"]
          env: [{{name: COLOUR, valueFrom: {{secretKeyRef: {{name: colours, key: main}}}}}}]
      containers:
        - name: web
          image: {IMAGE}
          command: ["sh", "-c", "sleep 100000"]
          args: ["serve"]
          ports: [{{containerPort: 8080, hostPort: 18080}}]
          startupProbe: {{periodSeconds: 1, exec: {{command: ["true"]}}}}
          envFrom: [{{secretRef: {{name: colours}}}}]
          volumeMounts: [{{name: rendered, mountPath: /in, readOnly: true}}, {{name: settings, mountPath: /settings}}]
"""
SCRIPT = "cat /in/file /settings/size; echo; echo $main as $(id -u) with $#"


@pytest.fixture
def project(tmp_path: Path, kube: Kube, helm: Path) -> Project:
    found = small_project(tmp_path, kube, helm)
    found.template("app", APP.replace(", hostPort: 18080", "").replace("replicas: 3", "replicas: 2"))
    kube.apply("apiVersion: v1\nkind: Secret\nmetadata: {name: colours}\nstringData: {main: red-and-blue}\n")
    kube.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {size: large}\n")
    return found


def deployed(project: Project, tag: str, *args: str) -> Result:
    done = project.deploy(tag, *args)
    assert done.exit_code == 0, done.told
    return done


def warned(result: Result) -> str:
    return "\n".join(each["message"] for each in result.of("warning"))


def the_job(kube: Kube, name: str = "shop-migrate") -> Json:
    found = kube.get("job", name)
    assert found is not None
    return found


def inits_of(kube: Kube, text: str = "deployment") -> list[str]:
    found = kube.get(text, "shop")
    assert found is not None
    return [each["name"] for each in found["spec"]["template"]["spec"].get("initContainers", [])]


def test_a_migration_is_made_from_the_app_s_container_and_runs_once_for_each_deploy(project: Project) -> None:
    kube = project.kube
    script = json.dumps(["sh", "-c", SCRIPT])
    project.configure(
        f'from = "deploy/shop"\ncommand = {script}\nresources = {{ requests = {{ memory = "10Mi" }} }}'
    )

    first = deployed(project, "v1")
    assert first.log == ["rendered", "large", "*** as 1000 with 0"]
    assert first.result["migrations"][0]["name"] == "migrate"
    assert first.result["migrations"][0]["job"] == "shop-migrate"
    assert "without its other containers: schema" in warned(first)
    spec = the_job(kube)["spec"]
    assert (spec["backoffLimit"], spec["podReplacementPolicy"]) == (0, "Failed")
    pod = spec["template"]["spec"]
    assert [each["name"] for each in pod["initContainers"]] == ["proxy", "render"]
    (container,) = pod["containers"]
    assert not {"ports", "startupProbe", "args"} & container.keys()
    assert container["resources"] == {"requests": {"memory": "10Mi"}}
    (ran,) = kube.all("pods", "job-name=shop-migrate")
    assert ran["metadata"]["labels"].items() >= {"team": "a"}.items()
    assert "app" not in ran["metadata"]["labels"], "the Service would send it requests"
    endpoints = kube.get("endpoints", "shop")
    assert endpoints is not None
    assert "shop-migrate" not in json.dumps(endpoints)
    assert "shop-migrate" not in project.run_helm("get", "manifest", "shop").stdout

    second = deployed(project, "v2")
    assert second.log == first.log
    assert the_job(kube)["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v2")
    assert kube.pods_by_job() == {"shop-migrate": [1, 1]}
    assert inits_of(kube) == ["proxy", "render", "schema"]
    logged = project.start("logs").end()
    assert (logged.exit_code, logged.log) == (0, first.log)
    assert project.start("doctor").end().exit_code == 0

    project.run_helm("upgrade", "shop", "chart", "--set", "image.tag=v3")
    assert kube.image() == "v3"
    assert deployed(project, "v4").log == first.log


def test_an_init_container_that_migrates_in_each_replica_is_lifted_and_runs_once(project: Project) -> None:
    kube = project.kube
    project.run_helm("install", "shop", "chart", "--set", "image.tag=v1")
    project.configure('from = "deployment/shop"\ncontainer = "schema"\nname = "schema"')
    left = deployed(project, "v2")
    assert left.log == ["schema ***"]
    assert "still runs in each of the app's pods" in warned(left)
    assert inits_of(kube) == ["proxy", "render", "schema"]

    project.configure('from = "deployment/shop"\ncontainer = "schema"\nname = "schema"\nlift = true')
    lifted = deployed(project, "v3")
    assert lifted.log == ["schema ***"]
    assert "helm upgrade without shipit puts it back" in warned(lifted)
    assert inits_of(kube) == ["proxy", "render"]
    assert "schema" not in project.run_helm("get", "manifest", "shop").stdout
    assert kube.pods_by_job() == {"shop-schema": [1, 1]}

    broken = project.deploy("v4", "--set", "image.repository=registry.sandbox/none")
    assert broken.exit_code == 4, broken.told
    assert (kube.image(), inits_of(kube)) == ("v3", ["proxy", "render"])

    project.run_helm("upgrade", "shop", "chart", "--set", "image.tag=v4")
    assert inits_of(kube) == ["proxy", "render", "schema"]
    again = deployed(
        project, "v5", "--replace-running"
    )  # the suspended Job of v4 is not proven to have never started
    assert again.log == ["schema ***"]
    assert inits_of(kube) == ["proxy", "render"]
    project.run_helm("rollback", "shop", "1", "--wait")
    assert (kube.image(), inits_of(kube)) == ("v1", ["proxy", "render", "schema"])


def test_what_can_not_be_made_is_refused_before_anything_changes(project: Project) -> None:
    for table, words in (
        ('from = "deployment/shp"', "the chart renders no Deployment shp"),
        ('from = "deployment/shop"\ncontainer = "wb"', "Deployment shop has no container wb"),
        ('from = "deployment/shop"\ncontainer = "render"\nlift = true', "may write to volume rendered, which container web mounts"),
        ('from = "deployment/shop"\ncommand = ["x"]\nresources = { requests = { memory = "2Gi" }, limits = { memory = "1Gi" } }', "must be less than or equal to memory limit"),
    ):  # fmt: skip
        project.configure(table)
        refused = project.deploy("v1")
        assert refused.exit_code == 3, refused.told
        assert words in refused.error["message"]
    assert (project.history(), project.kube.all("jobs"), project.kube.all("pods")) == ([], [], [])


def test_a_deploy_that_died_after_the_migration_does_not_run_it_again(project: Project) -> None:
    project.configure('from = "deployment/shop"\ncontainer = "schema"\nlift = true')
    assert deployed(project, "v1").log == ["schema ***"]
    project.template(
        "extra", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {at: '{{ now }}'}\n"
    )
    running = project.start("deploy", "--tag", "v2")
    running.until('"step": "upgrade"')
    running.kill()
    running.end()
    again = deployed(project, "v2")
    assert again.log == [], "the Job of the earlier try is accepted, or its upgrade finished"
    assert project.kube.pods_by_job() == {"shop-migrate": [1, 1]}
    assert inits_of(project.kube) == ["proxy", "render"]


STATEFUL = f"""\
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: shop}}
spec:
  serviceName: shop
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec:
      terminationGracePeriodSeconds: 0
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - {{topologyKey: kubernetes.io/hostname, labelSelector: {{matchExpressions: [{{key: app, operator: Exists}}]}}}}
      containers:
        - name: db
          image: {IMAGE}
          command: ["sh", "-c", "sleep 100000"]
          ports: [{{containerPort: 5432, hostPort: 15432}}]
          volumeMounts: [{{name: data, mountPath: /data}}]
  volumeClaimTemplates:
    - metadata: {{name: data}}
      spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}}}}, storageClassName: ""}}
"""


def test_a_statefulset_s_claim_is_there_for_the_migration_once_there_is_one(project4: Project) -> None:
    kube = project4.kube
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{kube.namespace}-data"},
        "spec": {
            "capacity": {"storage": "1Mi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": kube.namespace, "name": "data-shop-0"},
            "hostPath": {"path": f"/var/tmp/{kube.namespace}", "type": "DirectoryOrCreate"},
        },
    }  # fmt: skip
    kube.apply(volume)
    try:
        project4.template("app", STATEFUL)
        script = json.dumps(["sh", "-c", "ls /data; echo x > /data/migrated"])
        project4.configure(f'from = "sts/shop"\ncommand = {script}')
        first = deployed(project4, "v1")
        assert "gets an empty volume data" in warned(first)
        second = deployed(project4, "v2")
        assert "Pod shop-0 uses on node" in warned(second)
        third = deployed(project4, "v3")
        assert (first.log, second.log, third.log) == ([], [], ["migrated"])
    finally:
        kube.kubectl("delete", "pv", f"{kube.namespace}-data", "--wait=false")


def test_the_init_container_of_a_reported_chart_runs_once_for_three_replicas(
    tmp_path: Path, kube: Kube, helm: Path, sandbox: Sandbox
) -> None:
    """Each replica's init container migrated, at once, again with each scale-up; the database was locked up."""
    project = small_project(tmp_path, kube, helm)
    project.template("app", REPORTED)
    project.configure('from = "deployment/shop"\ncontainer = "migrate"', release='timeout = "2m"')
    done = deployed(project, "v1")
    assert done.log == ["migrated"]
    assert "still runs in each of the app's pods" in warned(done)
    assert kube.pods_by_job() == {"shop-migrate": [1]}
    assert len(kube.all("pods", "run=shop")) == 3


REPORTED = f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{{{ .Release.Name }}}}
spec:
  replicas: 3
  selector: {{matchLabels: {{run: {{{{ .Release.Name }}}}}}}}
  template:
    metadata: {{labels: {{run: {{{{ .Release.Name }}}}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      initContainers:
        - name: migrate
          image: {IMAGE}
          command: ["sh", "-c", "echo migrated"]
      containers:
        - name: web
          image: {IMAGE}
          command: ["sh", "-c", "sleep 3600"]
"""
