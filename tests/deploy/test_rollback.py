"""`shipit rollback` in a fake world: to which revision, what runs around it, and how it ends."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from shipit.config import Request
from shipit.deploy import roll_back_to
from shipit.errors import AfterFailed, Busy, Interrupted, MigrationFailed, Refused, UpgradeFailed
from shipit.events import JobChanged, StepChanged, Warned
from shipit.lock import UpgradeRecord, UpgradeState
from shipit.lock.record import lease_ref, record_of
from shipit.model import HelmExit, Hook, MigrationRun, MigrationsRun, Revision, SeenRevisions
from shipit.plan import WayBack, look_back
from tests.deploy.test_phases import noted, rendered
from tests.deploy.test_rollout import NO_IMAGE, UP, App
from tests.deploy.test_sequence import go, hook, signal_in
from tests.fakes import NAMESPACE, Fakes, Script, _stored, fakes
from tests.releases import a_request, configured, job, manifest

PRE, POST = ("pre-rollback",), ("post-rollback",)


def frozen(tag: str) -> str:
    """What Helm stores of a revision of shipit's."""
    return rendered(tag, 2).manifest.replace("templates/app", "templates/0001/app")


def history(*more: Revision) -> list[Revision]:
    return [
        Revision(1, "superseded", "shop-1.0.0", description="shipit deploy of v1"),
        Revision(2, "superseded", "shop-1.0.0", description="shipit deploy of v2"),
        Revision(3, "deployed", "shop-1.0.0", description="shipit deploy of v3"),
        *more,
    ]


@pytest.fixture
def world() -> Fakes:
    """Three deploys of shipit's, the third of which runs; each was seen ready, v2 and v3 migrated."""
    found = fakes(rendered("v3", 4))
    found.helm.revisions = history()
    found.helm.manifests = {number: frozen(f"v{number}") for number in (1, 2, 3)}
    App(found).shows({"state": UP})
    ran = (MigrationRun(2, "v2", "migrate"), MigrationRun(3, "v3", "migrate"))
    noted(
        found,
        UpgradeRecord(
            "v3", 3, "d", install=False, state=UpgradeState.SETTLED,
            seen=SeenRevisions(ready=(1, 2, 3)), migrations=MigrationsRun(1, ran),
        ),
    )  # fmt: skip
    return found


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return configured(replace(a_request(tmp_path), tag=""), timeout=60)


def back(asked: Request, world: Fakes, revision: int = 0) -> int:
    way = look_back(asked, revision, world.world)
    return roll_back_to(asked, way, world.world, world.told).revision


def with_hooks(world: Fakes, revision: int, *hooks: Hook) -> None:
    world.helm.stored_hooks[revision] = "".join(map(_stored, hooks))


def note(world: Fakes) -> UpgradeRecord:
    found = record_of(world.cluster.get(lease_ref(NAMESPACE, "shop"))).upgrade
    assert found is not None
    return found


def done(world: Fakes) -> list[str]:
    return [each.step for each in world.told.of(StepChanged) if each.state == "done"]


def rollbacks(world: Fakes) -> list[str]:
    return [each for each in world.helm.calls if each.startswith(("rollback", "upgrade"))]


def test_it_goes_to_the_newest_revision_before_that_was_seen_ready(world: Fakes, asked: Request) -> None:
    seen = SeenRevisions(ready=(1, 3), failed=(2,))
    before = replace(note(world), seen=seen)
    world.cluster.vanish(lease_ref(NAMESPACE, "shop"))
    noted(world, before)
    assert back(asked, world) == 4
    assert rollbacks(world) == ["rollback 1"]
    assert note(world).seen.ready == (1, 3, 4)
    assert (note(world).state, note(world).tag) == (UpgradeState.SETTLED, "")


def test_after_a_failed_upgrade_it_goes_to_what_was_deployed(world: Fakes, asked: Request) -> None:
    world.helm.revisions = history(
        Revision(4, "failed", description='Upgrade "shop" failed: context canceled')
    )
    world.helm.manifests[4] = frozen("v4")
    assert back(asked, world) == 5
    assert rollbacks(world) == ["rollback 3"]


def test_what_runs_after_a_rollback_is_not_rolled_back_to(world: Fakes, asked: Request) -> None:
    back(asked, world, 1)
    way = look_back(asked, 0, world.world)
    assert way.revision == 3, "4 is the same as 1"


