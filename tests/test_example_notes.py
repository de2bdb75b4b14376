"""The notes example: its chart is what it should be, its migrations form a line, its images hold the right files."""

import io
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import SandboxError, images, images_rootfs
from sandbox.config import REGISTRY_NAME
from sandbox.demo import parser
from shipit.config import Flags, load_config

NOTES = Path(__file__).parent.parent / "examples" / "notes"
TAGS = {
    "v1": ["0001"],
    "v2": ["0001", "0002"],
    "v3": ["0001", "0002", "0003"],
    "v4": ["0001", "0002", "0004"],
}


def files_of(tag: str) -> list[str]:
    listed = subprocess.run(
        [sys.executable, "releases.py", tag], cwd=NOTES, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def assigned(source: str, name: str) -> str:
    found = re.search(rf"^{name} = (.+)$", source, re.MULTILINE)
    assert found, f"no {name}"
    return found.group(1).strip('"')


@pytest.mark.parametrize(("tag", "revisions"), TAGS.items())
def test_the_migrations_of_a_tag_form_one_line(tag: str, revisions: list[str]) -> None:
    migrations = [name for name in files_of(tag) if "/versions/" in name]
    sources = [(NOTES / name).read_text() for name in migrations]
    assert [assigned(source, "revision") for source in sources] == revisions
    assert [assigned(source, "down_revision") for source in sources] == ["None", *revisions[:-1]]
    assert [Path(name).name[:4] for name in migrations] == revisions


def test_every_migration_belongs_to_a_tag() -> None:
    shipped = {name for tag in TAGS for name in files_of(tag) if "/versions/" in name}
    assert shipped == {str(path.relative_to(NOTES)) for path in NOTES.glob("migrations/versions/*.py")}


def test_an_unknown_tag_is_refused_with_the_known_ones() -> None:
    refused = subprocess.run(
        [sys.executable, "releases.py", "v9"], cwd=NOTES, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "v1|v2|v3|v4" in refused.stderr


def test_a_layer_has_the_files_of_its_tag_and_folders_that_everybody_may_enter() -> None:
    with tarfile.open(fileobj=io.BytesIO(images.tar_of(images.notes("v1").files))) as layer:
        members = layer.getmembers()
    assert [member.name for member in members if member.isdir()] == [
        "app",
        "app/migrations",
        "app/migrations/versions",
    ]
    assert sorted(member.name for member in members if member.isfile()) == [
        f"app/{name}" for name in sorted(files_of("v1"))
    ]
    assert {member.mode for member in members} == {0o755}


def test_the_same_files_make_the_same_layer_and_each_tag_another() -> None:
    again = [images.notes(tag).stamp for tag in images.NOTES_TAGS]
    assert [images.notes(tag).stamp for tag in images.NOTES_TAGS] == again
    assert len(set(again)) == len(images.NOTES_TAGS) == len(TAGS)


def test_the_images_are_set_as_the_dockerfile_sets_them() -> None:
    dockerfile = (NOTES / "Dockerfile").read_text()
    settings = images.notes("v2").settings
    for setting in ("NOTES_TAG=v2", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"):
        assert f"--env={setting}" in settings
        assert setting.replace("v2", "$TAG") in dockerfile
    assert "--user=10001" in settings
    assert "USER 10001" in dockerfile
    assert "--workdir=/app" in settings
    assert "WORKDIR /app" in dockerfile


def test_postgresql_is_found_in_whatever_version_the_distribution_has(tmp_path: Path) -> None:
    program = tmp_path / "usr/lib/postgresql/17/bin/postgres"
    program.parent.mkdir(parents=True)
    program.touch()
    subprocess.run(["sh", "-c", images.POSTGRES.finish], cwd=tmp_path, check=True)
    (path,) = (found for found in images.postgres().settings if found.startswith("--env=PATH="))
    first = path.removeprefix("--env=PATH=/").split(":")[0]
    assert (tmp_path / first / "postgres").samefile(program)


def test_only_the_distributions_own_sources_go_into_an_image(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    for name in ("debian.sources", "somebody-else.list"):
        (folder / name).touch()
    assert images_rootfs.apt_sources(tmp_path) == [folder / "debian.sources"]


def test_a_machine_that_is_no_debian_is_told_what_to_do_instead(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text('ID=fedora\nVERSION_ID="42"\n')
    with pytest.raises(SandboxError, match="SANDBOX_KUBECONFIG"):
        images_rootfs.suite(release)


def template(name: str) -> dict[str, Any]:
    """A template with its actions taken out: what is left is YAML, and has the shape of the object."""
    source = (NOTES / "chart" / "templates" / name).read_text()
    plain = re.sub(r"^\s*\{\{-? include .*\}\}$", "", source, flags=re.MULTILINE)
    found: dict[str, Any] = yaml.safe_load(re.sub(r"\{\{.*?\}\}", "x", plain))
    return found


def test_the_migration_is_a_plain_job_that_runs_once() -> None:
    job = template("migrate.yaml")
    assert job["kind"] == "Job"
    assert "annotations" not in job["metadata"]
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_the_database_secret_is_there_before_the_migration() -> None:
    annotations = template("secret.yaml")["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert int(annotations["helm.sh/hook-weight"]) < 0


def test_the_app_is_probed() -> None:
    (container,) = template("deployment.yaml")["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}


def test_both_charts_agree_on_the_database() -> None:
    app = yaml.safe_load((NOTES / "chart" / "values.yaml").read_text())
    postgres = yaml.safe_load((NOTES / "postgres" / "values.yaml").read_text())
    assert {key: app["database"][key] for key in postgres["database"]} == postgres["database"]


def test_the_configuration_deploys_the_chart_with_images_from_where_it_is_told() -> None:
    release = load_config(NOTES / "shipit.toml", None, NOTES, {}, Flags()).release
    assert release.chart == str(NOTES / "chart")
    assert release.set == {"image": {"repository": f"{REGISTRY_NAME}/notes"}}
    assert release.namespace == parser().get_default("namespace")
    elsewhere = load_config(
        NOTES / "shipit.toml", None, NOTES, {"NOTES_IMAGE": "r.example/n"}, Flags()
    ).release
    assert elsewhere.set == {"image": {"repository": "r.example/n"}}


def test_the_configured_migration_is_there_and_goes_on_when_a_hasty_deploy_gives_up() -> None:
    usual = load_config(NOTES / "shipit.toml", None, NOTES, {}, Flags()).migrations[0]
    assert usual.template == "templates/migrate.yaml"
    hasty = load_config(NOTES / "shipit.toml", "hasty", NOTES, {}, Flags()).migrations[0]
    assert (hasty.template, hasty.timeout, hasty.on_timeout) == (usual.template, 10, "leave")
