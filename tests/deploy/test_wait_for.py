"""What a migration waits for: before anything is changed where nothing of the deploy makes it, else in its turn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shipit.config import MigrationSpec, Request
from shipit.deploy.sequence import deploy
from shipit.errors import AfterFailed, MigrationFailed, Refused
from shipit.events import StepChanged
from shipit.model import Json, Ref, Revision
from tests.fakes import NAMESPACE, Fakes, Script, fakes
from tests.releases import a_request, config_map, hook, job, manifest, rendered

SECRET = Ref("v1", "Secret", NAMESPACE, "db-app")
DATABASE = Ref("apps/v1", "Deployment", NAMESPACE, "db")
READS = {"containers": [{"name": "c", "image": "shop:v2", "envFrom": [{"secretRef": {"name": "db-app"}}]}]}


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return waiting(a_request(tmp_path), "secret/db-app")


def waiting(asked: Request, *what: str, **keys: object) -> Request:
    spec = MigrationSpec(wait_for=what, start_timeout=20, **keys)  # type: ignore[arg-type]
    return replace(asked, migrations=(spec,))


def release(*bodies: Json, install: bool = False) -> Fakes:
    found = fakes(rendered(manifest(*bodies, job(pod=READS)), revision=1 if install else 2))
    found.helm.revisions = [] if install else [Revision(1, "deployed")]
    found.cluster.scripts["migrate"] = Script()
    return found


def appears(world: Fakes, ref: Ref, after: float, **more: object) -> None:
    meta = {"name": ref.name, "namespace": ref.namespace}
    body = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": meta, **more}

    def appear() -> None:
        world.cluster.create(body)

    world.clock.later(after, appear)


def lasting(world: Fakes) -> list[str]:
    """What was written beside the lock."""
    return [call for call in world.cluster.wrote() if "Lease" not in call]


def waits(world: Fakes) -> list[tuple[str, str]]:
    return [(each.state, each.message) for each in world.told.of(StepChanged) if each.step == "wait"]


def test_a_secret_that_comes_late_is_waited_for_before_anything_changes(asked: Request) -> None:
    world = release()
    appears(world, SECRET, 7)
    deploy(asked, world.world, world.told)
    assert waits(world) == [("started", "Secret db-app does not exist"), ("done", "Secret db-app")]
    order = [call for call in world.cluster.wrote() if call.startswith("create ")]
    assert order.index(f"create {SECRET}") < order.index("create Job shop/migrate")


def test_one_that_does_not_come_is_a_refusal(asked: Request) -> None:
    world = release()
    with pytest.raises(Refused, match="waits for was not ready within 20 s: Secret db-app does not exist"):
        deploy(asked, world.world, world.told)
    assert lasting(world) == []
    assert waits(world)[-1] == ("failed", "Secret db-app does not exist")


def test_what_only_the_upgrade_brings_is_refused_at_once(asked: Request) -> None:
    database = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "db"}, "spec": {}}
    for install, key in ((True, "first_install"), (False, "phase")):
        world = release(database, install=install)
        asked = waiting(with_workdir(asked, key), "deployment/db")
        appears(world, SECRET, 0)
        world.clock.sleep(0)
        with pytest.raises(
            Refused, match="Deployment db, which the chart brings with the upgrade"
        ) as refused:
            deploy(asked, world.world, world.told)
        assert f'{key} = "during"' in refused.value.hint.why
        assert world.clock.monotonic() < 20


def with_workdir(asked: Request, name: str) -> Request:
    folder = asked.workdir.parent / name
    folder.mkdir()
    return replace(asked, workdir=folder, run=f"run-{name}")


def test_what_a_hook_before_may_make_is_waited_for_in_its_turn(asked: Request) -> None:
    early = hook(job("early", pod={"containers": [{"name": "c", "image": "shop:v2"}]}), "pre-upgrade")
    world = release()
    world.helm.rendered = rendered(manifest(config_map("other"), job(pod=READS)), early)
    world.cluster.scripts["early"] = Script()
    asked = waiting(asked, "secret/db-app", template="templates/migrate.yaml")
    with pytest.raises(MigrationFailed, match="Secret db-app does not exist; the app is untouched"):
        deploy(asked, world.world, world.told)
    assert "create Job shop/early" in lasting(world)
    assert "create Job shop/migrate" not in lasting(world)


def test_behind_the_upgrade_it_is_what_is_not_done(asked: Request) -> None:
    world = release()
    with pytest.raises(AfterFailed, match="Secret db-app does not exist; the app is upgraded to v2"):
        deploy(waiting(asked, "secret/db-app", phase="during"), world.world, world.told)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"replicas": 1, "updatedReplicas": 1}, "Deployment db: 0 of 1 pods are ready"),
        ({"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}, ""),
    ],
)
def test_a_workload_is_ready_when_its_pods_are(asked: Request, status: Json, words: str) -> None:
    world = release()
    appears(world, SECRET, 0)
    appears(world, DATABASE, 0, spec={"replicas": 1}, status=status)
    world.clock.sleep(0)
    asked = waiting(asked, "deploy/db")
    if words:
        with pytest.raises(Refused, match=words):
            deploy(asked, world.world, world.told)
    else:
        deploy(asked, world.world, world.told)
        assert waits(world) == [], "nothing to tell"


def test_looking_takes_permission(asked: Request) -> None:
    world = release()
    world.cluster.forbidden = {"list endpointslices"}
    with pytest.raises(Refused, match="missing list endpointslices"):
        deploy(waiting(asked, "svc/db"), world.world, world.told)
