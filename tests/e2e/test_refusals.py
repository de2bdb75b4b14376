"""Bad input: one clear line, the right exit code, no traceback, and proof that nothing was written.

All of the projects share one namespace: nothing of theirs can meet there. What needs neither helm nor a cluster to be
found out is in tests/cli/test_app.py; what is wrong with a chart in test_bad_charts.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sandbox import Sandbox
from tests.e2e.kit import Project, Result, job
from tests.e2e.stage import Audit, Stage, a_stage, account_kubeconfig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FINE = job("echo fine", name="{{ .Release.Name }}")


def as_nobody(project: Project) -> None:
    """An account that may do nothing but take the lock."""
    project.kube.kubectl("create", "serviceaccount", "nobody")
    project.kube.kubectl("create", "role", "lock", "--verb=get,create,update", "--resource=leases")
    project.kube.kubectl(
        "create", "rolebinding", "lock", "--role=lock", f"--serviceaccount={project.kube.namespace}:nobody"
    )
    project.kubeconfig = account_kubeconfig(project.kube, "nobody", project.folder / "kubeconfig")


READER = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules:
  - {apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch]}
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader}]
"""


def as_reader(project: Project) -> None:
    """An account that may look at everything and change nothing but the lock."""
    kube = project.kube
    kube.kubectl("create", "serviceaccount", "reader")
    kube.apply(READER)
    project.kubeconfig = account_kubeconfig(kube, "reader", project.folder / "kubeconfig")


def in_no_namespace(project: Project) -> None:
    project.write(
        "shipit.toml", f'[release]\nname = "{project.release}"\nchart = "chart"\nnamespace = "nowhere"\n'
    )


def at_a_dead_address(project: Project) -> None:
    path = project.folder / "kubeconfig"
    path.write_text(
        '{"apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}], '
        '"contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], '
        '"clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}]}'
    )
    project.kubeconfig = path


def with_an_old_helm(project: Project) -> None:
    old = project.folder / "old-helm"
    old.write_text("#!/bin/sh\necho v3.12.3\n")
    old.chmod(0o755)
    project.environ["SHIPIT_HELM"] = str(old)


def with_no_helm(project: Project) -> None:
    project.environ["SHIPIT_HELM"] = str(project.folder / "no-helm")


def release(lines: str) -> Callable[[Project], None]:
    return lambda project: project.configure(release=lines)


def migration(lines: str) -> Callable[[Project], None]:
    return lambda project: project.configure(lines)


def templates(**texts: str) -> Callable[[Project], None]:
    def write(project: Project) -> None:
        for name, text in texts.items():
            project.template(name, text)

    return write


def without_the_migration(project: Project) -> None:
    project.without_template("migrate")


SECOND = job("echo second", name="{{ .Release.Name }}-second")

CASES: dict[str, tuple[Callable[[Project], None], tuple[str, ...]]] = {
    "no-kind": (
        templates(broken="apiVersion: no.such/v1\nkind: Thing\nmetadata: {name: thing}\n"),
        ("Thing", "no.such/v1"),
    ),
    "no-template": (migration('template = "templates/no-such.yaml"'), ("templates/no-such.yaml",)),
    "no-job": (without_the_migration, ("renders no Job",)),
    "two-jobs": (templates(second=SECOND), ("2 Jobs", "which one is the migration?")),
    "no-tag": (release('tag_key = "other.tag"'), ("the tag v1 is not in the image",)),
    "no-namespace": (in_no_namespace, ("namespace nowhere does not exist",)),
    "no-rights": (as_nobody, ("forbid",)),
    "no-writes": (as_reader, ("not allowed to deploy to namespace", "create jobs", "delete jobs")),
    "no-cluster": (at_a_dead_address, ("127.0.0.1:1",)),
    "no-helm": (with_no_helm, ("no-helm", "SHIPIT_HELM")),
    "old-helm": (with_an_old_helm, ("is helm 3.12; shipit needs helm 3.13 or newer",)),
    "no-secret": (
        templates(migrate=FINE + "          envFrom: [{secretRef: {name: not-there}}]\n"),
        ("what the migration references does not exist in namespace",),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(sandbox, tmp_path_factory.mktemp("refusals")) as made:
        yield made


@pytest.fixture(scope="module")
def refused(stage: Stage, sandbox: Sandbox) -> tuple[dict[str, Result], list[str]]:
    """How each ended, and what all of them together changed in the cluster."""
    projects = {case: stage.project(case) for case in CASES}
    for case, (spoil, _) in CASES.items():
        projects[case].template("migrate", FINE)
        spoil(projects[case])
    audit = Audit(sandbox)
    started = {case: project.start("deploy", "--tag", "v1") for case, project in projects.items()}
    ended = {case: deploy.end() for case, deploy in started.items()}
    return ended, audit.changes(stage.kube.namespace)


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_with_one_clear_line(refused: tuple[dict[str, Result], list[str]], case: str) -> None:
    found = refused[0][case]
    assert (found.exit_code, found.outcome) == (3, "refused"), found.told
    message = found.error["message"]
    assert [words for words in CASES[case][1] if words not in message] == [], found.error
    assert "\n" not in message
    assert len(message) < 400, message
    assert "Traceback" not in found.stdout + found.stderr
    assert found.stderr == ""
    assert found.result["message"] == message


def test_nothing_was_written_but_the_lock(refused: tuple[dict[str, Result], list[str]]) -> None:
    assert refused[1] == []


def test_two_jobs_are_listed_with_what_to_write(refused: tuple[dict[str, Result], list[str]]) -> None:
    error = refused[0]["two-jobs"].error
    assert error["details"] == [
        "shop/templates/migrate.yaml: Job two-jobs",
        "shop/templates/second.yaml: Job two-jobs-second",
    ]
    assert "set template =" in error["hint"]
