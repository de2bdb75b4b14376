"""What is tried beforehand is judged as the real thing will be: on clusters with policies, quotas and webhooks, and for
charts that bring their own kinds.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from sandbox import Sandbox
from tests.e2e.kit import Kube, Project, Result, hook, job, small_project
from tests.faults.certificates import make_certificates

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BEFORE = "pre-install,pre-upgrade"


def fine(result: Result) -> Result:
    assert result.exit_code == 0, result.told
    return result


def refused(result: Result, *words: str) -> Result:
    assert result.exit_code == 3, result.told
    told = " ".join([result.error["message"], *result.error["details"]])
    assert [word for word in words if word not in told] == [], result.told
    return result


def warnings(result: Result) -> list[str]:
    return [each["message"] for each in result.of("warning")]


# ── kinds that the chart brings ──────────────────────────────────────────────────────────────────


def definition(kind: str, group: str) -> str:
    name = kind.lower()
    return f"""\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {name}s.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: {name}s, singular: {name}, kind: {kind}, listKind: {kind}List}}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {{spec: {{type: object, properties: {{size: {{type: integer}}}}}}}}
---
"""


def custom(kind: str, group: str, notes: str = "{}", size: str = "3") -> str:
    return f"""\
apiVersion: {group}/v1
kind: {kind}
metadata: {{name: "{{{{ .Release.Name }}}}", annotations: {notes}}}
spec: {{size: {size}}}
---
"""


@pytest.fixture
def group(kube: Kube) -> Iterator[str]:
    """An API group of the test's own; what is defined in it goes with the test."""
    name = f"{kube.namespace}.test"
    yield name
    for kind in ("gadget", "gear", "part", "spare"):
        kube.kubectl("delete", "crd", f"{kind}s.{name}", "--ignore-not-found", "--wait=false", check=False)


