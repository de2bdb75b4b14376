"""A chart is deployed from wherever it is: fetched once, with helm's own credentials, and never changed in place."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox
from tests.e2e.chart_servers import (
    PASSWORD,
    USER,
    Server,
    files_served,
    indexed,
    packed,
    pushed,
    registry_behind_a_password,
    run_helm,
    without_folder,
)
from tests.e2e.kit import Project, Result, job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def shop(project: Project) -> Project:
    """The small chart with a migration, and a helm that has nothing stored yet and writes down what it is asked."""
    project.template("migrate", job("echo migrated {{ .Chart.Version }}"))
    for name in ("CACHE", "CONFIG", "DATA"):
        project.environ[f"HELM_{name}_HOME"] = str(project.folder / f"helm-{name.lower()}")
    listening = project.folder / "helm-that-notes"
    listening.write_text(
        f"#!/bin/sh\necho \"$@\" >> '{project.folder}/asked'\nexec '{project.helm}' \"$@\"\n"
    )
    listening.chmod(0o755)
    project.environ["SHIPIT_HELM"] = str(listening)
    return project


@pytest.fixture
def repository(shop: Project) -> Iterator[Server]:
    """A chart repository with two versions of the chart, open and under /private; the chart's folder is gone."""
    folder = shop.folder / "served"
    for version in ("1.4.2", "1.5.0"):
        packed(shop.helm, shop.folder / "chart", version, folder)
    indexed(shop.helm, folder)
    without_folder(shop.folder / "chart")
    with files_served(folder) as server:
        yield server


def asked(project: Project, command: str) -> list[str]:
    """The helm commands that were run, of that kind."""
    return [
        line
        for line in (project.folder / "asked").read_text().splitlines()
        if line.split() and line.split()[0] == command
    ]


def from_chart(project: Project, chart: str, *lines: str, migration: str = "") -> None:
    project.configure(migration, release="\n".join(lines))
    path = project.folder / "shipit.toml"
    path.write_text(path.read_text().replace('chart = "chart"', f'chart = "{chart}"', 1))


def args(*words: str) -> str:
    return f"helm_args = {json.dumps(words)}"


def noted_charts(project: Project) -> list[str]:
    lease = project.kube.get("lease", f"shipit-{project.release}")
    assert lease is not None
    found: list[str] = json.loads(lease["metadata"]["annotations"]["shipit/progress"])["charts"]
    return found


def refused(project: Project, *words: str, code: int = 3) -> Result:
    """A deploy that changes nothing and tells these words and no password."""
    found = project.deploy("v1")
    assert found.exit_code == code, found.told
    for each in words:
        assert each in found.error["message"], found.told
    assert PASSWORD not in found.told
    assert project.history() == []
    assert project.kube.all("jobs") == []
    return found


def test_a_chart_from_a_registry_is_fetched_once_and_its_digest_noted(
    shop: Project, sandbox: Sandbox
) -> None:
    archive = packed(shop.helm, shop.folder / "chart", "1.4.2", shop.folder)
    named = pushed(shop.helm, archive, sandbox.push_registry, shop.kube.namespace)
    without_folder(shop.folder / "chart")
    from_chart(shop, named, 'version = "1.4.2"', args("--plain-http"))

    checked = shop.start("doctor", "--tag", "v1").end()
    assert checked.exit_code == 0, checked.told
    (shop.folder / "asked").unlink()
    deployed = shop.deploy("v1")

    assert deployed.exit_code == 0, deployed.told
    assert deployed.log == ["migrated 1.4.2"]
    assert shop.kube.image() == "v1"
    assert len(asked(shop, "pull")) == 1
    upgrades = asked(shop, "upgrade")
    assert len(upgrades) > 1, "rendered, then upgraded"
    assert [each for each in upgrades if "oci://" in each or "--plain-http" in each] == []
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert noted_charts(shop) == [f"shop-1.4.2.tgz sha256:{digest}"]
    told = [each["message"] for each in deployed.of("step") if each["step"] == "chart"]
    assert told == [f"fetching {named} 1.4.2", f"shop-1.4.2.tgz sha256:{digest}"]
    assert shop.history()[-1]["chart"] == "shop-1.4.2"


