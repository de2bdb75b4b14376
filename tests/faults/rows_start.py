"""Rows of the table: a migration that can't start, or dies of its own."""

from __future__ import annotations

import json

from tests.faults.case import case, ended_with
from tests.faults.judge import Findings
from tests.faults.ledger import script
from tests.faults.scene import Scene

FAULT = "image can't be pulled, unschedulable, quota, webhook denies, OOM kill, bad command, missing Secret"
POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  matchConstraints:
    resourceRules:
      - {{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}}
  validations:
    - {{expression: "request.dryRun == true", message: no pods on Fridays}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec:
  policyName: {name}
  validationActions: [Deny]
  matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}}}
"""


def _fails(scene: Scene, findings: Findings, code: int, words: str, *, tag: str = "v2") -> None:
    scene.lines = 0
    scene.configure('start_timeout = "10s"\ntimeout = "40s"')
    ended_with(scene.deploy(tag, bound=60), findings, [code], words)


@case("no-image", FAULT, "EF")
def image_that_does_not_exist(scene: Scene, findings: Findings) -> None:
    _fails(scene, findings, 4, "v99", tag="v99")


@case("unschedulable", FAULT, "EF")
def pod_that_no_node_takes(scene: Scene, findings: Findings) -> None:
    scene.migrate(script(), pod="nodeSelector: {no: where}")
    _fails(scene, findings, 4, "node")


@case("quota", FAULT, "EF")
def quota_that_is_full(scene: Scene, findings: Findings) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}}
    scene.kube.apply({**quota, "spec": {"hard": {"pods": "0"}}})
    _fails(scene, findings, 3, "quota")


@case("denied", FAULT, "EF")
def admission_that_denies_the_pod_but_not_its_dry_run(scene: Scene, findings: Findings) -> None:
    name = scene.kube.namespace
    policy = POLICY.format(name=name, namespace=name)
    scene.kube.apply(policy)
    try:
        scene.kube.wait(lambda: "no pods on Fridays" in _denied(scene))
        _fails(scene, findings, 4, "no pods on Fridays")
    finally:
        scene.kube.kubectl("delete", "-f", "-", "--wait=false", stdin=policy)


def _denied(scene: Scene) -> str:
    """What the API server says to a pod, once it knows the policy."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": scene.kube.namespace},
    }
    container = {"name": "probe", "image": "registry.sandbox/busybox:v1", "command": ["true"]}
    spec = {"restartPolicy": "Never", "containers": [container]}
    try:
        scene.kube.kubectl("create", "-f", "-", stdin=json.dumps({**pod, "spec": spec}))
    except AssertionError as denied:
        return str(denied)
    scene.kube.kubectl("delete", "pod", "probe", "--grace-period=0", "--force")
    return ""


@case("oom", FAULT, "EF")
def migration_that_takes_too_much_memory(scene: Scene, findings: Findings) -> None:
    scene.migrate("tail /dev/zero", container="resources: {limits: {memory: 24Mi}}")
    _fails(scene, findings, 4, "OOMKilled")


@case("bad-command", FAULT, "EF")
def command_that_does_not_exist(scene: Scene, findings: Findings) -> None:
    scene.migrate(script())
    path = scene.project.folder / "chart/templates/migrate.yaml"
    path.write_text(path.read_text().replace('command: ["sh", "-c"', 'command: ["/no/such/program", "-c"'))
    _fails(scene, findings, 4, "/no/such/program")


@case("missing-secret", FAULT, "EF")
def secret_that_does_not_exist(scene: Scene, findings: Findings) -> None:
    scene.migrate(
        script(), env="- {name: PASSWORD, valueFrom: {secretKeyRef: {name: database, key: password}}}"
    )
    _fails(scene, findings, 3, "Secret database")


@case("fails", FAULT, "EF")
def migration_that_fails(scene: Scene, findings: Findings) -> None:
    scene.migrate(script(exit_code=3))
    _fails(scene, findings, 4, "3")