def brings_kinds(project: Project, group: str) -> None:
    """A chart with two definitions in one file, a subchart with one, another subchart that is off, and objects."""
    project.write("chart/crds/all.yaml", definition("Gadget", group) + definition("Gear", group))
    lines = ["dependencies:"]
    for name, kind, enabled in (("parts", "Part", "true"), ("spares", "Spare", "false")):
        project.write(f"chart/charts/{name}/Chart.yaml", f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
        project.write(f"chart/charts/{name}/values.yaml", f"enabled: {enabled}\n")
        project.write(f"chart/charts/{name}/crds/it.yaml", definition(kind, group))
        lines.append(f"  - {{name: {name}, version: 1.0.0, condition: {name}.enabled}}")
    chart = project.folder / "chart/Chart.yaml"
    chart.write_text(chart.read_text() + "\n".join(lines) + "\n")
    late = '{helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "1"}'
    project.template("gadget", custom("Gadget", group) + custom("Part", group))
    project.template("gear", custom("Gear", group, late))
    project.template("migrate", hook("echo migrated", BEFORE, name="migrate"))


def kinds_there(kube: Kube, group: str) -> list[str]:
    listed = kube.kubectl("get", "crds", "-o", "name").split()
    return sorted(each.partition("/")[2].partition(".")[0] for each in listed if each.endswith(group))


def installs_and_upgrades(project: Project, group: str) -> None:
    kube = project.kube
    brings_kinds(project, group)
    lacking = (
        hook("echo migrated", BEFORE, name="migrate") + "          envFrom: [{secretRef: {name: absent}}]\n"
    )
    project.template("migrate", lacking)
    refused(project.deploy("v1"), "Secret absent")
    project.template("migrate", hook("echo migrated", BEFORE, name="migrate"))
    project.template("other", custom("Nobodys", f"nobody.{group}"))
    refused(project.deploy("v1"), "Nobodys")
    project.without_template("other")
    assert kinds_there(kube, group) == [], "nothing is installed before all else is well"

    done = fine(project.deploy("v1"))

    assert done.log == ["migrated"]
    assert kinds_there(kube, group) == ["gadgets", "gears", "parts"]
    steps = [(each["step"], each["state"]) for each in done.of("step")]
    assert steps.index(("crds", "done")) < steps.index(("migrate", "started"))
    for kind in ("gadget", "gear", "part"):
        assert kube.get(f"{kind}s.{group}", "shop") is not None
    again = fine(project.deploy("v2"))
    assert "crds" not in {each["step"] for each in again.of("step")}


def test_what_a_chart_brings_in_its_crds_is_not_missing(project: Project, group: str) -> None:
    installs_and_upgrades(project, group)


@pytest.mark.long
def test_nor_is_it_with_the_oldest_helm(tmp_path: Path, kube: Kube, sandbox: Sandbox, group: str) -> None:
    installs_and_upgrades(small_project(tmp_path, kube, sandbox.helms["3.13"]), group)


# ── policies ─────────────────────────────────────────────────────────────────────────────────────


def policy(namespace: str, resources: str, expression: str, message: str) -> str:
    rule = f"{{apiGroups: ['*'], apiVersions: ['*'], operations: [CREATE], resources: [{resources}]}}"
    return f"""\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {namespace}}}
spec:
  matchConstraints: {{resourceRules: [{rule}]}}
  validations: [{{expression: "{expression}", message: {message}}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {namespace}}}
spec:
  policyName: {namespace}
  validationActions: [Deny]
  matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}}}
"""


@pytest.fixture
def enforced(kube: Kube) -> Iterator[Callable[[str, str, str], None]]:
    """Enforces a policy, until the next one."""

    def enforce(resources: str, expression: str, message: str) -> None:
        kube.apply(policy(kube.namespace, resources, expression, message))
        kube.wait(lambda: message in said(resources))

    def said(resources: str) -> str:
        try:
            if resources == "pods":
                kube.kubectl("run", "probe", "--image=registry.sandbox/busybox:v1", "--dry-run=server")
            else:
                kube.kubectl(
                    "create", "job", "probe", "--image=registry.sandbox/busybox:v1", "--dry-run=server"
                )
        except AssertionError as denied:
            return str(denied)
        return ""

    yield enforce
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        kube.kubectl("delete", kind, kube.namespace, "--ignore-not-found", "--wait=false", check=False)


def test_a_policy_is_asked_about_what_will_be_there_and_not_about_a_stand_in(
    project4: Project, enforced: Callable[[str, str, str], None]
) -> None:
    name = f"migrate-{'x' * 40}.y"  # cut to 50 characters it would be no name
    project4.template("migrate", hook("echo migrated", BEFORE, name=name))
    ours = (
        "has(object.metadata.ownerReferences) && object.metadata.ownerReferences[0].controller"
        " && 'batch.kubernetes.io/job-name' in object.metadata.labels"
    )
    enforced("pods", f"object.kind != 'Pod' || !has(object.spec.restartPolicy) || object.spec.restartPolicy == 'Always' && has(object.metadata.ownerReferences) || {ours}", "owned pods only")  # fmt: skip
    done = fine(project4.deploy("v1"))
    assert done.log == ["migrated"]
    assert [each for each in warnings(done) if "owned pods" in each] == []

    enforced("pods", "request.userInfo.username.startsWith('system:serviceaccount:kube-system:')", "controllers only")  # fmt: skip
    done = fine(project4.deploy("v2"))
    assert any("controllers only" in each for each in warnings(done))

    enforced("jobs", "request.dryRun == false", "does not support dry run")
    done = fine(project4.deploy("v3"))
    assert any("does not support dry run" in each for each in warnings(done))

    enforced("pods", "object.spec.containers.all(c, c.image.startsWith('ours/'))", "our images only")
    refused(project4.deploy("v4"), "our images only")
    tried = project4.deploy("v4", "--preflight", "warn", "--timeout", "60s")
    assert tried.exit_code == 4, tried.told
    assert any("our images only" in each for each in warnings(tried))


# ── quotas and conflicts ─────────────────────────────────────────────────────────────────────────

FEW = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: few}\nspec: {hard: {count/jobs.batch: '1'}}\n"


def test_a_quota_that_the_old_job_fills_has_room_once_it_is_gone(project4: Project) -> None:
    kube = project4.kube
    kube.apply(FEW)
    kube.wait(lambda: "jobs" in kube.kubectl("get", "quota", "few", "-o", "jsonpath={.status.used}"))
    project4.template("migrate", job("echo migrated"))
    fine(project4.deploy("v1"))
    used = "jsonpath={.status.used.count/jobs\\.batch}"
    kube.wait(lambda: kube.kubectl("get", "quota", "few", "-o", used) == "1")
    done = fine(project4.deploy("v2"))
    assert done.log == ["migrated"]
    assert kube.pods_by_job() == {"migrate": [1, 1]}
    kube.kubectl("delete", "job", "migrate")
    kube.kubectl("create", "job", "other", "--image=registry.sandbox/busybox:v1", "--", "true")
    kube.wait(lambda: kube.kubectl("get", "quota", "few", "-o", used) == "1")
    refused(project4.deploy("v3"), "exceeded quota: few")


