"""Which of the rendered objects run around the upgrade, and what is refused because it isn't clear."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shipit.chart.manifest import split
from shipit.config import MigrationSpec
from shipit.errors import Refused
from shipit.model import Hook, Situation, Start
from shipit.plan.candidates import Rendering
from shipit.plan.refusals import not_rendered
from shipit.plan.selection import SelectedObject, Selection, check_tag, select_objects


def job(name: str, image: str = "shop:v2", template: str = "migrate") -> str:
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}},
    }
    return f"---\n# Source: shop/templates/{template}.yaml\n{json.dumps(body)}\n"


def config_map(name: str) -> str:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    return f"---\n# Source: shop/templates/migrate.yaml\n{json.dumps(body)}\n"


def hook(
    name: str,
    events: str,
    *,
    kind: str = "Job",
    weight: int = 0,
    image: str = "shop:v2",
    template: str = "hook",
) -> Hook:
    body = job(name, image).partition("\n")[2].replace('"Job"', f'"{kind}"')
    return Hook(name, kind, f"shop/templates/{template}.yaml", body, tuple(events.split(",")), weight)


def chosen(
    manifest: str = "",
    *hooks: Hook,
    specs: tuple[MigrationSpec, ...] = (MigrationSpec(),),
    install: bool = False,
    own: str | None = None,
) -> tuple[SelectedObject, ...]:
    found = selection(manifest, *hooks, specs=specs, install=install, own=own)
    for entry in found.missing:
        raise not_rendered(entry, Path("chart"), Rendering(hooks, split(own or manifest)))
    return found.objects


def selection(
    manifest: str = "",
    *hooks: Hook,
    specs: tuple[MigrationSpec, ...] = (MigrationSpec(),),
    install: bool = False,
    owed: bool = False,
    own: str | None = None,
    own_hooks: tuple[Hook, ...] = (),
) -> Selection:
    alone = None if own is None else Rendering(own_hooks, split(own))
    of = Situation(Start.FRESH, 2, install, first_install_owed=install or owed)
    return select_objects(specs, of, Rendering(hooks, split(manifest)), [alone] * len(specs))


def names(found: tuple[SelectedObject, ...], phase: str = "") -> list[str]:
    return [one.name for one in found if phase in ("", one.phase)]


def test_the_only_plain_job_is_the_migration_and_is_called_like_its_template() -> None:
    (found,) = chosen(job("shop-migrate-1") + config_map("beside"))
    assert (found.name, found.phase, found.migration, found.hook) == ("migrate", "before", True, None)
    assert found.resource is not None
    assert found.resource.ref.name == "shop-migrate-1"


def test_the_hooks_of_this_operation_are_the_migration_and_a_plain_job_is_left_to_helm() -> None:
    hooks = (
        hook("last", "post-upgrade"),
        hook("b", "pre-upgrade"),
        hook("a", "pre-install,pre-upgrade"),
        hook("first", "pre-upgrade", kind="Secret", weight=-1),
        hook("install", "pre-install"),
        hook("test", "test"),
    )
    found = chosen(job("plain"), *hooks)
    assert names(found, "before") == ["first", "a", "b"]
    assert names(found, "during") == ["last"]
    assert [one.migration for one in found] == [False, True, True, True]


def test_one_object_runs_in_each_of_its_events() -> None:
    found = chosen("", hook("both", "pre-upgrade,post-upgrade"))
    assert [(one.name, one.phase) for one in found] == [("both", "before"), ("both", "during")]


def test_hooks_of_the_other_operation_run_nothing_and_are_no_reason_to_refuse() -> None:
    assert chosen("", hook("up", "pre-upgrade"), install=True) == ()
    assert chosen("", hook("init", "post-install")) == ()


@pytest.mark.parametrize("other", [hook("t", "test"), hook("r", "pre-rollback"), hook("s", "pre-install", kind="Secret")])  # fmt: skip
def test_hooks_that_never_migrate_don_t_stand_for_a_migration(other: Hook) -> None:
    with pytest.raises(Refused, match="renders no Job") as refused:
        chosen("", other)
    assert "--skip-migration" in str(refused.value.hint)


def test_a_plain_job_is_the_migration_where_the_hooks_are_of_the_other_operation() -> None:
    assert names(chosen(job("db"), hook("admin", "post-install"))) == ["migrate"]


TWO = job("shop-migrate") + job("shop-seed") + job("other", template="cleanup")


def test_several_jobs_are_refused_with_the_candidates() -> None:
    with pytest.raises(Refused, match="renders 3 Jobs") as refused:
        chosen(TWO)
    assert refused.value.details == (
        "shop/templates/migrate.yaml: Job shop-migrate",
        "shop/templates/migrate.yaml: Job shop-seed",
        "shop/templates/cleanup.yaml: Job other",
    )


@pytest.mark.parametrize(
    ("specs", "job"),
    [
        (MigrationSpec(name="migrate"), "shop-migrate"),
        (MigrationSpec(name="shop-seed"), "shop-seed"),
        (MigrationSpec(name="cleanup"), "other"),
        (MigrationSpec(template="templates/cleanup.yaml"), "other"),
        (MigrationSpec(name="seed", template="templates/migrate.yaml", job="*-seed"), "shop-seed"),
        (MigrationSpec(name="anything", template="templates/cleanup.yaml"), "other"),
    ],
)
def test_a_name_or_a_template_makes_it_clear(specs: MigrationSpec, job: str) -> None:
    (found,) = chosen(TWO, specs=(specs,))
    assert found.body["metadata"]["name"] == job
    assert found.name == (specs.name or "cleanup")


def test_a_migration_that_names_a_hook_s_template_lends_it_name_and_timeouts_and_one_that_names_nothing_is_the_rest() -> (
    None
):
    mine = MigrationSpec(name="schema", template="templates/db.yaml", timeout=5)
    found = chosen(
        "", hook("db", "pre-upgrade", template="db"), hook("mail", "pre-upgrade"), specs=(mine, MigrationSpec(timeout=7))
    )  # fmt: skip
    assert [(one.name, one.spec.timeout, one.migration) for one in found] == [
        ("schema", 5, True),
        ("mail", 7, True),
    ]


def test_a_template_that_renders_nothing_is_missing_in_either_operation() -> None:
    mine = MigrationSpec(template="templates/migrate.yaml")
    for install in (True, False):
        assert selection("", specs=(mine,), install=install).missing == (mine,)
        with pytest.raises(Refused, match="renders no Job"):
            chosen("", specs=(mine,), install=install)


def test_a_job_of_a_rendering_of_its_own_is_found_there() -> None:
    (found,) = chosen("", specs=(MigrationSpec(chart="db"),), own=job("up"))
    assert (found.name, found.body["metadata"]["name"]) == ("migrate", "up")
    with pytest.raises(Refused, match="chart db renders no Job"):
        chosen(job("here"), specs=(MigrationSpec(chart="db"),), own=config_map("x"))


def test_a_hook_that_only_borrows_the_timeouts_of_a_table_does_not_stand_for_its_migration() -> None:
    mine = MigrationSpec(set={"own": True}, timeout=5)
    found = chosen("", hook("certificates", "pre-upgrade"), specs=(mine,), own=job("up"))
    assert [(one.name, one.spec.timeout, one.migration) for one in found] == [
        ("certificates", 5, False),
        ("migrate", 5, True),
    ]


def test_the_phase_of_a_plain_job_is_the_table_s() -> None:
    for phase in ("during", "after"):
        assert names(chosen(job("a"), specs=(MigrationSpec(phase=phase),)), phase) == ["migrate"]


def test_the_tag_must_be_in_an_image_of_each_migration() -> None:
    check_tag(chosen(job("a")), "v2", ["image.tag"])
    with pytest.raises(Refused, match="v3 is not in the image") as refused:
        check_tag(chosen(job("a")), "v3", ["image.tag", "db.tag"])
    assert refused.value.details == ("Job migrate: shop:v2",)
    assert "image.tag and db.tag" in str(refused.value.hint)


def test_of_several_hooks_one_may_run_another_image() -> None:
    wait = hook("wait", "pre-upgrade", image="busybox:1", template="db")
    check_tag(chosen("", wait, hook("up", "pre-upgrade", template="db")), "v2", ["image.tag"])
    mine = MigrationSpec(template="templates/db.yaml")
    check_tag(chosen("", wait, hook("up", "pre-upgrade", template="db"), specs=(mine,)), "v2", ["image.tag"])
    with pytest.raises(Refused) as refused:
        check_tag(chosen("", wait, hook("up", "pre-upgrade"), specs=(mine,)), "v2", ["image.tag"])
    assert refused.value.details == ("Job wait: busybox:1",)


def test_a_deploy_without_a_migration_has_no_tag_to_look_for() -> None:
    check_tag((), "v2", ["image.tag"])


def test_a_digest_beside_the_tag_is_told() -> None:
    with pytest.raises(Refused, match="a digest decides what runs"):
        check_tag(chosen(job("a", image="shop:v2@sha256:abc")), "v2", ["image.tag"])


def test_a_named_plain_job_runs_beside_the_chart_s_hooks_whatever_they_are() -> None:
    secret = hook("database", "pre-install,pre-upgrade", kind="Secret")
    waits = hook("wait", "pre-install,pre-upgrade", image="busybox:1")
    specs = (MigrationSpec(template="templates/migrate.yaml", timeout=7),)
    for install in (True, False):
        found = chosen(job("shop-migrate"), secret, waits, specs=specs, install=install)
        assert [(one.name, one.migration) for one in found] == [
            ("database", False),
            ("wait", False),
            ("migrate", True),
        ]
        assert found[-1].spec.timeout == 7
