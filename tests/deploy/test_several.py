"""A deploy with two migrations before its upgrade, one during it and one after: what runs, what is said, what is resumed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from shipit.config import MigrationSpec, Request
from shipit.deploy.sequence import deploy
from shipit.errors import AfterFailed, Interrupted, MigrationFailed, ShipitError, UpgradeFailed
from shipit.events import StepChanged
from shipit.model import HelmExit, Rendered
from shipit.states import StepsNotRun
from tests.deploy.test_sequence import again, hook, rendering, request_, signal_in, world
from tests.fakes import Fakes, Script

__all__ = ["request_", "world"]

ORDER = ("schema", "backfill", "index", "contract")


def four(tag: str, revision: int) -> Rendered:
    """The Jobs in another order than that of the file."""
    found = rendering(tag, revision, job="")
    for name in sorted(ORDER):
        container = {"name": "c", "image": f"shop:{tag}", "args": [name]}
        body = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": f"shop-{name}"},
            "spec": {
                "backoffLimit": 0,
                "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
            },
        }
        source = f"# Source: shop/templates/{name}.yaml"
        found = replace(found, manifest=f"{found.manifest}---\n{source}\n{json.dumps(body)}\n")
    return found


@pytest.fixture
def asked(world: Fakes, request_: Request) -> Request:
    world.helm.rendered = four("v2", 2)
    world.cluster.scripts |= {f"shop-{name}": Script() for name in ORDER}
    phases = {"index": "during", "contract": "after"}
    specs = (
        MigrationSpec(name=name, template=f"templates/{name}.yaml", phase=phases.get(name, "before"))  # type: ignore[arg-type]
        for name in ORDER
    )
    return replace(request_, migrations=tuple(specs))


def results(world: Fakes) -> list[tuple[str, str]]:
    return [(e.step, e.result.outcome) for e in world.told.of(StepChanged) if e.result]


def not_run(error: ShipitError) -> tuple[str, ...]:
    return next((state.names for state in error.states if isinstance(state, StepsNotRun)), ())


def test_each_has_its_turn_around_the_upgrade(world: Fakes, asked: Request) -> None:
    assert deploy(asked, world.world, world.told).revision == 2
    assert results(world) == [(name, "succeeded") for name in ORDER]
    done = [event.step for event in world.told.of(StepChanged) if event.state == "done"]
    assert done.index("backfill") < done.index("upgrade") < done.index("index") < done.index("contract")


@pytest.mark.parametrize(("fails", "kind"), [("schema", MigrationFailed), ("backfill", MigrationFailed), ("index", AfterFailed), ("contract", AfterFailed)])  # fmt: skip
def test_one_that_fails_stops_the_rest_which_are_named(
    world: Fakes, asked: Request, fails: str, kind: type[ShipitError]
) -> None:
    world.cluster.scripts[f"shop-{fails}"] = Script(outcome="failed", exit_code=1)
    with pytest.raises(kind) as failed:
        deploy(asked, world.world, world.told)
    number = ORDER.index(fails)
    assert results(world) == [*((name, "succeeded") for name in ORDER[:number]), (fails, "failed")]
    assert not_run(failed.value) == ORDER[number + 1 :]
    assert ("upgrade app" in world.helm.calls) == (fails in ("index", "contract"))


def test_an_upgrade_that_fails_says_what_did_not_run_after_it(world: Fakes, asked: Request) -> None:
    world.helm.upgrade_ends = HelmExit(1, ("Error: exceeded quota",))
    with pytest.raises(UpgradeFailed) as failed:
        deploy(asked, world.world, world.told)
    assert not_run(failed.value) == ("index", "contract")


def test_the_next_try_takes_what_is_done_and_attaches_to_what_runs(world: Fakes, asked: Request) -> None:
    world.cluster.scripts["shop-backfill"] = Script(ends=200)
    signal_in(world, 60, 15)
    with pytest.raises(Interrupted, match=r"Job shop-backfill still runs.*; not run: index, contract"):
        deploy(asked, world.world, world.told)
    assert deploy(again(asked, world), world.world, world.told).revision == 2
    assert results(world) == [
        ("schema", "succeeded"),
        ("schema", "resumed"),
        *((name, "succeeded") for name in ORDER[1:]),
    ]
    created = [call for call in world.cluster.wrote() if call.startswith("create Job")]
    assert created == [f"create Job shop/shop-{name}" for name in ORDER]


def test_all_are_skipped_by_the_flag(world: Fakes, asked: Request) -> None:
    deploy(replace(asked, skip_migration=True), world.world, world.told)
    skipped = [event.step for event in world.told.of(StepChanged) if event.state == "skipped"]
    assert (tuple(skipped), results(world)) == (ORDER, [])


def test_what_a_try_that_skipped_them_has_applied_does_not_stand_for_them(
    world: Fakes, asked: Request
) -> None:
    report = hook("report", ("post-upgrade",), "v2")
    world.helm.rendered = replace(four("v2", 2), hooks=(report,))
    world.cluster.scripts["report"] = Script(ends=200)
    signal_in(world, 60, 15)
    with pytest.raises(Interrupted):
        deploy(replace(asked, skip_migration=True), world.world, world.told)
    assert results(world) == []
    world.helm.rendered = replace(four("v2", 3), hooks=(report,))
    deploy(again(asked, world), world.world, world.told)
    assert [name for name, _ in results(world) if name in ORDER] == list(ORDER)


def test_what_a_first_install_runs_later_is_owed_until_it_has_succeeded_and_then_runs_before_again(
    world: Fakes, asked: Request
) -> None:
    schema = MigrationSpec(name="schema", template="templates/schema.yaml", first_install="during")
    one = replace(asked, migrations=(schema,))

    def rendered(tag: str, revision: int) -> Rendered:
        whole = four(tag, revision)
        return replace(whole, manifest="---\n".join(part for part in whole.manifest.split("---\n") if "templates/schema" in part or "Job" not in part))  # fmt: skip

    def order() -> list[str]:
        return [event.step for event in world.told.of(StepChanged) if event.state == "done" and event.step in ("upgrade", "schema")]  # fmt: skip

    world.helm.revisions = []
    world.helm.rendered = rendered("v2", 1)
    world.cluster.scripts["shop-schema"] = Script(outcome="failed", exit_code=1)
    with pytest.raises(AfterFailed):
        deploy(one, world.world, world.told)
    world.cluster.scripts["shop-schema"] = Script()
    world.helm.rendered = rendered("v3", 2)
    deploy(again(one, world, tag="v3"), world.world, world.told)
    assert order() == ["upgrade", "upgrade", "schema"]
    world.helm.rendered = rendered("v4", 3)
    deploy(again(one, world, run="run-3", tag="v4"), world.world, world.told)
    assert order()[3:] == ["schema", "upgrade"]


def test_what_a_first_install_skips_runs_with_the_next_deploy(world: Fakes, asked: Request) -> None:
    skipped = tuple(replace_spec(each) for each in asked.migrations)
    world.helm.revisions = []
    world.helm.rendered = four("v2", 1)
    deploy(replace(asked, migrations=skipped), world.world, world.told)
    said = {e.step: e.message for e in world.told.of(StepChanged) if e.state == "skipped"}
    assert said == {name: f"first_install leaves Job shop-{name} out" for name in ORDER}
    assert results(world) == []
    world.helm.rendered = four("v3", 2)
    deploy(again(asked, world, tag="v3", migrations=skipped), world.world, world.told)
    assert [name for name, _ in results(world)] == list(ORDER)


def replace_spec(spec: MigrationSpec) -> MigrationSpec:
    return MigrationSpec(name=spec.name, template=spec.template, phase=spec.phase, first_install="skip")
