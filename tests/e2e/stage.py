"""What stories about trouble need: releases side by side, a helm that stumbles, a migration that waits, the audit log."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox import Sandbox
from tests.e2e.kit import Json, Kube, Project, deployment, fresh_namespace, small_project

HELD = "echo begin; until [ -e /tmp/go ]; do sleep 0.1; done; echo released"
"""A migration that runs until `let_go`."""

NEVER_READY = deployment(
    '["sh", "-c", "echo waiting for a friend; sleep 100000"]',
    'readinessProbe: {exec: {command: ["sh", "-c", "echo no friend yet; exit 1"]}, periodSeconds: 1}',
)

LIMITED_TO_CONFIG_MAPS = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: without-secrets}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: without-secrets}
rules:
  - {apiGroups: [""], resources: [configmaps, services, serviceaccounts, events], verbs: ["*"]}
  - {apiGroups: [""], resources: [pods, pods/log], verbs: ["*"]}
  - {apiGroups: [apps, batch], resources: ["*"], verbs: ["*"]}
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: without-secrets}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: without-secrets}
subjects: [{kind: ServiceAccount, name: without-secrets}]
"""
"""Who may deploy where Helm keeps its releases in ConfigMaps, and may not so much as read a Secret."""

BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class Stage:
    """One namespace in which small releases live side by side, each with a folder and a Job name of its own."""

    folder: Path
    kube: Kube

    def project(self, release: str, helm: str = "4") -> Project:
        project = small_project(self.folder / release, self.kube, self.kube.sandbox.helms[helm])
        project.release = release
        project.configure()
        return project


@contextmanager
def a_stage(sandbox: Sandbox, folder: Path) -> Iterator[Stage]:
    kube = fresh_namespace(sandbox)
    try:
        yield Stage(folder, kube)
    finally:
        kube.kubectl("delete", "namespace", kube.namespace, "--wait=false", check=False)


def begun(kube: Kube, job: str) -> None:
    """Wait until a migration that is HELD has begun."""
    kube.wait(lambda: "begin" in kube.kubectl("logs", f"job/{job}", "-c", "migrate", check=False))


def let_go(kube: Kube, job: str) -> None:
    kube.kubectl("exec", f"job/{job}", "-c", "migrate", "--", "touch", "/tmp/go")


def uid(kube: Kube, job: str) -> str:
    found = kube.get("job", job)
    assert found is not None, f"there is no Job {job}"
    return str(found["metadata"]["uid"])


class StumblingHelm:
    """A helm that does something of its own before one of its jobs: `render`, or the real `upgrade`."""

    def __init__(self, project: Project, at: str, does: str = "") -> None:
        self.notes = project.folder / f"helm-at-{at}"
        path = project.folder / f"helm-that-stumbles-at-{at}"
        path.write_text(
            f"""#!/bin/sh
case " $* " in
  *" --dry-run=server "*) now=render ;;
  *" upgrade "*) now=upgrade ;;
  *) now=other ;;
esac
if [ $now = {at} ]; then
  echo $$ >> '{self.notes}'
  {does or ":"}
fi
exec '{project.helm}' "$@"
"""
        )
        path.chmod(0o755)
        project.environ["SHIPIT_HELM"] = str(path)

    def at_it(self) -> bool:
        """Whether helm has come to that job."""
        return self.notes.exists()

    def alive(self) -> bool:
        """Whether one of those helms still runs."""
        return any(running(int(pid)) for pid in self.notes.read_text().split())

    def gone(self) -> bool:
        return not (self.at_it() and self.alive())

    def kill(self) -> None:
        for pid in self.notes.read_text().split():
            os.kill(int(pid), 9)


def running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


class Audit:
    """What the API server was asked for in a namespace, by whom, since this was made."""

    def __init__(self, sandbox: Sandbox) -> None:
        assert sandbox.audit_log is not None, "a cluster of the user's keeps its audit log to itself"
        self._log = sandbox.audit_log
        self._from = self._log.stat().st_size

    def requests(self, about: str) -> list[Json]:
        """The requests in whose record these words are: a namespace's name, a user's."""
        with self._log.open("rb") as log:
            log.seek(self._from)
            lines = log.read().splitlines()
        return [json.loads(line) for line in lines if about.encode() in line and line.endswith(b"}")]

    def changes(self, namespace: str) -> list[str]:
        """What shipit and its helm wrote there; not its Lease, not what was only tried, not what kubectl did."""
        ours = ("sandbox-admin", f"system:serviceaccount:{namespace}:")
        return [
            f"{each['verb']} {each['requestURI']}"
            for each in self.requests(namespace)
            if each["user"]["username"].startswith(ours)
            and each["responseStatus"]["code"] < BAD_REQUEST
            and each["verb"] in ("create", "update", "patch", "delete", "deletecollection")
            and not each.get("userAgent", "").startswith("kubectl")
            and "dryRun=All" not in each["requestURI"]
            and each["objectRef"]["resource"]
            not in ("leases", "selfsubjectaccessreviews", "selfsubjectreviews")
        ]


def account_kubeconfig(kube: Kube, account: str, target: Path) -> Path:
    """Write a kubeconfig with which one is that ServiceAccount of the namespace."""
    view = json.loads(kube.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    token = kube.kubectl("create", "token", account, "--duration=1h").strip()
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": view["clusters"][0]["cluster"]}],
        "users": [{"name": account, "user": {"token": token}}],
        "contexts": [
            {"name": "c", "context": {"cluster": "c", "user": account, "namespace": kube.namespace}}
        ],
        "current-context": "c",
    }
    target.write_text(json.dumps(body))
    target.chmod(0o600)
    return target