def test_what_is_forced_is_tried_by_force(project4: Project) -> None:
    kube = project4.kube
    project4.template("migrate", job("echo migrated"))
    fine(project4.deploy("v1"))
    kube.kubectl("scale", "deployment", "shop", "--replicas=2")
    found = refused(project4.deploy("v2"), "conflict", "kubectl", "spec.replicas")
    assert "--force-conflicts" in found.error["hint"]
    assert found.log == []
    project4.configure(release='helm_args = ["--force-conflicts"]')
    assert fine(project4.deploy("v2")).log == ["migrated"]
    project4.configure(release='helm_args = ["--server-side=false"]')
    kube.kubectl("scale", "deployment", "shop", "--replicas=2")
    fine(project4.deploy("v3"))
    project4.configure(release='helm_args = ["--server-side=true"]')
    fine(project4.deploy("v4"))
    found_app = kube.get("deployment", "shop")
    assert found_app is not None
    assert found_app["spec"]["replicas"] == 1


# ── webhooks ─────────────────────────────────────────────────────────────────────────────────────


class Stumbling(BaseHTTPRequestHandler):
    """An admission webhook that lets everything in, and fails the first time that it is asked about each thing."""

    met: ClassVar[dict[str, int]] = {}

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = body["request"]
        what = f"{asked['kind']['kind']} {'dry' if asked.get('dryRun') else 'real'}"
        self.met[what] = self.met.get(what, 0) + 1
        if self.met[what] == 1:
            self.send_error(503)
            return
        answer = {**body, "response": {"uid": asked["uid"], "allowed": True}}
        del answer["request"]
        raw = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def stumbling(sandbox: Sandbox, kube: Kube, tmp_path: Path) -> Iterator[dict[str, int]]:
    """How often the webhook was asked about each kind, in dry runs and for real."""
    if sandbox.host is None:
        pytest.skip("needs this machine's address as the cluster sees it (SANDBOX_HOST)")
    made = make_certificates(tmp_path, sandbox.host)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.certificate, made.key)
    server = ThreadingHTTPServer((sandbox.host, 0), Stumbling)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Stumbling.met.clear()
    rules = [
        {"apiGroups": ["batch", "apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs", "deployments"]}
    ]  # fmt: skip
    hooked = {
        "name": "stumbling.example.com",
        "rules": rules,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kube.namespace}},
        "clientConfig": {
            "url": f"https://{sandbox.host}:{server.server_port}/",
            "caBundle": base64.b64encode(made.authority.read_bytes()).decode(),
        },
    }
    kube.apply(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": kube.namespace},
            "webhooks": [hooked],
        }
    )
    yield Stumbling.met
    kube.kubectl("delete", "validatingwebhookconfiguration", kube.namespace, check=False)
    server.shutdown()
    server.server_close()


def test_a_webhook_that_stumbles_is_asked_again_everywhere(
    project: Project, stumbling: dict[str, int]
) -> None:
    project.kube.wait(lambda: in_force(project.kube))
    stumbling.clear()
    project.template("migrate", job("echo migrated"))
    done = fine(project.deploy("v1"))
    assert done.log == ["migrated"]
    assert project.kube.pods_by_job() == {"migrate": [1]}
    assert [each["status"] for each in project.history()] == ["superseded", "deployed"]
    assert done.result["revision"] == 2
    assert any("run once more" in each for each in warnings(done))
    assert {what: asked > 1 for what, asked in stumbling.items()} == dict.fromkeys(
        ("Job dry", "Job real", "Deployment dry", "Deployment real"), True
    )
    again = fine(project.deploy("v2"))
    assert again.result["revision"] == 3


def in_force(kube: Kube) -> bool:
    kube.kubectl(
        "create", "job", "probe", "--image=registry.sandbox/busybox:v1", "--dry-run=server", check=False
    )
    return bool(Stumbling.met)
