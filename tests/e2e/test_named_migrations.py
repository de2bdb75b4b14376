"""What `[migration]` names, in charts as they are: found wherever it is rendered, said where it isn't, never left out."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from sandbox import Sandbox
from tests.e2e.kit import Json, Kube, Project, Result, hook, job, small_project
from tests.e2e.stage import HELD, let_go

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BEFORE = "pre-install,pre-upgrade"


@pytest.fixture
def project3_13(tmp_path: Path, kube: Kube, sandbox: Sandbox) -> Project:
    return small_project(tmp_path, kube, sandbox.helms["3.13"])


def deployed(project: Project, tag: str, *args: str) -> Result:
    done = project.deploy(tag, *args)
    assert done.exit_code == 0, done.told
    return done


def refused(project: Project, tag: str, *args: str) -> Json:
    found = project.deploy(tag, *args)
    assert found.exit_code == 3, found.told
    assert project.kube.all("jobs") == []
    return found.error


def said(result: Result) -> dict[str, str]:
    """What is left out, by its step, and why."""
    return {e["step"]: e["message"] for e in result.of("step") if e["state"] == "skipped"}


def names(result: Result) -> list[str]:
    return [migration["name"] for migration in result.result["migrations"]]


def values(project: Project, more: str) -> None:
    project.write("chart/values.yaml", (project.folder / "chart/values.yaml").read_text() + more)


def behind(condition: str, template: str) -> str:
    return f"{{{{- if {condition} }}}}\n{template}\n{{{{- end }}}}\n"


# ── hooks of a rendering of their own ────────────────────────────────────────────────────────────

SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, annotations: {notes}}}
data: {{WHO: "{who}"}}
"""


