"""A migration with values or a chart of its own: its hooks are found there, with what they need, and run once."""

from __future__ import annotations

import json

import pytest

from shipit.chart.manifest import split
from shipit.config import MigrationSpec
from shipit.errors import Refused
from shipit.model import Hook, Json, Situation, Start
from shipit.plan.candidates import Rendering
from shipit.plan.selection import Selection, select_objects

BEHIND_A_VALUE = MigrationSpec(set={"migrate": True}, timeout=5)
NAMED = MigrationSpec(name="migrate", template="templates/migrate.yaml", set={"migrate": True}, timeout=5)
OF_ANOTHER_CHART = MigrationSpec(chart="db", timeout=5)


def body(name: str, kind: str = "Job", **rest: object) -> Json:
    found: Json = {
        "apiVersion": "batch/v1" if kind == "Job" else "v1",
        "kind": kind,
        "metadata": {"name": name},
    }
    if kind == "Job":
        env = [{"configMapRef": {"name": "settings"}}]
        found["spec"] = {
            "template": {"spec": {"containers": [{"name": "c", "image": "shop:v2", "envFrom": env}]}}
        }
    return found | rest


def hook(
    name: str, events: str = "pre-upgrade", *, kind: str = "Job", weight: int = 0, template: str = "", chart: str = "shop", **rest: object
) -> Hook:  # fmt: skip
    path = f"{chart}/templates/{template or name}.yaml"
    return Hook(name, kind, path, json.dumps(body(name, kind, **rest)), tuple(events.split(",")), weight)


def plain(*names: str, template: str = "migrate") -> str:
    return "".join(
        f"---\n# Source: shop/templates/{template}.yaml\n{json.dumps(body(name))}\n" for name in names
    )


def found(
    spec: MigrationSpec,
    own: tuple[Hook, ...] = (),
    release: tuple[Hook, ...] = (),
    *,
    own_jobs: str = "",
    jobs: str = "",
    install: bool = False,
) -> Selection:
    situation = Situation(Start.FRESH, 2, install, first_install_owed=install)
    alone = Rendering(own, split(own_jobs, "shop"))
    return select_objects((spec,), situation, Rendering(release, split(jobs, "shop")), [alone])


def told(selection: Selection) -> list[tuple[str, str, bool]]:
    return [(one.name, one.phase, one.migration) for one in selection.objects]


@pytest.mark.parametrize("spec", [BEHIND_A_VALUE, NAMED, OF_ANOTHER_CHART])
@pytest.mark.parametrize(("event", "phase"), [("pre-upgrade", "before"), ("post-upgrade", "during")])
def test_a_hook_that_its_values_turn_on_runs_at_its_event(
    spec: MigrationSpec, event: str, phase: str
) -> None:
    selected = found(spec, (hook("migrate", f"pre-install,{event}"),))
    assert told(selected) == [("migrate", phase, True)]
    assert selected.objects[0].hook is not None
    assert selected.objects[0].spec.timeout == 5
    assert not selected.missing


def test_the_table_s_phase_beats_the_hook_s_and_runs_it_once() -> None:
    late = MigrationSpec(set={"migrate": True}, phase="after")
    assert told(found(late, (hook("migrate", "pre-upgrade,post-upgrade"),))) == [("migrate", "after", True)]


def test_it_takes_its_place_among_the_chart_s_hooks_by_its_weight() -> None:
    release = (hook("first", weight=-1), hook("last", weight=9), hook("settled", "post-upgrade"))
    selected = found(NAMED, (*release, hook("migrate", weight=3)), release)
    assert told(selected) == [
        ("first", "before", False),
        ("migrate", "before", True),
        ("last", "before", False),
        ("settled", "during", False),
    ]


def test_hooks_of_another_chart_come_after_those_of_the_release() -> None:
    own = (
        hook("account", kind="ServiceAccount", weight=-9, chart="db"),
        hook("migrate", weight=-5, chart="db"),
    )
    assert told(found(OF_ANOTHER_CHART, own, (hook("secret", kind="Secret"),))) == [
        ("secret", "before", False),
        ("account", "before", False),
        ("migrate", "before", True),
    ]


def test_what_is_only_there_for_it_is_made_for_it_and_nothing_is_made_twice() -> None:
    shared = hook("secret", kind="Secret", weight=-2)
    own = (
        shared,
        hook("settings", kind="ConfigMap", weight=-1),
        hook("late", "post-install", kind="Secret"),
        hook("migrate"),
    )
    assert [name for name, _, _ in told(found(NAMED, own, (shared,)))] == ["secret", "settings", "migrate"]


