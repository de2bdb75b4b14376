"""Several migrations: their order around the upgrade, whose Job is whose, and what a first install does otherwise."""

from __future__ import annotations

import json

import pytest

from shipit.chart.manifest import split
from shipit.config import MigrationSpec
from shipit.errors import Refused
from shipit.model import Hook, Situation, Start
from shipit.plan.candidates import Rendering
from shipit.plan.fingerprints import fingerprints
from shipit.plan.names import refuse_same_names, with_fixed_names
from shipit.plan.selection import SelectedObject, Selection, select_objects


def text(kind: str = "Job", image: str = "shop:v2", **metadata: str) -> str:
    api = "batch/v1" if kind == "Job" else "v1"
    spec = {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}
    return json.dumps({"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec})


def plain(*names: str, template: str = "jobs", image: str = "shop:v2") -> str:
    each = (text(image=image, name=name) for name in names)
    return "".join(f"---\n# Source: shop/templates/{template}.yaml\n{one}\n" for one in each)


def hook(name: str, events: str, *, kind: str = "Job", weight: int = 0) -> Hook:
    path = f"shop/templates/{name}.yaml"
    return Hook(name, kind, path, text(kind, name=name), tuple(events.split(",")), weight)


def migration(name: str, **keys: object) -> MigrationSpec:
    """Of the template that is called so, unless `keys` say otherwise."""
    return MigrationSpec(**{"name": name, "template": f"templates/{name}.yaml"} | keys)  # type: ignore[arg-type]


def found(
    *specs: MigrationSpec,
    manifest: str = "",
    hooks: tuple[Hook, ...] = (),
    own: dict[str, Rendering] | None = None,
    install: bool = False,
    owed: bool = False,
) -> Selection:
    situation = Situation(Start.FRESH, 2, install, first_install_owed=install or owed)
    alone = [(own or {}).get(spec.name) for spec in specs]
    return select_objects(specs, situation, Rendering(hooks, split(manifest, "shop")), alone)


def ran(selection: Selection) -> list[str]:
    return [f"{one.phase} {one.name}" for one in selection.objects]


# ── order ────────────────────────────────────────────────────────────────────────────────────────


def test_plain_migrations_run_in_the_order_of_the_file_each_in_its_phase_and_after_the_chart_s_hooks() -> (
    None
):
    manifest = plain("a", template="a") + plain("b", template="b") + plain("c", template="c")
    hooks = (
        hook("late", "post-upgrade"),
        hook("early", "pre-upgrade", weight=5),
        hook("first", "pre-upgrade"),
    )
    specs = (migration("c"), migration("b", phase="after"), migration("a"))
    assert ran(found(*specs, manifest=manifest, hooks=hooks)) == [
        "before first",
        "before early",
        "before c",
        "before a",
        "during late",
        "after b",
    ]


def test_hooks_that_are_named_keep_helm_s_order_whatever_the_file_s() -> None:
    hooks = (
        hook("x", "pre-upgrade", weight=2),
        hook("y", "pre-upgrade", weight=1),
        hook("z", "post-upgrade"),
    )
    selected = found(migration("z"), migration("x", timeout=5), migration("y"), hooks=hooks)
    assert ran(selected) == ["before y", "before x", "during z"]
    assert [one.spec.timeout for one in selected.objects] == [900, 5, 900]


def test_the_jobs_of_one_template_run_in_its_order_each_under_its_own_name() -> None:
    selected = found(
        migration("jobs"), migration("last"), manifest=plain("c", "a", "b") + plain("l", template="last")
    )
    assert ran(selected) == ["before c", "before a", "before b", "before last"]
    assert [each.ref.name for each in selected.taken] == ["c", "a", "b", "l"]


def test_jobs_of_one_template_are_told_apart_by_job() -> None:
    specs = (
        migration("second", template="templates/jobs.yaml", job="seed-*"),
        migration("first", template="templates/jobs.yaml", job="schema-*"),
    )
    assert ran(found(*specs, manifest=plain("schema-1", "seed-2"))) == ["before second", "before first"]


def test_a_chart_of_its_own_has_its_turn_where_the_file_lists_it_its_hooks_included() -> None:
    own = {
        "other": Rendering((hook("up", "pre-upgrade"), hook("key", "pre-upgrade", kind="Secret", weight=-1))),
        "tables": Rendering((), split(plain("tables", template="t"), "shop")),
    }
    specs = (
        migration("a"),
        MigrationSpec(name="other", chart="db"),
        MigrationSpec(name="tables", chart="t"),
        migration("b"),
    )
    selected = found(
        *specs,
        manifest=plain("a", template="a") + plain("b", template="b"),
        hooks=(hook("early", "pre-upgrade"),),
        own=own,
    )
    assert ran(selected) == [
        "before early",
        "before a",
        "before key",
        "before other",
        "before tables",
        "before b",
    ]


def test_two_that_turn_on_the_same_hook_beside_them_have_it_once() -> None:
    shared = Rendering(
        (hook("a", "pre-upgrade"), hook("b", "pre-upgrade"), hook("key", "pre-upgrade", kind="Secret"))
    )
    specs = tuple(migration(name, set={"on": True}) for name in "ab")
    selected = found(*specs, own={"a": shared, "b": shared})
    assert sorted(ran(selected)) == ["before a", "before b", "before key"]
    assert selected.left_out == ()


# ── whose ────────────────────────────────────────────────────────────────────────────────────────


def test_a_table_that_names_nothing_means_what_no_other_does() -> None:
    rest = MigrationSpec(name="rest", timeout=7)
    hooks = (hook("mine", "pre-upgrade"), hook("other", "pre-upgrade"))
    selected = found(rest, migration("mine"), hooks=hooks)
    assert [(one.name, one.migration, one.spec.timeout) for one in selected.objects] == [
        ("mine", True, 900),
        ("other", True, 7),
    ]
    selected = found(rest, migration("a"), manifest=plain("a", template="a") + plain("b", template="b"))
    assert ran(selected) == ["before rest", "before a"]
    assert found(rest, migration("mine"), hooks=hooks[:1]).missing == (rest,)


@pytest.mark.parametrize(
    "other",
    [migration("again", template="templates/jobs.yaml"), MigrationSpec(name="again", job="schema")],
)
def test_two_that_mean_the_same_job_are_refused(other: MigrationSpec) -> None:
    with pytest.raises(Refused, match="the migrations jobs and again are both Job schema") as refused:
        found(migration("jobs"), other, manifest=plain("schema"))
    assert "job = " in str(refused.value.hint)
    with pytest.raises(Refused, match="the migrations schema and other are both Job schema"):
        found(
            migration("schema"),
            MigrationSpec(name="other", job="sch*"),
            hooks=(hook("schema", "pre-upgrade"),),
        )


def test_two_jobs_of_one_name_are_refused_with_where_they_are_from() -> None:
    manifest = plain("db", template="a") + plain("db", template="b")
    selected = found(migration("a"), migration("b"), manifest=manifest)
    with pytest.raises(Refused, match="2 migrations are called Job db") as refused:
        refuse_same_names(selected.objects, (), "shop")
    assert refused.value.details == ("a (shop/templates/a.yaml)", "b (shop/templates/b.yaml)")
    for spec in (MigrationSpec(), MigrationSpec(job="db")):
        with pytest.raises(Refused, match="2 migrations are called Job db"):
            found(spec, manifest=manifest)
    twice = found(migration("jobs"), manifest=plain("db", "db"))
    with pytest.raises(Refused, match="2 migrations are called Job db"):
        refuse_same_names(twice.objects, (), "shop")


def test_what_two_turn_on_under_one_name_must_be_the_same() -> None:
    def key(who: str) -> Hook:
        body = json.dumps(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"who": who}}
        )
        return Hook("key", "Secret", "shop/templates/key.yaml", body, ("pre-upgrade",), -1)

    def objects(*keys: Hook) -> tuple[SelectedObject, ...]:
        own = {
            name: Rendering((hook(name, "pre-upgrade"), each)) for name, each in zip("ab", keys, strict=True)
        }
        return found(*(migration(name, set={name: True}) for name in "ab"), own=own).objects

    refuse_same_names(objects(key("both"), key("both")), (), "shop")
    with pytest.raises(Refused, match="two migrations turn on Secret key, each with other values"):
        refuse_same_names(objects(key("a"), key("b")), (), "shop")
    twice = (key("a"), key("b"))
    refuse_same_names(
        found(MigrationSpec(), hooks=(*twice, hook("db", "pre-upgrade"))).objects, twice, "shop"
    )