def test_a_registry_s_password_is_helm_s_own(shop: Project, sandbox: Sandbox) -> None:
    archive = packed(shop.helm, shop.folder / "chart", "1.4.2", shop.folder)
    pushed(shop.helm, archive, sandbox.push_registry, shop.kube.namespace)
    logins = shop.folder / "logins.json"
    shop.environ["HELM_REGISTRY_CONFIG"] = str(logins)

    def log_in(host: str, password: str) -> None:
        login = base64.b64encode(f"{USER}:{password}".encode()).decode()
        logins.write_text(json.dumps({"auths": {host: {"auth": login}}}))

    with registry_behind_a_password(sandbox.push_registry) as registry:
        named = f"oci://{registry.host}/{shop.kube.namespace}/shop"
        from_chart(shop, named, 'version = "1.4.2"', args("--plain-http"))
        refused(shop, f"{named} 1.4.2 needs credentials, or other ones")
        log_in(registry.host, PASSWORD + "not")
        refused(shop, f"{named} 1.4.2 needs credentials, or other ones")
        log_in(registry.host, PASSWORD)
        deployed = shop.deploy("v1")
        assert deployed.exit_code == 0, deployed.told
        from_chart(shop, named, 'version = "7.0.0"', args("--plain-http"))
        gone = shop.deploy("v2")
        assert gone.exit_code == 3, gone.told
        assert f"{named} 7.0.0 was not found" in gone.error["message"]
    unreachable = shop.deploy("v2")
    assert unreachable.exit_code == 3, unreachable.told
    assert f"the server of {named} 7.0.0 can't be reached" in unreachable.error["message"]
    assert (shop.kube.image(), PASSWORD in unreachable.told) == ("v1", False)


def test_a_chart_of_a_repository_that_helm_knows(shop: Project, repository: Server) -> None:
    from_chart(shop, "things/shop", 'version = "1.4.2"')
    refused(shop, "things/shop 1.4.2 is not a folder here, and helm knows no chart repository of that name")
    login = (f"--username={USER}", f"--password={PASSWORD}")
    known = {**os.environ, **shop.environ}
    run_helm(shop.helm, "repo", "add", "things", f"{repository.url}/private", *login, env=known)
    deployed = shop.deploy("v1")
    assert deployed.exit_code == 0, deployed.told
    assert deployed.log == ["migrated 1.4.2"]
    assert repository.asked.count("/private/shop-1.4.2.tgz") == 1
    from_chart(shop, "things/shop")
    assert shop.deploy("v2").log == ["migrated 1.5.0"], "without a version, the newest"
    from_chart(shop, "things/shop", 'version = "~1.6"')
    gone = shop.deploy("v3")
    assert (gone.exit_code, "things/shop ~1.6 was not found" in gone.error["message"]) == (3, True), gone.told


def test_flags_of_helm_args_lead_to_a_repository(shop: Project, repository: Server) -> None:
    repo = f"--repo={repository.url}/private"
    from_chart(shop, "shop", args(repo))
    refused(shop, "shop needs credentials, or other ones")
    shop.environ["CHARTS_PASSWORD"] = PASSWORD
    from_chart(shop, "shop", args(repo, "--username", USER, "--password", "${CHARTS_PASSWORD}"))
    deployed = shop.deploy("v1")
    assert deployed.exit_code == 0, deployed.told
    assert deployed.log == ["migrated 1.5.0"]
    assert [each for each in asked(shop, "upgrade") if "--repo" in each or "--password" in each] == []


def test_an_archive_on_this_machine_or_behind_a_url(shop: Project, repository: Server) -> None:
    (shop.folder / "packed").mkdir()
    archive = shop.folder / "packed/shop.tgz"
    archive.write_bytes((shop.folder / "served/shop-1.4.2.tgz").read_bytes())
    from_chart(shop, "packed/shop.tgz", migration='template = "templates/migrat.yaml"')
    assert "did you mean templates/migrate.yaml" in refused(shop, "has no template").error["hint"]
    from_chart(shop, "packed/shop.tgz", migration='template = "templates/migrate.yaml"')
    deployed = shop.deploy("v1")
    assert (deployed.exit_code, deployed.log) == (0, ["migrated 1.4.2"]), deployed.told

    from_chart(shop, f"{repository.url}/shop-1.5.0.tgz")
    again = shop.deploy("v2")
    assert (again.exit_code, again.log) == (0, ["migrated 1.5.0"]), again.told
    secret = repository.url.replace("//", f"//{USER}:{PASSWORD}not@")
    from_chart(shop, f"{secret}/private/shop-1.5.0.tgz")
    wrong = shop.deploy("v3")
    assert (wrong.exit_code, PASSWORD in wrong.told) == (3, False), wrong.told
    assert "needs credentials, or other ones" in wrong.error["message"]
    archive.write_text("no archive")
    from_chart(shop, "packed/shop.tgz")
    assert shop.deploy("v3").exit_code == 3


