"""The example charts, written as big public charts are: each installed, upgraded, and upgraded by bare Helm afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import Sandbox
from sandbox.images import crane, push_all
from tests.e2e.kit import Kube, Project, Result

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

EXAMPLES = Path(__file__).parents[2] / "examples"
OLD, NEW = "v1", "v2"

Example = Callable[[str], Project]


@pytest.fixture(scope="session")
def images(sandbox: Sandbox) -> None:
    """An app with psql, in two releases."""
    source = f"{sandbox.push_registry}/postgres:15"
    if crane(sandbox, "digest", source).returncode:
        push_all(sandbox)
    for tag in (OLD, NEW):
        copied = crane(sandbox, "copy", source, f"{sandbox.push_registry}/example:{tag}")
        assert copied.returncode == 0, copied.stderr


@pytest.fixture
def example(tmp_path: Path, kube: Kube, helm: Path, images: None) -> Example:
    """A copy of an example; its shipit.toml is used as it is."""

    def copied(name: str) -> Project:
        shutil.copytree(EXAMPLES / "charts" / name, tmp_path, dirs_exist_ok=True)
        return Project(tmp_path, kube, helm, release=name)

    return copied


def deploy(project: Project, tag: str) -> Result:
    result = project.deploy(tag, "-n", project.kube.namespace)
    assert (result.exit_code, result.outcome) == (0, "deployed"), result.told
    return result


def ran(result: Result) -> list[str]:
    """The migrations and hooks in the order in which they ended, as a deploy's result tells them."""
    assert {each["outcome"] for each in result.result["migrations"]} == {"succeeded"}, result.told
    return [each["name"] for each in result.result["migrations"]]


def once_each(kube: Kube) -> int:
    """How many Jobs there have been, each of which has had one pod."""
    pods = [made for jobs in kube.pods_by_job().values() for made in jobs]
    assert set(pods) <= {1}, kube.pods_by_job()
    return len(pods)


def migrated(kube: Kube, database: str, name: str = "notes") -> list[str]:
    """What the migrations have written, each once: the names are a primary key."""
    told = kube.kubectl(
        "exec", database, "--", "psql", "-U", name, "-At", "-c", "select name from migrations"
    )
    return sorted(told.split("\n")[:-1])


def with_bare_helm(project: Project, *keys: str) -> None:
    """Somebody without shipit upgrades what it left."""
    project.run_helm(
        "upgrade", project.release, "chart", "--wait", *(f"--set-string={key}={NEW}" for key in keys)
    )


def postgres(project: Project) -> None:
    """The database that is there before the app."""
    project.run_helm(
        "install", "postgres", str(EXAMPLES / "notes" / "postgres"), "--wait",
        "--set=image.repository=registry.sandbox/postgres", "--set=image.pullPolicy=IfNotPresent",
    )  # fmt: skip


def test_mastodon_prepares_the_database_and_migrates_around_each_upgrade(example: Example) -> None:
    project = example("mastodon")
    postgres(project)
    assert ran(deploy(project, OLD)) == ["mastodon-db-prepare"]
    assert ran(deploy(project, NEW)) == ["mastodon-db-pre-migrate", "mastodon-db-migrate"]
    assert migrated(project.kube, "deploy/postgres") == ["v1 prepare", "v2 post", "v2 pre"]
    assert once_each(project.kube) == 3
    assert project.kube.get("secret", "mastodon-prepare") is None, "its delete policy removes it"


def test_sentry_runs_five_hooks_in_order(example: Example) -> None:
    project = example("sentry")
    row = [
        f"sentry-{name}" for name in ("db-check", "db-init", "snuba-db-init", "snuba-migrate", "user-create")
    ]
    for tag in (OLD, NEW):
        assert ran(deploy(project, tag)) == row
    assert once_each(project.kube) == 10
    with_bare_helm(project, "images.sentry.tag", "images.snuba.tag")


def test_temporal_runs_four_init_containers_under_a_name_that_changes(example: Example) -> None:
    project = example("temporal")
    for tag in (OLD, NEW):
        result = deploy(project, tag)
        assert ran(result) == ["schema"]
        assert result.log == [
            f"temporal-sql-tool --database {store} {step}-schema"
            for store in ("default", "visibility")
            for step in ("create", "update")
        ] + ["store setup completed"]
    assert project.kube.pods_by_job() == {"temporal-schema-1": [1], "temporal-schema-2": [1]}
    assert project.kube.image("temporal-frontend") == NEW


def test_hatchet_runs_two_jobs_of_one_template_and_leaves_helm_the_role(example: Example) -> None:
    project = example("hatchet")
    for tag in (OLD, NEW):
        result = deploy(project, tag)
        assert ran(result) == ["migration", "setup-config"]
        assert result.log == ["hatchet-migrate", "hatchet-admin quickstart"]
    assert once_each(project.kube) == 4
    assert project.kube.get("role", "hatchet-setup") is not None
    assert "kind: Job" not in project.run_helm("get", "manifest", "hatchet").stdout


def test_chatwoot_brings_its_database_and_is_ready_once_it_is_migrated(example: Example) -> None:
    project = example("chatwoot")
    assert ran(deploy(project, OLD)) == ["migrations-job"]
    assert ran(deploy(project, NEW)) == ["migrations-job"]
    assert migrated(project.kube, "statefulset/chatwoot-postgresql", "chatwoot") == ["v1", "v2"]
    assert once_each(project.kube) == 2


def test_an_umbrella_migrates_in_a_subchart_once_another_has_brought_the_database(example: Example) -> None:
    project = example("umbrella")
    assert ran(deploy(project, OLD)) == ["migrate"]
    password = project.kube.get("secret", "db")
    assert ran(deploy(project, NEW)) == ["migrate"]
    assert migrated(project.kube, "statefulset/db", "shop") == ["v1", "v2"]
    assert once_each(project.kube) == 2
    now = project.kube.get("secret", "db")
    assert password is not None
    assert now is not None
    assert now["data"] == password["data"], "the password was looked up, not made anew"


@pytest.mark.parametrize("name", ["airflow", "langfuse"])
def test_an_app_that_migrates_itself_finds_it_done_by_a_job(example: Example, name: str) -> None:
    project = example(name)
    postgres(project)
    for tag in (OLD, NEW):
        assert ran(deploy(project, tag)) == ["migrate"]
    assert migrated(project.kube, "deploy/postgres") == [OLD, NEW]
    jobs = project.kube.pods_by_job()
    done = project.kube.kubectl(
        "exec", "deploy/postgres", "--", "psql", "-U", "notes", "-At", "-c", "select by from migrations"
    )
    assert all(any(pod.startswith(job) for job in jobs) for pod in done.split()), done
    assert set(map(sum, jobs.values())) <= {1, 2}, jobs
    with_bare_helm(project, "image.tag")
