"""`shipit rollback` against real helm and a real cluster, and what bare helm makes of it afterwards."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from sandbox import Sandbox
from tests.e2e.kit import Kube, Project, Result, hook, job
from tests.e2e.stage import NEVER_READY, Stage, a_stage

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {tag: {{ .Values.image.tag | quote }}, greeting: {{ .Values.greeting | default "none" | quote }}}
"""
HELMS = ("3", "3.13", "4")


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(sandbox, tmp_path_factory.mktemp("rollback")) as found:
        yield found


def back(project: Project, *args: str, **how: str) -> Result:
    return project.start("rollback", *args, **how).end()  # type: ignore[arg-type]


def greeting(project: Project) -> str:
    found = project.kube.get("configmap", project.release)
    assert found is not None
    return str(found["data"]["greeting"])


def runs_of(project: Project, name: str) -> list[int]:
    return project.kube.pods_by_job().get(name, [])


def described(project: Project) -> list[tuple[str, str]]:
    return [(each["status"], each["description"]) for each in project.history()]


# ── releases of shipit's ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("helm", HELMS)
def test_it_asks_runs_the_hooks_of_the_revision_and_no_migration_and_helm_goes_on(
    stage: Stage, helm: str
) -> None:
    name = f"ours-{helm.replace('.', '-')}"
    project = stage.project(name, helm)
    project.template("config", CONFIG)
    project.template("migrate", hook("echo migrating", "pre-install,pre-upgrade", name=f"{name}-migrate"))
    project.template("before", hook("echo before back", "pre-rollback", name=f"{name}-before"))
    project.template(
        "after", hook("echo after back", "post-rollback", name=f"{name}-after", policy="hook-succeeded")
    )
    for tag in ("v1", "v2"):
        assert project.deploy(tag, "--set", f"greeting=of-{tag}").exit_code == 0

    asked = back(project)
    assert (asked.exit_code, asked.outcome) == (2, "usage"), asked.told
    assert f"{name}-migrate of v2 (revision 2)" in asked.of("warning")[0]["message"]
    assert len(project.history()) == 2

    ended = project.paste(asked.error["hint"])
    assert (ended.exit_code, ended.outcome) == (0, "deployed"), ended.told
    assert (ended.result["revision"], ended.result["tag"]) == (3, "v1")
    assert ended.log == ["before back", "after back"]
    assert (project.kube.image(name), greeting(project)) == ("v1", "of-v1")
    assert runs_of(project, f"{name}-migrate") == [1, 1]
    assert project.kube.get("job", f"{name}-after") is None, "hook-succeeded"
    assert described(project)[-1] == ("deployed", "Rollback to 1")

    project.run_helm(
        "upgrade", name, "chart", "--reuse-values", "--set", "image.tag=v2", "--no-hooks", "--wait"
    )
    assert (project.kube.image(name), greeting(project)) == ("v2", "of-v1")
    project.run_helm("rollback", name, "2", "--no-hooks", "--wait")
    assert greeting(project) == "of-v2"
    again = project.deploy("v1")
    assert again.exit_code == 0, again.told
    assert runs_of(project, f"{name}-migrate") == [1, 1, 1], "none by a rollback"


def test_without_a_migration_since_it_does_not_ask_and_tells_so_in_every_output(stage: Stage) -> None:
    project = stage.project("quiet")
    project.template("migrate", hook("true", "pre-install,pre-upgrade", name="quiet-migrate"))
    assert project.deploy("v1").exit_code == 0
    assert project.deploy("v2", "--skip-migration").exit_code == 0
    report = project.folder / "report.json"
    plain = back(project, "--report", str(report), output="plain")
    assert plain.exit_code == 0, plain.told
    assert "no migration ran since revision 1" in plain.stdout
    assert json.loads(report.read_text())["migrations"] == []
    assert json.loads(report.read_text())["outcome"] == "deployed"
    for output in ("rich", "github"):
        ended = back(project, "2" if output == "rich" else "1", "-m", "why not", output=output)
        assert ended.exit_code == 0, ended.told
    assert [each for each, _ in described(project)][-1] == "deployed"
    assert project.kube.image("quiet") == "v1"


def test_an_upgrade_that_failed_is_taken_back_by_its_hint(stage: Stage) -> None:
    project = stage.project("failed")
    project.configure(release='timeout = "60s"')
    project.template("migrate", hook("true", "pre-upgrade,pre-install", name="failed-migrate"))
    assert project.deploy("v1").exit_code == 0
    failed = project.deploy("v9", "--skip-migration")
    assert failed.exit_code == 6, failed.told
    ended = project.paste(failed.error["hint"])
    assert ended.exit_code == 0, ended.told
    assert project.kube.image("failed") == "v1"
    assert described(project)[-1] == ("deployed", "Rollback to 1")


