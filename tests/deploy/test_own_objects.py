"""A deploy whose hooks have the names of the app's objects: the app keeps them, whatever becomes of the migration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shipit.config import Request
from shipit.deploy.sequence import deploy
from shipit.errors import (
    Conflict,
    Forbidden,
    MigrationFailed,
    MigrationTimedOut,
    Refused,
    Unknown,
    Unreachable,
)
from shipit.events import Warned
from shipit.model import Json, Ref, Revision
from tests.fakes import NAMESPACE, Fakes, Script, fakes
from tests.releases import a_request, config_map, hook, job, manifest, rendered

OWN = Ref("v1", "ConfigMap", NAMESPACE, "settings")
COPY = OWN._replace(name="settings-shipit")
MIGRATE = Ref("batch/v1", "Job", NAMESPACE, "migrate")
READS = {"containers": [{"name": "c", "image": "shop:v2", "envFrom": [{"configMapRef": {"name": "settings"}}]}]}  # fmt: skip


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return a_request(tmp_path)


def settings(colour: str) -> Json:
    return {**config_map("settings"), "data": {"COLOUR": colour}}


def release(colour: str, *policies: str, lasting: bool = True) -> Fakes:
    """Revision 1 has red settings; the chart makes them of that colour, as a hook and, where `lasting`, for the app."""
    early = hook(settings(colour), "pre-upgrade", weight=-5, policies=policies)
    own = (settings(colour),) if lasting else ()
    found = fakes(rendered(manifest(*own), early, hook(job(pod=READS), "pre-upgrade")))
    found.helm.revisions = [Revision(1, "deployed")]
    found.helm.manifests = {1: manifest(settings("red"))}
    found.cluster.create({**settings("red"), "metadata": {"name": "settings", "namespace": NAMESPACE}})
    found.cluster.scripts["migrate"] = Script()
    return found


def own_uid(world: Fakes) -> str:
    return str(world.cluster.objects[OWN]["metadata"]["uid"])


@pytest.mark.parametrize("colour", ["red", "blue"])
@pytest.mark.parametrize("policy", ["before-hook-creation", "hook-succeeded"])
@pytest.mark.parametrize("fails", [True, False])
def test_the_app_s_object_is_neither_deleted_nor_replaced(
    asked: Request, colour: str, policy: str, fails: bool
) -> None:
    world = release(colour, policy)
    was = world.cluster.objects[OWN]
    world.cluster.scripts["migrate"] = Script(outcome="failed" if fails else "complete")
    if fails:
        with pytest.raises(MigrationFailed, match=r"the app is untouched \(revision 1\)"):
            deploy(asked, world.world, world.told)
    else:
        deploy(asked, world.world, world.told)
    world.clock.sleep(1)
    assert world.cluster.objects[OWN] == was
    assert COPY not in world.cluster.objects, "it is gone with the migration"
    taken = json.dumps(world.cluster.objects[MIGRATE]["spec"]["template"])
    assert ("settings-shipit" in taken) is (colour == "blue")
    warned = [event.message for event in world.told.of(Warned) if "belongs to the app" in event.message]
    assert bool(warned) is (colour == "blue")


def test_a_copy_stays_as_long_as_its_migration_runs(asked: Request) -> None:
    world = release("blue")
    world.cluster.scripts["migrate"] = Script(ends=10_000)
    with pytest.raises(MigrationTimedOut):
        deploy(asked, world.world, world.told)
    world.clock.sleep(1)
    assert COPY in world.cluster.objects


def test_an_old_copy_goes_with_the_next_deploy_that_succeeds(asked: Request) -> None:
    world = release("red")
    meta = {"name": COPY.name, "namespace": NAMESPACE, "labels": {"shipit/release": "shop"}, "annotations": {"shipit/copy-of": "settings"}}  # fmt: skip
    world.cluster.create({**config_map("settings"), "metadata": meta})
    deploy(asked, world.world, world.told)
    world.clock.sleep(1)
    assert COPY not in world.cluster.objects


@pytest.mark.parametrize("colour", ["red", "blue"])
def test_what_becomes_a_hook_s_stays_and_is_the_hook_s_once_the_app_is_upgraded(
    asked: Request, colour: str
) -> None:
    """Helm removes what is no longer listed, unless it is told to keep it."""
    world = release(colour, lasting=False)
    uid = own_uid(world)
    made = world.helm._upgraded

    def upgraded() -> None:
        made()
        own = world.cluster.objects[OWN]
        assert (own["metadata"]["uid"], own["data"]) == (uid, {"COLOUR": "red"}), "until then it is the app's"
        assert own["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"

    world.helm._upgraded = upgraded  # type: ignore[method-assign]
    assert deploy(asked, world.world, world.told).revision == 3
    assert world.helm.calls == ["render", "upgrade handover", "upgrade app"]
    assert world.cluster.objects[OWN]["data"] == {"COLOUR": colour}


def test_what_becomes_a_hook_s_is_as_it_was_after_a_migration_that_failed(asked: Request) -> None:
    world = release("blue", lasting=False)
    was = world.cluster.objects[OWN]
    world.cluster.scripts["migrate"] = Script(outcome="failed")
    with pytest.raises(MigrationFailed, match=r"the app is untouched \(revision 1\)"):
        deploy(asked, world.world, world.told)
    assert world.cluster.objects[OWN] == was


def test_what_can_t_be_marked_for_helm_stops_the_upgrade(asked: Request) -> None:
    world = release("red", lasting=False)
    silence = Unreachable("silence")
    world.cluster.broken = lambda call: silence if call.startswith("replace ConfigMap") else None
    with pytest.raises(
        Unknown, match=r"becomes a hook's.*silence; the migration is done; the app is untouched"
    ):
        deploy(asked, world.world, world.told)
    assert world.helm.calls == ["render"]


def test_what_may_not_be_marked_for_helm_is_refused_before_the_migration_runs(asked: Request) -> None:
    world = release("red", lasting=False)
    denied = Forbidden("configmaps is forbidden")
    world.cluster.broken = lambda call: denied if call.startswith("dry-replace ConfigMap") else None
    with pytest.raises(Refused, match="configmaps is forbidden"):
        deploy(asked, world.world, world.told)
    assert MIGRATE not in world.cluster.objects


def test_a_mark_that_meets_somebody_else_s_change_is_made_again(asked: Request) -> None:
    world = release("red", lasting=False)
    meets = iter([Conflict("changed", status=409)])
    world.cluster.broken = lambda call: next(meets, None) if call.startswith("replace ConfigMap") else None
    assert deploy(asked, world.world, world.told).revision == 3
    assert world.cluster.objects[OWN]["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


@pytest.mark.parametrize("policies", [(), ("before-hook-creation", "hook-succeeded")])
def test_what_a_hook_made_before_the_first_install_makes_way_for_the_app_s(
    asked: Request, policies: tuple[str, ...]
) -> None:
    early = hook(settings("red"), "pre-install", weight=-5, policies=policies)
    text = manifest(settings("red"))
    world = fakes(rendered(text, early, hook(job(pod=READS), "pre-install"), revision=1))
    world.cluster.scripts["migrate"] = Script()
    upgrade = world.helm.upgrade

    def upgrading(*args: object, **how: object) -> object:
        assert OWN not in world.cluster.objects, "Helm could not create its own"
        return upgrade(*args, **how)  # type: ignore[arg-type]

    world.helm.upgrade = upgrading  # type: ignore[assignment,method-assign]
    assert deploy(asked, world.world, world.told).revision == 1


def test_a_hook_is_deleted_only_as_long_as_it_is_what_it_made(asked: Request) -> None:
    world = release("red", "hook-succeeded", lasting=False)
    world.helm.manifests = {1: manifest()}

    def somebody() -> None:
        world.cluster.vanish(OWN)
        world.cluster.create({**settings("green"), "metadata": {"name": "settings", "namespace": NAMESPACE}})

    world.clock.later(3, somebody)
    deploy(asked, world.world, world.told)
    world.clock.sleep(1)
    assert world.cluster.objects[OWN]["data"] == {"COLOUR": "green"}


def test_a_job_that_helm_made_in_the_place_of_a_hook_is_the_app_s(asked: Request) -> None:
    """The chart has the Job as a hook of the first install, and in its manifest: with the end of the deploy the hook's
    delete policy no longer concerns it.
    """
    first = hook(job(), "pre-install", policies=("hook-succeeded",))
    world = fakes(rendered(manifest(job()), first, revision=1))
    world.cluster.scripts["migrate"] = Script()
    made = world.helm._upgraded

    def upgraded() -> None:
        made()
        meta = {"name": "migrate", "namespace": NAMESPACE}
        ended = {"conditions": [{"type": "Complete", "status": "True"}]}
        world.cluster.create({**job(), "metadata": meta, "status": ended})

    world.helm._upgraded = upgraded  # type: ignore[method-assign]
    deploy(asked, world.world, world.told)
    world.clock.sleep(1)
    assert MIGRATE in world.cluster.objects


def test_that_the_app_is_untouched_is_looked_at(asked: Request) -> None:
    world = release("red")
    world.cluster.scripts["migrate"] = Script(outcome="failed", ends=5)
    world.clock.later(3, lambda: world.helm.revisions.append(Revision(2, "deployed")))
    with pytest.raises(MigrationFailed, match="did not touch the app; someone else moved it to revision 2"):
        deploy(asked, world.world, world.told)
