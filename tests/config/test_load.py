"""A shipit.toml, its environment, its variables and the flags become one Config."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipit.config import Assignment, Config, Migration, Overrides, load_config
from shipit.errors import Usage

BASE = '[release]\nname = "shop"\nchart = "chart"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "chart").mkdir()
    for name in ("values.yaml", "prod.yaml", "mine.yaml"):
        (tmp_path / name).write_text("{}\n")
    return tmp_path


def loaded(
    project: Path,
    text: str | bytes,
    environment: str | None = None,
    overrides: Overrides | None = None,
    **environ: str,
) -> Config:
    (project / "shipit.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(None, environment, project, environ, overrides or Overrides())


def test_a_name_and_a_chart_are_enough(project: Path) -> None:
    config = loaded(project, BASE)
    assert config.path == project / "shipit.toml"
    assert config.release.chart == str(project / "chart")
    assert config.release.chart_is_folder
    assert config.release.tag_key == ("image.tag",)
    assert config.release.timeout == 300
    assert (config.release.namespace, config.release.context) == (None, None)
    assert not config.release.rollback_on_failure
    assert not config.confirm


def test_without_a_migration_table_the_timeouts_are_the_defaults(project: Path) -> None:
    assert loaded(project, BASE).migrations == (Migration(timeout=900, start_timeout=300),)
    assert not loaded(project, BASE).migrations[0].explicit


def test_a_migration_is_called_after_its_template(project: Path) -> None:
    (migration,) = loaded(project, BASE + '[migration]\ntemplate = "templates/db-migrate.yaml"\n').migrations
    assert migration.name == "db-migrate"
    assert migration.explicit


def test_a_migration_table_that_names_no_job_only_says_how_to_run_it(project: Path) -> None:
    text = BASE + '[migration]\nset = { migration = { enabled = true } }\nphase = "after"\n'
    (migration,) = loaded(project, text).migrations
    assert (migration.name, migration.phase, migration.explicit) == (None, "after", False)
    assert migration.set == {"migration": {"enabled": True}}


def test_one_migration_may_be_an_array_of_tables(project: Path) -> None:
    (migration,) = loaded(project, BASE + '[[migration]]\nname = "db"\nchart = "chart"\n').migrations
    assert (migration.name, migration.chart) == ("db", str(project / "chart"))


def test_the_nearest_file_upward_is_found(project: Path) -> None:
    loaded(project, BASE)
    below = project / "a" / "b"
    below.mkdir(parents=True)
    config = load_config(None, None, below, {}, Overrides())
    assert config.path == project / "shipit.toml"
    assert config.release.chart == str(project / "chart")


def test_a_file_that_is_named_is_relative_to_the_working_folder(project: Path) -> None:
    (project / "other.toml").write_text(BASE)
    assert load_config(Path("other.toml"), None, project, {}, Overrides()).path == project / "other.toml"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(project: Path) -> None:
    text = b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode()
    assert loaded(project, text).release.name == "shop"


OVERLAID = (
    BASE
    + """
namespace = "shop"
values = ["values.yaml"]
set = { replicas = 1, image = { tag = "x", pull = "Always" }, hosts = ["a", "b"] }
helm_args = ["--skip-crds"]
tag_key = ["image.tag", "worker.tag"]

[migration]
template = "templates/migrate.yaml"
timeout = "10m"

[environments.production]
confirm = true
[environments.production.release]
namespace = "shop-prod"
values = ["prod.yaml"]
set = { image = { pull = "Never" }, hosts = ["c"], values = ["d"] }
helm_args = ["--disable-openapi-validation"]
tag_key = "image.tag"
[environments.production.migration]
timeout = "1h"

[environments.staging.release]
namespace = "${STAGING_NAMESPACE}"
"""
)


def test_an_environment_lies_over_the_base(project: Path) -> None:
    config = loaded(project, OVERLAID, "production")
    assert config.environment == "production"
    assert config.confirm
    assert config.release.namespace == "shop-prod"
    assert config.release.values == (project / "values.yaml", project / "prod.yaml")
    assert config.release.helm_args == ("--skip-crds", "--disable-openapi-validation")
    assert config.release.tag_key == ("image.tag",)
    assert config.migrations[0].timeout == 3600
    assert config.migrations[0].template == "templates/migrate.yaml"


def test_tables_merge_and_lists_among_values_are_replaced(project: Path) -> None:
    assert loaded(project, OVERLAID, "production").release.set == {
        "replicas": 1,
        "image": {"tag": "x", "pull": "Never"},
        "hosts": ["c"],
        "values": ["d"],
    }


def test_without_an_environment_the_base_holds(project: Path) -> None:
    config = loaded(project, OVERLAID)
    assert (config.release.namespace, config.confirm, config.environment) == ("shop", False, None)
    assert config.migrations[0].timeout == 600


def test_a_variable_of_another_environment_may_be_unset(project: Path) -> None:
    assert loaded(project, OVERLAID, "production").release.namespace == "shop-prod"
    with pytest.raises(Usage, match="STAGING_NAMESPACE is not set"):
        loaded(project, OVERLAID, "staging")


@pytest.mark.parametrize(
    ("base", "over", "timeout"),
    [
        ('[migration]\nname = "db"\n', '[[environments.p.migration]]\nname = "db"\ntimeout = "1h"\n', 3600),
        ('[[migration]]\nname = "db"\n', '[environments.p.migration]\ntimeout = "1h"\n', 3600),
        (
            '[migration]\ntemplate = "a/db.yaml"\n',
            '[[environments.p.migration]]\nname = "db"\ntimeout = "2h"\n',
            7200,
        ),
        ('[migration]\ntimeout = "1m"\n', '[environments.p.migration]\nname = "db"\n', 60),
        ("", '[environments.p.migration]\nname = "db"\ntimeout = "3h"\n', 10800),
    ],
)
def test_migrations_meet_by_name(project: Path, base: str, over: str, timeout: float) -> None:
    (migration,) = loaded(project, BASE + base + over, "p").migrations
    assert (migration.name or "db", migration.timeout) == ("db", timeout)


def test_variables_fill_in_texts_wherever_they_stand(project: Path) -> None:
    text = (
        BASE
        + 'namespace = "${NS}-${STAGE:-dev}"\ntimeout = "${T:-90s}"\n'
        + 'set = { a = ["${NS}", { b = "$${NS} $NS ${EMPTY:-full}" }] }\n'
    )
    release = loaded(project, text, NS="shop", EMPTY="").release
    assert (release.namespace, release.timeout) == ("shop-dev", 90)
    assert release.set == {"a": ["shop", {"b": "${NS} $NS full"}]}


def test_what_a_variable_holds_is_not_expanded_again(project: Path) -> None:
    release = loaded(project, BASE + 'set = { a = "${A}" }\n', A="${B}").release
    assert release.set == {"a": "${B}"}


def test_flags_beat_the_file_and_its_environment(project: Path) -> None:
    flags = Overrides(
        namespace="elsewhere",
        context="kind",
        values=(Path("mine.yaml"),),
        set=("replicas=5",),
        set_string=("id=1",),
        migration_timeout="2h",
        upgrade_timeout="7m",
    )
    config = loaded(project, OVERLAID, "production", flags)
    assert config.release.namespace == "elsewhere"
    assert config.release.context == "kind"
    assert config.release.values[-1] == project / "mine.yaml"
    assert config.release.timeout == 420
    assert config.migrations[0].timeout == 7200
    assert config.release.assignments == (
        Assignment(("replicas",), 5, "--set replicas"),
        Assignment(("id",), "1", "--set-string id"),
    )
