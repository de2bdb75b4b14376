"""Making room for a step: what earlier deploys left is accepted, deleted, or in the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shipit.config import Request
from shipit.deploy.existing import (
    clear,
    clear_stale,
    is_this_deploys,
    refuse_kept,
    refuse_running,
)
from shipit.errors import Busy, MigrationFailed, Refused
from shipit.model import Json, Plan, Ref
from tests.fakes import NAMESPACE, Fakes
from tests.releases import a_release, a_request, config_map, hook, job, planned, rendered


@pytest.fixture
def world() -> Fakes:
    return a_release()


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return a_request(tmp_path)


def leave(world: Fakes, plan: Plan, *, name: str = "migrate", state: str = "Complete", **notes: str) -> Ref:
    """The Job of the plan's first step, as another deploy left it: `notes` are shipit's own annotations."""
    body = plan.before[0].manifest
    noted = {f"shipit/{key.replace('_', '-')}": value for key, value in {"run": "other", **notes}.items()}
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
    world.cluster.objects[left]["metadata"]["annotations"]["meta.helm.sh/release-name"] = "other"
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


def test_the_job_of_another_release_is_never_deleted(asked: Request, world: Fakes) -> None:
    plan = replace(planned(asked, world), replace_running=True)
    left = leave(world, plan, state="", tag="v1")
    world.cluster.objects[left]["metadata"]["annotations"]["meta.helm.sh/release-name"] = "other"
    with pytest.raises(Refused, match="belongs to release other"):
        refuse_running(plan, world.world)


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


@pytest.mark.parametrize("flag", ["", "rerun", "replace_running"])
def test_a_job_with_notes_of_a_newer_shipit_stops_the_deploy_unless_it_is_to_run_anyway(
    asked: Request, world: Fakes, flag: str
) -> None:
    plan = planned(asked, world)
    leave(world, plan, version="2")
    if flag:
        refuse_running(replace(plan, **{flag: True}), world.world)  # type: ignore[arg-type]
    else:
        with pytest.raises(Busy, match="Job migrate was created by a newer shipit"):
            refuse_running(plan, world.world)
