"""What a migration needs before the upgrade, from its making to the deploy that takes it away."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from shipit.config import MigrationSpec, Request
from shipit.deploy.sequence import deploy
from shipit.errors import (
    ApiError,
    Busy,
    Forbidden,
    Interrupted,
    MigrationFailed,
    MigrationTimedOut,
    Stopped,
    Unknown,
    Unreachable,
)
from shipit.events import StepChanged, Warned
from shipit.lock import UpgradeState
from shipit.lock.record import lease_ref, record_of
from shipit.model import Json, MadeObject, Ref, Revision
from tests.fakes import NAMESPACE, Fakes, Script, fakes
from tests.releases import a_request, config_map, job, manifest, rendered

OWN = Ref("v1", "ConfigMap", NAMESPACE, "settings")
MIGRATE = Ref("batch/v1", "Job", NAMESPACE, "migrate")
READS = {"containers": [{"name": "c", "image": "shop:v2", "envFrom": [{"configMapRef": {"name": "settings"}}]}]}  # fmt: skip
HELMS = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": NAMESPACE}


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return replace(a_request(tmp_path), migrations=(MigrationSpec(prerequisites="auto"),))


def again(asked: Request, run: str, **changes: object) -> Request:
    workdir = asked.workdir.parent / run
    workdir.mkdir()
    return replace(asked, run=run, workdir=workdir, **changes)  # type: ignore[arg-type]


def settings(colour: str) -> Json:
    return {**config_map("settings"), "data": {"COLOUR": colour}}


def release(colour: str, live: str = "red") -> Fakes:
    """Revision 1 has red settings, or none; the chart makes them of that colour."""
    found = fakes(rendered(manifest(settings(colour), job(pod=READS))))
    found.helm.revisions = [Revision(1, "deployed")]
    found.helm.manifests = {1: manifest(settings(live)) if live else manifest(config_map("other"))}
    if live:
        meta = {"name": "settings", "namespace": NAMESPACE, "annotations": HELMS}
        found.cluster.create({**settings(live), "metadata": meta})
    found.cluster.scripts["migrate"] = Script()
    return found


def copies(world: Fakes) -> list[str]:
    world.clock.sleep(1)
    return [ref.name for ref in world.cluster.objects if ref.name.startswith("settings-shipit-")]


def noted(world: Fakes) -> tuple[MadeObject, ...]:
    return record_of(world.cluster.objects[lease_ref(NAMESPACE, "shop")]).made


def taken(world: Fakes) -> str:
    """What the Job calls its ConfigMap."""
    pod = world.cluster.objects[MIGRATE]["spec"]["template"]["spec"]
    return str(pod["containers"][0]["envFrom"][0]["configMapRef"]["name"])


@pytest.mark.parametrize("fails", [True, False])
def test_what_is_missing_is_made_as_helm_would_own_it_and_noted(asked: Request, fails: bool) -> None:
    world = release("blue", live="")
    world.cluster.scripts["migrate"] = Script(outcome="failed" if fails else "complete")
    if fails:
        with pytest.raises(MigrationFailed) as failed:
            deploy(asked, world.world, world.told)
        assert "ConfigMap settings was created for the migration" in str(failed.value)
        assert [(each.ref, each.copy) for each in noted(world)] == [(OWN, False)]
        assert noted(world)[0].uid == world.cluster.objects[OWN]["metadata"]["uid"]
    else:
        deploy(asked, world.world, world.told)
        assert noted(world) == (), "the app's manifest holds it: it is Helm's"
    meta = world.cluster.objects[OWN]["metadata"]
    assert meta["annotations"] == HELMS
    assert meta["labels"] == {"app.kubernetes.io/managed-by": "Helm"}
    order = [call for call in world.cluster.wrote() if "settings" in call or "create Job" in call]
    assert order[0].startswith("apply ConfigMap shop/settings")
    assert order[1].startswith("create Job")


@pytest.mark.parametrize("fails", [True, False])
def test_what_would_change_is_copied_and_stays_as_it_is(asked: Request, fails: bool) -> None:
    world = release("blue")
    was = world.cluster.objects[OWN]
    world.cluster.scripts["migrate"] = Script(outcome="failed" if fails else "complete")
    if fails:
        with pytest.raises(MigrationFailed, match=r"the app is untouched \(revision 1\)$"):
            deploy(asked, world.world, world.told)
    else:
        deploy(asked, world.world, world.told)
    assert taken(world).startswith("settings-shipit-")
    assert world.cluster.objects[OWN] == was, "only Helm changes it"
    assert (copies(world), noted(world)) == ([], ())


def test_what_is_the_same_serves(asked: Request) -> None:
    world = release("red")
    deploy(asked, world.world, world.told)
    assert taken(world) == "settings"
    assert [call for call in world.cluster.wrote() if "ConfigMap" in call] == [f"create {OWN}"], "by the test"


def test_a_copy_stays_while_its_migration_may_run_and_the_next_deploy_takes_it_away(asked: Request) -> None:
    world = release("blue")
    world.cluster.scripts["migrate"] = Script(ends=950)
    with pytest.raises(MigrationTimedOut) as late:
        deploy(asked, world.world, world.told)
    (copy,) = copies(world)
    assert f"ConfigMap {copy} was created for the migration" in str(late.value)
    world.clock.sleep(100)
    deploy(again(asked, "run-2"), world.world, world.told)
    assert (copies(world), noted(world)) == ([], ())
    made = [call for call in world.cluster.wrote() if call.startswith("create ConfigMap")]
    assert len(made) == 2, "the app's in the beginning, and one copy for one migration"


def test_the_same_migration_is_known_again_whether_it_got_a_copy_or_not(asked: Request) -> None:
    """Helm may have changed the app's ConfigMap before it was interrupted."""
    world = release("blue")

    def die() -> None:
        raise Stopped(15)

    world.clock.later(4, die)
    with pytest.raises(Interrupted):
        deploy(asked, world.world, world.told)
    world.helm.revisions = world.helm.revisions[:1]
    world.cluster.objects[OWN]["data"] = {"COLOUR": "blue"}
    deploy(again(asked, "run-2"), world.world, world.told)
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job")]) == 1


