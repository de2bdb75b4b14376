"""What a rollout waits for beside new pods that crash or run: named while it waits, and when it waited in vain."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from sandbox import Sandbox
from tests.e2e.kit import VALUES, Result, deployment, hook, job
from tests.e2e.stage import Stage, a_stage

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "{{ .Release.Name }}"
STORE = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: "{{ .Release.Name }}-claim"}
spec: {storageClassName: nobody-makes-these, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
"""
DOOR = """\
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}-address"}
spec: {type: LoadBalancer, selector: {app: "{{ .Release.Name }}"}, ports: [{port: 80}]}
"""
WAITS = {
    "store-3": STORE,
    "store-4": STORE,
    "store-own": STORE,
    "door-3": DOOR,
    "door-4": DOOR,
    "door-own": DOOR,
}
UNBOUND = "PersistentVolumeClaim {}-claim is not bound"
CLOSED = "Service {}-address has no external address"

CRASHES = "echo x >> /scratch/starts; [ $(wc -l < /scratch/starts) -gt {times} ] || { echo no friend yet; exit 1; }; touch /scratch/up; sleep 100000"
CRASHING = deployment(
    f'["sh", "-c", "{CRASHES}"]',
    'readinessProbe: {periodSeconds: 1, exec: {command: ["test", "-e", "/scratch/up"]}}',
    "volumeMounts: [{name: scratch, mountPath: /scratch}]",
).replace("      containers:", "      volumes: [{name: scratch, emptyDir: {}}]\n      containers:")


def crashing(times: int) -> str:
    """The template of an app that crashes so many times, and then runs."""
    return CRASHING.replace("{times}", str(times))


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(sandbox, tmp_path_factory.mktemp("waits")) as made:
        yield made


@pytest.fixture(scope="module")
def waited(stage: Stage) -> dict[str, Result]:
    """First installs that wait for what never comes; where there is a post-install hook, shipit waits itself."""
    started = {}
    for name, template in WAITS.items():
        project = stage.project(name, "3" if name.endswith("-3") else "4")
        own = name.endswith("-own")
        project.template("migrate", hook("echo up", "post-install" if own else "pre-install", name=NAME))
        project.template("more", template)
        project.configure(release='timeout = "12s"')
        started[name] = project.start("deploy", "--tag", "v1")
    return {name: deploy.end() for name, deploy in started.items()}


@pytest.mark.parametrize("name", ["store-3", "store-4", "store-own", "door-3", "door-own"])
def test_the_object_that_was_waited_for_is_named(waited: dict[str, Result], name: str) -> None:
    found = waited[name]
    reason = (UNBOUND if name.startswith("store") else CLOSED).format(name)
    assert (found.exit_code, found.outcome) == (6, "upgrade_failed"), found.told
    assert reason in found.error["message"]
    assert "deadline exceeded" not in found.error["message"]
    told = [each for each in found.of("rollout") if each["kind"] != "Deployment"]
    assert any(each["reason"].startswith(reason) for each in told), "while it waits, too"


def test_helm_4_waits_for_no_address(waited: dict[str, Result]) -> None:
    assert waited["door-4"].exit_code == 0, waited["door-4"].told


def test_an_app_that_crashes_while_it_is_installed_is_waited_for(stage: Stage) -> None:
    """Twice costs ten seconds; `max_restarts` is about apps that ran before."""
    project = stage.project("crashes")
    project.template("app", crashing(2))
    project.template("migrate", job("echo fine", name=NAME))
    project.configure(release="max_restarts = 1")
    done = project.deploy("v1")
    assert done.exit_code == 0, done.told
    reasons = [each["reason"] for each in done.of("rollout")]
    assert any("container app exited with code 1" in reason for reason in reasons), reasons


@pytest.mark.long
def test_an_app_that_crashes_four_times_is_waited_for_within_the_timeout(stage: Stage) -> None:
    """On a first install and, by default, on an upgrade: Kubernetes' back-off takes two and a half minutes."""
    projects = {
        name: stage.project(name, helm) for name, helm in (("new-3", "3"), ("new-4", "4"), ("ran-4", "4"))
    }
    for project in projects.values():
        project.template("migrate", job("echo fine", name=NAME))
    assert projects["ran-4"].deploy("v1").exit_code == 0
    for project in projects.values():
        project.template("app", crashing(4))
    started = {name: project.start("deploy", "--tag", "v2") for name, project in projects.items()}
    for deploy in started.values():
        done = deploy.end()
        assert done.exit_code == 0, done.told
        assert 80 < done.result["duration_s"] < 300
        assert any("restarted 3 times" in each["reason"] for each in done.of("rollout"))


@pytest.mark.long
def test_without_a_number_of_restarts_only_the_timeout_ends_a_rollout(stage: Stage) -> None:
    project = stage.project("patient")
    project.template("migrate", job("echo fine", name=NAME))
    assert project.deploy("v1").exit_code == 0
    project.write("chart/values.yaml", VALUES.replace('"echo app $HOSTNAME; sleep 100000"', '"exit 3"'))
    project.configure(release='max_restarts = 0\ntimeout = "75s"')
    failed = project.deploy("v2")
    assert failed.exit_code == 6, failed.told
    assert failed.result["duration_s"] >= 75
    assert re.search(r"restarted [3-9] times", failed.error["message"])