def test_two_hooks_of_one_name_may_follow_each_other_in_different_events_only() -> None:
    pre, post = hook("db", "pre-upgrade"), hook("db", "post-upgrade")
    refuse_same_names(found(MigrationSpec(), hooks=(pre, post)).objects, (), "shop")
    refuse_same_names(
        found(MigrationSpec(), hooks=(hook("db", "pre-upgrade,post-upgrade"),)).objects, (), "shop"
    )
    late = migration("db", template="", job="db", first_install="during")
    owed = found(late, hooks=(pre, hook("db", "pre-install")), owed=True)
    assert ran(owed) == ["during db", "during db"]
    refuse_same_names(owed.objects, (), "shop")
    other = Hook("db", "Job", "shop/templates/other.yaml", text(name="db"), ("pre-upgrade",))
    with pytest.raises(Refused, match="2 migrations are called Job db"):
        refuse_same_names(found(MigrationSpec(), hooks=(pre, other)).objects, (), "shop")


def test_each_is_known_again_by_its_place_where_its_name_is_random() -> None:
    first, again = (
        found(migration("jobs"), manifest=plain(f"schema-{end}", f"seed-{end}")).objects
        for end in ("x1", "y2")
    )
    known, later = (
        [each.inputs for each in fingerprints(objects, (), "inputs", "shop")] for objects in (first, again)
    )
    assert known == later
    assert len(set(known)) == 2


