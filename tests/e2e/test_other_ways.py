"""Other ways to use Helm: releases in ConfigMaps, a chart that is a repository's root, what only Helm itself accepts."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.e2e.kit import APP, DESERVED, Project, hook, job
from tests.e2e.stage import LIMITED_TO_CONFIG_MAPS, NEVER_READY, account_kubeconfig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def in_config_maps(project: Project) -> Project:
    """Bare helm and shipit keep releases in ConfigMaps, and Secrets are off limits for shipit."""
    project.environ["HELM_DRIVER"] = "configmap"
    project.kube.apply(LIMITED_TO_CONFIG_MAPS)
    project.kubeconfig = account_kubeconfig(project.kube, "without-secrets", project.folder / "kubeconfig")
    return project


def stored(project: Project, kind: str) -> list[str]:
    """The revisions that Helm keeps in objects of that kind."""
    found = project.kube.all(kind, "owner=helm")
    return sorted(
        f"{each['metadata']['labels']['version']} {each['metadata']['labels']['status']}" for each in found
    )


@pytest.mark.parametrize("helm", ["4", pytest.param("3", marks=pytest.mark.long)], indirect=True)
def test_a_release_in_config_maps_needs_no_right_on_secrets_and_is_recovered_there(project: Project) -> None:
    """Bare helm is killed in its upgrade; its revision is cleared once nobody can be alive, three timeouts old."""
    in_config_maps(project)
    project.configure(release='timeout = "5s"\nset = { replicas = 0 }')
    project.template("migrate", hook("echo migrated", "pre-install,pre-upgrade", name="migrate"))
    first = project.deploy("v1")
    assert first.exit_code == 0, first.told
    assert stored(project, "configmap") == ["1 deployed"]
    assert stored(project, "secret") == []

    project.template("app", NEVER_READY)
    argv = [
        str(project.helm),
        "upgrade",
        "shop",
        "chart",
        "-n",
        project.kube.namespace,
        "--set",
        "image.tag=v2",
    ]
    argv += ["--no-hooks", "--wait", "--timeout=60s", "--kubeconfig", str(project.kubeconfig)]
    _, environ = project.command()
    bare = subprocess.Popen(argv, cwd=project.folder, env=environ)
    project.kube.wait(lambda: "2 pending-upgrade" in stored(project, "configmap"))
    bare.kill()
    bare.wait(DESERVED)
    project.template("app", APP)
    early = project.deploy("v2")
    assert early.exit_code == 7, early.told
    time.sleep(15)
    done = project.deploy("v2")
    assert done.exit_code == 0, done.told
    assert any("left pending-upgrade" in each["message"] for each in done.of("warning")), done.told
    assert stored(project, "configmap") == ["1 superseded", "2 deployed"]


@pytest.mark.parametrize("driver", ["sql", "memory"])
def test_a_driver_that_is_not_supported_is_refused_at_the_start(project4: Project, driver: str) -> None:
    project4.environ["HELM_DRIVER"] = driver
    refused = project4.deploy("v1")
    assert refused.exit_code == 3, refused.told
    assert f"HELM_DRIVER is {driver}, which shipit does not support" in refused.error["message"]


ANCHORS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  one: &same "1"
  two: *same
  three: &same "3"
  four: *same
"""


def test_what_helm_accepts_is_accepted(project4: Project) -> None:
    """A chart that is a repository's root, flags of two words, an anchor that is set again, Flyway with its own image."""
    chart = project4.folder / "chart"
    for path in list(chart.iterdir()):
        path.rename(project4.folder / path.name)
    chart.rmdir()
    chart.symlink_to(project4.folder)  # the kit writes templates there
    project4.write(".git/refs/tags/v1", "v1")
    project4.write(".helmignore", ".git/\nwritten/\nprograms/\nchart\n")
    project4.template("settings", ANCHORS)
    flyway = job("echo flyway", annotations={"helm.sh/hook": "pre-install,pre-upgrade"})
    project4.template("migrate", flyway.replace("{{ .Values.image.tag }}", "v1"))
    namespace = project4.kube.namespace
    project4.write(
        "shipit.toml",
        f'[release]\nname = "shop"\nchart = "."\nnamespace = "{namespace}"\n'
        'helm_args = ["--history-max", "5", "--labels", "team=shop", "--debug"]\n'
        "[migration]\nrequire_tag = false\n",
    )
    done = project4.deploy("v2")
    assert done.exit_code == 0, done.told
    assert "flyway" in done.log
    assert project4.kube.image() == "v2"
    settings = project4.kube.get("configmap", "settings")
    assert settings is not None
    assert settings["data"] == {"one": "1", "two": "1", "three": "3", "four": "3"}


def test_a_schema_that_can_not_be_fetched_is_no_cluster_that_can_not_be_reached(project: Project) -> None:
    project.template("migrate", job("echo migrated"))
    project.write(
        "chart/values.schema.json", '{"properties": {"run": {"$ref": "http://127.0.0.1:1/text.json"}}}'
    )
    refused = project.deploy("v1")
    assert refused.exit_code == 3, refused.told
    assert "can't fetch a schema" in refused.error["message"]
    assert "http://127.0.0.1:1/text.json" in refused.error["message"]
    assert "cluster" not in refused.error["message"]