def test_the_hooks_of_the_revision_run_around_it_and_the_rollout_is_waited_for(
    world: Fakes, asked: Request
) -> None:
    with_hooks(world, 2, hook("before", PRE, "v2"), hook("after", POST, "v2", ("hook-succeeded",)))
    world.cluster.scripts |= {"before": Script(), "after": Script()}
    back(asked, world, 2)
    assert done(world) == ["prepare", "before", "rollback", "after", "rollout"]
    assert rollbacks(world) == ["rollback 2 without waiting"], "the app may be ready only after its hook"
    world.clock.sleep(1)
    assert world.cluster.job(NAMESPACE, "after") is None, "its delete policy"
    found = world.cluster.job(NAMESPACE, "before")
    assert found is not None
    assert (found.tag, found.revision) == ("v2", 4)


def test_a_hook_that_fails_before_it_leaves_the_app_untouched(world: Fakes, asked: Request) -> None:
    with_hooks(world, 2, hook("before", PRE, "v2"))
    world.cluster.scripts["before"] = Script(outcome="failed", exit_code=1)
    with pytest.raises(MigrationFailed, match=r"Job before failed.*the app is untouched \(revision 3\)"):
        back(asked, world, 2)
    assert rollbacks(world) == []


def test_a_hook_that_fails_after_it_says_that_the_app_is_back(world: Fakes, asked: Request) -> None:
    with_hooks(world, 2, hook("after", POST, "v2"))
    world.cluster.scripts["after"] = Script(outcome="failed", exit_code=1)
    with pytest.raises(AfterFailed, match="the app was rolled back to revision 2, the database was not"):
        back(asked, world, 2)


def test_a_hook_that_a_killed_try_ran_is_not_run_again(world: Fakes, asked: Request) -> None:
    with_hooks(world, 2, hook("before", PRE, "v2"))
    world.cluster.scripts["before"] = Script()
    world.helm.rollback, real = _killed, world.helm.rollback  # type: ignore[method-assign,assignment]
    with pytest.raises(SystemExit):
        back(asked, world, 2)
    world.helm.rollback = real  # type: ignore[method-assign]
    back(replace(asked, run="run-2", workdir=_fresh(asked)), world, 2)
    made = [call for call in world.cluster.wrote() if call.startswith("create Job")]
    assert len(made) == 1


def _killed(*_: object, **__: object) -> None:
    raise SystemExit


def _fresh(asked: Request) -> Path:
    folder = asked.workdir / "again"
    folder.mkdir()
    return folder


def test_a_rollback_whose_pods_do_not_become_ready_is_6_and_says_where_it_stands(
    world: Fakes, asked: Request
) -> None:
    app = App(world)
    app.shows({"state": UP})
    world.clock.later(1, lambda: app.shows({"state": NO_IMAGE}, generation=2))
    world.helm.upgrade_takes = 30
    with pytest.raises(UpgradeFailed, match="the rollback to revision 2 failed: ") as caught:
        back(configured(asked, rollback_on_failure=True), world, 2)
    assert rollbacks(world) == ["rollback 2"], "a failed rollback is not rolled back"
    assert "no hook ran before the rollback" in str(caught.value)


def test_helms_refusal_is_told_with_the_state_of_the_release(world: Fakes, asked: Request) -> None:
    world.helm.rollback_ends = HelmExit(1, ("cannot patch",))
    with pytest.raises(UpgradeFailed) as caught:
        back(asked, world, 2)
    assert "the rollback to revision 2 failed: cannot patch" in str(caught.value)
    assert "revision 4, the rollback to revision 2, is failed" in str(caught.value)
    assert note(world).seen.failed == (4,)


def test_a_release_that_moved_since_it_was_asked_about_is_left_alone(world: Fakes, asked: Request) -> None:
    way = look_back(asked, 2, world.world)
    world.helm.revisions.append(Revision(4, "deployed"))
    with pytest.raises(Busy, match="revision 4 instead of 3; the rollback to revision 2 was not started"):
        roll_back_to(asked, way, world.world, world.told)


def test_a_release_that_moves_while_its_hooks_run_is_left_alone(world: Fakes, asked: Request) -> None:
    with_hooks(world, 2, hook("before", PRE, "v2"))
    world.cluster.scripts["before"] = Script()
    world.clock.later(2, lambda: world.helm.revisions.append(Revision(4, "deployed")))
    with pytest.raises(Busy, match="the rollback to revision 2 was not started") as caught:
        back(asked, world, 2)
    assert str(caught.value.hint) == "shipit rollback 2"
    assert rollbacks(world) == []