def test_generated_names_of_one_template_are_names_of_their_own() -> None:
    manifest = "".join(
        f"---\n# Source: shop/templates/jobs.yaml\n{text(generateName=prefix)}\n"
        for prefix in ("schema-", "seed-")
    )
    objects = with_fixed_names(found(migration("jobs"), manifest=manifest).objects, "shop")
    assert [(one.name, one.body["metadata"]["name"]) for one in objects] == [
        ("schema", "schema-shop"),
        ("seed", "seed-shop"),
    ]


# ── first installs ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("phase", ["before", "during", "after"])
def test_a_first_install_has_a_phase_of_its_own_until_it_has_succeeded(phase: str) -> None:
    specs = (migration("db", phase="before", first_install=phase), migration("hooked", first_install=phase))
    manifest, hooks = plain("db", template="db"), (hook("hooked", "pre-install,pre-upgrade"),)
    for install in (True, False):
        selected = found(*specs, manifest=manifest, hooks=hooks, install=install, owed=not install)
        assert ran(selected) == [f"{phase} hooked", f"{phase} db"]
        assert not any(one.by_hook for one in selected.objects)
    selected = found(*specs, manifest=manifest, hooks=hooks)
    assert ran(selected) == ["before hooked", "before db"]


def test_a_hook_of_installs_that_runs_behind_the_install_is_owed_by_the_next_deploy() -> None:
    hooks = (hook("init", "pre-install"), hook("other", "pre-install"))
    assert ran(found(migration("init", first_install="during"), hooks=hooks, owed=True)) == ["during init"]
    assert ran(found(migration("init", phase="after"), hooks=hooks, owed=True)) == ["after init"]
    assert ran(found(migration("init", first_install="during"), hooks=hooks)) == []


def test_a_hook_of_both_events_runs_once_where_the_first_install_has_its_phase() -> None:
    both = (hook("db", "pre-install,post-install,pre-upgrade,post-upgrade"),)
    spec = migration("db", first_install="during")
    assert ran(found(spec, hooks=both, install=True)) == ["during db"]
    assert ran(found(spec, hooks=both, owed=True)) == ["during db"]
    assert ran(found(spec, hooks=both)) == ["before db", "during db"]


def test_what_a_first_install_skips_is_said_and_is_still_not_helm_s() -> None:
    specs = (
        migration("db", first_install="skip"),
        migration("hooked", first_install="skip"),
        migration("other"),
    )
    manifest, hooks = (
        plain("db", template="db") + plain("o", template="other"),
        (hook("hooked", "pre-install"),),
    )
    selected = found(*specs, manifest=manifest, hooks=hooks, install=True)
    assert ran(selected) == ["before other"]
    assert [each.ref.name for each in selected.taken] == ["db", "o"]
    assert [(each.name, "first_install" in each.reason) for each in selected.left_out] == [
        ("db", True),
        ("hooked", True),
    ]
    assert ran(found(*specs, manifest=manifest, hooks=hooks)) == ["before db", "before other"]
