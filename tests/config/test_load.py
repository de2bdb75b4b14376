"""A shipit.toml, its environment, its variables and the flags become one Config."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipit.config import Config, Flags, MigrationSpec, load_config
from shipit.errors import Usage
from shipit.model import Values

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
    flags: Flags | None = None,
    **environ: str,
) -> Config:
    (project / "shipit.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(None, environment, project, environ, flags or Flags())


def test_a_name_and_a_chart_are_enough(project: Path) -> None:
    config = loaded(project, BASE)
    assert config.path == project / "shipit.toml"
    assert config.release.chart == str(project / "chart")
    assert config.release.tag_keys == ("image.tag",)
    assert config.release.timeout == 300
    assert (config.release.namespace, config.release.context) == ("", "")
    assert not config.release.rollback_on_failure
    assert not config.confirm


def test_without_a_migration_table_the_timeouts_are_the_defaults(project: Path) -> None:
    assert loaded(project, BASE).migrations[0] == MigrationSpec(timeout=900, start_timeout=300)
    assert not loaded(project, BASE).migrations[0].named


def test_a_migration_is_called_after_its_template(project: Path) -> None:
    migration = loaded(project, BASE + '[migration]\ntemplate = "templates/db-migrate.yaml"\n').migrations[0]
    assert migration.name == "db-migrate"
    assert migration.named


def test_a_migration_table_that_names_no_job_only_says_how_to_run_it(project: Path) -> None:
    text = BASE + '[migration]\nset = { migration = { enabled = true } }\nphase = "after"\n'
    migration = loaded(project, text).migrations[0]
    assert (migration.name, migration.template, migration.phase) == ("", "", "after")
    assert migration.set == {"migration": {"enabled": True}}


def test_retries_are_the_chart_s_unless_the_file_says_how_many(project: Path) -> None:
    told = [
        loaded(project, BASE + f"[migration]\n{line}\n").migrations[0]
        for line in ("", "retries = 0", "retries = 3")
    ]
    assert [each.backoff_limit for each in told] == [None, 0, 3]


def test_the_nearest_file_upward_is_found(project: Path) -> None:
    loaded(project, BASE)
    below = project / "a" / "b"
    below.mkdir(parents=True)
    config = load_config(None, None, below, {}, Flags())
    assert config.path == project / "shipit.toml"
    assert config.release.chart == str(project / "chart")


def test_a_file_that_is_named_is_relative_to_the_working_folder(project: Path) -> None:
    (project / "other.toml").write_text(BASE)
    assert load_config(Path("other.toml"), None, project, {}, Flags()).path == project / "other.toml"


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
    assert config.release.values == (str(project / "values.yaml"), str(project / "prod.yaml"))
    assert config.release.helm_args == ("--skip-crds", "--disable-openapi-validation")
    assert config.release.tag_keys == ("image.tag",)
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
    flags = Flags(namespace="elsewhere", context="kind", migration_timeout="2h", upgrade_timeout="7m")
    config = loaded(project, OVERLAID, "production", flags)
    assert config.release.namespace == "elsewhere"
    assert config.release.context == "kind"
    assert config.release.timeout == 420
    assert config.migrations[0].timeout == 7200


def test_values_lie_on_each_other_in_the_order_of_the_contract(project: Path) -> None:
    """The chart's own come below, the tag on top: `values`, -f, `set`, the migration's own, --set, --set-string."""
    text = (
        BASE
        + 'values = ["values.yaml"]\nset = { a = 1 }\n[migration]\nvalues = ["prod.yaml"]\nset = { b = 2 }\n'
    )
    flags = Flags(values=("mine.yaml",), set=("c={x,y}", "d=1,e=2"), set_string=("f=3",))
    config = loaded(project, text, flags=flags)
    files = [project / name for name in ("values.yaml", "mine.yaml", "prod.yaml")]
    assert config.values == Values((files[0], files[1], {"a": 1}), flags.set, flags.set_string)
    assert config.migrations[0].layers == (files[2], {"b": 2})


def test_without_any_values_helm_gets_none(project: Path) -> None:
    config = loaded(project, BASE)
    assert (config.values, config.migrations[0].layers) == (Values(), ())
    assert not config.migrations[0].renders_alone


def test_what_set_tables_take_from_variables_is_known_as_such(project: Path) -> None:
    text = """
[release]
name = "${NAME}"
chart = "chart"
set = { db = { url = "postgres://a:${PASSWORD}@db" }, list = ["${FIRST}", "$${NONE}", "${GONE:-no}"] }
[migration]
set = { key = "${OWN}" }
[environments.production.release.set]
other = "${OTHER}"
[environments.staging.release.set]
other = "${ELSEWHERE}"
"""
    found = loaded(
        project, text, "production", NAME="shop", PASSWORD="p", FIRST="f", OWN="o", OTHER="t", ELSEWHERE="e"
    )
    assert sorted(filter(None, found.from_variables)) == ["f", "o", "p", "t"]


SEVERAL = (
    BASE
    + """
[[migration]]
name = "schema"
template = "templates/jobs.yaml"
job = "schema-*"
values = ["values.yaml"]
[[migration]]
template = "templates/backfill.yaml"
timeout = "2h"
set = { batch = { size = 10, pause = 1 } }

