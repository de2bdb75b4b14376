"""The log of a migration shown again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shipit.errors import Refused, Unknown
from shipit.events import JobChanged, LogLine, StepChanged
from shipit.logs.chosen import ChosenLines
from shipit.logs.show import describe, newest_job, show_logs, show_previous
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
    assert caught.value.details == ("old (unknown tag)", "new (unknown tag)")


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


def log_of(*lines: tuple[str, str]) -> bytes:
    return "".join(f"{time} {line}\n" for time, line in lines).encode()


def shown(world: Fakes, **how: object) -> list[str]:
    job = newest_job(world.cluster, NAMESPACE, "shop", "")
    show_logs(job, world.cluster, world.clock, world.told, **how)  # type: ignore[arg-type]
    return [event.line for event in world.told.of(LogLine)]


@pytest.fixture
def long(world: Fakes) -> Fakes:
    now = world.cluster.now()
    pod = next(name for name in world.cluster.logs if name.startswith("new"))
    world.cluster.logs[pod] = b"".join(
        f"{now + timedelta(seconds=n - 10):%Y-%m-%dT%H:%M:%S}.000000000Z line {n}\n".encode()
        for n in range(11)
    )
    return world


@pytest.mark.parametrize("follow", [False, True])
def test_only_the_last_lines_are_shown_where_so_many_are_asked_for(long: Fakes, follow: bool) -> None:
    long.clock.sleep(2)
    assert shown(long, follow=follow, tail=2) == ["line 9", "line 10"]


def test_no_line_at_all_is_a_number_too(long: Fakes) -> None:
    long.clock.sleep(2)
    assert shown(long, follow=False, tail=0) == []


def test_only_lines_of_the_last_while_are_shown(long: Fakes) -> None:
    long.clock.sleep(2)
    assert shown(long, follow=False, since=5) == ["line 7", "line 8", "line 9", "line 10"]


def test_a_job_is_found_by_its_tag(world: Fakes) -> None:
    old = Ref("batch/v1", "Job", NAMESPACE, "old")
    world.cluster.objects[old]["metadata"]["annotations"] = {"shipit/tag": "v1"}
    assert newest_job(world.cluster, NAMESPACE, "shop", "v1").name == "old"
    with pytest.raises(Refused) as refused:
        newest_job(world.cluster, NAMESPACE, "shop", "v9")
    assert refused.value.details == ("old (v1)", "new (unknown tag)")


def test_without_a_restart_there_is_no_previous_run(world: Fakes) -> None:
    world.clock.sleep(2)
    job = newest_job(world.cluster, NAMESPACE, "shop", "")
    with pytest.raises(Refused, match="no container of Job new has restarted"):
        show_previous(job, world.cluster, world.told)


def test_lines_come_once_the_log_that_was_there_has_been_told() -> None:
    told: list[str] = []
    chosen = ChosenLines(lambda event: told.append(event.line), tail=1)  # type: ignore[union-attr]
    for number in range(3):
        chosen(LogLine("migrate", "pod", "migrate", 1, str(number)))
    chosen.looked()
    assert told == [], "more may be on its way"
    chosen.looked()
    chosen(LogLine("migrate", "pod", "migrate", 1, "new"))
    assert told == ["2", "new"]


def test_of_what_is_written_while_it_is_followed_no_line_is_left_out() -> None:
    told: list[str] = []
    began = datetime(2026, 11, 30, 12, tzinfo=UTC)
    chosen = ChosenLines(lambda event: told.append(event.line), tail=1, began=began)  # type: ignore[union-attr]
    for second in (-2, -1, 0, 1, 2):
        written = f"{began + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S}.000000000Z"
        chosen(LogLine("migrate", "pod", "migrate", 1, str(second), written))
    assert told == ["-1", "0", "1", "2"]
