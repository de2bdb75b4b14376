"""`shipit init` looks at a chart with the real helm, and writes a file that the configuration's loader and doctor take."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from shipit.config import Flags, load_config
from tests.e2e.chart_servers import files_served, packed
from tests.e2e.kit import DESERVED, Kube, Project, Result
from tests.e2e.layouts import LAYOUTS, Layout

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]


class Folder:
    """A project of files, in which init runs without any cluster."""

    def __init__(self, sandbox: Sandbox, folder: Path, helm: Path) -> None:
        nowhere = Kube(sandbox, "nowhere")
        self.project = Project(folder, nowhere, helm, kubeconfig=folder / "none")

    def write(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            self.project.write(path, text)

    def init(self, *args: str) -> Result:
        return self.project.start("init", *args).end(DESERVED)

    @property
    def toml(self) -> dict[str, Any]:
        return tomllib.loads(self.text)

    @property
    def text(self) -> str:
        return (self.project.folder / "shipit.toml").read_text()


@pytest.fixture
def folder(sandbox: Sandbox, tmp_path: Path, helm: Path) -> Folder:
    return Folder(sandbox, tmp_path, helm)


def load(path: Path) -> None:
    load_config(path / "shipit.toml", None, path, {}, Flags())


def check(layout: Layout, result: Result, toml: dict[str, Any]) -> None:
    assert result.exit_code == 0, result.told
    assert toml["release"].get("tag_key") == layout.tag, result.told
    assert toml["migration"] == layout.migration, result.told
    assert toml["release"]["chart"] == layout.chart
    assert toml["release"]["name"] == "shop"
    assert layout.says in result.told


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_file_names_what_migrates_and_what_receives_the_tag(folder: Folder, name: str) -> None:
    layout = LAYOUTS[name]
    folder.write(layout.files)
    check(layout, folder.init(*layout.args), folder.toml)
    load(folder.project.folder)


@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if layout.deploys])
def test_doctor_accepts_what_init_wrote(project4: Project, name: str) -> None:
    layout = LAYOUTS[name]
    shutil.rmtree(project4.folder / "chart")
    (project4.folder / "shipit.toml").unlink()
    for path, text in layout.files.items():
        project4.write(path, text)
    written = project4.start("init", *layout.args, "-n", project4.kube.namespace).end(DESERVED)
    assert written.exit_code == 0, written.told
    found = project4.start("doctor", "--tag", "v1").end(DESERVED)
    assert found.exit_code == 0, found.told


def test_what_it_wrote_deploys(project: Project) -> None:
    layout = LAYOUTS["a Job behind a value"]
    (project.folder / "shipit.toml").unlink()
    for path, text in layout.files.items():
        project.write(path, text)
    assert project.start("init", "-n", project.kube.namespace).end(DESERVED).exit_code == 0
    deployed = project.deploy("v1")
    assert deployed.exit_code == 0, deployed.told
    assert project.kube.pods_by_job() == {"migrate": [1]}
    assert project.kube.image() == "v1"


def test_a_file_that_is_there_is_left_as_it_is(folder: Folder) -> None:
    folder.write(LAYOUTS["a plain Job"].files | {"shipit.toml": "# mine\n"})
    result = folder.init()
    assert result.exit_code == 2, result.told
    assert "shipit.toml exists, and is left as it is" in result.error["message"]
    assert folder.text == "# mine\n"
    assert folder.project.paste(result.error["hint"]).exit_code == 0, "the hint can be typed"
    assert (folder.project.folder / "shipit.new.toml").is_file()


def test_a_chart_that_wants_values_is_told_in_helms_words(folder: Folder) -> None:
    folder.write(LAYOUTS["values that it asks for"].files)
    result = folder.init()
    assert result.exit_code == 3, result.told
    assert "db is required" in result.error["message"]
    assert result.error["hint"].startswith("shipit init chart --values values.yaml ")
    assert not (folder.project.folder / "shipit.toml").exists()


def test_no_chart_is_told_with_what_to_type(folder: Folder) -> None:
    result = folder.init()
    assert result.exit_code == 2, result.told
    assert result.error["message"].startswith("no chart in ")
    assert folder.init("elsewhere").error["message"] == "no such chart: elsewhere"
    (folder.project.folder / "empty").mkdir()
    assert folder.init("empty").error["message"] == "empty holds no Chart.yaml"


def test_the_examples_fit(folder: Folder) -> None:
    shutil.copytree(ROOT / "examples" / "notes", folder.project.folder, dirs_exist_ok=True)
    (folder.project.folder / "shipit.toml").unlink()
    assert folder.init().exit_code == 0
    load(folder.project.folder)
    release, migration = folder.toml["release"], folder.toml["migration"]
    assert (release["chart"], release["tag_key"], migration["template"]) == (
        "chart", "image.tag", "templates/migrate.yaml",
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(each.name for each in (ROOT / "examples" / "charts").iterdir()))
def test_what_the_example_charts_say_is_found(folder: Folder, name: str) -> None:
    shutil.copytree(ROOT / "examples" / "charts" / name, folder.project.folder, dirs_exist_ok=True)
    file = folder.project.folder / "shipit.toml"
    own = load_config(file, None, file.parent, {}, Flags())
    file.unlink()
    result = folder.init()
    assert result.exit_code == 0, result.told
    load(folder.project.folder)
    found = folder.toml
    keys = found["release"]["tag_key"]
    assert set([keys] if isinstance(keys, str) else keys) == set(own.release.tag_keys)
    named = {each.template for each in own.migrations if each.template}
    assert not named or found["migration"]["template"] in named, result.told
    assert found["migration"].get("job", "") in {each.job for each in own.migrations}


def test_it_suggests_what_the_apps_framework_wants(folder: Folder) -> None:
    folder.write(LAYOUTS["nothing that migrates, Django by its files"].files)
    assert folder.init().exit_code == 0
    assert '# command = ["python", "manage.py", "migrate", "--noinput"]' in folder.text
    assert '# from = "deployment/shop"' in folder.text


@pytest.mark.parametrize(("typed", "template"), [("\n", "migrate"), ("9\n2\n", "aaa")])
def test_a_terminal_is_asked(folder: Folder, typed: str, template: str) -> None:
    """Its default is the first; a number that is none is asked for again."""
    folder.write(LAYOUTS["a plain Job among others"].files)
    ours, theirs = pty.openpty()
    argv, environ = folder.project.command("init", output="plain")
    with subprocess.Popen(
        argv, cwd=folder.project.folder, env=environ, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE
    ) as asked:
        os.write(ours, typed.encode())
        assert asked.wait(DESERVED) == 0
    assert b"1. Job migrate of templates/migrate.yaml" in os.read(ours, 65536)
    assert folder.toml["migration"] == {"template": f"templates/{template}.yaml"}


def test_it_needs_no_cluster_and_no_terminal(folder: Folder) -> None:
    folder.write(LAYOUTS["a plain Job"].files)
    argv, environ = folder.project.command("init", output="plain")
    ran = subprocess.run(
        argv, cwd=folder.project.folder, env=environ, check=False,
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=DESERVED,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "next: shipit doctor" in ran.stdout


def test_an_archive_and_a_chart_that_is_fetched(folder: Folder) -> None:
    """The version that was looked at is the one that is deployed."""
    project = folder.project
    folder.write(LAYOUTS["a plain Job"].files)
    archive = packed(project.helm, project.folder / "chart", "1.4.2", project.folder / "served")
    shutil.rmtree(project.folder / "chart")
    with files_served(archive.parent) as server:
        named = f"{server.url}/{archive.name}"
        assert folder.init(named).exit_code == 0
    assert folder.toml["release"] == {
        "name": "shop", "chart": named, "version": "1.4.2", "tag_key": "image.tag",
    }  # fmt: skip
    load(project.folder)
    (project.folder / "shipit.toml").unlink()
    assert folder.init("served/shop-1.4.2.tgz").exit_code == 0
    assert folder.toml["release"] == {
        "name": "shop",
        "chart": "served/shop-1.4.2.tgz",
        "tag_key": "image.tag",
    }
    assert folder.toml["migration"] == {"template": "templates/migrate.yaml"}
    load(project.folder)


def test_a_chart_that_nobody_serves_is_told_in_helms_words(folder: Folder) -> None:
    result = folder.init("oci://127.0.0.1:1/charts/shop", "--version", "1.0.0")
    assert result.exit_code == 3, result.told
    assert "oci://127.0.0.1:1/charts/shop 1.0.0" in result.error["message"]
