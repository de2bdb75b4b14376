"""Making room for a step: what earlier deploys left is accepted, deleted, or in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shipit.config import Request
from shipit.deploy.existing import (
    clear,
    clear_stale,
    is_this_deploys,
    refuse_kept,
    refuse_others,
    refuse_running,
)
from shipit.deploy.step import run
from shipit.errors import Busy, HelmFailed, MigrationFailed, Refused
from shipit.lock.record import LockRecord, with_holder
from shipit.model import Identity, Json, Plan, Ref, Rendered, Revision, Values
from tests.fakes import NAMESPACE, Fakes
from tests.releases import a_release, a_request, config_map, hook, job, planned, rendered


@pytest.fixture
def world() -> Fakes:
    return a_release()


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return a_request(tmp_path)


def leave(world: Fakes, plan: Plan, *, name: str = "migrate", state: str = "Complete", **notes: str) -> Ref:
    """The Job of the plan's first step, as an earlier try left it: `notes` are shipit's own annotations."""
    body = plan.before[0].manifest
    notes = {"run": "other", "hash": plan.before[0].fingerprint.note("other"), **notes}
    noted = {f"shipit/{key.replace('_', '-')}": value for key, value in notes.items()}
    meta = {**body["metadata"], "name": name, "annotations": {**body["metadata"]["annotations"], **noted}}
    left: Json = {**body, "metadata": meta}
    if state:
        left["status"] = {"conditions": [{"type": state, "status": "True"}]}
    world.cluster.create(left)
    return plan.before[0].ref._replace(name=name)


@pytest.mark.parametrize(
    ("policies", "state", "kept"),
    [
        ((), "Complete", False),
        (("before-hook-creation",), "Failed", False),
        (("hook-succeeded",), "Complete", False),
        (("hook-succeeded",), "Failed", True),
        (("hook-failed",), "Complete", True),
        (("hook-failed",), "Failed", False),
        (("hook-succeeded", "hook-failed"), "Failed", False),
    ],
)
def test_what_a_policy_keeps_is_in_the_way_and_what_it_should_have_deleted_is_not(
    asked: Request, world: Fakes, policies: tuple[str, ...], state: str, kept: bool
) -> None:
    world.helm.rendered = rendered("", hook(job(), "pre-upgrade", policies=policies))
    plan = planned(asked, world)
    refuse_kept(plan, world.world)
    leave(world, plan, state=state, tag="v1")
    if kept:
        with pytest.raises(Refused, match="Job shop/migrate exists"):
            refuse_kept(plan, world.world)
        with pytest.raises(MigrationFailed, match="delete policy keeps it"):
            clear(plan.before[0], plan, world.world, world.told)
    else:
        refuse_kept(plan, world.world)
        assert clear(plan.before[0], plan, world.world, world.told) is None


def test_a_job_that_never_started_is_replaced_whatever_its_policy(asked: Request, world: Fakes) -> None:
    world.helm.rendered = rendered("", hook(job(), "pre-upgrade", policies=("hook-succeeded",)))
    plan = planned(asked, world)
    left = leave(world, plan, state="Suspended", tag="v1", never_started="true")
    world.cluster.objects[left]["spec"]["suspend"] = True
    refuse_kept(plan, world.world)
    assert clear(plan.before[0], plan, world.world, world.told) is None
    assert left not in world.cluster.objects


def test_a_job_that_never_started_and_was_let_go_on_since_runs(asked: Request, world: Fakes) -> None:
    plan = planned(asked, world)
    left = leave(world, plan, state="", tag="v1", never_started="true")
    world.cluster.objects[left]["status"] = {"active": 1}
    with pytest.raises(Busy, match="still runs"):
        refuse_running(plan, world.world)
    with pytest.raises(Busy, match="still runs"):
        clear(plan.before[0], plan, world.world, world.told)


def test_another_release_s_job_that_came_meanwhile_is_left_alone(asked: Request, world: Fakes) -> None:
    plan = replace(planned(asked, world), replace_running=True)
    left = leave(world, plan)
    give_to(world, left, "other")
    with pytest.raises(Busy, match="Job migrate belongs to release other"):
        clear(plan.before[0], plan, world.world, world.told)
    assert left in world.cluster.objects


@pytest.mark.parametrize(("policy", "kept"), [("hook-failed", True), ("hook-succeeded", False), ("before-hook-creation", False)])  # fmt: skip
def test_a_hook_of_another_kind_is_in_the_way_when_its_policy_keeps_it(
    asked: Request, world: Fakes, policy: str, kept: bool
) -> None:
    settings = hook(config_map("settings"), "pre-upgrade", policies=(policy,), weight=-1)
    world.helm.rendered = rendered("", settings, hook(job(), "pre-upgrade"))
    plan = planned(asked, world)
    world.cluster.create({**config_map("settings"), "metadata": {"name": "settings", "namespace": NAMESPACE}})
    if not kept:
        refuse_kept(plan, world.world)
        return
    with pytest.raises(Refused, match="ConfigMap shop/settings exists") as refused:
        refuse_kept(plan, world.world)
    assert "before-hook-creation" in str(refused.value.hint)


def test_with_replace_running_everything_that_runs_goes_before_anything_is_made(
    asked: Request, world: Fakes
) -> None:
    """A migration that is named anew each time runs on under its old name: two must never overlap."""
    plan = planned(asked, world)
    old = leave(world, plan, name="migrate-old", state="", tag="v1")
    with pytest.raises(Busy, match=r"Job migrate-old of v1 .* still runs"):
        refuse_running(plan, world.world)
    bold = replace(plan, replace_running=True)
    refuse_running(bold, world.world)
    clear_stale(bold, world.world, world.told, anew=False)
    assert old not in world.cluster.objects


# ── what another release has under the name of a step ─────────────────────────────────────────────


def give_to(world: Fakes, left: Ref, release: str, *, there: bool = True, hook: bool = False) -> None:
    """Another release made it: one that Helm knows, where it is `there`."""
    notes = world.cluster.objects[left]["metadata"].setdefault("annotations", {})
    notes |= {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": NAMESPACE}
    notes |= {"helm.sh/hook": "pre-upgrade"} if hook else {}
    if left.kind == "Job":
        world.cluster.objects[left]["metadata"]["labels"]["shipit/release"] = release
    if there:
        world.helm.others[release, NAMESPACE] = [Revision(1, "deployed")]


def deploying(world: Fakes, release: str, *, renewed: float) -> None:
    """A shipit holds the lock of that release, renewed so many seconds ago."""
    record = LockRecord("run-other", "v7", Identity("ben", "elsewhere"))
    then = world.clock.now() - timedelta(seconds=renewed)
    bare = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": f"shipit-{release}", "namespace": NAMESPACE}}  # fmt: skip
    world.cluster.create(with_holder(bare, record, then, acquire=True))


@pytest.mark.parametrize("there", [True, False])
def test_a_running_job_of_another_release_is_never_deleted(asked: Request, world: Fakes, there: bool) -> None:
    plan = planned(asked, world)
    left = leave(world, plan, state="", tag="v1")
    give_to(world, left, "other", there=there, hook=True)
    with pytest.raises(Busy, match="Job migrate of release other still runs; the app is untouched"):
        refuse_others(plan, world.world)
    bold = replace(plan, replace_running=True)
    if there:
        with pytest.raises(Busy, match="of release other still runs"):
            refuse_others(bold, world.world)
        clear_stale(bold, world.world, world.told, anew=False)
        assert left in world.cluster.objects
    else:
        refuse_others(bold, world.world)
        assert clear(bold.before[0], bold, world.world, world.told) is None


@pytest.mark.parametrize(
    "case",
    [
        ((), "hook", True, True),
        (("before-hook-creation", "hook-failed"), "hook", True, True),
        (("hook-succeeded",), "hook", True, False),
        (("hook-succeeded",), "hook", False, True),
        ((), "plain", True, False),
        ((), "plain", False, True),
        (None, "hook", True, False),
        (None, "plain", True, False),
        (None, "plain", False, True),
    ],
)
def test_an_ended_job_of_another_release_makes_room_as_under_helm(
    asked: Request, world: Fakes, case: tuple[tuple[str, ...] | None, str, bool, bool]
) -> None:
    """`ours` are the delete policies of our hook, None for a migration that is none."""
    ours, theirs, there, goes = case
    if ours is not None:
        world.helm.rendered = rendered("", hook(job(), "pre-upgrade", policies=ours))
    plan = planned(asked, world)
    left = leave(world, plan, tag="v2", revision=str(plan.revision))
    give_to(world, left, "other", there=there, hook=theirs == "hook")
    if goes:
        refuse_others(plan, world.world)
        refuse_running(plan, world.world)
        assert clear(plan.before[0], plan, world.world, world.told) is None, "it is not taken for our own"
        assert left not in world.cluster.objects
    else:
        with pytest.raises(Refused, match="Job migrate belongs to release other"):
            refuse_others(plan, world.world)


def test_a_release_of_our_name_in_another_namespace_is_another_one(asked: Request, world: Fakes) -> None:
    plan = planned(asked, world)
    left = leave(world, plan)
    give_to(world, left, "shop")
    world.cluster.objects[left]["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = "elsewhere"
    world.helm.others["shop", "elsewhere"] = [Revision(1, "deployed")]
    with pytest.raises(Refused, match="belongs to release shop in namespace elsewhere"):
        refuse_others(plan, world.world)


def test_a_release_whose_history_alone_was_kept_is_gone(asked: Request, world: Fakes) -> None:
    plan = planned(asked, world)
    give_to(world, leave(world, plan), "other")
    world.helm.others["other", NAMESPACE].append(Revision(2, "uninstalled"))
    refuse_others(plan, world.world)


@pytest.mark.parametrize(("renewed", "busy"), [(2, True), (120, False)])
def test_what_a_deploy_of_another_release_has_just_run_it_still_needs(
    asked: Request, world: Fakes, renewed: float, busy: bool
) -> None:
    """On a first install Helm doesn't know that release yet: its lock alone tells."""
    world.helm.rendered = rendered("", hook(job(), "pre-upgrade"))
    plan = planned(asked, world)
    give_to(world, leave(world, plan), "other", there=False, hook=True)
    deploying(world, "other", renewed=renewed)
    if busy:
        with pytest.raises(Busy, match="Job migrate of release other is in use: ben deploys v7"):
            refuse_others(plan, world.world)
    else:
        refuse_others(plan, world.world)