def test_an_interrupt_says_how_to_go_on(world: Fakes, asked: Request) -> None:
    with_hooks(world, 2, hook("before", PRE, "v2"))
    world.cluster.scripts["before"] = Script(ends=50)
    signal_in(world, 5, signal.SIGINT)
    with pytest.raises(Interrupted, match=r"Job before still runs; the app is untouched") as caught:
        back(asked, world)
    assert str(caught.value.hint) == "shipit rollback 2"


@pytest.mark.parametrize(
    ("revision", "words"),
    [(3, "revision 3 is the newest already"), (7, "there is no revision 7 of shop: Helm has 1 to 3")],
)
def test_where_there_is_nothing_to_go_to_is_refused(
    world: Fakes, asked: Request, revision: int, words: str
) -> None:
    with pytest.raises(Refused, match=words):
        look_back(asked, revision, world.world)


def test_without_a_release_or_an_earlier_revision_it_is_refused(world: Fakes, asked: Request) -> None:
    world.helm.revisions = [Revision(1, "deployed")]
    with pytest.raises(Refused, match="there is no revision before 1"):
        look_back(asked, 0, world.world)
    world.helm.revisions = []
    with pytest.raises(Refused, match="there is no release shop in namespace shop"):
        look_back(asked, 0, world.world)


@pytest.mark.parametrize("asked_for", [0, 3])
def test_after_a_helm_that_died_what_was_deployed_can_be_brought_back(
    world: Fakes, asked: Request, asked_for: int
) -> None:
    """The app may be half of the revision that is left pending."""
    world.helm.revisions.append(Revision(4, "pending-rollback", description="Rollback to 1"))
    way = look_back(asked, asked_for, world.world)
    assert (way.revision, way.base) == (3, 4)


def test_a_running_migration_stops_it(world: Fakes, asked: Request) -> None:
    running = job(name="migrate") | {
        "metadata": {"name": "migrate", "namespace": NAMESPACE, "labels": {"shipit/release": "shop"}}
    }
    world.cluster.scripts["migrate"] = Script(ends=500)
    world.cluster.create(running)
    with pytest.raises(Busy, match="Job migrate"):
        back(asked, world, 2)
    assert rollbacks(world) == []


def test_the_migration_of_bare_helm_is_left_out_and_its_values_stay(world: Fakes, asked: Request) -> None:
    """Helm would fail over the Job, which is immutable, or run it again."""
    world.helm.revisions[0] = Revision(1, "superseded", "shop-1.0.0", description="Install complete")
    world.helm.manifests[1] = manifest(job()) + rendered("v1", 1).manifest
    applied: dict[str, Any] = {}

    def upgrade(chart: Path, values: object, **how: object) -> object:
        applied.update(how, values=values, files=json.loads((chart / "values.yaml").read_text()))
        applied["documents"] = [each.read_text() for each in sorted((chart / "shipit").iterdir())]
        return world.helm._start(HelmExit(0), lambda: world.helm._made("deployed", str(how["description"])))

    world.helm.upgrade = upgrade  # type: ignore[method-assign,assignment]
    back(asked, world, 1)
    assert not any("kind: Job" in each or '"Job"' in each for each in applied["documents"])
    assert applied["files"] == {"of": 1, "default": True}
    assert applied["values"].layers == ({"of": 1},)
    assert (applied["restores"], applied["description"]) == (True, "Rollback to 1")
    assert any("Job migrate of revision 1 is left out" in each.message for each in world.told.of(Warned))
    assert world.told.of(JobChanged) == []


# ── what has migrated since ──────────────────────────────────────────────────────────────────────


def test_it_says_which_migrations_ran_since(world: Fakes, asked: Request) -> None:
    assert look_back(asked, 2, world.world) == WayBack(
        2,
        "v2",
        3,
        replace(look_back(asked, 2, world.world).since, ran=("migrate of v3 (revision 3)",), unknown=()),
    )
    assert look_back(asked, 1, world.world).since.ran == (
        "migrate of v2 (revision 2)",
        "migrate of v3 (revision 3)",
    )