def test_a_new_content_is_another_migration(asked: Request) -> None:
    world = release("blue")
    world.helm.upgrade_takes = 10

    def die() -> None:
        raise Stopped(15)

    world.clock.later(5, die)
    with pytest.raises(Interrupted):
        deploy(asked, world.world, world.told)
    world.helm.revisions = world.helm.revisions[:1]
    world.helm.rendered = rendered(manifest(settings("green"), job(pod=READS)))
    asked.values.layers[0].write_text("colour: green\n")  # type: ignore[union-attr]
    deploy(again(asked, "run-2"), world.world, world.told)
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job")]) == 2


def test_one_that_no_migration_needs_any_more_goes_by_its_uid(asked: Request) -> None:
    world = release("blue", live="")
    world.cluster.scripts["migrate"] = Script(outcome="failed")
    with pytest.raises(MigrationFailed):
        deploy(asked, world.world, world.told)
    world.helm.rendered = rendered(manifest(config_map("other"), job()))
    world.cluster.scripts["migrate"] = Script()
    deploy(again(asked, "run-2"), world.world, world.told)
    world.clock.sleep(1)
    assert OWN not in world.cluster.objects
    assert noted(world) == ()


def test_what_came_in_its_place_stays(asked: Request) -> None:
    world = release("blue", live="")
    world.cluster.scripts["migrate"] = Script(outcome="failed")
    with pytest.raises(MigrationFailed):
        deploy(asked, world.world, world.told)
    world.cluster.vanish(OWN)
    world.cluster.create({**settings("white"), "metadata": {"name": "settings", "namespace": NAMESPACE}})
    world.helm.rendered = rendered(manifest(config_map("other"), job()))
    world.cluster.scripts["migrate"] = Script()
    deploy(again(asked, "run-2"), world.world, world.told)
    world.clock.sleep(1)
    assert world.cluster.objects[OWN]["data"] == {"COLOUR": "white"}
    assert noted(world) == ()


def test_one_whose_maker_died_before_it_knew_the_uid_is_found_again(asked: Request) -> None:
    world = release("blue", live="")
    world.cluster.broken = lambda call: Unreachable("silence") if call.startswith("apply ConfigMap") else None
    with pytest.raises(Unknown, match="whether ConfigMap settings was created is not known"):
        deploy(asked, world.world, world.told)
    assert noted(world) == (MadeObject(OWN),)
    world.cluster.broken = lambda call: None
    meta = {"name": "settings", "namespace": NAMESPACE, "annotations": HELMS}
    world.cluster.create({**settings("blue"), "metadata": meta})
    world.helm.rendered = rendered(manifest(config_map("other"), job()))
    deploy(again(asked, "run-2"), world.world, world.told)
    world.clock.sleep(1)
    assert OWN not in world.cluster.objects


def test_what_the_api_server_does_not_take_ends_the_deploy_before_the_migration(asked: Request) -> None:
    world = release("blue", live="")
    forbidden = Forbidden("no ConfigMaps today")
    world.cluster.broken = lambda call: forbidden if call.startswith("apply ConfigMap") else None
    with pytest.raises(MigrationFailed, match="ConfigMap settings could not be created: no ConfigMaps today"):
        deploy(asked, world.world, world.told)
    assert MIGRATE not in world.cluster.objects


def test_what_a_skipped_migration_needs_is_not_made(asked: Request) -> None:
    world = release("blue", live="")
    deploy(replace(asked, skip_migration=True), world.world, world.told)
    assert OWN not in world.cluster.objects


