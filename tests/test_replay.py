"""The log of a migration shown again."""

from __future__ import annotations

import pytest

from shipit.errors import Refused
from shipit.events import JobChanged, LogLine
from shipit.replay import find, replay
from tests.fakes import NAMESPACE, Fakes, Script, fakes


@pytest.fixture
def world() -> Fakes:
    found = fakes()
    for number, name in enumerate(("old", "new")):
        found.clock.sleep(number * 10)
        log = f"2026-11-25T12:00:01.0Z line of {name}\n".encode()
        found.cluster.scripts[name] = Script(ends=5, log=log)
        found.cluster.create(
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"shipit/release": "shop"}},
            }
        )
    return found


def test_the_newest_job_is_shown_until_it_ends(world: Fakes) -> None:
    job = find(world.cluster, NAMESPACE, "shop", "")
    seen = replay(job, world.cluster, world.clock, world.told, follow=True)
    assert seen.complete
    assert [event.line for event in world.told.of(LogLine)] == ["line of new"]
    assert [event.state for event in world.told.of(JobChanged)] == ["complete"]


def test_a_job_is_found_by_its_name(world: Fakes) -> None:
    job = find(world.cluster, NAMESPACE, "shop", "old")
    replay(job, world.cluster, world.clock, world.told, follow=False)
    assert [event.line for event in world.told.of(LogLine)] == ["line of old"]


def test_a_job_that_is_not_there_names_those_that_are(world: Fakes) -> None:
    with pytest.raises(Refused, match="no migration Job nope") as caught:
        find(world.cluster, NAMESPACE, "shop", "nope")
    assert caught.value.details == ("old", "new")
