"""The deploy in a fake world: what is created, deleted and upgraded, in which order, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shipit.config import MigrationSpec, ReleaseSpec, Request
from shipit.deploy.sequence import deploy
from shipit.errors import (
    AfterFailed,
    Busy,
    Forbidden,
    HelmFailed,
    Interrupted,
    Invalid,
    MigrationFailed,
    MigrationTimedOut,
    Refused,
    Stopped,
    Unknown,
    Unreachable,
    UpgradeFailed,
    WebhookFailed,
)
from shipit.events import LogLine, StepChanged, Warned
from shipit.lock.record import lease_ref, record_of
from shipit.logs.follower import Follower
from shipit.model import HelmExit, Hook, Identity, Json, Ref, Rendered, Revision, Values
from tests.fakes import NAMESPACE, FakeProcess, Fakes, Script, fakes
from tests.releases import configured

JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: migrate
          image: shop:{tag}
"""
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: shop
data:
  tag: {tag}
"""
MIGRATE = Ref("batch/v1", "Job", NAMESPACE, "migrate")


def rendering(tag: str, revision: int, hooks: tuple[Hook, ...] = (), job: str = JOB) -> Rendered:
    documents = [
        ("shop/templates/config.yaml", CONFIG),
        *([("shop/templates/migrate.yaml", job)] if job else []),
    ]
    manifest = "".join(f"---\n# Source: {source}\n{text.format(tag=tag)}" for source, text in documents)
    return Rendered(manifest, hooks, revision, install=revision == 1, server_side=True)


def hook(name: str, events: tuple[str, ...], tag: str, policies: tuple[str, ...] = ()) -> Hook:
    text = JOB.format(tag=tag).replace("name: migrate\nspec", f"name: {name}\nspec")
    return Hook(name, "Job", f"shop/templates/{name}.yaml", text, events, 0, policies)


def hooked(tag: str, revision: int) -> Rendered:
    """A chart whose migration is a hook."""
    return rendering(tag, revision, (hook("migrate", ("pre-install", "pre-upgrade"), tag),), job="")


@pytest.fixture
def world() -> Fakes:
    found = fakes(rendering("v2", 2))
    found.helm.revisions = [Revision(1, "deployed")]
    found.cluster.scripts["migrate"] = Script(log=b"2026-11-25T12:00:01.0Z adding a column\n")
    return found


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (chart / "values.yaml").write_text("image: {tag: none}\n")
    (chart / "templates" / "migrate.yaml").write_text("job")
    (tmp_path / "work").mkdir()
    return Request(
        run="run-1",
        namespace=NAMESPACE,
        tag="v2",
        spec=ReleaseSpec(name="shop", chart=str(chart), timeout=60),
        values=Values(),
        workdir=tmp_path / "work",
        identity=Identity("anna", "laptop"),
    )


def again(request: Request, world: Fakes, run: str = "run-2", **changes: object) -> Request:
    """The same deploy once more, by a shipit of its own."""
    workdir = request.workdir.parent / run
    workdir.mkdir()
    return replace(request, run=run, workdir=workdir, **changes)  # type: ignore[arg-type]


def signal_in(world: Fakes, seconds: float, signum: int) -> None:
    """shipit gets a signal so many seconds from now; 9 stands for a death that leaves it no time for anything."""

    def hear() -> None:
        raise Stopped(signum)

    world.clock.later(seconds, hear)


def go(request: Request, world: Fakes) -> int:
    return deploy(request, world.world, world.told).revision


def test_the_migration_runs_before_the_upgrade_and_its_log_is_told(world: Fakes, request_: Request) -> None:
    assert go(request_, world) == 2
    order = [call for call in (*world.cluster.wrote(), *world.helm.calls) if "Lease" not in call]
    assert order == ["create Job shop/migrate", "render", "upgrade app"]
    assert [event.line for event in world.told.of(LogLine)] == ["adding a column"]
    done = [event.result for event in world.told.of(StepChanged) if event.result]
    assert [(result.name, result.outcome) for result in done] == [("migrate", "succeeded")]
    assert not record_of(world.cluster.get(lease_ref(NAMESPACE, "shop"))).run, "the lock is given back"


def test_the_old_job_is_deleted_by_its_uid_before_the_new_one_is_made(
    world: Fakes, request_: Request
) -> None:
    go(request_, world)
    old = world.cluster.objects[MIGRATE]["metadata"]["uid"]
    world.helm.rendered = rendering("v3", 3)
    go(again(request_, world, tag="v3"), world)
    wrote = [call for call in world.cluster.wrote() if "Job" in call]
    assert wrote == ["create Job shop/migrate", f"delete Job shop/migrate {old}", "create Job shop/migrate"]


def test_a_failed_migration_leaves_the_app_untouched(world: Fakes, request_: Request) -> None:
    world.cluster.scripts["migrate"] = Script(outcome="failed", exit_code=3)
    with pytest.raises(MigrationFailed, match=r"exited with code 3.*untouched \(revision 1\)"):
        go(request_, world)
    assert world.helm.calls == ["render"]
    assert MIGRATE in world.cluster.objects


def test_a_migration_that_runs_past_its_timeout_is_left_running_and_picked_up_again(
    world: Fakes, request_: Request
) -> None:
    world.cluster.scripts["migrate"] = Script(ends=3600)
    with pytest.raises(MigrationTimedOut, match="still runs"):
        go(replace(request_, migrations=(MigrationSpec(timeout=30),)), world)
    assert world.clock.seconds < 45
    uid = world.cluster.objects[MIGRATE]["metadata"]["uid"]
    assert go(again(request_, world, migrations=(MigrationSpec(timeout=7200),)), world) == 2
    assert world.cluster.objects[MIGRATE]["metadata"]["uid"] == uid


def test_a_timeout_may_delete_the_job(world: Fakes, request_: Request) -> None:
    world.cluster.scripts["migrate"] = Script(ends=3600)
    with pytest.raises(MigrationTimedOut, match="was deleted"):
        go(replace(request_, migrations=(MigrationSpec(timeout=30, on_timeout="delete"),)), world)
    assert MIGRATE not in world.cluster.objects


def test_a_migration_that_another_deploy_started_is_left_alone(world: Fakes, request_: Request) -> None:
    world.cluster.scripts["migrate"] = Script(ends=3600)
    with pytest.raises(MigrationTimedOut):
        go(replace(request_, migrations=(MigrationSpec(timeout=30),)), world)
    world.helm.rendered = rendering("v3", 2)
    with pytest.raises(Busy, match=r"Job migrate of v2 \(run run-1\) still runs"):
        go(again(request_, world, tag="v3"), world)
    assert not [call for call in world.cluster.wrote() if call.startswith("delete")]
    world.cluster.scripts["migrate"] = Script()
    assert go(again(request_, world, run="run-3", tag="v3", replace_running=True), world) == 2


def test_a_completed_migration_whose_upgrade_never_came_is_not_run_again(
    world: Fakes, request_: Request
) -> None:
    def killed(call: str) -> None:
        raise Stopped(9)

    world.helm.upgrade_ends = HelmExit(1, ("Error: boom",))
    upgrade = world.helm.upgrade
    world.helm.upgrade = lambda *args, **how: killed("")  # type: ignore[assignment,method-assign]
    with pytest.raises(Interrupted, match="untouched"):
        go(request_, world)
    world.helm.upgrade = upgrade  # type: ignore[method-assign]
    world.helm.upgrade_ends = HelmExit(0)
    assert go(again(request_, world), world) == 2
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job")]) == 1
    outcomes = [event.result.outcome for event in world.told.of(StepChanged) if event.result]
    assert outcomes == ["succeeded", "resumed"]


IN_NAME_ONLY = "Job migrate is Failed (DeadlineExceeded), but its pod had succeeded: it has migrated"


@pytest.mark.parametrize("outcome", ["late", "uncounted"])
def test_a_migration_whose_deadline_came_after_its_pod_had_succeeded_is_done(
    world: Fakes, request_: Request, outcome: str
) -> None:
    world.cluster.scripts["migrate"] = Script(outcome=outcome)
    assert go(request_, world) == 2
    (told,) = world.told.of(Warned)
    assert told.message == IN_NAME_ONLY
    assert "activeDeadlineSeconds" in str(told.hint)
    done = [event.result for event in world.told.of(StepChanged) if event.result]
    assert [(result.name, result.outcome) for result in done] == [("migrate", "succeeded")]


@pytest.mark.parametrize(("rerun", "jobs"), [(False, 1), (True, 2)])
def test_such_a_migration_is_not_run_again_by_the_next_deploy_but_with_rerun(
    world: Fakes, request_: Request, rerun: bool, jobs: int
) -> None:
    def killed(*args: object, **how: object) -> None:
        raise Stopped(9)

    world.cluster.scripts["migrate"] = Script(outcome="late")
    upgrade, world.helm.upgrade = world.helm.upgrade, killed  # type: ignore[assignment,method-assign]
    with pytest.raises(Interrupted, match="untouched"):
        go(request_, world)
    world.helm.upgrade = upgrade  # type: ignore[method-assign]
    assert go(again(request_, world, rerun=rerun), world) == 2
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job")]) == jobs
    told = [event for event in world.told.of(Warned) if event.message == IN_NAME_ONLY]
    assert len(told) == 2
    assert ("--rerun" in str(told[-1].hint)) == (not rerun)


def test_a_migration_whose_upgrade_was_interrupted_is_not_run_again_however_often(
    world: Fakes, request_: Request
) -> None:
    world.helm.upgrade_takes = 20
    for attempt in (1, 2):
        world.helm.rendered = hooked("v2", 1 + attempt)
        signal_in(world, 15, 9)
        with pytest.raises(Interrupted, match=f"the migration is done; revision {1 + attempt} is failed"):
            go(request_ if attempt == 1 else again(request_, world, run=f"run-{attempt}"), world)
    world.helm.rendered = hooked("v2", 4)
    assert go(again(request_, world, run="run-3"), world) == 4
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job")]) == 1
    outcomes = [event.result.outcome for event in world.told.of(StepChanged) if event.result]
    assert outcomes == ["succeeded", "resumed", "resumed"]


def test_a_migration_whose_upgrade_failed_by_itself_runs_again(world: Fakes, request_: Request) -> None:
    world.helm.rendered = hooked("v2", 2)
    world.helm.upgrade_ends = HelmExit(1, ("Error: boom",))
    with pytest.raises(UpgradeFailed):
        go(request_, world)
    world.helm.upgrade_ends = HelmExit(0)
    world.helm.rendered = hooked("v2", 3)
    assert go(again(request_, world), world) == 3
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job")]) == 2


def test_a_failed_revision_that_somebody_else_made_counts_for_nothing(
    world: Fakes, request_: Request
) -> None:
    world.helm.rendered = hooked("v2", 2)
    world.helm.upgrade_takes = 20
    signal_in(world, 15, 9)
    with pytest.raises(Interrupted):
        go(request_, world)
    world.helm.manifests[2] = hooked("v1", 2).manifest
    world.helm.rendered = hooked("v2", 3)
    assert go(again(request_, world), world) == 3
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job")]) == 2


def test_rerun_runs_it_again(world: Fakes, request_: Request) -> None:
    world.helm.upgrade_ends = HelmExit(1, ("Error: boom",))
    world.helm._upgraded = lambda: None  # type: ignore[method-assign]
    with pytest.raises(UpgradeFailed):
        go(request_, world)
    go_again = again(request_, world, rerun=True)
    with pytest.raises(UpgradeFailed):
        go(go_again, world)
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job")]) == 2


def test_a_release_that_moved_meanwhile_is_not_upgraded(world: Fakes, request_: Request) -> None:
    world.clock.later(3, lambda: world.helm.revisions.append(Revision(2, "deployed")))
    with pytest.raises(Busy, match="revision 2 instead of 1"):
        go(request_, world)
    assert world.helm.calls == ["render"]


def test_a_job_given_up_before_it_started_is_suspended_marked_and_replaced(
    world: Fakes, request_: Request
) -> None:
    world.cluster.scripts["migrate"] = Script(
        waiting="InvalidImageName", waiting_message="couldn't parse image name"
    )
    with pytest.raises(MigrationFailed, match="no container ever started"):
        go(request_, world)
    job = world.cluster.job(NAMESPACE, "migrate")
    assert job is not None
    assert job.never_started
    assert job.suspended
    world.cluster.scripts["migrate"] = Script()
    world.helm.rendered = rendering("v3", 2)
    assert go(again(request_, world, tag="v3"), world) == 2


def test_a_job_that_vanishes_is_no_success(world: Fakes, request_: Request) -> None:
    world.clock.later(2, lambda: world.cluster.vanish(MIGRATE))
    with pytest.raises(Unknown, match="vanished"):
        go(request_, world)
    assert world.helm.calls == ["render"]


def test_an_api_server_that_falls_silent_ends_as_unknown_at_the_timeout(
    world: Fakes, request_: Request
) -> None:
    def silent(call: str) -> Unreachable | None:
        if world.clock.seconds <= 2 or not call.startswith("get Job"):
            return None
        world.clock.sleep(world.cluster.patience)
        return Unreachable("the API server is gone")

    world.cluster.broken = silent
    with pytest.raises(Unknown, match="is not known: the API server is gone"):
        go(replace(request_, migrations=(MigrationSpec(timeout=40),)), world)
    assert world.clock.seconds < 50


def test_an_interrupt_says_what_still_runs_and_gives_the_lock_back(world: Fakes, request_: Request) -> None:
    world.cluster.scripts["migrate"] = Script(ends=100)

    signal_in(world, 5, 2)
    with pytest.raises(Interrupted, match="Job migrate still runs; the app is untouched") as caught:
        go(request_, world)
    assert caught.value.exit_code == 130
    assert "shipit deploy --tag v2" in str(caught.value.hint)
    assert not record_of(world.cluster.get(lease_ref(NAMESPACE, "shop"))).run


def test_hooks_run_around_the_upgrade_in_their_order(world: Fakes, request_: Request) -> None:
    hooks = (
        hook("b-pre", ("pre-upgrade",), "v2"),
        hook("a-pre", ("pre-install", "pre-upgrade"), "v2"),
        hook("z-post", ("post-upgrade",), "v2", ("hook-succeeded",)),
        hook("other", ("post-install", "test"), "v2"),
    )
    world.helm.rendered = rendering("v2", 2, hooks, job="")
    for name in ("a-pre", "b-pre", "z-post"):
        world.cluster.scripts[name] = Script()
    assert go(request_, world) == 2
    created = [call.rpartition("/")[2] for call in world.cluster.wrote() if call.startswith("create Job")]
    assert created == ["a-pre", "b-pre", "z-post"]
    world.clock.sleep(1)
    assert Ref("batch/v1", "Job", NAMESPACE, "z-post") not in world.cluster.objects
    assert Ref("batch/v1", "Job", NAMESPACE, "a-pre") in world.cluster.objects


def test_what_fails_after_the_upgrade_says_that_the_app_is_upgraded(world: Fakes, request_: Request) -> None:
    world.helm.rendered = rendering("v2", 2, (hook("post", ("post-upgrade",), "v2"),), job="")
    world.cluster.scripts["post"] = Script(outcome="failed", exit_code=1)
    with pytest.raises(AfterFailed, match=r"the app is upgraded to v2 \(revision 2\)"):
        go(request_, world)
    assert world.helm.calls == ["render", "upgrade app"]


def test_a_deploy_killed_after_its_upgrade_is_finished_by_the_next_one(
    world: Fakes, request_: Request
) -> None:
    world.helm.rendered = rendering("v2", 2, (hook("post", ("post-upgrade",), "v2"),))
    world.cluster.scripts["post"] = Script(ends=50)

    signal_in(world, 15, 9)
    with pytest.raises(Interrupted, match="Job post still runs; the app is upgraded"):
        go(request_, world)
    world.helm.rendered = rendering("v2", 3, (hook("post", ("post-upgrade",), "v2"),))
    assert go(again(request_, world), world) == 2
    assert world.helm.calls.count("upgrade app") == 1
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job")]) == 1
    assert any("finishing what it left" in event.message for event in world.told.of(Warned))


def test_a_failed_upgrade_is_rolled_back_where_that_is_asked_for(world: Fakes, request_: Request) -> None:
    world.helm.upgrade_ends = HelmExit(1, ("Error: UPGRADE FAILED: context deadline exceeded",))
    with pytest.raises(UpgradeFailed, match="rolled back to revision 1"):
        go(configured(request_, rollback_on_failure=True), world)
    assert world.helm.calls[-1] == "rollback 1"


def test_a_missing_permission_is_found_before_anything_changes(world: Fakes, request_: Request) -> None:
    world.cluster.forbidden = {"delete jobs", "get pods/log"}
    with pytest.raises(Refused, match="get pods/log"):
        go(request_, world)
    assert not [call for call in world.cluster.wrote() if "Lease" not in call]


def test_skip_migration_upgrades_the_app_only(world: Fakes, request_: Request) -> None:
    assert go(replace(request_, skip_migration=True), world) == 2
    assert not [call for call in world.cluster.wrote() if "Job" in call]
    assert [event.step for event in world.told.of(StepChanged) if event.state == "skipped"] == ["migrate"]


def test_skip_migration_leaves_the_job_that_failed_for_a_look(world: Fakes, request_: Request) -> None:
    world.cluster.scripts["migrate"] = Script(outcome="failed", exit_code=3)
    with pytest.raises(MigrationFailed):
        go(request_, world)
    failed = world.cluster.objects[MIGRATE]["metadata"]["uid"]
    assert go(replace(again(request_, world), skip_migration=True), world) == 2
    assert world.cluster.objects[MIGRATE]["metadata"]["uid"] == failed


def test_a_hanging_helm_is_stopped(world: Fakes, request_: Request) -> None:
    world.helm.upgrade_takes = 100_000
    with pytest.raises(UpgradeFailed, match="canceled"):
        go(request_, world)
    assert world.helm.processes[0].stopped
    assert world.clock.seconds < 200


def test_a_revision_that_somebody_else_made_is_not_taken_for_ours(world: Fakes, request_: Request) -> None:
    """It has our number, and the lock says that we meant to make it: only what it holds tells."""
    stop = world.helm.upgrade
    world.helm.upgrade = lambda *args, **how: stopped()  # type: ignore[assignment,method-assign]
    with pytest.raises(Interrupted):
        go(request_, world)
    world.helm.upgrade = stop  # type: ignore[method-assign]
    world.helm.revisions.append(Revision(2, "deployed"))
    world.helm.manifests[2] = rendering("v1", 2, job="").manifest
    world.helm.rendered = rendering("v2", 3)
    assert go(again(request_, world), world) == 3
    assert world.helm.calls[-1] == "upgrade app"


def stopped() -> None:
    raise Stopped(2)


def test_helm_s_silence_after_the_migration_is_no_refusal(world: Fakes, request_: Request) -> None:
    calm = world.helm.history

    def silent(*, within: float | None = None) -> tuple[Revision, ...]:
        if world.clock.seconds > 2:
            raise HelmFailed("dial tcp: i/o timeout")
        return calm()

    world.helm.history = silent  # type: ignore[method-assign]
    with pytest.raises(
        Unknown, match=r"i/o timeout.*the migration is done; this deploy did not touch the app"
    ):
        go(request_, world)


def test_a_job_whose_pod_once_ran_is_never_called_one_that_never_started(
    world: Fakes, request_: Request
) -> None:
    world.cluster.scripts["migrate"] = Script(ends=3600)

    def drained() -> None:
        for ref in [ref for ref in world.cluster.objects if ref.kind == "Pod"]:
            world.cluster.vanish(ref)

    world.clock.later(20, drained)
    with pytest.raises(MigrationTimedOut, match="Job migrate still runs"):
        go(replace(request_, migrations=(MigrationSpec(timeout=120, start_timeout=60),)), world)
    job = world.cluster.job(NAMESPACE, "migrate")
    assert job is not None
    assert not job.suspended
    assert not job.never_started


def test_a_hook_pod_of_another_deploy_is_seen_under_its_own_name(world: Fakes, request_: Request) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "migrate-v1", "namespace": NAMESPACE, "labels": {"shipit/release": "shop"}},
        "status": {"phase": "Running"},
    }
    world.cluster.create(pod)
    with pytest.raises(Busy, match="Pod migrate-v1"):
        go(request_, world)


# ── what comes after something went wrong ────────────────────────────────────────────────────────


@pytest.mark.parametrize("on_timeout", ["leave", "delete"])
def test_a_job_that_ends_as_its_time_is_up_has_ended(
    world: Fakes, request_: Request, on_timeout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look and what is done about the Job lies the end of its log."""
    finish = Follower.finish

    def slow(logs: Follower, timeout: float) -> None:
        finish(logs, timeout)
        world.clock.sleep(0.5)

    monkeypatch.setattr(Follower, "finish", slow)
    world.cluster.scripts["migrate"] = Script(starts=1, ends=29.1)
    wanted = (MigrationSpec(timeout=30, on_timeout=on_timeout),)  # type: ignore[arg-type]
    assert go(replace(request_, migrations=wanted), world) == 2
    assert MIGRATE in world.cluster.objects
    assert any("ended just as shipit gave up on it" in event.message for event in world.told.of(Warned))


