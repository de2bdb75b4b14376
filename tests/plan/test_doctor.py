"""The doctor: one line for each thing, a fix beside each failure, and all of them looked at."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
import yaml

from shipit.config import MigrationSpec, Request
from shipit.errors import Forbidden, HelmFailed, Refused, Usage
from shipit.events import Checked
from shipit.hints import shipit
from shipit.model import Ref
from shipit.plan.checklist import Checklist
from shipit.plan.doctor import Place, examine_chart, examine_cluster, missing_role
from tests.deploy.test_sequence import JOB, request_, world
from tests.fakes import NAMESPACE, Fakes

__all__ = ["request_", "world"]


@pytest.fixture(autouse=True)
def a_namespace(world: Fakes) -> None:
    world.cluster.objects[Ref("v1", "Namespace", "", NAMESPACE)] = {"metadata": {"name": NAMESPACE}}


def examine(request: Request, fakes: Fakes) -> None:
    """All that there is to look at once helm and the cluster are there."""
    checks = Checklist(fakes.told)
    there = examine_cluster(place(request, fakes), fakes.cluster, checks)
    examine_chart(request, fakes.world, checks, there=there)
    checks.end()


def place(request: Request, fakes: Fakes) -> Place:
    return Place(request.namespace, request.release, fakes.helm.storage, request.spec.create_namespace)


def states(world: Fakes) -> dict[str, str]:
    return {event.name: event.state for event in world.told.of(Checked)}


def failures(world: Fakes) -> list[Checked]:
    return [event for event in world.told.of(Checked) if event.state == "failed"]


def test_a_sound_project_passes_and_nothing_is_written(world: Fakes, request_: Request) -> None:
    examine(request_, world)
    assert set(states(world).values()) == {"ok"}
    assert not world.cluster.wrote()


def test_missing_permissions_name_the_role_to_create_and_the_rest_is_looked_at(
    world: Fakes, request_: Request
) -> None:
    world.cluster.forbidden = {"delete jobs", "get pods/log", "create secrets", "update leases"}
    with pytest.raises(Refused, match="1 of 7 checks failed: permissions"):
        examine(request_, world)
    (told,) = failures(world)
    assert told.message == "not allowed: delete jobs; get pods/log; create secrets; update leases"
    assert str(told.hint) == "shipit doctor --role"
    role = yaml.safe_load(missing_role(place(request_, world), world.cluster))
    assert role["metadata"] == {"name": "shipit-missing", "namespace": NAMESPACE}
    assert role["rules"] == [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["delete"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["update"]},
    ]
    assert states(world)["dry run"] == "ok"


def test_where_helm_keeps_its_releases_in_config_maps_no_right_on_secrets_is_asked_for(
    world: Fakes, request_: Request
) -> None:
    world.helm.storage = "ConfigMap"
    world.cluster.forbidden = {"create secrets", "list secrets", "update configmaps"}
    with pytest.raises(Refused, match="1 of 7 checks failed: permissions"):
        examine(request_, world)
    assert failures(world)[-1].message == "not allowed: update configmaps"


def test_a_chart_that_does_not_render_leaves_what_needs_it_unknown(world: Fakes, request_: Request) -> None:
    def broken(*args: object) -> None:
        raise HelmFailed("template: shop/templates/x.yaml:1: nope")

    world.helm.render = broken  # type: ignore[assignment,method-assign]
    with pytest.raises(Refused, match="1 of 7 checks failed: chart"):
        examine(request_, world)
    skipped = [name for name, state in states(world).items() if state == "skipped"]
    assert skipped == ["migration", "references", "dry run"]


@pytest.mark.parametrize("create", [True, False])
def test_a_namespace_that_deploy_creates_is_no_failure(world: Fakes, request_: Request, create: bool) -> None:
    del world.cluster.objects[Ref("v1", "Namespace", "", NAMESPACE)]
    asked = replace(request_, spec=msgspec.structs.replace(request_.spec, create_namespace=create))
    if create:
        examine(asked, world)
    else:
        with pytest.raises(Refused, match="checks failed: namespace"):
            examine(asked, world)
        (told,) = failures(world)
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
    examine(replace(request_, migrations=specs), world)
    told = {e.name: e.message for e in world.told.of(Checked) if e.name.startswith("migration")}
    assert told == {
        "migration": "before the upgrade: migrate; once its pods are ready: seed",
        "migration migrate": "Job migrate before the upgrade, within 15m",
        "migration seed": "Job seed once its pods are ready, within 1m30s",
    }


def test_what_fails_for_missing_permissions_is_told_once(world: Fakes, request_: Request) -> None:
    world.cluster.forbidden = {"delete jobs"}

    def forbidden(*args: object) -> None:
        raise Forbidden("secrets is forbidden")

    world.helm.render = forbidden  # type: ignore[assignment,method-assign]
    with pytest.raises(Refused, match="1 of 7 checks failed: permissions"):
        examine(request_, world)
    assert [event.name for event in failures(world)] == ["permissions"]
    chart = next(event for event in world.told.of(Checked) if event.name == "chart")
    assert chart.message == "the permissions have to be there first"


def test_nobody_is_sent_to_where_they_are(world: Fakes) -> None:
    checks = Checklist(world.told)

    def broken() -> str:
        raise Refused("no", hint=shipit("doctor", why="shows it"))

    checks.check("chart", broken)
    (told,) = failures(world)
    assert not told.hint


def test_a_mistake_in_the_configuration_ends_as_usage(world: Fakes) -> None:
    checks = Checklist(world.told)

    def wrong() -> str:
        raise Usage("shipit.toml: no")

    checks.check("configuration", wrong)
    with pytest.raises(Usage, match="1 of 1 checks failed: configuration"):
        checks.end()