@pytest.mark.parametrize("there", [True, False])
def test_what_helm_does_not_render_over_is_told_plainly_where_another_release_left_it(
    asked: Request, world: Fakes, there: bool
) -> None:
    """A plain Job is in the manifest that helm renders, and helm looks at owners before anything could make room."""
    give_to(world, leave(world, planned(asked, world)), "other", there=there)
    said = 'Job "migrate" in namespace "shop" exists and cannot be imported into the current release'

    def refused(chart: str, values: Values) -> Rendered:
        raise HelmFailed(said, reason="ownership")

    world.helm.render = refused  # type: ignore[method-assign]
    words = "belongs to release other" if there else "was left by release other, which is gone"
    with pytest.raises(Refused, match=f"Job migrate {words}") as caught:
        planned(asked, world)
    assert str(caught.value.hint).startswith("kubectl delete job migrate") is not there


def test_a_release_that_is_being_installed_is_there(asked: Request, world: Fakes) -> None:
    """Helm doesn't know it before its first migration has run: that must not be replaced."""
    plan = replace(planned(asked, world), replace_running=True)
    give_to(world, leave(world, plan, state=""), "other", there=False, hook=True)
    deploying(world, "other", renewed=1)
    with pytest.raises(Busy, match="of release other still runs") as caught:
        refuse_others(plan, world.world)
    assert str(caught.value.hint).startswith("kubectl wait")