def test_a_deploy_notes_what_it_migrates_before_it_does(world: Fakes, tmp_path: Path) -> None:
    """Failed or not: it may have changed the schema."""
    found = fakes(rendered("v4", 4, hook("pre", ("pre-upgrade",), "v4")))
    found.helm.revisions, found.helm.manifests = history(), world.helm.manifests
    App(found).shows({"state": UP})
    noted(found, note(world))
    found.cluster.scripts["pre"] = Script(outcome="failed", exit_code=1)
    asked = replace(a_request(tmp_path), tag="v4")
    with pytest.raises(MigrationFailed):
        go(asked, found)
    assert note(found).migrations.ran[-1] == MigrationRun(4, "v4", "pre")
    assert (note(found).revision, note(found).state) == (3, UpgradeState.SETTLED), "else as it was"
    found.cluster.objects = {ref: body for ref, body in found.cluster.objects.items() if ref.kind == "Lease"}
    assert look_back(asked, 2, found.world).since.ran[-1] == "pre of v4 (revision 4)"


def test_a_job_that_no_note_tells_of_counts_too(world: Fakes, asked: Request) -> None:
    notes = {"shipit/run": "r", "shipit/tag": "v4", "shipit/revision": "4", "shipit/version": "2"}
    labels = {"shipit/release": "shop"}
    left = job() | {
        "metadata": {"name": "left", "namespace": NAMESPACE, "labels": labels, "annotations": notes}
    }
    world.cluster.create(left)
    assert look_back(asked, 2, world.world).since.ran[-1] == "left of v4 (revision 4)"


def test_what_bare_helm_may_have_run_is_said_to_be_unknown(world: Fakes, asked: Request) -> None:
    world.helm.revisions.append(Revision(4, "deployed", description="Upgrade complete"))
    world.helm.manifests[4] = manifest(job())
    with_hooks(world, 4, hook("pre", ("pre-upgrade",), "v4"))
    assert look_back(asked, 3, world.world).since.unknown == (
        "revision 4 was made without shipit, and may have run pre, migrate",
    )


def test_notes_of_an_older_shipit_leave_it_unknown(world: Fakes, asked: Request) -> None:
    old = asdict(note(world))
    del old["migrations"]
    body = world.cluster.get(lease_ref(NAMESPACE, "shop"))
    assert body is not None
    body["metadata"]["annotations"] = {"shipit/progress": json.dumps({"version": 3, **old})}
    world.cluster.replace(body)
    assert look_back(asked, 2, world.world).since.unknown == (
        "revision 3 was made by a shipit that did not note its migrations",
    )


@pytest.mark.parametrize("left", ["pending-rollback", "deployed"])
def test_one_that_died_goes_where_it_was_going_when_it_is_run_again(
    world: Fakes, asked: Request, left: str
) -> None:
    """Without a revision too: what ran before it is not the app of before, it is what it went away from."""
    begun = replace(note(world), tag="", revision=4, state=UpgradeState.BEGUN)
    world.cluster.vanish(lease_ref(NAMESPACE, "shop"))
    noted(world, begun)
    world.helm.revisions = history(Revision(4, left, "shop-1.0.0", description="Rollback to 2"))
    if left == "deployed":
        world.helm.revisions[2] = replace(world.helm.revisions[2], status="superseded")
    assert look_back(asked, 0, world.world).revision == 2


def test_a_release_that_moved_is_left_alone_even_where_a_helm_died_on_top_of_it(
    world: Fakes, asked: Request
) -> None:
    """What was asked about was a rollback from revision 3; shipit clears only the one that is pending."""
    world.helm.manifests[1] = manifest(job()) + rendered("v1", 1).manifest
    way = look_back(asked, 1, world.world)
    world.helm.revisions = history(Revision(4, "deployed"), Revision(5, "pending-upgrade"))
    labels = {"owner": "helm", "name": "shop", "version": "5"}
    stored = {"name": "sh.helm.release.v1.shop.v5", "namespace": NAMESPACE, "labels": labels}
    world.cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": stored})
    world.clock.sleep(1000)
    cleared = world.cluster.delete

    def delete(ref: Any, **how: Any) -> None:
        cleared(ref, **how)
        world.helm.revisions = [each for each in world.helm.revisions if each.number != 5]

    world.cluster.delete = delete  # type: ignore[method-assign]
    with pytest.raises(Busy, match="revision 4 instead of 3; the rollback to revision 1 was not started"):
        roll_back_to(asked, way, world.world, world.told)