def test_a_deletion_at_the_deadline_is_not_waited_for_beyond_it(world: Fakes, request_: Request) -> None:
    world.cluster.scripts["migrate"] = Script(ends=3600)
    world.cluster.delete = lambda ref, **how: None  # type: ignore[method-assign]
    with pytest.raises(
        MigrationTimedOut, match=r"Job migrate is being deleted, and has not ended yet; .*untouched"
    ):
        go(replace(request_, migrations=(MigrationSpec(timeout=30, on_timeout="delete"),)), world)
    assert world.clock.seconds < 40


def test_one_403_in_the_middle_of_a_migration_is_not_believed(world: Fakes, request_: Request) -> None:
    def forgetful(call: str) -> Forbidden | None:
        early = 3 <= world.clock.seconds < 20 and call.startswith("get Job")
        return Forbidden("jobs.batch is forbidden: role not found", status=403) if early else None

    world.cluster.scripts["migrate"] = Script(ends=60)
    world.cluster.broken = forgetful
    assert go(request_, world) == 2


def test_a_403_that_stays_is_believed(world: Fakes, request_: Request) -> None:
    world.cluster.scripts["migrate"] = Script(ends=600)
    world.cluster.broken = lambda call: (
        Forbidden("jobs.batch is forbidden", status=403)
        if world.clock.seconds > 3 and call.startswith("get Job")
        else None
    )
    with pytest.raises(Unknown, match=r"jobs\.batch is forbidden"):
        go(request_, world)
    assert world.clock.seconds < 60