# ── releases of bare helm ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("helm", HELMS)
def test_a_revision_of_bare_helm_comes_back_without_its_job(stage: Stage, helm: str) -> None:
    name = f"bare-{helm.replace('.', '-')}"
    project = stage.project(name, helm)
    project.template("config", CONFIG)
    project.template("migrate", job("echo migrating", name=f"{name}-migrate"))
    kube = project.kube
    bare(project, "install", "v1")
    kube.kubectl("wait", "--for=condition=Complete", f"job/{name}-migrate", "--timeout=120s")
    kube.kubectl("delete", "job", f"{name}-migrate")
    bare(project, "upgrade", "v2")
    kube.kubectl("wait", "--for=condition=Complete", f"job/{name}-migrate", "--timeout=120s")
    refused = project.run_helm("rollback", name, "1", "--no-hooks", check=False)
    assert "immutable" in refused.stderr, "what helm alone makes of it: a failed revision 3"

    asked = back(project, "1")
    assert asked.exit_code == 2, asked.told
    assert "was made without shipit, and may have run" in asked.of("warning")[0]["message"]
    ended = back(project, "1", "--yes")
    assert ended.exit_code == 0, ended.told
    assert (kube.image(name), greeting(project)) == ("v1", "v1")
    assert runs_of(project, f"{name}-migrate") == [1, 1]
    assert described(project)[-1] == ("deployed", "Rollback to 1")
    values = json.loads(project.run_helm("get", "values", name, "-o", "json").stdout)
    assert values == {"image": {"tag": "v1"}, "greeting": "v1"}

    project.run_helm("rollback", name, "4", "--no-hooks", "--wait")
    assert project.deploy("v2").exit_code == 0
    project.run_helm("rollback", name, "4", "--no-hooks", "--wait")
    assert kube.image(name) == "v1"
    kube.kubectl("delete", "job", f"{name}-migrate")
    bare(project, "upgrade", "v2")
    assert (kube.image(name), greeting(project)) == ("v2", "v2")


def bare(project: Project, command: str, tag: str) -> None:
    given = ("--set-string", f"image.tag={tag}", "--set", f"greeting={tag}")
    project.run_helm(command, project.release, "chart", *given, "--wait")


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────


def broken_then_good(stage: Stage, name: str, helm: str) -> Project:
    """Revision 1 never gets ready, revision 2 does."""
    project = stage.project(name, helm)
    app = (project.folder / "chart/templates/app.yaml").read_text()
    project.template("app", NEVER_READY)
    project.run_helm("install", name, "chart", "--set-string", "image.tag=v1")
    project.template("app", app)
    project.run_helm("upgrade", name, "chart", "--set-string", "image.tag=v2", "--wait")
    return project


@pytest.mark.parametrize("helm", ["3", "4"])
def test_a_rollback_that_fails_says_why_and_where_it_stands(stage: Stage, helm: str) -> None:
    project = broken_then_good(stage, f"worse-{helm}", helm)
    ended = back(project, "1", "--upgrade-timeout", "20s")
    assert (ended.exit_code, ended.outcome) == (6, "upgrade_failed"), ended.told
    assert "the rollback to revision 1 failed: " in ended.error["message"]
    assert "no friend yet" in ended.error["message"]
    assert "revision 3, the rollback to revision 1, is failed" in str(ended.error)
    assert back(project, "2").exit_code == 0
    assert project.kube.image(project.release) == "v2"


@pytest.mark.parametrize(
    ("helm", "signum"), [("3", signal.SIGKILL), ("4", signal.SIGKILL), ("4", signal.SIGINT)]
)
def test_one_that_is_interrupted_is_recovered_from_by_the_next(
    stage: Stage, helm: str, signum: signal.Signals
) -> None:
    project = broken_then_good(stage, f"cut-{helm}-{signum.name.lower()}", helm)
    running = project.start("rollback", "1")
    running.until('"step": "rollback", "state": "started"')
    pending(project)
    running.kill(signum)
    ended = running.end()
    assert ended.exit_code == (130 if signum == signal.SIGINT else -9)
    if signum == signal.SIGINT:
        assert ended.error["hint"].startswith("shipit rollback 1"), ended.told
    again = back(project, "2", "--lock-wait", "2m")
    assert again.exit_code == 0, again.told
    assert project.kube.image(project.release) == "v2"
    assert project.history()[-1]["status"] == "deployed"


def pending(project: Project) -> None:
    kube: Kube = project.kube
    kube.wait(lambda: any(each["status"] == "pending-rollback" for each in project.history()))


def test_there_is_nothing_to_roll_back(stage: Stage) -> None:
    project = stage.project("nothing")
    none = back(project)
    assert (none.exit_code, none.outcome) == (3, "refused")
    assert "there is no release nothing" in none.error["message"]
    project.run_helm("install", "nothing", "chart", "--set-string", "image.tag=v1")
    assert "there is no revision before 1" in back(project).error["message"]
    assert "there is no revision 7 of nothing" in back(project, "7").error["message"]
    assert "revision 1 is the newest already" in back(project, "1").error["message"]
    wrong = back(project, "x")
    assert (wrong.exit_code, wrong.outcome) == (2, "usage")
