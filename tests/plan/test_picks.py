"""Which Job a table means: by its template, by a pattern of its name, and where a post-renderer lost the templates."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from shipit.chart.hooks import deletes_before_creation
from shipit.chart.manifest import split, without
from shipit.config import MigrationSpec
from shipit.errors import Refused
from shipit.model import Hook, Situation, Start
from shipit.plan.candidates import Rendering
from shipit.plan.names import with_fixed_names
from shipit.plan.selection import Selection, select_objects
from shipit.plan.short_names import LONGEST


def text(kind: str = "Job", **metadata: str) -> str:
    api = "batch/v1" if kind == "Job" else "v1"
    return json.dumps({"apiVersion": api, "kind": kind, "metadata": metadata})


def doc(kind: str = "Job", source: str = "", **metadata: str) -> str:
    return f"---\n{f'# Source: {source}' if source else '# a comment'}\n{text(kind, **metadata)}\n"


def hook(
    events: str, source: str = "shop/templates/setup.yaml", *, kind: str = "Job", **metadata: str
) -> Hook:
    return Hook(metadata.get("name", ""), kind, source, text(kind, **metadata), tuple(events.split(",")))


def found(spec: MigrationSpec, manifest: str = "", *hooks: Hook, install: bool = False) -> Selection:
    release = Rendering(hooks, split(manifest, "shop"))
    return select_objects((spec,), Situation(Start.FRESH, 2, install, install), release, [None])


def ran(selection: Selection) -> list[str]:
    return [one.name for one in selection.objects]


# ── two Jobs of one template with random names ───────────────────────────────────────────────────

SETUP = "shop/templates/setup.yaml"
TWO = doc(source=SETUP, name="schema-x7k2p") + doc(source=SETUP, name="seed-9fq1z")
TWO_HOOKS = (hook("pre-upgrade", name="schema-x7k2p"), hook("pre-upgrade", name="seed-9fq1z"))


@pytest.mark.parametrize("template", ["", "templates/setup.yaml"])
def test_a_pattern_tells_two_jobs_with_random_names_apart(template: str) -> None:
    selected = found(MigrationSpec(name="schema", job="schema-*", template=template), TWO)
    assert ran(selected) == ["schema"]
    assert [each.ref.name for each in selected.taken] == ["schema-x7k2p"]

    selected = found(MigrationSpec(name="schema", job="schema-?????", template=template), "", *TWO_HOOKS)
    assert [(one.name, one.migration) for one in selected.objects] == [
        ("schema", True),
        ("seed-9fq1z", False),
    ]


def test_a_pattern_matches_what_begins_the_name_that_the_api_server_makes() -> None:
    hooks = (hook("pre-upgrade", generateName="schema-"), hook("pre-upgrade", generateName="seed-"))
    assert [one.migration for one in found(MigrationSpec(job="schema-*"), "", *hooks).objects] == [
        True,
        False,
    ]


@pytest.mark.parametrize("hooks", [(), TWO_HOOKS])
def test_a_pattern_that_fits_several_is_refused_with_the_candidates(hooks: tuple[Hook, ...]) -> None:
    with pytest.raises(Refused, match=r"renders 2 Jobs called s\*: which one") as refused:
        found(MigrationSpec(job="s*"), "" if hooks else TWO, *hooks)
    assert [line.split()[2] for line in refused.value.details] == ["schema-x7k2p", "seed-9fq1z"]
    assert 'job = "schema-*"' in str(refused.value.hint)


def test_a_pattern_counts_what_runs_in_this_operation() -> None:
    hooks = (hook("pre-install", name="db-install"), hook("pre-upgrade", name="db-upgrade"))
    assert ran(found(MigrationSpec(job="db-*"), "", *hooks)) == ["db-upgrade"]
    assert ran(found(MigrationSpec(job="db-*"), "", *hooks, install=True)) == ["db-install"]


def test_several_hooks_of_a_named_template_keep_their_own_names() -> None:
    selected = found(MigrationSpec(name="setup", template="templates/setup.yaml"), "", *TWO_HOOKS)
    assert [(one.name, one.migration) for one in selected.objects] == [
        ("schema-x7k2p", True),
        ("seed-9fq1z", True),
    ]


# ── hooks of the other operation ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "spec",
    [MigrationSpec(name="boot", template="templates/setup.yaml"), MigrationSpec(name="boot", job="boot-*")],
)
def test_a_named_hook_of_installs_only_is_said_on_an_upgrade_and_the_upgrade_s_own_run(
    spec: MigrationSpec,
) -> None:
    hooks = (hook("pre-install", name="boot-1"), hook("pre-upgrade", "shop/templates/up.yaml", name="up"))
    selected = found(spec, "", *hooks)
    assert (ran(selected), selected.missing) == (["up"], ())
    assert [(each.name, each.reason) for each in selected.left_out] == [
        ("boot", "Job boot-1 runs on installs only")
    ]
    selected = found(spec, "", *hooks, install=True)
    assert (ran(selected), selected.left_out) == (["boot"], ())


def test_that_a_chart_migrates_on_upgrades_only_is_said_on_an_install() -> None:
    selected = found(MigrationSpec(), "", hook("pre-upgrade", name="up"), install=True)
    assert [(each.name, each.reason) for each in selected.left_out] == [
        ("up", "Job up runs on upgrades only")
    ]


def test_a_named_hook_that_no_deploy_runs_is_missing() -> None:
    spec = MigrationSpec(template="templates/setup.yaml")
    assert found(spec, "", hook("test,pre-rollback", name="probe")).missing == (spec,)


def test_the_phase_of_a_table_holds_for_a_hook_too() -> None:
    hooks = (hook("pre-upgrade", name="up"), hook("pre-upgrade", "shop/templates/other.yaml", name="other"))
    selected = found(MigrationSpec(template="templates/setup.yaml", phase="after"), "", *hooks)
    assert [(one.candidate.name, one.phase) for one in selected.objects] == [
        ("other", "before"),
        ("up", "after"),
    ]
    early = found(MigrationSpec(job="up", phase="before"), "", hook("post-upgrade", name="up"))
    assert [one.phase for one in early.objects] == ["before"]


# ── a post-renderer that loses the templates ─────────────────────────────────────────────────────

NAMED = MigrationSpec(name="migrate", template="templates/migrate.yaml")
LOST = "generated-by-postrender-3.yaml"


@pytest.mark.parametrize(
    "source", ["", LOST, f"shop/templates/{LOST}", "generated-by-postrender-hooks-0.yaml"]
)
def test_the_only_job_is_meant_and_the_step_is_called_like_it(source: str) -> None:
    manifest = doc("ConfigMap", source, name="x") + doc(source=source, name="shop-db")
    assert ran(found(MigrationSpec(), manifest)) == ["shop-db"]
    assert ran(found(NAMED, manifest)) == ["migrate"]


@pytest.mark.parametrize("spec", [MigrationSpec(), MigrationSpec(template="templates/x.yaml")])
def test_several_jobs_are_listed_by_their_names(spec: MigrationSpec) -> None:
    manifest = doc(name="shop-db") + doc(name="shop-seed")
    with pytest.raises(Refused, match="renders 2 Jobs") as refused:
        found(spec, manifest)
    assert refused.value.details == ("Job shop-db", "Job shop-seed")
    for name in ("db", "shop-db"):
        assert ran(found(MigrationSpec(name=name), manifest)) == [name]
    assert ran(found(MigrationSpec(job="shop-db"), manifest)) == ["shop-db"]


def test_a_job_without_a_template_is_not_taken_for_that_of_one_that_others_still_have() -> None:
    manifest = doc("ConfigMap", "shop/templates/migrate.yaml", name="x") + doc(source=LOST, name="other")
    assert found(NAMED, manifest).missing == (NAMED,)


def test_a_hook_that_lost_its_template_is_meant_where_it_is_the_only_one() -> None:
    lost = hook("pre-upgrade", "", name="shop-db")
    assert [(one.name, one.migration) for one in found(NAMED, "", lost).objects] == [("migrate", True)]
    with pytest.raises(Refused, match="renders 2 Jobs"):
        found(NAMED, "", lost, hook("pre-upgrade", "", name="seed"))
    assert found(NAMED, "", hook("pre-install", "", name="shop-db")).left_out


# ── names that the API server would make ─────────────────────────────────────────────────────────


def fixed(*hooks: Hook, release: str = "shop") -> list[tuple[str, str]]:
    objects = with_fixed_names(found(MigrationSpec(), "", *hooks).objects, release)
    assert not any(
        "generateName" in one.body["metadata"] for one in objects if "name" not in one.body["metadata"]
    )
    return [(one.name, one.body["metadata"]["name"]) for one in objects]


def test_a_generated_name_is_fixed_and_the_step_is_called_like_its_template_or_else_like_the_job() -> None:
    assert fixed(hook("pre-upgrade", generateName="shop-db-")) == [("setup", "shop-db")]
    assert fixed(hook("pre-upgrade", "", generateName="shop-db-")) == [("shop-db", "shop-db")]
    assert fixed(hook("pre-upgrade", name="own", generateName="x-")) == [("own", "own")]


def test_two_releases_and_two_objects_get_names_of_their_own_and_one_object_of_two_events_has_one() -> None:
    one = hook("pre-upgrade,post-upgrade", generateName="db-")
    other = hook("pre-upgrade", "shop/templates/z.yaml", generateName="db-")
    assert [name for _, name in fixed(one, other)] == ["db-shop", "db-shop-2", "db-shop"]
    assert [name for _, name in fixed(one, release="blog")] == ["db-blog", "db-blog"]
    there = hook("pre-upgrade", "shop/templates/a.yaml", name="db-shop")
    assert [name for _, name in fixed(there, one)] == ["db-shop-2", "db-shop", "db-shop-2"]


def test_what_an_earlier_one_left_makes_room_as_under_a_name_of_its_own() -> None:
    keeps = replace(hook("pre-upgrade", generateName="db-"), delete_policies=("hook-succeeded",))
    (one,) = with_fixed_names(found(MigrationSpec(), "", keeps).objects, "shop")
    assert one.hook is not None
    assert deletes_before_creation(one.hook, succeeded=False)
    (one,) = with_fixed_names(
        found(MigrationSpec(), "", replace(keeps, name="db", manifest=text(name="db"))).objects, "shop"
    )
    assert one.hook is not None
    assert not deletes_before_creation(one.hook, succeeded=False)


def test_of_two_plain_jobs_with_generated_names_only_one_is_taken_from_helm() -> None:
    manifest = doc(source=SETUP, generateName="schema-") + doc(source=SETUP, generateName="seed-")
    selected = found(MigrationSpec(job="schema-*"), manifest)
    (rest,) = without(split(manifest, "shop"), selected.taken)
    assert rest.body["metadata"] == {"generateName": "seed-"}


def test_a_long_generated_name_leaves_room_for_what_tells_it_apart() -> None:
    names = {fixed(hook("pre-upgrade", generateName=f"{'x' * 70}-{end}-"))[0][1] for end in "ab"}
    assert len(names) == 2
    assert all(len(name) <= LONGEST for name in names)