def test_what_a_running_migration_uses_is_left_as_it_is_when_it_is_picked_up(
    world: Fakes, request_: Request
) -> None:
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: migrator\n"
    before = Hook("migrator", "ServiceAccount", "shop/templates/sa.yaml", account, ("pre-upgrade",), -5, ())
    world.helm.rendered = rendering("v2", 2, (before, hook("migrate", ("pre-upgrade",), "v2")), job="")
    world.cluster.scripts["migrate"] = Script(ends=200)

    signal_in(world, 30, 15)
    with pytest.raises(Interrupted, match="still runs"):
        go(request_, world)
    assert go(again(request_, world), world) == 2
    wrote = [call for call in world.cluster.wrote() if "Lease" not in call]
    assert wrote == ["create ServiceAccount shop/migrator", "create Job shop/migrate"]


@pytest.mark.parametrize("tag", ["v2", "v3"])
@pytest.mark.parametrize("fails", ["migration", "helm"])
def test_what_runs_around_a_first_install_runs_until_it_has_succeeded(
    world: Fakes, request_: Request, fails: str, tag: str
) -> None:
    """Helm calls the second try an upgrade, and would never run its post-install hooks."""
    world.helm.revisions = []
    world.helm.rendered = rendering("v2", 1, (hook("migrate", ("post-install",), "v2"),), job="")
    if fails == "migration":
        world.cluster.scripts["migrate"] = Script(outcome="failed", exit_code=1)
    else:
        world.helm.upgrade_ends = HelmExit(1, ("Error: exceeded quota",))
    with pytest.raises(AfterFailed if fails == "migration" else UpgradeFailed):
        go(request_, world)
    world.helm.upgrade_ends = HelmExit(0)
    world.cluster.scripts["migrate"] = Script()
    world.helm.rendered = rendering(tag, 2, (hook("migrate", ("post-install",), tag),), job="")
    assert go(again(request_, world, tag=tag), world) == 2
    outcomes = [event.result.outcome for event in world.told.of(StepChanged) if event.result]
    assert outcomes == (["failed"] if fails == "migration" else []) + ["succeeded"]
    world.helm.rendered = rendering("v4", 3, (hook("migrate", ("post-install",), "v4"),), job="")
    assert go(again(request_, world, run="run-3", tag="v4"), world) == 3
    assert len([event for event in world.told.of(StepChanged) if event.result]) == len(outcomes), "only once"


