"""The log of a migration shown again."""

from __future__ import annotations

import pytest

from shipit.errors import Refused, Unknown
from shipit.events import JobChanged, LogLine, StepChanged
from shipit.logs.show import describe, newest_job, show_logs
from shipit.model import Ref
from tests.fakes import NAMESPACE, Fakes, Script, fakes

NEW = Ref("batch/v1", "Job", NAMESPACE, "new")


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
    job = newest_job(world.cluster, NAMESPACE, "shop", "")
    seen = show_logs(job, world.cluster, world.clock, world.told, follow=True)
    assert seen.complete
    assert [event.line for event in world.told.of(LogLine)] == ["line of new"]
    assert [event.state for event in world.told.of(JobChanged)] == ["running", "complete"]
    assert [event.state for event in world.told.of(StepChanged)] == ["started", "done"]


def test_a_job_is_found_by_its_name(world: Fakes) -> None:
    job = newest_job(world.cluster, NAMESPACE, "shop", "old")
    show_logs(job, world.cluster, world.clock, world.told, follow=False)
    assert [event.line for event in world.told.of(LogLine)] == ["line of old"]


def test_without_following_a_running_job_is_shown_as_far_as_it_has_come(world: Fakes) -> None:
    world.clock.sleep(2)
    seen = show_logs(
        newest_job(world.cluster, NAMESPACE, "shop", ""), world.cluster, world.clock, world.told, follow=False
    )
    assert describe(seen) == "running"
    assert [event.line for event in world.told.of(LogLine)] == ["line of new"]
    assert [event.state for event in world.told.of(JobChanged)] == ["running"]


def test_of_a_job_that_vanishes_while_it_is_followed_nobody_knows_how_it_ended(world: Fakes) -> None:
    world.clock.later(3, lambda: world.cluster.vanish(NEW))
    job = newest_job(world.cluster, NAMESPACE, "shop", "")
    with pytest.raises(Unknown, match=r"Job new of .* vanished"):
        show_logs(job, world.cluster, world.clock, world.told, follow=True)
    assert [event.state for event in world.told.of(JobChanged)] == ["running", "deleted"]


def test_a_job_that_never_started_is_not_waited_for(world: Fakes) -> None:
    body = world.cluster.objects[NEW]
    body["metadata"]["annotations"] = {"shipit/never-started": "true"}
    body["spec"] = {"suspend": True}
    seen = show_logs(
        newest_job(world.cluster, NAMESPACE, "shop", ""), world.cluster, world.clock, world.told, follow=True
    )
    assert describe(seen) == "suspended, and none of its containers ever started"
    assert [event.state for event in world.told.of(JobChanged)] == ["suspended"]


def test_a_suspended_job_is_followed_until_it_goes_on_and_ends(world: Fakes) -> None:
    world.cluster.objects[NEW]["spec"] = {"suspend": True}
    show_logs(
        newest_job(world.cluster, NAMESPACE, "shop", ""), world.cluster, world.clock, world.told, follow=True
    )
    assert [event.state for event in world.told.of(JobChanged)] == ["suspended", "complete"]


def test_a_job_that_is_not_there_names_those_that_are(world: Fakes) -> None:
    with pytest.raises(Refused, match="no migration Job nope") as caught:
        newest_job(world.cluster, NAMESPACE, "shop", "nope")
    assert caught.value.details == ("old", "new")


def test_a_migration_s_job_is_found_by_the_pattern_that_picks_it_or_by_the_end_of_its_name(
    world: Fakes,
) -> None:
    for name in ("shop-seed", "schema-x7k2p", "shop-old"):
        labels = {"shipit/release": "shop"}
        metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
        world.cluster.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata})
    asked = (("seed", ""), ("schema", "schema-*"), ("old", ""), ("", ""))
    found = [newest_job(world.cluster, NAMESPACE, "shop", *each).name for each in asked]
    assert found == ["shop-seed", "schema-x7k2p", "old", "shop-old"]
    with pytest.raises(Refused, match="no migration Job chema"):
        newest_job(world.cluster, NAMESPACE, "shop", "chema")