@pytest.mark.parametrize(("name", "words"), [("settings", "own"), ("unused", "release")])
def test_settings_that_its_values_change_are_its_own_where_it_uses_them(name: str, words: str) -> None:
    own = (hook(name, kind="ConfigMap", weight=-1, data={"a": "own"}), hook("migrate"))
    release = (hook(name, kind="ConfigMap", weight=-1, data={"a": "release"}),)
    made, migrated = found(NAMED, own, release).objects
    assert (made.body["data"], migrated.name) == ({"a": words}, "migrate")


@pytest.mark.parametrize("spec", [BEHIND_A_VALUE, NAMED])
@pytest.mark.parametrize("name", ["migrate", "migrate-8fz2k"])
def test_a_hook_that_its_values_only_change_runs_once_and_as_they_have_it(
    spec: MigrationSpec, name: str
) -> None:
    release = (hook("migrate-1x2y3" if "-" in name else name, template="migrate", suspend=False),)
    (one,) = found(spec, (hook(name, template="migrate", suspend=True),), release).objects
    assert one.body["suspend"] is True
    assert one.migration


def test_a_hook_that_its_values_make_a_plain_job_of_or_the_other_way_round_runs_once() -> None:
    selected = found(NAMED, (), (hook("migrate"),), own_jobs=plain("migrate"))
    assert [(one.name, one.hook) for one in selected.objects] == [("migrate", None)]

    selected = found(NAMED, (hook("migrate"),), (), jobs=plain("migrate"))
    assert [(one.name, one.hook is None) for one in selected.objects] == [("migrate", False)]
    assert [each.ref.name for each in selected.taken] == ["migrate"], "Helm must not run it as well"


def test_the_one_job_that_is_turned_on_is_meant_whatever_else_the_chart_has() -> None:
    jobs = plain("seed", "cleanup-1x2y3", template="jobs")
    selected = found(
        BEHIND_A_VALUE,
        (),
        (),
        own_jobs=plain("seed", "cleanup-7h8j9", template="jobs") + plain("up"),
        jobs=jobs,
    )
    assert [one.body["metadata"]["name"] for one in selected.objects] == ["up"]
    assert selected.taken == (), "it is not in the release's"


def test_a_job_and_a_hook_that_are_turned_on_together_both_run() -> None:
    assert told(found(BEHIND_A_VALUE, (hook("wait"),), own_jobs=plain("up"))) == [
        ("wait", "before", True),
        ("migrate", "before", True),
    ]


def test_a_hook_job_that_is_turned_on_beside_the_named_one_is_said_not_to_run() -> None:
    selected = found(NAMED, (hook("migrate"), hook("reset")))
    assert told(selected) == [("migrate", "before", True)]
    assert [(each.name, "does not name" in each.reason) for each in selected.left_out] == [("reset", True)]


@pytest.mark.parametrize("spec", [BEHIND_A_VALUE, NAMED, OF_ANOTHER_CHART])
def test_a_hook_of_installs_only_is_said_on_an_upgrade(spec: MigrationSpec) -> None:
    own = (hook("migrate", "pre-install"), hook("account", "pre-install,pre-upgrade", kind="ServiceAccount"))
    selected = found(spec, own)
    assert (selected.objects, selected.missing) == ((), ())
    assert [(each.name, each.reason) for each in selected.left_out] == [
        ("migrate", "Job migrate runs on installs only")
    ]


@pytest.mark.parametrize("spec", [BEHIND_A_VALUE, NAMED, OF_ANOTHER_CHART])
def test_a_rendering_without_a_job_is_missing_one(spec: MigrationSpec) -> None:
    assert found(spec, (hook("migrate", "test"), hook("x", kind="Secret"))).missing == (spec,)


def test_several_that_are_turned_on_are_refused_with_all_of_them() -> None:
    with pytest.raises(Refused, match="renders 2 Jobs") as refused:
        found(BEHIND_A_VALUE, (hook("wait"),), own_jobs=plain("up", "down"))
    assert refused.value.details == (
        "shop/templates/wait.yaml: Job wait (hook pre-upgrade)",
        "shop/templates/migrate.yaml: Job up",
        "shop/templates/migrate.yaml: Job down",
    )