def test_what_an_install_owes_comes_beside_what_an_upgrade_runs(world: Fakes, request_: Request) -> None:
    def hooks(tag: str) -> tuple[Hook, ...]:
        return (
            hook("create", ("pre-install",), tag),
            hook("migrate", ("pre-upgrade", "post-install"), tag),
            hook("seed", ("post-install",), tag),
        )

    def created() -> list[str]:
        return [c.rpartition("/")[2] for c in world.cluster.wrote() if c.startswith("create Job")]

    world.helm.revisions = []
    world.helm.rendered = rendering("v1", 1, hooks("v1"), job="")
    for name in ("create", "migrate"):
        world.cluster.scripts[name] = Script()
    world.cluster.scripts["seed"] = Script(outcome="failed", exit_code=1)
    with pytest.raises(AfterFailed):
        go(replace(request_, tag="v1"), world)
    assert created() == ["create", "migrate", "seed"]
    world.cluster.scripts["seed"] = Script()
    world.helm.rendered = rendering("v2", 2, hooks("v2"), job="")
    assert go(again(request_, world), world) == 2
    assert created()[3:] == ["migrate", "seed"]
    world.helm.rendered = rendering("v3", 3, hooks("v3"), job="")
    assert go(again(request_, world, run="run-3", tag="v3"), world) == 3
    assert created()[5:] == ["migrate"]


