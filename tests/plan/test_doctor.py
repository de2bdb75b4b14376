"""The doctor: one line for each thing, a fix beside each failure, and all of them looked at."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from shipit.config import MigrationSpec, Request
from shipit.errors import HelmFailed, Refused
from shipit.events import StepChanged, Warned
from shipit.model import Ref
from shipit.plan.doctor import examine
from tests.deploy.test_sequence import JOB, request_, world
from tests.fakes import NAMESPACE, Fakes

__all__ = ["request_", "world"]


@pytest.fixture(autouse=True)
def a_namespace(world: Fakes) -> None:
    world.cluster.objects[Ref("v1", "Namespace", "", NAMESPACE)] = {"metadata": {"name": NAMESPACE}}


def states(world: Fakes) -> dict[str, str]:
    return {event.step: event.state for event in world.told.of(StepChanged)}


def test_a_sound_project_passes_and_nothing_is_written(world: Fakes, request_: Request) -> None:
    examine(request_, world.world, world.told)
    assert set(states(world).values()) == {"done"}
    assert not world.cluster.wrote()


def test_missing_permissions_name_the_role_to_create_and_the_rest_is_looked_at(
    world: Fakes, request_: Request
) -> None:
    world.cluster.forbidden = {"delete jobs", "get pods/log", "create secrets", "update leases"}
    with pytest.raises(Refused, match="1 of 9 checks failed: permissions"):
        examine(request_, world.world, world.told)
    (told,) = world.told.of(Warned)
    assert told.message == "not allowed: delete jobs, get pods/log, create secrets, update leases"
    assert (
        "--verb=delete,get,create,update --resource=jobs.batch,pods/log,secrets,leases.coordination.k8s.io"
        in str(told.hint)
    )
    assert states(world)["dry run"] == "done"


def test_where_helm_keeps_its_releases_in_config_maps_no_right_on_secrets_is_asked_for(
    world: Fakes, request_: Request
) -> None:
    world.helm.storage = "ConfigMap"
    world.cluster.forbidden = {"create secrets", "list secrets", "update configmaps"}
    with pytest.raises(Refused, match="1 of 9 checks failed: permissions"):
        examine(request_, world.world, world.told)
    assert world.told.of(Warned)[-1].message == "not allowed: update configmaps"


def test_a_chart_that_does_not_render_leaves_what_needs_it_unknown(world: Fakes, request_: Request) -> None:
    def broken(*args: object) -> None:
        raise HelmFailed("template: shop/templates/x.yaml:1: nope")

    world.helm.render = broken  # type: ignore[assignment,method-assign]
    with pytest.raises(Refused, match="1 of 9 checks failed: chart"):
        examine(request_, world.world, world.told)
    skipped = [name for name, state in states(world).items() if state == "skipped"]
    assert skipped == ["migration", "references", "dry run"]


@pytest.mark.parametrize("create", [True, False])
def test_a_namespace_that_deploy_creates_is_no_failure(world: Fakes, request_: Request, create: bool) -> None:
    del world.cluster.objects[Ref("v1", "Namespace", "", NAMESPACE)]
    asked = replace(request_, spec=msgspec.structs.replace(request_.spec, create_namespace=create))
    if create:
        examine(asked, world.world, world.told)
    else:
        with pytest.raises(Refused, match="checks failed: namespace"):
            examine(asked, world.world, world.told)
        (told,) = world.told.of(Warned)
        assert str(told.hint) == f"kubectl create namespace {NAMESPACE}"
    assert states(world)["dry run"] == "skipped", "what isn't there can't hold anything yet"


def test_each_of_several_migrations_has_a_line(world: Fakes, request_: Request) -> None:
    second = JOB.format(tag="v2").replace("name: migrate\nspec", "name: seed\nspec")
    more = f"---\n# Source: shop/templates/seed.yaml\n{second}"
    world.helm.rendered = replace(world.helm.rendered, manifest=world.helm.rendered.manifest + more)
    specs = (
        MigrationSpec(name="migrate", template="templates/migrate.yaml"),
        MigrationSpec(name="seed", template="templates/seed.yaml", phase="after", timeout=90),
    )
    examine(replace(request_, migrations=specs), world.world, world.told)
    told = {e.step: e.message for e in world.told.of(StepChanged) if e.step.startswith("migration")}
    assert told == {
        "migration": "before the upgrade: migrate; once its pods are ready: seed",
        "migration migrate": "Job migrate before the upgrade, within 15m",
        "migration seed": "Job seed once its pods are ready, within 1m30s",
    }