def test_a_release_that_can_t_be_looked_up_counts_as_there(asked: Request, world: Fakes) -> None:
    def unknown(release: str, namespace: str) -> tuple[Revision, ...]:
        raise HelmFailed("secrets is forbidden")

    plan = planned(asked, world)
    give_to(world, leave(world, plan), "other")
    world.helm.history_of = unknown  # type: ignore[method-assign]
    with pytest.raises(Refused, match="whether that release still exists is not known: secrets is forbidden"):
        refuse_others(plan, world.world)


@pytest.mark.parametrize(
    ("there", "as_hook", "refused"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_an_object_of_another_release_s_manifest_makes_no_room_for_a_hook(
    asked: Request, world: Fakes, there: bool, as_hook: bool, refused: bool
) -> None:
    settings = hook(config_map("settings"), "pre-upgrade", weight=-1)
    world.helm.rendered = rendered("", settings, hook(job(), "pre-upgrade"))
    plan = planned(asked, world)
    ref = plan.before[0].ref
    world.cluster.create({**config_map("settings"), "metadata": {"name": "settings", "namespace": NAMESPACE}})
    give_to(world, ref, "other", there=there, hook=as_hook)
    if refused:
        with pytest.raises(Refused, match="ConfigMap settings belongs to release other"):
            refuse_others(plan, world.world)
        with pytest.raises(Busy, match="ConfigMap settings belongs to release other"):
            run(plan.before[0], plan, world.world, world.told)
        assert ref in world.cluster.objects
    else:
        refuse_others(plan, world.world)
        run(plan.before[0], plan, world.world, world.told)


# ── what earlier deploys of this release left ─────────────────────────────────────────────────────


def test_old_jobs_under_other_names_go_also_those_of_the_same_tag(asked: Request, world: Fakes) -> None:
    plan = planned(asked, world)
    leave(world, plan, name="migrate-a", revision="1")
    leave(world, plan, name="migrate-b", revision=str(plan.revision))
    clear_stale(plan, world.world, world.told, anew=False)
    jobs = [ref.name for ref in world.cluster.objects if ref.kind == "Job"]
    assert jobs == ["migrate-b"], "the one whose upgrade has not come yet is accepted"


def test_no_job_of_an_uninstalled_release_is_accepted(asked: Request, world: Fakes) -> None:
    """After `helm uninstall` revisions count from 1 again: the same tag and number prove nothing."""
    plan = planned(asked, world)
    leave(world, plan)
    clear_stale(plan, world.world, world.told, anew=False)
    assert clear(plan.before[0], plan, world.world, world.told) is not None
    clear_stale(plan, world.world, world.told, anew=True)
    assert clear(plan.before[0], plan, world.world, world.told) is None


@pytest.mark.parametrize(
    ("more", "accepted"),
    [
        ({"succeeded": 1}, True),
        ({"succeeded": 0, "failed": 1}, False),
        ({"succeeded": 1, "terminating": 1}, False),
        ({}, False),
    ],
)
def test_a_job_that_failed_although_its_pod_had_succeeded_is_accepted(
    asked: Request, world: Fakes, more: Json, accepted: bool
) -> None:
    plan = planned(asked, world)
    left = leave(world, plan, state="Failed", revision=str(plan.revision))
    world.cluster.objects[left]["status"] |= more
    found = world.cluster.job(NAMESPACE, "migrate")
    assert found
    assert is_this_deploys(found, plan.before[0], plan) == accepted
    assert not is_this_deploys(found, plan.before[0], replace(plan, rerun=True))
    assert not is_this_deploys(found, plan.before[0], replace(plan, tag="v3"))


@pytest.mark.parametrize("note", [{"version": "3"}, {"hash": "3:a:b"}])
@pytest.mark.parametrize("flag", ["", "rerun", "replace_running"])
def test_a_job_with_notes_of_a_newer_shipit_stops_the_deploy_unless_it_is_to_run_anyway(
    asked: Request, world: Fakes, flag: str, note: dict[str, str]
) -> None:
    plan = planned(asked, world)
    leave(world, plan, **note)
    if flag:
        refuse_running(replace(plan, **{flag: True}), world.world)  # type: ignore[arg-type]
    else:
        with pytest.raises(Busy, match="Job migrate was created by a newer shipit"):
            refuse_running(plan, world.world)