@pytest.mark.parametrize("how", ["stopped", "interrupted"])
def test_a_rollback_that_was_cut_short_is_cleared_by_the_next_deploy(
    world: Fakes, request_: Request, how: str
) -> None:
    """helm leaves its record pending when it is interrupted in a rollback."""

    def rollback(revision: int, *, timeout: float, wait: bool = True) -> FakeProcess:
        process = world.helm._start(HelmExit(0), lambda: None)
        process.ends_at += 1000
        process.at_a_stop = pending
        if how == "interrupted":
            signal_in(world, 10, 2)
        return process

    def pending() -> None:
        world.helm.revisions.append(Revision(3, "pending-rollback"))
        labels = {"owner": "helm", "name": "shop", "version": "3"}
        meta = {"name": "sh.helm.release.v1.shop.v3", "namespace": NAMESPACE, "labels": labels}
        world.cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta})

    world.helm.upgrade_ends = HelmExit(1, ("boom",))
    world.helm.rollback = rollback  # type: ignore[method-assign]
    with pytest.raises((UpgradeFailed, Interrupted), match="revision 3 is left pending-rollback"):
        go(configured(request_, rollback_on_failure=True), world)
    world.helm.upgrade_ends = HelmExit(0)
    world.helm.rendered = rendering("v3", 3)
    go(again(request_, world, tag="v3"), world)
    assert any(
        "removed revision 3, which a helm that died had left pending-rollback" in event.message
        for event in world.told.of(Warned)
    )


