"""A shipit that was killed at a bad moment: the next deploy does what is left to do, and nothing twice.

The killed ones lie side by side, since each successor waits until its predecessor's lock counts as dead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from sandbox import Sandbox
from tests.e2e.kit import Project, Result, hook, job
from tests.e2e.stage import HELD, NEVER_READY, Stage, StumblingHelm, a_stage, let_go, uid

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "{{ .Release.Name }}"
FINE = job("echo fine", name=NAME)
ENDLESS = "exec sleep 1000"


@dataclass(slots=True)
class Killed:
    """A deploy that was killed, what there was then, and how the next one of the same tag ended."""

    project: Project
    helm: StumblingHelm
    migration: str = ""
    next: Result | None = None
    left: str = ""

    @property
    def done(self) -> Result:
        assert self.next is not None
        assert self.next.exit_code == 0, self.next.told
        warned = [each["message"] for each in self.next.of("warning")]
        assert any("took over the lock of a dead deploy" in message for message in warned), warned
        return self.next

    @property
    def pods(self) -> list[int]:
        return self.project.kube.pods_by_job()[self.project.release]


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(sandbox, tmp_path_factory.mktemp("resume")) as made:
        yield made


def before_the_upgrade(project: Project) -> tuple[StumblingHelm, Callable[[], object]]:
    """Between the migration and the upgrade: helm was started and did nothing yet."""
    project.template("migrate", FINE)
    helm = StumblingHelm(project, "upgrade", ENDLESS)
    return helm, helm.at_it


def in_the_migration(project: Project) -> tuple[StumblingHelm, Callable[[], object]]:
    project.template("migrate", job(HELD, name=NAME))
    helm = StumblingHelm(project, "upgrade")
    return helm, lambda: "begin" in project.kube.kubectl("logs", f"job/{project.release}", check=False)


def in_the_upgrade(project: Project) -> tuple[StumblingHelm, Callable[[], object]]:
    """In the rollout of a real helm upgrade."""
    project.template("migrate", FINE)
    project.template("app", NEVER_READY)
    helm = StumblingHelm(project, "upgrade")
    return helm, lambda: project.kube.get("deployment", project.release)


def after_the_upgrade(project: Project) -> tuple[StumblingHelm, Callable[[], object]]:
    """In a hook that runs after it."""
    project.template("before", hook("echo before", "pre-install,pre-upgrade", name=f"{NAME}-before"))
    project.template("after", hook(HELD, "post-install,post-upgrade", name=NAME))
    helm = StumblingHelm(project, "upgrade")
    return helm, lambda: "begin" in project.kube.kubectl("logs", f"job/{project.release}", check=False)


Scene = Callable[[Project], tuple[StumblingHelm, Callable[[], object]]]
SCENES: dict[str, tuple[Scene, str]] = {
    "before-3": (before_the_upgrade, "3"),
    "before-4": (before_the_upgrade, "4"),
    "rerun": (before_the_upgrade, "4"),
    "during": (in_the_migration, "4"),
    "upgrade-3": (in_the_upgrade, "3"),
    "upgrade-4": (in_the_upgrade, "4"),
    "pending-3": (in_the_upgrade, "3"),
    "pending-4": (in_the_upgrade, "4"),
    "after-3": (after_the_upgrade, "3"),
    "after-4": (after_the_upgrade, "4"),
    "after-again": (after_the_upgrade, "4"),
}


@pytest.fixture(scope="module")
def killed(stage: Stage) -> dict[str, Killed]:
    """Each is killed in its scene, then deployed again."""
    projects = {name: stage.project(name, helm) for name, (_, helm) in SCENES.items()}
    later = projects["after-again"]  # an upgrade, the others are first installs
    assert later.deploy("v1", "--skip-migration").exit_code == 0
    cast, at_work = {}, {}
    for name, (scene, _) in SCENES.items():
        helm, comes = scene(projects[name])
        cast[name] = Killed(projects[name], helm)
        at_work[name] = (projects[name].start("deploy", "--tag", "v2"), comes)
    for name, (deploy, comes) in at_work.items():
        stage.kube.wait(comes)
        if name.startswith("pending"):
            cast[name].helm.kill()
        deploy.kill()
        deploy.end()
        cast[name].migration = uid(stage.kube, name)
    for each in cast.values():
        stage.kube.wait(each.helm.gone)
    _deploy_again(cast)
    return cast


def _deploy_again(cast: dict[str, Killed]) -> None:
    for name, each in cast.items():
        each.project.environ.clear()
        if name.startswith(("upgrade", "pending")):
            each.left = each.project.history()[-1]["status"]
            each.project.template("app", NEVER_READY.replace("exit 1", "exit 0"))
    again = {
        name: each.project.start("deploy", "--tag", "v2", *(["--rerun"] if name == "rerun" else []))
        for name, each in cast.items()
    }
    for name in ("during", "after-3", "after-4", "after-again"):
        again[name].until('"attached"')
        let_go(cast[name].project.kube, name)
    for name, deploy in again.items():
        cast[name].next = deploy.end()


@pytest.mark.parametrize("name", ["before-3", "before-4"])
def test_a_migration_that_was_done_is_not_run_again_before_its_upgrade(
    killed: dict[str, Killed], name: str
) -> None:
    after = killed[name]
    assert [each["outcome"] for each in after.done.result["migrations"]] == ["resumed"]
    assert uid(after.project.kube, name) == after.migration
    assert after.pods == [1]
    assert [each["status"] for each in after.project.history()] == ["deployed"]
    assert after.project.kube.image(name) == "v2"


def test_it_is_run_again_when_that_is_asked_for(killed: dict[str, Killed]) -> None:
    after = killed["rerun"]
    assert [each["outcome"] for each in after.done.result["migrations"]] == ["succeeded"]
    assert uid(after.project.kube, "rerun") != after.migration
    assert after.pods == [1, 1]


def test_a_migration_that_still_runs_is_attached_to_and_heard_from_its_start(
    killed: dict[str, Killed],
) -> None:
    after = killed["during"]
    assert after.done.log == ["begin", "released"]
    assert uid(after.project.kube, "during") == after.migration
    assert after.pods == [1]
    assert after.project.kube.image("during") == "v2"


@pytest.mark.parametrize("name", ["after-3", "after-4", "after-again"])
def test_only_what_was_owed_after_the_upgrade_is_finished(killed: dict[str, Killed], name: str) -> None:
    after = killed[name]
    warned = [each["message"] for each in after.done.of("warning")]
    assert any("finishing what it left" in message for message in warned)
    assert after.done.log == ["begin", "released"]
    assert after.pods == [1]
    assert after.project.kube.pods_by_job()[f"{name}-before"] == [1]
    revisions = [each["status"] for each in after.project.history()]
    assert revisions == (["superseded", "deployed"] if name == "after-again" else ["deployed"])
    assert after.done.result["revision"] == len(revisions)


@pytest.mark.parametrize("name", ["upgrade-3", "upgrade-4"])
def test_a_failed_revision_is_left_when_shipit_is_killed_and_the_migration_not_run_again(
    killed: dict[str, Killed], name: str
) -> None:
    after = killed[name]
    assert after.left == "failed"
    assert after.done.result["revision"] == 2
    assert [each["outcome"] for each in after.done.result["migrations"]] == ["resumed"]
    assert after.pods == [1]
    assert [each["status"] for each in after.project.history()] == ["superseded", "deployed"]


@pytest.mark.parametrize("name", ["pending-3", "pending-4"])
def test_a_release_that_was_left_pending_is_put_back_and_the_migration_not_run_again(
    killed: dict[str, Killed], name: str
) -> None:
    after = killed[name]
    assert after.left == "pending-install"
    warned = [each["message"] for each in after.done.of("warning")]
    assert any(
        "removed revision 1, which a helm that died had left pending-install" in message for message in warned
    )
    assert [each["status"] for each in after.project.history()] == ["deployed"]
    assert [each["outcome"] for each in after.done.result["migrations"]] == ["resumed"]
    assert after.pods == [1]
