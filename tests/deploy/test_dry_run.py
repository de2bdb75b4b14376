"""What `plan` tells and refuses without changing anything, when a deploy has nothing to do, and what a saved plan holds."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from shipit.config import Request
from shipit.deploy.dry_run import Preview, preview
from shipit.deploy.sequence import deploy
from shipit.errors import Busy, Forbidden, Invalid, MigrationFailed, Refused, Usage
from shipit.events import Planned, StepChanged, Warned
from shipit.lock.record import lease_ref
from shipit.model import Ref, Rendered
from shipit.plan import Options, SavedPlan, read_plan, saved_plan, write_plan
from tests.deploy.test_sequence import MIGRATE, hooked, request_, world
from tests.fakes import NAMESPACE, Fakes, Script

__all__ = ["request_", "world"]


@pytest.fixture(autouse=True)
def a_namespace(world: Fakes) -> None:
    world.cluster.objects[Ref("v1", "Namespace", "", NAMESPACE)] = {"metadata": {"name": NAMESPACE}}


@pytest.fixture
def live(world: Fakes, request_: Request) -> Fakes:
    """v2 was deployed, with a hook for its migration, and the chart is as it was."""
    world.helm.rendered = hooked("v2", 2)
    deploy(request_, world.world, world.told)
    world.helm.rendered = hooked("v2", 3)
    return world


def anew(asked: Request, name: str = "again", **more: object) -> Request:
    """The same, by a shipit of its own."""
    workdir = asked.workdir / name
    workdir.mkdir()
    return replace(asked, run=f"run-{name}", workdir=workdir, **more)  # type: ignore[arg-type]


def looked(asked: Request, world: Fakes, *, twice: bool = False) -> Preview:
    before = list(world.cluster.wrote())
    helms = len(world.helm.processes)
    try:
        return preview(asked, world.world, world.told, twice=twice)
    finally:
        assert world.cluster.wrote() == before, "a plan changes nothing"
        assert len(world.helm.processes) == helms


def told(world: Fakes) -> Planned:
    return world.told.of(Planned)[-1]


# ── what is told ─────────────────────────────────────────────────────────────────────────────────


def test_a_plan_is_told_in_the_order_in_which_it_would_be_done(world: Fakes, request_: Request) -> None:
    looked(request_, world)
    found = told(world)
    assert [(step.name, step.action, step.when) for step in found.steps] == [
        ("migrate", "run", "before"), ("upgrade", "upgrade", "upgrade"),
    ]  # fmt: skip
    assert found.steps[0].timeout == 900
    assert "image: shop:v2" in found.steps[0].manifest
    assert "shipit/run" not in found.steps[0].manifest, "only the deploy itself can know it"
    assert [(each.action, each.object) for each in found.changes] == [("create", "ConfigMap shop")]
    assert (found.revision, found.base_revision) == (2, 1)
    assert found.reasons == ("no deploy by shipit is recorded",)
    assert lease_ref(NAMESPACE, "shop") not in world.cluster.objects, "no lock is taken"


def test_what_the_api_server_refuses_is_refused_once_all_is_told(world: Fakes, request_: Request) -> None:
    world.cluster.broken = lambda call: (
        Invalid("spec.template: no", status=422) if call.startswith("dry-create Job") else None
    )
    with pytest.raises(Refused, match="does not accept Job"):
        looked(request_, world)
    assert told(world).steps


def test_a_deploy_that_is_under_way_is_told_and_its_migration_refuses_as_a_deploy_would(
    live: Fakes, request_: Request
) -> None:
    body = live.cluster.objects[lease_ref(NAMESPACE, "shop")]
    body["spec"]["holderIdentity"] = "somebody"
    body["metadata"]["annotations"] |= {"shipit/who": "anna", "shipit/tag": "v3"}
    looked(anew(request_), live)
    assert any("a deploy holds the lock: anna deploys v3" in each.message for each in live.told.of(Warned))
    del live.cluster.objects[MIGRATE]
    live.cluster.scripts["migrate"] = Script(ends=1000)
    running = live.cluster.create({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "migrate", "namespace": NAMESPACE, "labels": {"shipit/release": "shop"}},
    })  # fmt: skip
    assert running
    with pytest.raises(Busy, match="still runs"):
        looked(anew(request_, "3"), live)


def test_who_may_not_deploy_sees_what_can_be_read(world: Fakes, request_: Request) -> None:
    world.cluster.forbidden = {"create jobs", "update secrets"}
    world.cluster.broken = lambda call: Forbidden("no", status=403) if call.startswith("dry-") else None
    looked(request_, world)
    assert told(world).steps
    (warned,) = (each.message for each in world.told.of(Warned) if "dry runs" in each.message)
    assert (
        warned == "you may not deploy, and nothing was tried in dry runs: missing create jobs, update secrets"
    )


def test_a_namespace_that_a_deploy_makes_is_its_first_step(world: Fakes, request_: Request) -> None:
    del world.cluster.objects[Ref("v1", "Namespace", "", NAMESPACE)]
    with pytest.raises(Refused, match="namespace shop does not exist"):
        looked(request_, world)
    creating = replace(anew(request_), spec=msgspec.structs.replace(request_.spec, create_namespace=True))
    looked(creating, world)
    assert (told(world).steps[0].name, told(world).steps[0].action) == ("namespace", "create")


def test_what_failed_before_makes_room(world: Fakes, request_: Request) -> None:
    world.cluster.scripts["migrate"] = Script(outcome="failed", exit_code=1)
    with pytest.raises(MigrationFailed):
        deploy(request_, world.world, world.told)
    looked(anew(request_), world)
    assert told(world).deleted == ("Job migrate of v2, which has ended",)
    assert told(world).steps[0].action == "run"


# ── nothing to do ────────────────────────────────────────────────────────────────────────────────


def test_a_release_that_is_as_it_would_be_made_has_nothing_to_do(live: Fakes, request_: Request) -> None:
    looked(anew(request_), live)
    assert told(live).reasons == ()
    revisions = len(live.helm.revisions)
    done = deploy(anew(request_, "3", if_changed=True), live.world, live.told)
    assert (done.tag, done.revision) == ("v2", 2)
    assert len(live.helm.revisions) == revisions
    assert live.told.of(StepChanged)[-1].message == "nothing to do: v2 is live as revision 2"


def other_tag(world: Fakes, asked: Request) -> Request:
    world.helm.rendered = hooked("v3", 3)
    return replace(asked, tag="v3")


def other_manifest(world: Fakes, asked: Request) -> Request:
    world.helm.rendered = replace(world.helm.rendered, manifest=world.helm.rendered.manifest + "  more: x\n")
    return asked


def rerun(_world: Fakes, asked: Request) -> Request:
    return replace(asked, rerun=True)


def moved(world: Fakes, asked: Request) -> Request:
    world.helm._made("deployed", "by hand")
    world.helm.rendered = hooked("v2", 4)
    return asked


def failed(world: Fakes, asked: Request) -> Request:
    world.helm._made("failed")
    world.helm.rendered = hooked("v2", 4)
    return asked


def other_deploy_began(world: Fakes, asked: Request) -> Request:
    world.cluster.objects[lease_ref(NAMESPACE, "shop")]["metadata"]["annotations"]["shipit/tag"] = "v9"
    return asked


def rolled_back(world: Fakes, asked: Request) -> Request:
    world.cluster.objects[lease_ref(NAMESPACE, "shop")]["metadata"]["annotations"]["shipit/tag"] = ""
    return asked


def edited(world: Fakes, asked: Request) -> Request:
    """A values file, and the migration that it made is gone."""
    (Path(asked.chart) / "values.yaml").write_text("more: 1\n")
    world.cluster.objects.pop(MIGRATE, None)
    return asked


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (other_tag, "the live tag is v2"),
        (other_manifest, "the manifest changes"),
        (rerun, "--rerun"),
        (moved, "revision 3 was not made by the last deploy"),
        (failed, "revision 3 is failed"),
        (other_deploy_began, "the last deploy, of v9, did not get as far as its upgrade"),
        (rolled_back, "the last to hold the lock was a rollback"),
        (edited, "what runs around the upgrade, or what it is made from, is another"),
    ],
)
def test_anything_else_is_a_reason_to_deploy(
    live: Fakes, request_: Request, change: Callable[[Fakes, Request], Request], words: str
) -> None:
    looked(change(live, anew(request_)), live)
    assert told(live).reasons == (words,)


def test_a_deploy_that_left_its_migration_out_owes_it(world: Fakes, request_: Request) -> None:
    world.helm.rendered = hooked("v2", 2)
    deploy(replace(request_, skip_migration=True), world.world, world.told)
    world.helm.rendered = hooked("v2", 3)
    looked(anew(request_), world)
    assert told(world).reasons != ()
    looked(replace(anew(request_, "3"), skip_migration=True), world)
    assert told(world).reasons == (), "it is left out again"


def random_manifest(world: Fakes, revision: int) -> None:
    """Each rendering has another value, as randAlphaNum makes it, and Helm stores the last one."""
    count = itertools.count()
    plain = hooked("v2", revision)

    def render(*_args: object) -> Rendered:
        world.helm.rendered = replace(plain, manifest=f"{plain.manifest}  random: r{next(count)}\n")
        return world.helm.rendered

    world.helm.render = render  # type: ignore[assignment,method-assign]


def test_what_the_chart_renders_anew_each_time_is_no_change(world: Fakes, request_: Request) -> None:
    random_manifest(world, 2)
    deploy(request_, world.world, world.told)
    random_manifest(world, 3)
    looked(anew(request_), world, twice=True)
    assert told(world).volatile == ("ConfigMap shop: data.random",)
    assert told(world).reasons == ()
    (Path(request_.chart) / "values.yaml").write_text("more: 1\n")
    looked(anew(request_, "3"), world)
    assert told(world).reasons == ("the manifest changes",), "made from something else, who knows"


# ── saved plans ──────────────────────────────────────────────────────────────────────────────────


def saved(asked: Request, world: Fakes, path: Path, lifetime: float = 7200.0) -> SavedPlan:
    seen = looked(asked, world, twice=True)
    made = saved_plan(
        asked, world.world, seen.plan, seen.rendering, seen.volatile,
        options=Options(tag=asked.tag), lifetime=lifetime, shown=seen.shown, warnings=seen.warnings,
    )  # fmt: skip
    write_plan(path, made)
    assert path.stat().st_mode & 0o777 == 0o600
    return read_plan(path)


def test_a_saved_plan_is_carried_out(world: Fakes, request_: Request, tmp_path: Path) -> None:
    random_manifest(world, 2)
    plan = saved(anew(request_), world, tmp_path / "plan.json")
    assert plan.shown.volatile == ("ConfigMap shop: data.random",)
    assert deploy(request_, world.world, world.told, plan).revision == 2


def values_changed(_world: Fakes, asked: Request) -> Request:
    (Path(asked.chart) / "values.yaml").write_text("replicas: 9\n")
    return asked


def rendered_otherwise(world: Fakes, asked: Request) -> Request:
    world.helm.rendered = replace(
        world.helm.rendered, manifest=world.helm.rendered.manifest.replace("tag: v2", "tag: v2-x")
    )
    return asked


def one_more_step(world: Fakes, asked: Request) -> Request:
    return replace(asked, migrations=tuple(msgspec.structs.replace(e, timeout=1.0) for e in asked.migrations))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (values_changed, "the chart changed"),
        (moved, "the release moved from revision 1 to revision 2"),
        (rendered_otherwise, "ConfigMap shop is rendered otherwise"),
        (one_more_step, "the steps are others"),
    ],
)
def test_a_saved_plan_that_no_longer_holds_is_refused_with_what_moved(
    world: Fakes, request_: Request, tmp_path: Path, change: Callable[[Fakes, Request], Request], words: str
) -> None:
    world.helm.rendered = hooked("v2", 2)
    plan = saved(anew(request_), world, tmp_path / "plan.json")
    asked = change(world, request_)
    with pytest.raises(Refused, match="the plan no longer holds") as refused:
        deploy(asked, world.world, world.told, plan)
    assert any(words in each for each in refused.value.details), refused.value.details
    assert MIGRATE not in world.cluster.objects
    assert refused.value.exit_code == 3


def test_an_old_plan_and_one_for_something_else_are_refused(
    world: Fakes, request_: Request, tmp_path: Path
) -> None:
    plan = saved(anew(request_), world, tmp_path / "plan.json", lifetime=60.0)
    for field, words in (
        ("release", "release other"),
        ("namespace", "namespace other"),
        ("context", "context other"),
    ):
        with pytest.raises(Refused, match=words):
            deploy(request_, world.world, world.told, msgspec.structs.replace(plan, **{field: "other"}))
    world.clock.seconds += 61
    with pytest.raises(Refused, match="expired"):
        deploy(request_, world.world, world.told, plan)
    assert plan.expires - plan.created == timedelta(seconds=60)


def test_a_file_that_is_no_plan_or_a_newer_shipits_is_said(
    world: Fakes, request_: Request, tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    saved(request_, world, path)
    path.write_text(path.read_text().replace('"version": 1', '"version": 2', 1))
    with pytest.raises(Refused, match="newer shipit"):
        read_plan(path)
    for text in ("", "{}", '{"version": 1}', "no"):
        path.write_text(text)
        with pytest.raises(Usage, match="is not a plan"):
            read_plan(path)
    with pytest.raises(Usage, match="can't be read"):
        read_plan(tmp_path / "nothing")
