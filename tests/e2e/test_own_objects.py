"""Hooks with the names of the app's own objects: the app keeps them, to the UID, whatever becomes of the migration."""

from __future__ import annotations

import json

import pytest

from tests.e2e.kit import APP, Json, Project, hook, job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BEFORE = "pre-install,pre-upgrade"
READS = "          envFrom: [{configMapRef: {name: shop-settings}}]\n"
FAILS = "{{ if .Values.fail }}exit 3{{ end }}"


def settings(policy: str = "", events: str = "") -> str:
    """A ConfigMap's template; a hook where there are events."""
    notes = {"helm.sh/hook": events, "helm.sh/hook-weight": "-5"} if events else {}
    notes |= {"helm.sh/hook-delete-policy": policy} if policy else {}
    return (
        "apiVersion: v1\nkind: ConfigMap\n"
        f"metadata: {{name: shop-settings, annotations: {json.dumps(notes)}}}\n"
        "data: {COLOUR: '{{ .Values.colour }}'}\n"
    )


def chart(project: Project, *, reads: bool = True) -> None:
    values = (project.folder / "chart/values.yaml").read_text()
    project.write("chart/values.yaml", values + "colour: red\nfail: false\n")
    project.template("app", APP + READS if reads else APP)
    project.template("migrate", hook("echo colour $COLOUR;" + FAILS, BEFORE, name="migrate") + READS)


def own(project: Project) -> Json:
    found = project.kube.get("configmap", "shop-settings")
    assert found is not None, "the app's ConfigMap is gone"
    return found


def names(project: Project) -> set[str]:
    """The ConfigMaps that there are, beside the cluster's own and the record of deploys."""
    found = {each["metadata"]["name"] for each in project.kube.all("configmaps")}
    return found - {"kube-root-ca.crt", f"shipit-{project.release}-history"}


def test_settings_that_a_hook_brings_early_stay_as_they_are_when_the_migration_fails(
    project: Project,
) -> None:
    """So that the migration finds them on a first install, the chart has them twice under one name."""
    chart(project)
    project.template("settings", settings())
    project.template("settings-early", settings("before-hook-creation,hook-succeeded", BEFORE))

    first = project.deploy("v1")
    assert first.exit_code == 0, first.told
    assert first.log == ["colour red"]
    was = own(project)

    for colour in ("red", "blue"):
        failed = project.deploy("v2", "--set", f"fail=true,colour={colour}")
        assert failed.exit_code == 4, failed.told
        assert failed.log == [f"colour {colour}"], "the migration has what its hook says"
        assert "the app is untouched (revision 1)" in failed.error["message"]
        assert own(project) == was
        assert names(project) == {"shop-settings"}
    project.kube.kubectl("rollout", "restart", "deployment/shop")
    project.kube.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")

    done = project.deploy("v2", "--set", "colour=blue")
    assert done.exit_code == 0, done.told
    assert done.log == ["colour blue"]
    assert own(project)["metadata"]["uid"] == was["metadata"]["uid"]
    assert own(project)["data"] == {"COLOUR": "blue"}
    assert names(project) == {"shop-settings"}
    again = project.deploy("v3", "--set", "colour=blue")
    assert again.exit_code == 0, again.told


def test_settings_that_become_a_hook_stay_for_the_app(project: Project) -> None:
    chart(project)
    project.template("settings", settings())
    project.run_helm("install", "shop", "chart", "--no-hooks", "--set", "image.tag=v1")
    was = own(project)
    project.template("settings", settings(events=BEFORE))

    failed = project.deploy("v2", "--set", "fail=true")
    assert failed.exit_code == 4, failed.told
    assert own(project) == was

    changed = project.deploy("v2", "--set", "colour=blue")
    assert changed.exit_code == 3, changed.told
    assert "shop-settings belongs to revision 1 of the app" in changed.error["message"]
    assert own(project) == was

    done = project.deploy("v2")
    assert done.exit_code == 0, done.told
    assert own(project)["metadata"]["uid"] == was["metadata"]["uid"]
    project.kube.kubectl("rollout", "restart", "deployment/shop")
    project.kube.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
    assert "kind: ConfigMap" not in project.run_helm("get", "manifest", "shop").stdout
    project.run_helm("rollback", "shop", "2", "--no-hooks", "--wait")
    assert own(project)["metadata"]["uid"] == was["metadata"]["uid"]

    later = project.deploy("v3", "--set", "colour=blue")
    assert later.exit_code == 0, later.told
    assert (later.log, own(project)["data"]) == (["colour blue"], {"COLOUR": "blue"})


def test_what_the_migration_alone_has_becomes_its_hooks_with_new_content(project4: Project) -> None:
    """A chart's next version runs its plain Job, and what that needs, as hooks."""
    chart(project4, reads=False)
    project4.template("settings", settings())
    project4.template("migrate", job("echo colour $COLOUR") + READS)
    project4.run_helm("install", "shop", "chart", "--set", "image.tag=v1")
    project4.kube.kubectl("wait", "--for=condition=complete", "job/migrate", "--timeout=60s")
    project4.template("settings", settings(events=BEFORE))
    project4.template("migrate", hook("echo colour $COLOUR", BEFORE, name="migrate") + READS)

    done = project4.deploy("v2", "--set", "colour=blue")
    assert done.exit_code == 0, done.told
    assert done.log == ["colour blue"]
    assert own(project4)["data"] == {"COLOUR": "blue"}
    assert names(project4) == {"shop-settings"}
    assert project4.kube.pods_by_job() == {"migrate": [1, 1]}


def test_a_first_install_that_was_interrupted_is_taken_up_again(project4: Project) -> None:
    """Helm refuses what it finds under the name of an object of its own, unless that is marked as its own."""
    chart(project4)
    project4.template("settings", settings())
    project4.template("settings-early", settings(events=BEFORE))
    script = "echo colour $COLOUR; until [ -e /tmp/go ]; do sleep 0.1; done"
    project4.template("migrate", hook(script, BEFORE, name="migrate") + READS)

    first = project4.start("deploy", "--tag", "v1")
    first.until("colour red")
    first.kill(2)
    assert first.end().exit_code == 130
    second = project4.start("deploy", "--tag", "v1")
    second.until("attached")
    pod = project4.kube.all("pods", "job-name=migrate")[0]["metadata"]["name"]
    project4.kube.kubectl("exec", pod, "--", "touch", "/tmp/go")
    ended = second.end()
    assert ended.exit_code == 0, ended.told
    assert own(project4)["data"] == {"COLOUR": "red"}
    assert "helm.sh/hook" not in own(project4)["metadata"].get("annotations", {}), "it is the app's own"
    assert project4.kube.pods_by_job() == {"migrate": [1]}


def test_a_job_of_the_app_makes_no_room_for_a_hook(project4: Project) -> None:
    project4.template("seed", job("echo seeded", name="seed"))
    project4.template("migrate", hook("echo up", BEFORE, name="migrate"))
    assert project4.deploy("v1").exit_code == 0
    found = project4.kube.get("job", "seed")
    assert found is not None
    project4.template("early", hook("echo early", "pre-upgrade", name="seed", weight=-1))

    refused = project4.deploy("v2")
    assert refused.exit_code == 3, refused.told
    assert "seed belongs to revision 1 of the app" in refused.error["message"]
    now = project4.kube.get("job", "seed")
    assert now is not None
    assert now["metadata"]["uid"] == found["metadata"]["uid"]
    assert project4.kube.pods_by_job() == {"migrate": [1], "seed": [1]}
