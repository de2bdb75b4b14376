"""A signal in each phase: shipit ends with its number, helm is stopped and gone, and what still runs is told."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from sandbox import Sandbox
from tests.e2e.kit import Project, Result, Running, job
from tests.e2e.stage import HELD, NEVER_READY, Stage, StumblingHelm, a_stage, begun, uid

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NAME = "{{ .Release.Name }}"
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}
PHASES = ("prepare", "migration", "upgrade", "rollout")


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(sandbox, tmp_path_factory.mktemp("interrupts")) as made:
        yield made


def in_phase(project: Project, phase: str) -> tuple[StumblingHelm, Callable[[Running], object]]:
    """Make a deploy that comes to this phase and stays in it; the second says when it has."""
    release, kube = project.release, project.kube
    if phase == "prepare":
        project.template("migrate", job("echo fine", name=NAME))
        helm = StumblingHelm(project, "render", "exec sleep 1000")
        return helm, lambda deploy: kube.wait(helm.at_it)
    helm = StumblingHelm(project, "upgrade")
    if phase == "migration":
        project.template("migrate", job(HELD, name=NAME))
        return helm, lambda deploy: begun(kube, release)
    project.template("app", NEVER_READY)
    if phase == "upgrade":
        project.template("migrate", job("echo fine", name=NAME))
        return helm, lambda deploy: deploy.until("no friend yet")
    # A first install whose migration comes after it: helm doesn't wait for the pods, shipit does
    project.template("migrate", job("echo fine", name=NAME, annotations={"helm.sh/hook": "post-install"}))
    return helm, lambda deploy: deploy.until("no friend yet")


Ended = dict[tuple[str, int], tuple[Project, StumblingHelm, Result]]


@pytest.fixture(scope="module")
def ended(stage: Stage) -> Ended:
    """Eight deploys, each interrupted in its phase."""
    at_work = []
    for phase in PHASES:
        for signum in SIGNALS:
            project = stage.project(f"{phase}-{signum}")
            helm, comes = in_phase(project, phase)
            at_work.append((phase, signum, project, helm, comes, project.start("deploy", "--tag", "v1")))
    for *_, comes, deploy in at_work:
        comes(deploy)
    for _, signum, *_, deploy in at_work:
        deploy.kill(signum)
    return {
        (phase, signum): (project, helm, deploy.end()) for phase, signum, project, helm, _, deploy in at_work
    }


WORDS = {
    "prepare": ("interrupted before anything changed",),
    "migration": ("still runs", "the app is not installed"),
    "upgrade": ("the migration is done; revision 1 is failed and was not rolled back",),
    "rollout": ("the app is upgraded to v1 (revision 1)",),
}


@pytest.mark.parametrize("signum", SIGNALS)
@pytest.mark.parametrize("phase", PHASES)
def test_it_ends_with_the_signals_number_and_says_where_things_are(
    ended: Ended, phase: str, signum: int
) -> None:
    project, helm, result = ended[phase, signum]
    assert (result.exit_code, result.outcome) == (SIGNALS[signal.Signals(signum)], "interrupted"), result.told
    assert [words for words in WORDS[phase] if words not in result.error["message"]] == [], result.error
    assert "shipit deploy --tag v1" in result.error["hint"]
    assert ("shipit logs --follow" in result.error["hint_why"]) == (phase == "migration")
    assert helm.gone()
    lease = project.kube.get("lease", f"shipit-{project.release}")
    assert lease is None or not lease["spec"].get("holderIdentity"), "the lock was given back"


def test_a_migration_runs_on_and_is_not_lost(ended: Ended) -> None:
    for signum in SIGNALS:
        project, _, result = ended["migration", signum]
        left = project.kube.get("job", project.release)
        assert left is not None
        assert left["status"]["active"] == 1
        assert f"Job {project.release} still runs" in result.error["message"]


def test_nothing_is_left_pending(ended: Ended) -> None:
    for signum in SIGNALS:
        assert ended["prepare", signum][0].history() == []
        assert [each["status"] for each in ended["upgrade", signum][0].history()] == ["failed"]
        assert [each["status"] for each in ended["rollout", signum][0].history()] == ["deployed"]


def test_the_next_deploy_finishes_what_was_interrupted_in_its_rollout(ended: Ended) -> None:
    project, _, _ = ended["rollout", signal.SIGINT]
    done_before = uid(project.kube, project.release)
    project.kube.kubectl(
        "patch", "deployment", project.release, "--type=json",
        "-p", '[{"op": "remove", "path": "/spec/template/spec/containers/0/readinessProbe"}]',
    )  # fmt: skip

    done = project.deploy("v1")

    assert done.exit_code == 0, done.told
    assert any("finishing what it left" in each["message"] for each in done.of("warning"))
    assert len(project.history()) == 1
    assert uid(project.kube, project.release) == done_before
    assert project.kube.pods_by_job()[project.release] == [1]


def test_the_second_signal_leaves_at_once_and_helm_follows(stage: Stage) -> None:
    project = stage.project("twice")
    private = project.folder / "private"
    private.mkdir()
    project.environ["TMPDIR"] = str(private)
    project.template("migrate", job("echo fine", name=NAME))
    heard = project.folder / "helm-was-interrupted"
    deaf = f"trap 'touch {heard}' INT; trap '' TERM; while :; do sleep 0.1; done"
    helm = StumblingHelm(project, "upgrade", deaf)
    deploy = project.start("deploy", "--tag", "v1")
    project.kube.wait(helm.at_it)
    deploy.kill(signal.SIGINT)
    project.kube.wait(heard.exists)
    deploy.kill(signal.SIGTERM)
    assert deploy.process.wait(60) == 143
    assert helm.alive(), "it was not waited for"
    left = deploy.end()
    assert left.outcome == "interrupted", left.told
    assert "interrupted twice" in left.error["message"]
    assert "shipit deploy --tag v1" in left.error["hint"]
    assert list(private.iterdir()) == [], "no private file is left"
    lease = project.kube.get("lease", f"shipit-{project.release}")
    assert lease is not None
    assert lease["spec"].get("holderIdentity"), "whoever comes next must wait until helm has ended"
    project.kube.wait(lambda: not helm.alive())
