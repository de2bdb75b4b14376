"""`test = true`: the chart's test hooks run last, and what comes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shipit.config import Request
from shipit.errors import AfterFailed, UpgradeFailed
from shipit.events import StepChanged
from shipit.lock import UpgradeState
from shipit.model import Revision
from tests.deploy.test_phases import POST, app, done, note, rendered
from tests.deploy.test_rollout import NO_IMAGE, UP, App
from tests.deploy.test_sequence import go, hook
from tests.fakes import Fakes, Script, fakes
from tests.releases import a_request, configured

__all__ = ["app"]


@pytest.fixture
def world() -> Fakes:
    """v1 runs; v2 migrates in a post-upgrade hook, and the chart has two tests, one of which is that hook too."""
    tests = (hook("zeta", ("test",), "v2"), hook("post", (*POST, "test"), "v2"))
    found = fakes(rendered("v2", 2, *tests))
    found.helm.revisions = [Revision(1, "deployed")]
    found.helm.manifests[1] = rendered("v1", 1).manifest
    found.cluster.scripts |= {"post": Script(), "zeta": Script()}
    return found


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return configured(a_request(tmp_path), timeout=60, test=True)


def test_tests_run_last_by_weight_and_name_and_a_hook_that_ran_already_runs_again(
    world: Fakes, app: App, asked: Request
) -> None:
    world.clock.later(8, lambda: app.shows({"state": UP}, generation=2))
    assert go(asked, world) == 2
    assert [each for each in done(world) if each != "clear"] == [
        "prepare", "upgrade", "post", "rollout", "post", "zeta",
    ]  # fmt: skip
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job shop/post")]) == 2


def test_without_test_they_do_not_run(world: Fakes, app: App, asked: Request) -> None:
    world.clock.later(8, lambda: app.shows({"state": UP}, generation=2))
    go(configured(asked, test=False), world)
    assert done(world) == ["prepare", "upgrade", "post", "rollout"]


def test_a_test_gets_as_long_as_the_upgrade(world: Fakes, app: App, asked: Request) -> None:
    world.clock.later(8, lambda: app.shows({"state": UP}, generation=2))
    go(asked, world)
    started = {each.step: each.timeout for each in world.told.of(StepChanged) if each.state == "started"}
    assert (started["zeta"], started["upgrade"]) == (60.0, 60.0)


def test_a_test_that_fails_leaves_the_app_and_nothing_is_owed(world: Fakes, app: App, asked: Request) -> None:
    world.clock.later(8, lambda: app.shows({"state": UP}, generation=2))
    world.cluster.scripts["zeta"] = Script(outcome="failed", exit_code=1)
    with pytest.raises(AfterFailed, match=r"Job zeta failed.*the app is upgraded to v2 \(revision 2\)"):
        go(configured(asked, rollback_on_failure=True), world)
    assert [each for each in world.helm.calls if each.startswith("rollback")] == []
    assert note(world).state is UpgradeState.SETTLED


def test_a_failed_test_of_a_first_install_leaves_no_hook_of_the_install_owed(
    world: Fakes, asked: Request
) -> None:
    world.helm.revisions = []
    world.helm.rendered = rendered("v2", 1, *world.helm.rendered.hooks)
    world.cluster.scripts["zeta"] = Script(outcome="failed", exit_code=1)
    shown = App(world)
    world.clock.later(2, lambda: shown.shows({"state": UP}))
    with pytest.raises(AfterFailed, match="Job zeta failed"):
        go(asked, world)
    assert not note(world).first_install_owed


def test_a_rollout_that_fails_does_not_blame_the_tests_that_were_to_come(
    world: Fakes, app: App, asked: Request
) -> None:
    world.clock.later(8, lambda: app.shows({"state": NO_IMAGE}, generation=2))
    with pytest.raises(UpgradeFailed) as caught:
        go(asked, world)
    assert "zeta" not in caught.value.hint.why


def test_a_chart_without_tests_says_so(world: Fakes, app: App, asked: Request) -> None:
    world.helm.rendered = rendered("v2", 2, hook("post", POST, "v2"))
    world.clock.later(8, lambda: app.shows({"state": UP}, generation=2))
    go(asked, world)
    skipped = [each.message for each in world.told.of(StepChanged) if each.state == "skipped"]
    assert skipped == ["test = true, and the chart has no test hooks"]


@pytest.mark.parametrize(("migrates", "back"), [(True, []), (False, ["rollback 1"])])
def test_unless_migrated_only_a_deploy_without_a_migration_is_rolled_back(
    world: Fakes, app: App, asked: Request, migrates: bool, back: list[str]
) -> None:
    """The migration is the post-upgrade hook; with it skipped helm waits for the pods."""
    world.clock.later(8, lambda: app.shows({"state": NO_IMAGE}, generation=2))
    world.helm.upgrade_takes = 3 if migrates else 30
    asked = replace(asked, skip_migration=not migrates)
    with pytest.raises(UpgradeFailed):
        go(configured(asked, rollback_on_failure="unless-migrated", test=False), world)
    assert [each for each in world.helm.calls if each.startswith("rollback")] == back
