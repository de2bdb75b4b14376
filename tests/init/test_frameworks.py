"""A migration is told by its command, an app's tool by its command, image, environment and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipit.init.frameworks import (
    FRAMEWORKS,
    framework_of,
    runs_migrations,
    sounds_like_migrating,
    source_roots,
    speaks_of_migrating,
)
from shipit.model import Json


def pod(image: str = "shop:v1", command: list[str] | None = None, **env: str) -> Json:
    listed = [{"name": name, "value": value} for name, value in env.items()]
    return {
        "kind": "Pod",
        "spec": {"containers": [{"name": "app", "image": image, "command": command, "env": listed}]},
    }


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda each: each.name)
def test_the_command_that_is_suggested_is_known_for_a_migration(framework: object) -> None:
    command = framework.command  # type: ignore[attr-defined]
    assert runs_migrations({"command": list(command)})
    assert runs_migrations({"command": ["sh", "-c"], "args": [" ".join(command) + " && serve"]})
    found = framework_of([pod(command=list(command))], ())
    assert found is not None
    assert found[0] is framework


@pytest.mark.parametrize(
    "command",
    [["python", "manage.py", "runserver"], ["rails", "server"], ["sh", "-c", "sleep 1"], ["goose"], []],
)
def test_a_server_is_no_migration(command: list[str]) -> None:
    assert not runs_migrations({"command": command})


@pytest.mark.parametrize("name", ["shop-migrate", "db-init", "run-migrations", "hatchet-db-setup", "schema"])
def test_names_that_speak_of_migrations(name: str) -> None:
    assert sounds_like_migrating(name)


@pytest.mark.parametrize("name", ["warm-up", "create-admin", "cert-gen", "seed", "initialise"])
def test_names_that_do_not(name: str) -> None:
    assert not sounds_like_migrating(name)


def test_what_waits_for_migrations_runs_none() -> None:
    assert not speaks_of_migrating(
        {"name": "wait-for-migrations", "command": ["airflow", "db", "check-migrations"]}
    )
    assert speaks_of_migrating({"name": "migrate", "command": ["./run"]})


def test_an_image_and_an_environment_tell_the_tool() -> None:
    rails = framework_of([pod(RAILS_ENV="production")], ())
    flyway = framework_of([pod("flyway/flyway:10")], ())
    assert rails is not None
    assert flyway is not None
    assert (rails[0].name, flyway[0].name) == ("Rails", "Flyway")


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("alembic.ini", "[alembic]\n", "Alembic"),
        ("backend/manage.py", "import django\n", "Django"),
        ("Gemfile", 'gem "rails"\n', "Rails"),
        ("artisan", "#!/usr/bin/env php\n", "Laravel"),
        ("package.json", '{"dependencies": {"knex": "3"}}', "Knex"),
        ("package.json", '{"devDependencies": {"prisma": "5"}}', "Prisma"),
        ("go.mod", "require github.com/pressly/goose/v3 v3.1.0\n", "goose"),
        ("go.mod", "require github.com/golang-migrate/migrate/v4 v4.1.0\n", "golang-migrate"),
        ("mix.exs", "{:ecto_sql, ~> 3.0}\n", "Ecto"),
    ],
)
def test_files_of_the_source_tell_the_tool(tmp_path: Path, file: str, text: str, name: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    found = framework_of([pod()], tuple(source_roots(tmp_path, tmp_path / "chart")))
    assert found is not None
    assert found[0].name == name


def test_nothing_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"dependencies": {"express": "5"}}')
    assert framework_of([pod()], tuple(source_roots(tmp_path, tmp_path / "chart"))) is None