@pytest.mark.parametrize("how", ["failed", "interrupted"])
def test_a_handover_that_did_not_come_does_not_make_the_migration_run_again(
    world: Fakes, request_: Request, how: str
) -> None:
    world.helm.manifests[1] = rendering("v1", 1).manifest  # bare Helm's: it lists the migration
    upgrade = world.helm.upgrade

    def stumbling(chart: Path, values: Values | None, **options: object) -> FakeProcess:
        process = upgrade(chart, values, **options)
        process.ending, process.at_the_end = HelmExit(1, ("boom",)), world.helm._interrupted
        if how == "interrupted":
            process.ends_at += 100
            signal_in(world, 2, 15)
        return process

    world.helm.upgrade = stumbling  # type: ignore[method-assign]
    with pytest.raises((UpgradeFailed, Interrupted)) as caught:
        go(request_, world)
    assert "shipit rollback 2" not in f"{caught.value.message} {caught.value.hint!s}"
    world.helm.manifests[2] = world.helm.manifests[1]
    world.helm.upgrade = upgrade  # type: ignore[method-assign]
    world.helm.rendered = rendering("v2", 3)
    assert go(again(request_, world), world) == 4
    assert len([call for call in world.cluster.wrote() if call.startswith("create Job")]) == 1


@pytest.mark.parametrize("moved", [True, False])
def test_a_deploy_that_lost_its_lock_says_who_moved_the_app(
    world: Fakes, request_: Request, moved: bool
) -> None:
    ref = lease_ref(NAMESPACE, "shop")

    def taken() -> None:
        body = world.cluster.objects[ref]
        body["spec"]["holderIdentity"] = "run-b"
        world.cluster._store(ref, body)

    world.cluster.scripts["migrate"] = Script(ends=60)
    world.clock.later(25, taken)
    state = r"the app is untouched \(revision 1\)"
    if moved:
        world.clock.later(30, lambda: world.helm.revisions.append(Revision(2, "deployed")))
        state = "this deploy did not touch the app; someone else moved it to revision 2"
    with pytest.raises(Busy, match=f"lock of the release was lost.*; {state}"):
        go(request_, world)


