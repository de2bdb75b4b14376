"""Migrations that are no hooks, in the shapes that charts give them: each runs once a deploy, and Helm runs none."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.kit import Json, Project, job
from tests.e2e.stage import HELD, let_go

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CROWDED = """\
{{ $key := randAlphaNum 20 }}
apiVersion: v1
kind: ConfigMap
metadata: {name: beside}
data: {key: "{{ $key }}", made: {{ now | date "2006-01-02T15:04:05.000000" | quote }}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: beside}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: v1
kind: Secret
metadata: {name: beside}
stringData: {key: "{{ $key }}"}
---
apiVersion: batch/v1
kind: Job
metadata: {name: seed}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{name: seed, image: "registry.sandbox/busybox:1", command: [echo, seeded]}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: "{{ .Release.Name }}-migrate", annotations: {key: "{{ $key }}"}}
spec:
  backoffLimit: 3
  ttlSecondsAfterFinished: 0
  template:
    spec:
      restartPolicy: OnFailure
      terminationGracePeriodSeconds: 0
      volumes: [{name: shared, emptyDir: {}}]
      initContainers:
        - name: wait
          image: registry.sandbox/busybox:1
          command: [sh, -c, "echo waited"]
      containers:
        - name: migrate
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          volumeMounts: [{name: shared, mountPath: /shared}]
          command: [sh, -c, "[ -e /shared/tried ] && echo migrated && exit; touch /shared/tried; echo trying; exit 1"]
