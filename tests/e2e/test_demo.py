"""The demo as a person runs it: its own checks make it fail, and what it leaves in the cluster is looked at here."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox, ensure_up

CHECKOUT = Path(__file__).parents[2]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster() -> Sandbox:
    return ensure_up()


@pytest.fixture
def namespace(cluster: Sandbox, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one run; gone, some time, after it."""
    version = request.node.callspec.params["helm"].replace(".", "-")
    name = f"demo-test-{version}"
    yield name
    kubectl(cluster, "delete", "namespace", name, "--ignore-not-found", "--wait=false")


def command(program: Path, cluster: Sandbox) -> list[str]:
    flag = "--context" if program == cluster.kubectl else "--kube-context"
    return [
        str(program),
        f"--kubeconfig={cluster.kubeconfig}",
        *([f"{flag}={cluster.context}"] if cluster.context else []),
    ]


def kubectl(cluster: Sandbox, *args: str) -> str:
    argv = [*command(cluster.kubectl, cluster), *args]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def objects(cluster: Sandbox, namespace: str, kind: str, name: str) -> list[Any]:
    selector = f"--selector=app.kubernetes.io/name={name}"
    listed = json.loads(kubectl(cluster, "get", kind, selector, f"--namespace={namespace}", "--output=json"))
    found: list[Any] = listed["items"]
    return found


def deployed_image(cluster: Sandbox, namespace: str) -> str:
    (app,) = objects(cluster, namespace, "deployments", "notes")
    return str(app["spec"]["template"]["spec"]["containers"][0]["image"])


def demo(*args: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "sandbox.demo", *args]
    return subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("helm", ["3", "4"])
def test_the_demo_ends_with_v2_serving_and_v3_stopped(cluster: Sandbox, namespace: str, helm: str) -> None:
    played = demo("--helm", helm, "--namespace", namespace)
    assert played.returncode == 0, played.stdout + played.stderr

    history = [*command(cluster.helms[helm], cluster), "history", "notes", "-n", namespace, "-o", "json"]
    revisions = json.loads(subprocess.run(history, capture_output=True, text=True, check=True).stdout)
    assert [revision["status"] for revision in revisions] == ["superseded", "deployed"]

    assert deployed_image(cluster, namespace).endswith("/notes:v2")

    (migration,) = objects(cluster, namespace, "pods", "notes-migrate")
    assert migration["spec"]["containers"][0]["image"].endswith("/notes:v3")
    assert migration["status"]["phase"] == "Failed"

    assert "UniqueViolation" in played.stdout
    assert "(exit code 4, as it should be)" in played.stdout


@pytest.mark.parametrize("helm", ["4"])
def test_a_timeout_ends_the_deploy_and_the_next_one_picks_the_migration_up(
    cluster: Sandbox, namespace: str, helm: str
) -> None:
    played = demo("--helm", helm, "--namespace", namespace, "--with-timeout")
    assert played.returncode == 0, played.stdout + played.stderr
    assert "(exit code 5, as it should be)" in played.stdout
    assert deployed_image(cluster, namespace).endswith("/notes:v4")
    assert len(objects(cluster, namespace, "pods", "notes-migrate")) == 1


def test_a_namespace_that_no_demo_made_is_left_alone(cluster: Sandbox) -> None:
    stranger = "demo-test-stranger"
    kubectl(cluster, "create", "namespace", stranger)
    try:
        refused = demo("--namespace", stranger)
        assert refused.returncode == 1
        assert "was not made by a demo" in refused.stderr
        assert (
            json.loads(kubectl(cluster, "get", "namespace", stranger, "--output=json"))["status"]["phase"]
            == "Active"
        )
    finally:
        kubectl(cluster, "delete", "namespace", stranger, "--wait=false")


def test_a_helm_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    refused = demo("--helm", "5")
    assert refused.returncode == 1
    assert "3, 3.13, 4" in refused.stderr