def test_an_interrupt_while_the_old_job_goes_does_not_take_it_for_its_own(
    world: Fakes, request_: Request
) -> None:
    go(request_, world)
    world.helm.rendered = rendering("v3", 3)

    world.cluster.delete = lambda ref, **how: None  # type: ignore[method-assign]
    signal_in(world, 10, 2)
    with pytest.raises(Interrupted, match="Job migrate of v2 is still there, the new one was not created"):
        go(again(request_, world, tag="v3"), world)


def test_a_failed_upgrade_does_not_claim_a_migration_that_comes_after_it(
    world: Fakes, request_: Request
) -> None:
    world.helm.rendered = rendering("v2", 2, (hook("migrate", ("post-upgrade",), "v2"),), job="")
    world.helm.upgrade_ends = HelmExit(1, ("boom",))
    with pytest.raises(UpgradeFailed, match="nothing ran before the upgrade") as caught:
        go(request_, world)
    assert "the migration is done" not in caught.value.message


# ── what crds/ bring ─────────────────────────────────────────────────────────────────────────────

DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  names: {plural: gadgets, kind: Gadget}
  versions: [{name: v1, served: true}]
"""
GADGETS = ("example.com/v1", "Gadget")


@pytest.fixture
def with_crds(world: Fakes, request_: Request) -> Fakes:
    """A first install; Gadgets are served a second after their definition was created."""
    crds = Path(request_.chart) / "crds"
    crds.mkdir()
    (crds / "gadget.yaml").write_text(DEFINITION)
    world.helm.revisions = []
    world.helm.rendered = rendering("v2", 1)
    world.helm.crds = f"---\n# Source: shop/crds/gadget.yaml\n{DEFINITION}"
    world.cluster.unserved = {GADGETS}
    create = world.cluster.create

    def made(body: Json, *, dry_run: bool = False) -> Json:
        if body["kind"] == "CustomResourceDefinition" and not dry_run:
            world.clock.later(1, lambda: world.cluster.unserved.discard(GADGETS))
        return create(body, dry_run=dry_run)

    world.cluster.create = made  # type: ignore[method-assign,assignment]
    return world


def test_what_crds_bring_is_installed_before_the_migration_and_everything_is_rendered_anew(
    with_crds: Fakes, request_: Request
) -> None:
    assert go(request_, with_crds) == 1
    order = [call for call in with_crds.cluster.wrote() if "Lease" not in call]
    assert order == ["create CustomResourceDefinition gadgets.example.com", "create Job shop/migrate"]
    assert with_crds.helm.calls == ["definitions", "render", "definitions", "render", "upgrade app"]


def test_what_is_refused_without_them_leaves_them_out(with_crds: Fakes, request_: Request) -> None:
    with_crds.helm.rendered = rendering("v1", 1)
    with pytest.raises(Refused, match="the tag v2 is not in the image"):
        go(request_, with_crds)
    assert [call for call in with_crds.cluster.wrote() if "Lease" not in call] == []


def test_a_first_install_whose_dry_run_fails_only_for_them_is_looked_at_without_the_api_server(
    with_crds: Fakes, request_: Request
) -> None:
    render = with_crds.helm.render

    def fails(chart: str, values: Values) -> Rendered:
        if with_crds.cluster.unserved:
            with_crds.helm.calls.append("render in vain")
            raise HelmFailed("no matches for kind", reason="render", unknown_kinds=(GADGETS,))
        return render(chart, values)

    with_crds.helm.render = fails  # type: ignore[method-assign]
    assert go(request_, with_crds) == 1
    assert with_crds.helm.calls[:3] == ["definitions", "render in vain", "render offline"]
    assert with_crds.helm.calls[-2:] == ["render", "upgrade app"]


def test_a_kind_that_nobody_brings_stays_a_refusal(with_crds: Fakes, request_: Request) -> None:
    both = (GADGETS, ("example.com/v1", "Other"))

    def fails(chart: str, values: Values) -> Rendered:
        raise HelmFailed("no matches for kind", reason="render", unknown_kinds=both)

    with_crds.helm.render = fails  # type: ignore[method-assign]
    with pytest.raises(Refused, match="no matches for kind"):
        go(request_, with_crds)
    assert [call for call in with_crds.cluster.wrote() if "Lease" not in call] == []


def test_what_is_refused_once_they_are_there_says_that_they_are(with_crds: Fakes, request_: Request) -> None:
    def broken(call: str) -> Invalid | None:
        there = call.startswith("dry-apply ConfigMap") and not with_crds.cluster.unserved
        return Invalid("spec.size: Required value") if there else None

    with_crds.cluster.broken = broken
    with pytest.raises(Refused, match="Required value") as refused:
        go(request_, with_crds)
    assert str(refused.value).endswith("of the chart's crds/ gadgets.example.com is installed")


def test_a_kind_that_is_never_served_ends_the_deploy(with_crds: Fakes, request_: Request) -> None:
    with_crds.cluster.create = type(with_crds.cluster).create.__get__(with_crds.cluster)  # type: ignore[method-assign]
    with pytest.raises(Refused, match=r"does not serve Gadget in example.com/v1 60 s after"):
        go(request_, with_crds)
    assert "create Job shop/migrate" not in with_crds.cluster.calls


# ── webhooks that don't answer ───────────────────────────────────────────────────────────────────

SILENT = 'failed calling webhook "w": failed to call webhook: Post "https://w": connection refused'


def test_an_upgrade_that_only_a_webhook_kept_from_is_tried_once_more_as_the_next_revision(
    world: Fakes, request_: Request
) -> None:
    world.helm.upgrade_ends = HelmExit(1, ("UPGRADE FAILED: " + SILENT,))
    world.clock.later(8, lambda: setattr(world.helm, "upgrade_ends", HelmExit(0)))
    assert go(request_, world) == 3
    assert world.helm.calls.count("upgrade app") == 2
    assert len([call for call in world.cluster.calls if call == "create Job shop/migrate"]) == 1
    lease = world.cluster.objects[lease_ref(NAMESPACE, "shop")]
    noted = record_of(lease).upgrade
    assert noted is not None
    assert noted.revision == 3
    assert noted.oldest_accepted_revision == 2, "the migration that ran for the first try counts"


def test_one_that_fails_so_twice_has_failed(world: Fakes, request_: Request) -> None:
    world.helm.upgrade_ends = HelmExit(1, (SILENT,))
    with pytest.raises(UpgradeFailed, match="failed calling webhook") as failed:
        go(request_, world)
    assert world.helm.calls.count("upgrade app") == 2
    assert "revision 3 is failed and was not rolled back" in str(failed.value)


def test_one_that_failed_for_another_reason_as_well_is_not_tried_again(
    world: Fakes, request_: Request
) -> None:
    world.helm.upgrade_ends = HelmExit(1, (f"{SILENT} && cannot patch x: host taken",))
    with pytest.raises(UpgradeFailed):
        go(request_, world)
    assert world.helm.calls.count("upgrade app") == 1


def test_a_migration_that_no_webhook_lets_in_has_failed_and_the_app_is_untouched(
    world: Fakes, request_: Request
) -> None:
    silent = WebhookFailed(SILENT, status=500)
    world.cluster.broken = lambda call: silent if call.startswith("create Job") else None
    with pytest.raises(MigrationFailed, match="could not be created: failed calling webhook"):
        go(request_, world)


def test_what_is_to_say_yes_first_is_asked_once_all_is_checked_and_nothing_changed(
    world: Fakes, request_: Request
) -> None:
    def refuse() -> None:
        raise Refused("not on a Friday")

    with pytest.raises(Refused, match="not on a Friday"):
        deploy(request_, world.world, world.told, begins=refuse)
    assert "render" in world.helm.calls
    assert not [
        call for call in (*world.cluster.wrote(), *world.helm.calls) if "Job" in call or call == "upgrade app"
    ]
    assert not record_of(world.cluster.get(lease_ref(NAMESPACE, "shop"))).run, "the lock is given back"


def test_what_a_deploy_would_ask_first_is_not_asked_about_a_refused_one_or_one_without_work(
    world: Fakes, request_: Request
) -> None:
    asked: list[str] = []
    world.cluster.scripts["migrate"] = Script(ends=3600)
    with pytest.raises(MigrationTimedOut):
        go(replace(request_, migrations=(MigrationSpec(timeout=30),)), world)
    world.helm.rendered = rendering("v3", 2)
    with pytest.raises(Busy):
        deploy(again(request_, world, tag="v3"), world.world, world.told, begins=lambda: asked.append("v3"))
    world.cluster.scripts["migrate"] = Script()
    assert not asked