def settings(who: str, weight: int) -> str:
    notes = {
        "helm.sh/hook": BEFORE,
        "helm.sh/hook-weight": str(weight),
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    return SETTINGS.format(notes=json.dumps(notes), who=who)


READS = "          envFrom: [{configMapRef: {name: settings}}]\n"


def test_a_hook_behind_a_value_runs_in_its_place_with_what_is_made_for_it(project: Project) -> None:
    values(project, "migration: {enabled: false}\n")
    enabled = ".Values.migration.enabled"
    project.template("settings", behind(enabled, settings("{{ .Values.image.tag }}", -5)))
    project.template(
        "migrate", behind(enabled, hook("echo migrated $WHO", BEFORE, name="shop-migrate", weight=2) + READS)
    )
    project.template("last", hook("echo last", BEFORE, name="last", weight=3))
    project.configure(
        migration='template = "templates/migrate.yaml"\nset = { migration = { enabled = true } }'
    )

    for tag in ("v1", "v2"):
        done = deployed(project, tag)
        assert done.log == [f"migrated {tag}", "last"]
        assert names(done) == ["migrate", "last"]

    assert project.kube.pods_by_job() == {"shop-migrate": [1, 1], "last": [1, 1]}
    assert project.kube.get("configmap", "settings") is None, "deleted by its policy"
    assert project.kube.image() == "v2"
    assert "shop-migrate" not in project.run_helm("get", "hooks", "shop").stdout


def test_hooks_of_a_chart_of_its_own_run_after_those_of_the_release(project4: Project) -> None:
    project4.template("secret", settings("release", 0).replace("settings", "others"))
    project4.write("db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 0.1.0\n")
    project4.write("db/values.yaml", "image: {repository: registry.sandbox/busybox, tag: none}\n")
    project4.write("db/templates/settings.yaml", settings("{{ .Release.Revision }}", -9))
    project4.write("db/templates/up.yaml", hook("echo up $WHO", BEFORE, name="up", weight=-8) + READS)
    project4.write("db/templates/down.yaml", hook("echo settled", "post-upgrade", name="down"))
    project4.configure(migration='chart = "db"')

    assert deployed(project4, "v1").log == ["up 1"]
    assert deployed(project4, "v2").log == ["up 2", "settled"]
    assert project4.kube.pods_by_job() == {"up": [1, 1], "down": [1]}


# ── the other operation ──────────────────────────────────────────────────────────────────────────


def test_a_named_hook_of_installs_only_is_said_on_an_upgrade_whose_own_hooks_run(project4: Project) -> None:
    project4.template("bootstrap", hook("echo bootstrapped", "pre-install", name="bootstrap"))
    project4.template("up", hook("echo up", "pre-upgrade", name="up"))
    project4.template("finish", hook("echo finished", "post-upgrade", name="finish"))
    project4.configure(migration='template = "templates/bootstrap.yaml"\ntimeout = "1h"')

    assert deployed(project4, "v1").log == ["bootstrapped"]
    second = deployed(project4, "v2")
    assert second.log == ["up", "finished"]
    assert said(second) == {"bootstrap": "Job bootstrap runs on installs only"}
    assert project4.kube.pods_by_job() == {"bootstrap": [1], "up": [1], "finish": [1]}


ONLY_INSTALLS = ".Release.IsInstall"
ONLY_UPGRADES = (
    'and .Release.IsUpgrade (lookup "v1" "Namespace" "" .Release.Namespace) (gt (int .Release.Revision) 1)'
)


def test_a_plain_job_of_one_operation_runs_in_that_one_and_is_said_in_the_other(project4: Project) -> None:
    project4.template("boot", behind(ONLY_INSTALLS, job("echo booted", name="boot")))
    project4.template("up", behind(ONLY_UPGRADES, job("echo up", name="up")))
    project4.configure('template = "templates/up.yaml"', release='helm_args = ["--reset-then-reuse-values"]')
    first = deployed(project4, "v1")
    assert (first.log, said(first)) == ([], {"up": "Job up runs on upgrades only"})
    assert deployed(project4, "v2").log == ["up"]

    project4.without_template("up")
    project4.configure(migration='template = "templates/boot.yaml"')
    other = deployed(project4, "v3")
    assert (other.log, said(other)) == ([], {"boot": "Job boot runs on installs only"})
    assert project4.kube.pods_by_job()["up"] == [1]


def test_a_configured_migration_that_is_not_rendered_is_refused_on_a_first_install_and_on_an_upgrade(
    project4: Project,
) -> None:
    values(project4, "migration: {enabled: false}\n")
    project4.template("migrate", behind(".Values.migration.enabled", job("echo never")))
    project4.template("settings", settings("x", 0).replace("helm.sh/hook", "note"))

    for existing in (False, True):
        project4.configure(migration='template = "templates/migrate.yaml"')
        if existing:
            assert project4.deploy("v1", "--skip-migration").exit_code == 0
        off = refused(project4, "v1")
        assert "templates/migrate.yaml renders no Job" in off["message"]
        assert "migration.enabled" in off["hint"]

        project4.configure(migration='template = "templates/settings.yaml"')
        assert "ConfigMap settings" in refused(project4, "v1")["message"]

        project4.configure(migration='template = "templates/migrat.yaml"')
        assert refused(project4, "v1")["hint"] == "did you mean templates/migrate.yaml?"
    assert len(project4.history()) == 1


# ── what a table names, where names and templates are odd ────────────────────────────────────────


def random_jobs(annotations: str) -> str:
    schema = job("echo schema", name="schema-{{ randAlphaNum 5 | lower }}")
    seed = job("echo seed", name="seed-{{ randAlphaNum 5 | lower }}")
    return "\n---\n".join(each.replace("annotations: {}", annotations) for each in (schema, seed))


def test_a_pattern_picks_one_of_two_jobs_with_random_names(project4: Project) -> None:
    project4.template("setup", random_jobs("annotations: {}"))
    unclear = refused(project4, "v1")
    assert [line.partition("Job ")[2].partition("-")[0] for line in unclear["details"]] == ["schema", "seed"]

    project4.configure(migration='job = "schema-*"\nname = "schema"')
    first = deployed(project4, "v1")
    assert (first.log, names(first)) == (["schema"], ["schema"])
    assert "name: schema-" not in project4.run_helm("get", "manifest", "shop").stdout

    project4.template("setup", random_jobs('annotations: {"helm.sh/hook": "post-install,pre-upgrade"}'))
    second = deployed(project4, "v2")
    assert sorted(second.log) == ["schema", "seed"]
    assert "schema" in names(second)


def test_a_hook_whose_name_the_api_server_makes_is_found_again(project4: Project) -> None:
    named = hook(HELD, "pre-install,pre-upgrade", name="x").replace(
        "  name: x\n", "  generateName: migrate-\n", 1
    )
    project4.template("migrate", named)
    stopped = project4.start("deploy", "--tag", "v1")
    stopped.until('"begin"')
    stopped.kill(signal.SIGTERM)
    assert stopped.end().exit_code == 143

    again = project4.start("deploy", "--tag", "v1")
    again.until('"attached"')
    let_go(project4.kube, "migrate-shop")
    done = again.end()

    assert done.exit_code == 0, done.told
    assert names(done) == ["migrate"]
    assert project4.kube.pods_by_job() == {"migrate-shop": [1]}


def test_the_phase_of_a_table_holds_for_a_hook(project4: Project) -> None:
    project4.template("migrate", hook("echo up", BEFORE, name="migrate"))
    project4.configure(migration='template = "templates/migrate.yaml"\nphase = "after"')
    steps = [e["step"] for e in deployed(project4, "v1").of("step") if e["state"] == "done"]
    assert steps.index("upgrade") < steps.index("migrate")


def strip(project: Project, pattern: str) -> None:
    project.write("strip.sh", f"#!/bin/sh\nsed '{pattern}'\n")
    (project.folder / "strip.sh").chmod(0o755)


def test_the_only_job_is_the_migration_where_a_post_renderer_lost_the_templates(project3_13: Project) -> None:
    strip(project3_13, "/^# Source:/d")
    project3_13.template("migrate", job("echo migrated", name="shop-migrate"))
    lost = 'helm_args = ["--post-renderer", "./strip.sh"]'
    project3_13.configure(release=lost)
    assert names(deployed(project3_13, "v1")) == ["shop-migrate"]

    project3_13.configure(release=lost, migration='template = "templates/migrate.yaml"')
    second = deployed(project3_13, "v2")
    assert (second.log, names(second)) == (["migrated"], ["migrate"])

    project3_13.template("seed", job("echo seeded", name="shop-seed"))
    project3_13.configure(release=lost)
    unclear = project3_13.deploy("v3")
    assert unclear.exit_code == 3, unclear.told
    assert sorted(unclear.error["details"]) == ["Job shop-migrate", "Job shop-seed"]
    project3_13.configure(release=lost, migration='name = "shop-migrate"')
    assert deployed(project3_13, "v3").log == ["migrated"]


PLUGIN = """\
name: strip
version: 1.0.0
type: postrenderer/v1
apiVersion: v1
runtime: subprocess
runtimeConfig:
  platformCommand: [{command: "${HELM_PLUGIN_DIR}/../../strip.sh"}]
"""


@pytest.mark.parametrize("hooked", [False, True])
def test_so_it_is_where_helm_4_s_plugin_lost_them(project4: Project, hooked: bool) -> None:
    strip(project4, "/postrender-filename/d")
    project4.write("plugins/strip/plugin.yaml", PLUGIN)
    project4.environ["HELM_PLUGINS"] = str(project4.folder / "plugins")
    migrate = (
        hook("echo migrated", BEFORE, name="shop-migrate")
        if hooked
        else job("echo migrated", name="shop-migrate")
    )
    project4.template("migrate", migrate)
    lost = 'helm_args = ["--post-renderer=strip"]'
    project4.configure(release=lost)
    assert names(deployed(project4, "v1")) == ["shop-migrate"]

    project4.configure(release=lost, migration='template = "templates/migrate.yaml"')
    second = deployed(project4, "v2")
    assert (second.log, names(second)) == (["migrated"], ["migrate"])
    assert project4.kube.pods_by_job() == {"shop-migrate": [1, 1]}


def test_a_job_that_is_there_for_some_tags_only_shows_that_the_tag_reaches_it(project4: Project) -> None:
    values(project4, "previous: v1\n")
    project4.template("migrate", behind('hasPrefix "v" .Values.image.tag', job("echo up")))
    assert deployed(project4, "v1").log == ["up"]