"""


def the_jobs(project: Project) -> list[str]:
    return sorted(each["metadata"]["name"] for each in project.kube.all("jobs"))


def there(project: Project, kind: str, name: str) -> Json:
    found = project.kube.get(kind, name)
    assert found is not None, f"{kind} {name}"
    return found


def test_a_job_beside_other_things_is_taken_out_alone_and_all_is_of_one_rendering(project: Project) -> None:
    """What the Job was made with is what Helm applies: random values and dates are rendered once."""
    project.template("database", CROWDED)

    unclear = project.deploy("v1")
    assert unclear.exit_code == 3, unclear.told
    assert sorted(unclear.error["details"]) == [
        "shop/templates/database.yaml: Job seed",
        "shop/templates/database.yaml: Job shop-migrate",
    ]
    assert "[migration]" in unclear.error["hint"]
    assert (project.history(), the_jobs(project)) == ([], [])

    project.configure(migration='name = "migrate"')
    keys = set()
    for tag in ("v1", "v2"):
        done = project.deploy(tag)
        assert done.exit_code == 0, done.told
        assert [m["name"] for m in done.result["migrations"]] == ["migrate"]
        assert done.log == ["waited", "trying", "migrated"]
        assert {e["container"] for e in done.of("log")} == {"wait", "migrate"}
        key = there(project, "job", "shop-migrate")["metadata"]["annotations"]["key"]
        assert there(project, "configmap", "beside")["data"]["key"] == key
        secret = project.kube.kubectl(
            "get", "secret", "beside", "-o", "go-template={{.data.key | base64decode}}"
        )
        assert secret == key
        keys.add(key)
    manifest = project.run_helm("get", "manifest", "shop").stdout
    assert len(keys) == 2
    assert "kind: Role" in manifest
    assert "name: seed" in manifest
    assert "shop-migrate" not in manifest
    assert project.kube.pods_by_job() == {"shop-migrate": [1, 1], "seed": [1]}
    assert len(project.history()) == 2


def test_a_job_with_a_new_name_each_time_leaves_no_old_ones_and_is_found_again_when_a_deploy_was_ended(
    project4: Project,
) -> None:
    named: list[str] = []

    def deploy(tag: str, name: str) -> None:
        project4.template("migrate", job("echo up", name=f"migrate-{name}"))
        done = project4.deploy(tag)
        assert done.exit_code == 0, done.told
        jobs = the_jobs(project4)
        assert len(jobs) == 1, "the old ones are cleaned up"
        named.extend(jobs)

    deploy("v1", "{{ randAlphaNum 6 | lower }}")
    deploy("v1", '{{ now | date "20060102150405" }}')
    deploy("v2", "r{{ .Release.Revision }}")
    assert named[-1] == "migrate-r3"
    assert len(set(named)) == 3

    project4.template("migrate", job(HELD, name="migrate-{{ randAlphaNum 6 | lower }}"))
    stopped = project4.start("deploy", "--tag", "v3")
    stopped.until('"begin"')
    stopped.kill(signal.SIGTERM)
    assert stopped.end().exit_code == 143
    (held,) = (name for name in the_jobs(project4) if name not in named)

    again = project4.start("deploy", "--tag", "v3")
    again.until('"attached"')
    let_go(project4.kube, held)
    done = again.end()

    assert done.exit_code == 0, done.told
    assert done.log == ["begin", "released"]
    assert the_jobs(project4) == [held]
    pods = project4.kube.pods_by_job()
    assert pods == {name: [1] for name in [*named, held]}


def test_a_job_for_upgrades_only_or_behind_a_value_or_in_a_chart_of_its_own(project4: Project) -> None:
    upgrades_only = "{{ if .Release.IsUpgrade }}\n" + job("echo $HOSTNAME") + "{{ end }}\n"
    project4.template("migrate", upgrades_only)
    project4.configure(migration='template = "templates/migrate.yaml"')
    installed = project4.deploy("v1")
    assert installed.exit_code == 0, installed.told
    assert (installed.result["migrations"], the_jobs(project4)) == ([], [])
    once(project4, "v2", pods=1)

    project4.template("migrate", "{{ if .Values.migrate }}\n" + job("echo $HOSTNAME") + "{{ end }}\n")
    project4.configure()
    refused = project4.deploy("v3", "--set", "migrate=false")
    assert refused.exit_code == 3, refused.told
    assert "under [migration]" in refused.error["hint"]
    project4.configure(migration="set = { migrate = true }")
    once(project4, "v3", pods=2)

    project4.without_template("migrate")
    project4.write("db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 0.1.0\n")
    project4.write("db/values.yaml", "image: {repository: registry.sandbox/busybox, tag: none}\n")
    project4.write("db/templates/up.yaml", job("echo $HOSTNAME"))
    project4.configure(migration='chart = "db"')
    once(project4, "v4", pods=3)
    assert [r["status"] for r in project4.history()] == ["superseded"] * 3 + ["deployed"]


def once(project: Project, tag: str, *, pods: int) -> None:
    """The deploy runs the one Job `migrate`, which has now had that many pods in its lives, and Helm knows of none."""
    done = project.deploy(tag)
    assert done.exit_code == 0, done.told
    assert [m["job"] for m in done.result["migrations"]] == ["migrate"]
    assert len(done.log) == 1
    assert project.kube.pods_by_job() == {"migrate": [1] * pods}
    assert there(project, "job", "migrate")["spec"]["template"]["spec"]["containers"][0]["image"].endswith(
        tag
    )
    assert project.kube.image() == tag
    assert "kind: Job" not in project.run_helm("get", "manifest", "shop").stdout


def test_a_tag_that_does_not_reach_the_migration_is_refused(project4: Project) -> None:
    """Neither when the Job shows another tag, nor when it shows the right one by coincidence."""
    project4.template("migrate", job("echo up").replace("{{ .Values.image.tag }}", "v1"))
    other = project4.deploy("v2")
    assert other.exit_code == 3, other.told
    assert "v2 is not in the image" in other.error["message"]
    assert other.error["details"] == ["Job migrate: registry.sandbox/busybox:v1"]

    fixed = project4.deploy("v1")
    assert fixed.exit_code == 3, fixed.told
    assert "because the chart says so" in fixed.error["message"]

    values = (project4.folder / "chart/values.yaml").read_text()
    project4.write("chart/values.yaml", values.replace("tag: none", "tag: v3"))
    project4.template("migrate", job("echo up"))
    project4.configure(release='tag_key = "app.tag"')
    default = project4.deploy("v3")
    assert default.exit_code == 3, default.told
    assert "app.tag does not reach" in default.error["message"]

    own = "image: {repository: registry.sandbox/busybox, tag: v4}\n"
    project4.write("db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 0.1.0\n")
    project4.write("db/values.yaml", own)
    project4.write("db/templates/up.yaml", job("echo up"))
    project4.without_template("migrate")
    project4.configure(migration='chart = "db"', release='tag_key = "app.tag"')
    elsewhere = project4.deploy("v4")
    assert elsewhere.exit_code == 3, elsewhere.told
    assert (project4.history(), the_jobs(project4)) == ([], [])