def test_a_migration_in_a_fetched_chart_of_its_own(shop: Project, repository: Server) -> None:
    shop.write("app/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    shop.write("app/values.yaml", "image: {repository: registry.sandbox/busybox, tag: none}\n")
    shop.write(
        "app/templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\ndata: {tag: {{ .Values.image.tag }}}\n",
    )
    from_chart(
        shop,
        "app",
        migration=f'chart = "{repository.url}/shop-1.5.0.tgz"\ntemplate = "templates/migrate.yaml"',
    )
    deployed = shop.deploy("v1")
    assert (deployed.exit_code, deployed.log) == (0, ["migrated 1.5.0"]), deployed.told
    assert shop.kube.all("deployments") == []


LIBRARY = '{{ define "lib.words" }}from a library{{ end }}'


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_missing_dependencies_are_built_in_a_copy(shop: Project) -> None:
    """A library beside the chart, and a subchart from a repository that the lock pins."""
    shop.write("lib/Chart.yaml", "apiVersion: v2\nname: lib\nversion: 0.1.0\ntype: library\n")
    shop.write("lib/templates/_words.tpl", LIBRARY)
    shop.write("db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 2.0.0\n")
    shop.write("db/values.yaml", "size: 1\n")
    shop.write(
        "db/templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: db}\ndata: {size: {{ .Values.size | quote }}}\n",
    )
    shop.template("migrate", job("echo migrated {{ include `lib.words` . }}"))
    on_disk = "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n- {name: lib, version: 0.1.0, repository: file://../lib}\n"
    shop.write("chart/Chart.yaml", on_disk)
    before = tree(shop.folder / "chart")
    deployed = shop.deploy("v1")
    assert (deployed.exit_code, deployed.log) == (0, ["migrated from a library"]), deployed.told
    assert tree(shop.folder / "chart") == before

    served = shop.folder / "served"
    packed(shop.helm, shop.folder / "db", "2.0.0", served)
    indexed(shop.helm, served)
    with files_served(served) as repository:
        shop.write(
            "chart/Chart.yaml", on_disk + f"- {{name: db, version: ^2, repository: '{repository.url}'}}\n"
        )
        unlocked = shop.deploy("v2")
        assert unlocked.exit_code == 3, unlocked.told
        assert "depends on lib, db, which is not in its charts/" in unlocked.error["message"]
        assert unlocked.error["hint"].startswith(f"helm dependency update {shop.folder}/chart")

        known = {**os.environ, **shop.environ}
        run_helm(shop.helm, "repo", "add", "things", repository.url, env=known)
        run_helm(shop.helm, "dependency", "update", str(shop.folder / "chart"), env=known)
        without_folder(shop.folder / "chart/charts")
        before = tree(shop.folder / "chart")
        locked = shop.deploy("v2", "--set", "db.size=3")
        assert (locked.exit_code, locked.log) == (0, ["migrated from a library"]), locked.told
        config = shop.kube.get("configmap", "db")
        assert config is not None
        assert (config["data"], tree(shop.folder / "chart")) == ({"size": "3"}, before)

        text = (shop.folder / "chart/Chart.yaml").read_text()
        shop.write("chart/Chart.yaml", text.replace("^2", "^2.0"))
        stale = shop.deploy("v3")
        assert stale.exit_code == 3, stale.told
        assert "is older than its list of dependencies" in stale.error["message"]
        assert stale.error["hint"].startswith(f"helm dependency update {shop.folder}/chart")
        from_chart(shop, "chart", args("--dependency-update"))
        anew = shop.deploy("v3")
        assert (anew.exit_code, anew.log) == (0, ["migrated from a library"]), anew.told


def test_an_umbrella_whose_migration_lies_in_an_aliased_subchart(shop: Project) -> None:
    without_folder(shop.folder / "chart/templates")
    shop.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n"
        "- {name: web, alias: front, version: 1.0.0, condition: front.enabled}\n"
        "- {name: web, alias: back, version: 1.0.0, condition: back.enabled}\n",
    )
    shop.write("chart/values.yaml", "global: {mode: calm}\nfront: {enabled: false}\nback: {enabled: false}\n")
    shop.write("chart/charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n")
    shop.write(
        "chart/charts/web/values.yaml",
        "image: {repository: registry.sandbox/busybox, tag: none}\nmigrates: false\n",
    )
    shop.write(
        "chart/charts/web/templates/migrate.yaml",
        "{{ if .Values.migrates }}\n"
        + job("echo {{ .Values.global.mode }} {{ .Values.image.tag }}", name="{{ .Chart.Name }}-migrate")
        + "{{ end }}\n",
    )
    shop.write(
        "chart/charts/web/templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\ndata: {tag: {{ .Values.image.tag }}}\n",
    )
    shop.configure(
        'template = "charts/back/templates/migrate.yaml"\nset = { back = { migrates = true } }',
        release='tag_key = ["back.image.tag"]\nset = { back = { enabled = true }, global = { mode = "busy" } }',
    )
    deployed = shop.deploy("v1")
    assert (deployed.exit_code, deployed.log) == (0, ["busy v1"]), deployed.told
    assert [each["metadata"]["name"] for each in shop.kube.all("configmaps") if "tag" in (each.get("data") or {})] == ["back"]  # fmt: skip
    second = shop.deploy("v2", "--set", "front.enabled=true")
    assert (second.exit_code, second.log) == (0, ["busy v2"]), second.told
