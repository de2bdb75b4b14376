"""The sandbox itself: up again and again, and what it promises its users."""

from __future__ import annotations

import json
import subprocess

import pytest

from sandbox import Sandbox, ensure_up
from sandbox import __main__ as command_line
from sandbox.places import Places

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    found = ensure_up()
    if found.external:
        pytest.skip("a cluster of the user's")
    return found


def kubectl(sandbox: Sandbox, *args: str) -> str:
    command = [str(sandbox.kubectl), "--kubeconfig", str(sandbox.kubeconfig), *args]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def pids() -> dict[str, str]:
    return {file.name: file.read_text() for file in Places.of().pids.iterdir()}


def test_up_twice_changes_nothing(sandbox: Sandbox) -> None:
    before = pids()
    assert ensure_up() == sandbox
    assert pids() == before


def test_status_says_that_all_of_it_runs(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["status"]) == 0
    shown = capsys.readouterr().out
    assert "stopped" not in shown
    assert str(sandbox.kubeconfig) in shown


def test_a_component_that_was_stopped_is_started_again_by_up(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    before = pids()
    command_line.main(["stop", "scheduler"])
    assert command_line.main(["status"]) == 1
    assert "not running: scheduler" in capsys.readouterr().out
    assert ensure_up() == sandbox
    after = pids()
    assert {name for name in before if before[name] != after[name]} == {"scheduler"}


def test_each_helm_is_the_version_it_is_called(sandbox: Sandbox) -> None:
    for version, helm in sandbox.helms.items():
        shown = subprocess.run([str(helm), "version", "--short"], check=True, capture_output=True, text=True)
        assert shown.stdout.startswith(f"v{version}.")


def test_a_pod_runs_and_the_audit_log_knows_who_made_it(sandbox: Sandbox) -> None:
    assert sandbox.audit_log
    image = f"{sandbox.registry}/busybox:1"
    kubectl(sandbox, "delete", "pod", "hello", "--ignore-not-found")
    kubectl(sandbox, "run", "hello", f"--image={image}", "--restart=Never", "--", "sh", "-c", "echo hello")
    kubectl(sandbox, "wait", "pod/hello", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    assert kubectl(sandbox, "logs", "hello") == "hello\n"
    kubectl(sandbox, "delete", "pod", "hello")
    made = [
        event
        for event in map(json.loads, sandbox.audit_log.read_text().splitlines())
        if event["verb"] == "create" and event.get("objectRef", {}).get("name") == "hello"
        if "subresource" not in event["objectRef"]
    ]
    assert made[-1]["user"]["username"] == "sandbox-admin"


def test_accounts_may_do_nothing_until_they_are_allowed(sandbox: Sandbox) -> None:
    command = [
        str(sandbox.kubectl),
        "--kubeconfig",
        str(sandbox.kubeconfig),
        "auth",
        "can-i",
        "create",
        "jobs",
    ]
    account = "--as=system:serviceaccount:default:default"
    assert subprocess.run([*command, account], check=False, capture_output=True).returncode == 1