[[environments.production.migration]]
name = "backfill"
set = { batch = { size = 99 } }
phase = "after"
[[environments.production.migration]]
name = "schema"
values = ["prod.yaml"]
[environments.one.migration]
name = "backfill"
timeout = "3h"
[[environments.later.migration]]
name = "${WHICH}"
"""
)


def test_several_migrations_stay_in_their_order_and_are_called_as_they_say_or_by_their_template(
    project: Path,
) -> None:
    schema, backfill = loaded(project, SEVERAL).migrations
    assert (schema.name, schema.job, schema.timeout) == ("schema", "schema-*", 900)
    assert (backfill.name, backfill.template, backfill.timeout) == (
        "backfill",
        "templates/backfill.yaml",
        7200,
    )


def test_an_environment_lies_over_each_migration_by_its_name(project: Path) -> None:
    schema, backfill = loaded(project, SEVERAL, "production").migrations
    assert schema.values == (str(project / "values.yaml"), str(project / "prod.yaml"))
    assert (backfill.name, backfill.phase, backfill.timeout) == ("backfill", "after", 7200)
    assert backfill.set == {"batch": {"size": 99, "pause": 1}}
    assert [each.timeout for each in loaded(project, SEVERAL, "one").migrations] == [900, 3 * 3600]
    assert loaded(project, SEVERAL, "later", WHICH="schema").migrations[0].name == "schema"
    with pytest.raises(Usage, match=r'no \[\[migration\]\] is called "shema"; did you mean schema'):
        loaded(project, SEVERAL, "later", WHICH="shema")


def test_a_table_of_an_environment_lies_over_the_only_migration_whatever_it_is_called(project: Path) -> None:
    over = '[environments.p.migration]\ntimeout = "1m"\n'
    for one in ("", "[migration]\nname = 'a'\n", "[[migration]]\nname = 'a'\n"):
        (found,) = loaded(project, BASE + one + over, "p").migrations
        assert (found.name, found.timeout) == ("a" if one else "", 60)


def test_the_timeout_that_is_typed_is_each_migration_s(project: Path) -> None:
    found = loaded(project, SEVERAL, flags=Flags(migration_timeout="5m")).migrations
    assert [each.timeout for each in found] == [300, 300]


@pytest.mark.parametrize(
    ("chart", "args", "expected"),
    [
        ("oci://registry.example/charts/shop", "", "oci://registry.example/charts/shop"),
        ("bitnami/redis", "", "bitnami/redis"),
        ("https://charts.example/shop-1.tgz", "", "https://charts.example/shop-1.tgz"),
        ("shop", "--repo=https://charts.example", "shop"),
        ("chart", "--repo=https://charts.example", "{project}/chart"),
        ("shop-1.tgz", "", "{project}/shop-1.tgz"),
        ("teams/shop", "", "{project}/teams/shop"),
    ],
)
def test_a_chart_is_what_is_on_this_machine_and_else_what_helm_calls_it(
    project: Path, chart: str, args: str, expected: str
) -> None:
    (project / "shop-1.tgz").touch()
    (project / "teams/shop").mkdir(parents=True)
    text = BASE.replace('"chart"', f'"{chart}"') + (f'helm_args = ["{args}"]\n' if args else "")
    config = loaded(project, text + f'version = "1.2"\n[migration]\nchart = "{chart}"\nversion = "^2"\n')
    assert config.release.chart == config.migrations[0].chart == expected.format(project=project)
    assert (config.release.version, config.migrations[0].version) == ("1.2", "^2")


def test_what_a_migration_needs_and_waits_for(project: Path) -> None:
    (project / "shipit.toml").write_text(
        '[release]\nname = "shop"\nchart = "chart"\n'
        '[migration]\nprerequisites = ["templates/a.yaml"]\nwait_for = ["svc/db", "Deployments/db", "job/seed"]\n'
        '[environments.more.migration]\nprerequisites = ["templates/b.yaml"]\n'
        '[environments.auto.migration]\nprerequisites = "auto"\n',
        encoding="utf-8",
    )
    found = {name: load_config(None, name, project, {}, Flags()).migrations[0] for name in ("more", "auto")}
    assert found["more"].templates_needed == ("templates/a.yaml", "templates/b.yaml")
    assert (found["auto"].prerequisites, found["auto"].templates_needed) == ("auto", ())
    assert [str(ref) for ref in found["more"].awaits("shop")] == ["Service shop/db", "Deployment shop/db", "Job shop/seed"]  # fmt: skip


def test_values_may_lie_behind_urls_and_in_stdin(project: Path) -> None:
    text = BASE + 'values = ["secrets://s.yaml", "values.yaml"]\n[migration]\nvalues = ["ref+vault://x#/y"]\n'
    config = loaded(project, text, flags=Flags(values=("https://v.example/a.yaml", "-", "mine.yaml")))
    files = (project / "values.yaml", project / "mine.yaml")
    assert config.values.layers == (
        "secrets://s.yaml",
        files[0],
        "https://v.example/a.yaml",
        Path("/dev/stdin"),
        files[1],
    )
    assert config.migrations[0].layers == ("ref+vault://x#/y",)
