"""The record of past deploys: added to under races, bounded, and left alone where a newer shipit wrote it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from shipit.errors import ApiError, Busy, Conflict, Unknown
from shipit.events import MigrationResult, PastDeploy
from shipit.history.plot import plot
from shipit.history.record import KEPT, LONGEST, MOST_BYTES
from shipit.history.store import KEY, TRIES, add, past_deploys, record_ref
from shipit.model import RELEASE_LABEL
from tests.fakes import NAMESPACE, FakeCluster, fakes

MIGRATION = MigrationResult("migrate", "shop-migrate", "succeeded", 12.5)
DEPLOY = PastDeploy(
    "run-1", "deploy", "2026-11-25T12:00:00Z", "anna", "laptop", "v41", "deployed", 0, 7, 14.2, (MIGRATION,), "hotfix"
)  # fmt: skip
REF = record_ref(NAMESPACE, "shop")


def numbered(number: int) -> PastDeploy:
    return replace(DEPLOY, id=f"run-{number}", tag=f"v{number}")


def recorded(cluster: FakeCluster) -> list[str]:
    return [each.id for each in past_deploys(cluster, NAMESPACE, "shop")]


def test_a_deploy_is_found_again_as_it_was_recorded_newest_first() -> None:
    cluster = fakes().cluster
    assert past_deploys(cluster, NAMESPACE, "shop") == ()
    add(cluster, NAMESPACE, "shop", DEPLOY)
    add(cluster, NAMESPACE, "shop", numbered(2))
    assert past_deploys(cluster, NAMESPACE, "shop") == (numbered(2), DEPLOY)
    assert cluster.objects[REF]["metadata"]["labels"] == {RELEASE_LABEL: "shop"}


def test_the_last_ones_are_kept_and_a_run_is_recorded_once() -> None:
    cluster = fakes().cluster
    for number in range(KEPT + 3):
        add(cluster, NAMESPACE, "shop", numbered(number))
    add(cluster, NAMESPACE, "shop", numbered(KEPT + 2))
    assert recorded(cluster) == [f"run-{number}" for number in range(KEPT + 2, 2, -1)]


def test_who_is_slower_tries_again_and_neither_is_lost() -> None:
    cluster = fakes().cluster
    add(cluster, NAMESPACE, "shop", DEPLOY)
    rivals = [numbered(8), numbered(9)]

    def rival(call: str) -> ApiError | None:
        if call == f"replace {REF}" and rivals:
            add(cluster, NAMESPACE, "shop", rivals.pop())
        return None

    cluster.broken = rival
    add(cluster, NAMESPACE, "shop", numbered(2))
    assert sorted(recorded(cluster)) == ["run-1", "run-2", "run-8", "run-9"]


def test_endless_conflicts_are_given_up() -> None:
    cluster = fakes().cluster
    add(cluster, NAMESPACE, "shop", DEPLOY)
    cluster.broken = lambda call: Conflict("changed") if call.startswith("replace") else None
    with pytest.raises(Unknown, match=f"changed {TRIES} times"):
        add(cluster, NAMESPACE, "shop", numbered(2))


def test_it_never_outgrows_a_config_map_whatever_is_typed() -> None:
    cluster = fakes().cluster
    for number in range(KEPT):
        many = (MigrationResult("m" * 60, "j" * 60, "succeeded", 1.0),) * 200
        add(cluster, NAMESPACE, "shop", replace(numbered(number), message="\u2028" * 10_000, migrations=many))
    assert len(cluster.objects[REF]["data"][KEY]) < MOST_BYTES + 1000
    newest = past_deploys(cluster, NAMESPACE, "shop")[0]
    assert (newest.id, len(newest.message)) == (f"run-{KEPT - 1}", LONGEST)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (json.dumps({"version": 2, "deploys": []}), "written by a newer shipit"),
        ("not json", "can't be read"),
        (json.dumps({"version": 1, "deploys": [{"odd": 1}]}), "can't be read"),
    ],
)
def test_what_is_not_understood_is_said_and_never_overwritten(text: str, why: str) -> None:
    cluster = fakes().cluster
    meta = {"name": REF.name, "namespace": REF.namespace}
    cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {KEY: text}})
    with pytest.raises(Busy, match=why):
        add(cluster, NAMESPACE, "shop", DEPLOY)
    with pytest.raises(Busy, match=why):
        past_deploys(cluster, NAMESPACE, "shop")
    assert cluster.objects[REF]["data"] == {KEY: text}


def test_the_plot_is_an_svg_with_a_bar_for_each_deploy_that_migrated() -> None:
    odd = replace(numbered(2), tag="<&", migrations=(replace(MIGRATION, outcome="failed"),))
    drawn = ET.fromstring(plot((odd, DEPLOY, replace(DEPLOY, id="none", migrations=())), "shop"))
    bars = [each for each in drawn if each.find("{*}title") is not None]
    assert [bar.find("{*}title").text for bar in bars] == [  # type: ignore[union-attr]
        "v41, 2026-11-25T12:00: 12.5 s, deployed",
        "<&, 2026-11-25T12:00: 12.5 s, deployed",
    ]
    assert bars[0].get("fill") != bars[1].get("fill")
    assert ET.fromstring(plot((), "shop")) is not None