@pytest.mark.parametrize("note", ['{"version": 2, "made": []}', "{", '{"version": 1}', "[]"])
def test_a_note_that_can_t_be_read_stops_the_deploy(asked: Request, note: str) -> None:
    world = release("blue")
    ref = lease_ref(NAMESPACE, "shop")
    meta = {"name": ref.name, "namespace": NAMESPACE, "annotations": {"shipit/prerequisites": note}}
    world.cluster.create({"apiVersion": ref.api_version, "kind": "Lease", "metadata": meta, "spec": {}})
    with pytest.raises(Busy, match="noted of its prerequisites on Lease shipit-shop"):
        deploy(asked, world.world, world.told)
    assert json.dumps(world.cluster.objects[ref]["metadata"]["annotations"]) == json.dumps(
        meta["annotations"]
    )


def test_one_that_is_made_anew_is_no_longer_known_by_the_uid_of_the_one_that_is_gone(asked: Request) -> None:
    world = release("blue", live="")
    world.cluster.scripts["migrate"] = Script(outcome="failed")
    with pytest.raises(MigrationFailed):
        deploy(asked, world.world, world.told)
    world.cluster.vanish(OWN)
    world.cluster.broken = lambda call: Unreachable("silence") if call.startswith("apply ConfigMap") else None
    with pytest.raises(Unknown, match="whether ConfigMap settings was created is not known"):
        deploy(again(asked, "run-2"), world.world, world.told)
    world.cluster.broken = lambda call: None
    meta = {"name": "settings", "namespace": NAMESPACE, "annotations": HELMS}
    world.cluster.create({**settings("blue"), "metadata": meta})
    world.helm.rendered = rendered(manifest(config_map("other"), job()))
    world.cluster.scripts["migrate"] = Script()
    deploy(again(asked, "run-3"), world.world, world.told)
    world.clock.sleep(1)
    assert OWN not in world.cluster.objects


def test_what_another_release_has_taken_over_since_stays(asked: Request) -> None:
    world = release("blue", live="")
    world.cluster.scripts["migrate"] = Script(outcome="failed")
    with pytest.raises(MigrationFailed):
        deploy(asked, world.world, world.told)
    world.cluster.objects[OWN]["metadata"]["annotations"] = {**HELMS, "meta.helm.sh/release-name": "cart"}
    world.helm.rendered = rendered(manifest(config_map("other"), job()))
    world.cluster.scripts["migrate"] = Script()
    deploy(again(asked, "run-2"), world.world, world.told)
    world.clock.sleep(1)
    assert OWN in world.cluster.objects
    assert noted(world) == ()


def test_a_refused_one_is_told_as_the_end_of_the_prerequisites(asked: Request) -> None:
    world = release("blue", live="")
    world.cluster.broken = lambda call: Forbidden("no") if call.startswith("apply ConfigMap") else None
    with pytest.raises(MigrationFailed):
        deploy(asked, world.world, world.told)
    states = [each.state for each in world.told.of(StepChanged) if each.step == "prerequisites"]
    assert states == ["started", "failed"]


def test_a_deploy_that_is_done_stays_done_when_the_last_note_of_them_is_lost(asked: Request) -> None:
    world = release("blue", live="")

    def lost(call: str) -> ApiError | None:
        lease = world.cluster.objects.get(lease_ref(NAMESPACE, "shop"))
        upgrade = record_of(lease).upgrade if lease else None
        over = upgrade is not None and upgrade.state is UpgradeState.SETTLED
        return Unreachable("silence") if over and "Lease" in call else None

    world.cluster.broken = lost
    assert deploy(asked, world.world, world.told).revision == 2
    told = [each.message for each in world.told.of(Warned)]
    assert any(each.startswith("that prerequisites are gone could not be noted") for each in told), told


def test_what_somebody_made_meanwhile_is_not_overwritten(asked: Request) -> None:
    world = release("blue", live="")
    meta = {**HELMS, "meta.helm.sh/release-name": "cart"}
    theirs = {
        **settings("white"),
        "metadata": {"name": "settings", "namespace": NAMESPACE, "annotations": meta},
    }

    def meanwhile(call: str) -> ApiError | None:
        begun = any(each.step == "prerequisites" for each in world.told.of(StepChanged))
        if begun and call.startswith("replace Lease") and OWN not in world.cluster.objects:
            world.cluster.create(theirs)
        return None

    world.cluster.broken = meanwhile
    with pytest.raises(Busy, match="someone else created ConfigMap settings meanwhile"):
        deploy(asked, world.world, world.told)
    assert world.cluster.objects[OWN]["data"] == {"COLOUR": "white"}
    assert MIGRATE not in world.cluster.objects


def test_one_of_an_earlier_try_is_made_as_the_chart_has_it_now(asked: Request) -> None:
    world = release("blue", live="")
    world.cluster.scripts["migrate"] = Script(outcome="failed")
    with pytest.raises(MigrationFailed):
        deploy(asked, world.world, world.told)
    uid = world.cluster.objects[OWN]["metadata"]["uid"]
    world.helm.rendered = rendered(manifest(settings("green"), job(pod=READS)))
    world.cluster.scripts["migrate"] = Script()
    deploy(again(asked, "run-2"), world.world, world.told)
    assert world.cluster.objects[OWN]["data"] == {"COLOUR": "green"}
    assert world.cluster.objects[OWN]["metadata"]["uid"] == uid
