"""Two releases of one chart in a namespace, whose hooks have fixed names: each runs its own, none takes the other's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox import Sandbox
from tests.e2e.kit import Kube, Project, hook, job, small_project

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def helm4(sandbox: Sandbox) -> Path:
    return sandbox.helms["4"]


AFTER = "post-install,post-upgrade"
HELD = "echo begin {{ .Release.Name }}; until [ -e /tmp/go ]; do sleep 0.1; done"


def release(folder: Path, kube: Kube, helm: Path, name: str, template: str) -> Project:
    project = small_project(folder / name, kube, helm)
    project.release = name
    project.template("init", template)
    project.configure()
    return project


def two(tmp_path: Path, kube: Kube, helm: Path, template: str) -> tuple[Project, Project]:
    return release(tmp_path, kube, helm, "north", template), release(tmp_path, kube, helm, "south", template)


def test_an_ended_hook_of_another_release_makes_room_and_one_of_a_release_that_is_gone(
    tmp_path: Path, kube: Kube, helm: Path
) -> None:
    north, south = two(tmp_path, kube, helm, hook("echo init of {{ .Release.Name }}", AFTER, name="init-db"))
    for project, said in ((north, "init of north"), (south, "init of south"), (north, "init of north")):
        deployed = project.deploy("v1", "--rerun")
        assert deployed.exit_code == 0, deployed.told
        assert deployed.log == [said]
    north.run_helm("uninstall", "north")
    last = south.deploy("v1")
    assert last.exit_code == 0, last.told
    assert last.log == ["init of south"]
    assert kube.pods_by_job() == {"init-db": [1, 1, 1, 1]}


@pytest.mark.parametrize("driver", ["secret", "configmap"])
def test_a_plain_migration_is_its_release_s_as_long_as_there_is_one(
    tmp_path: Path, kube: Kube, helm4: Path, driver: str
) -> None:
    north, south = two(tmp_path, kube, helm4, job("echo init of {{ .Release.Name }}", name="init-db"))
    for project in (north, south):
        project.environ["HELM_DRIVER"] = driver
    assert north.deploy("v1").exit_code == 0
    refused = south.deploy("v1")
    assert refused.exit_code == 3, refused.told
    assert "Job init-db belongs to release north" in refused.error["message"]
    assert south.history() == []

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HELM_DRIVER", driver)
        north.run_helm("uninstall", "north")
    gone = south.deploy("v1")
    assert gone.exit_code == 3, gone.told
    assert "was left by release north, which is gone" in gone.error["message"]
    assert gone.error["hint"].startswith("kubectl delete job init-db")
    assert south.paste(gone.error["hint"]).exit_code == 0
    deployed = south.deploy("v1")
    assert deployed.exit_code == 0, deployed.told
    assert deployed.log == ["init of south"]


def test_a_running_job_of_another_release_is_left_alone(tmp_path: Path, kube: Kube, helm4: Path) -> None:
    north, south = two(tmp_path, kube, helm4, hook(HELD, "pre-install,pre-upgrade", name="init-db"))
    first = north.start("deploy", "--tag", "v1")
    first.until("begin north")
    for flags in ((), ("--replace-running",)):
        busy = south.deploy("v1", *flags)
        assert busy.exit_code == 7, busy.told
        assert "Job init-db of release north still runs" in busy.error["message"]
        assert busy.error["hint"].startswith("kubectl wait")
    pod = kube.all("pods", "job-name=init-db")[0]["metadata"]["name"]
    kube.kubectl("exec", pod, "--", "touch", "/tmp/go")
    assert first.end().exit_code == 0
    assert kube.pods_by_job() == {"init-db": [1]}


def test_an_object_of_another_release_s_manifest_makes_no_room_for_a_hook(
    tmp_path: Path, kube: Kube, helm4: Path
) -> None:
    north, south = two(tmp_path, kube, helm4, hook("echo up", AFTER, name="{{ .Release.Name }}-init"))
    notes = json.dumps({"helm.sh/hook": "pre-install"})
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, annotations: NOTES}\ndata: {A: b}\n"
    north.template("settings", body.replace("NOTES", "{}"))
    south.template("settings", body.replace("NOTES", notes))
    assert north.deploy("v1").exit_code == 0
    was = kube.get("configmap", "settings")
    refused = south.deploy("v1")
    assert refused.exit_code == 3, refused.told
    assert "ConfigMap settings belongs to release north" in refused.error["message"]
    assert kube.get("configmap", "settings") == was
