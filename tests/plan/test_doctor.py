"""The doctor: one line for each thing, a fix beside each failure, and all of them looked at."""

from __future__ import annotations

import pytest

from shipit.errors import HelmFailed, Refused
from shipit.events import StepChanged, Warned
from shipit.model import Request
from shipit.plan.doctor import examine
from tests.deploy.test_sequence import request_, world
from tests.fakes import Fakes

__all__ = ["request_", "world"]


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
    with pytest.raises(Refused, match="1 of 8 checks failed: permissions"):
        examine(request_, world.world, world.told)
    (told,) = world.told.of(Warned)
    assert told.message == "the caller may not: delete jobs, get pods/log, create secrets, update leases"
    assert (
        "--verb=delete,get,create,update --resource=jobs.batch,pods/log,secrets,leases.coordination.k8s.io"
        in str(told.hint)
    )
    assert states(world)["dry run"] == "done"


def test_a_chart_that_does_not_render_leaves_what_needs_it_unknown(world: Fakes, request_: Request) -> None:
    def broken(*args: object) -> None:
        raise HelmFailed("template: shop/templates/x.yaml:1: nope")

    world.helm.render = broken  # type: ignore[assignment,method-assign]
    with pytest.raises(Refused, match="4 of 8"):
        examine(request_, world.world, world.told)
    assert [name for name, state in states(world).items() if state == "failed"] == [
        "chart",
        "migration",
        "references",
        "dry run",
    ]
