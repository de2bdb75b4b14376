"""Several migrations in one deploy: in their order around the upgrade, each of its own chart and values, and on a first
install in a phase of their own.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from sandbox import Sandbox
from tests.e2e.kit import Kube, Project, Result, hook, job, small_project
from tests.e2e.stage import HELD, let_go

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

BEFORE = "pre-install,pre-upgrade"
TAG = "{{ .Values.image.tag }}"


@pytest.fixture(params=["3", "4"])
def project(request: pytest.FixtureRequest, tmp_path: Path, kube: Kube, sandbox: Sandbox) -> Project:
    return small_project(tmp_path, kube, sandbox.helms[request.param])


def migrations(project: Project, *tables: str, rest: str = "") -> None:
    project.configure(rest="".join(f"[[migration]]\n{table}\n" for table in tables) + rest)


def of(name: str, *lines: str) -> str:
    return "\n".join((f'template = "templates/{name}.yaml"', *lines))


def deployed(project: Project, tag: str, *args: str) -> Result:
    done = project.deploy(tag, *args)
    assert done.exit_code == 0, done.told
    return done


def results(result: Result) -> list[tuple[str, str]]:
    return [(each["name"], each["outcome"]) for each in result.result["migrations"]]


def skipped(result: Result) -> dict[str, str]:
    return {e["step"]: e["message"] for e in result.of("step") if e["state"] == "skipped"}


def steps_done(result: Result) -> list[str]:
    return [e["step"] for e in result.of("step") if e["state"] == "done"]


# ── order ────────────────────────────────────────────────────────────────────────────────────────


def test_they_run_in_the_file_s_order_each_in_its_phase_after_the_chart_s_hooks(project: Project) -> None:
    for name in ("expand", "backfill", "contract"):
        project.template(name, job(f"echo {name} {TAG}", name=f"shop-{name}"))
    project.template("wait", hook("echo waited", BEFORE, name="wait", weight=5))
    project.template("check", hook("echo checked", BEFORE, name="check", weight=-5))
    project.template("report", hook("echo reported", "post-upgrade", name="report"))
    overlay = '[[environments.late.migration]]\nname = "backfill"\nphase = "during"\n'
    migrations(project, of("expand"), of("contract", 'phase = "after"'), of("backfill"), rest=overlay)

    first = deployed(project, "v1")
    assert first.log == ["checked", "waited", "expand v1", "backfill v1", "contract v1"]
    order = steps_done(first)
    assert order.index("backfill") < order.index("upgrade") < order.index("contract")
    second = deployed(project, "v2")
    assert second.log == ["checked", "waited", "expand v2", "backfill v2", "reported", "contract v2"]
    everything = ("check", "wait", "expand", "backfill", "report", "contract")
    assert results(second) == [(name, "succeeded") for name in everything]
    third = deployed(project, "v3", "--env", "late", "--timeout", "77s")
    assert third.log == ["checked", "waited", "expand v3", "reported", "backfill v3", "contract v3"]
    started = [e for e in third.of("step") if e["state"] == "started" and e["step"] in ("expand", "contract")]
    assert [e["timeout_s"] for e in started] == [77, 77]

    assert project.kube.pods_by_job()["shop-contract"] == [1, 1, 1]
    assert "shop-" not in project.run_helm("get", "manifest", "shop").stdout
    logs = project.start("logs", "expand").end()
    assert (logs.exit_code, logs.log) == (0, ["expand v3"]), logs.told
    none = deployed(project, "v4", "--skip-migration")
    assert set(skipped(none)) == {"expand", "backfill", "contract"}
    assert [name for name, _ in results(none)] == ["check", "wait", "report"]


def test_one_that_fails_stops_the_rest_and_what_did_is_not_done_again(project: Project) -> None:
    names = ("first", "second", "third", "fourth")
    fails = {"second": "test -e /tmp/x", "fourth": "exit 3"}
    for name in names:
        project.template(name, job(fails.get(name, f"echo {name}"), name=f"a-{name}"))
    migrations(
        project, of("first"), of("second"), of("third", 'phase = "during"'), of("fourth", 'phase = "after"')
    )

    failed = project.deploy("v1")
    assert failed.exit_code == 4, failed.told
    assert results(failed) == [("first", "succeeded"), ("second", "failed")]
    message = failed.result["message"]
    assert "the app is not installed" in message
    assert message.endswith("not run: third, fourth")
    assert project.history() == []

    project.template("second", job("echo second", name="a-second"))
    late = project.deploy("v1")
    assert late.exit_code == 9, late.told
    assert [name for name, outcome in results(late) if outcome == "resumed"] == ["first"]
    assert late.log == ["second", "third"]
    assert "not run" not in late.result["message"]
    pods = project.kube.pods_by_job()
    assert [pods[f"a-{name}"] for name in names] == [[1], [1, 1], [1], [1]]


def test_a_deploy_that_was_stopped_in_the_second_goes_on_there(project: Project) -> None:
    for name, script in (("first", "echo first"), ("second", HELD), ("third", "echo third")):
        project.template(name, job(script, name=f"a-{name}"))
    migrations(project, of("first"), of("second"), of("third"))
    stopped = project.start("deploy", "--tag", "v1")
    stopped.until('"begin"')
    stopped.kill(signal.SIGTERM)
    ended = stopped.end()
    assert ended.exit_code == 143, ended.told
    assert "Job a-second still runs" in ended.result["message"]
    assert ended.result["message"].endswith("not run: third")

    again = project.start("deploy", "--tag", "v1")
    again.until('"attached"')
    let_go(project.kube, "a-second")
    done = again.end()
    assert done.exit_code == 0, done.told
    assert results(done) == [("first", "resumed"), ("second", "succeeded"), ("third", "succeeded")]
    assert project.kube.pods_by_job() == {f"a-{name}": [1] for name in ("first", "second", "third")}


def test_the_jobs_of_one_template_run_in_its_order_under_names_that_change_each_time(
    project: Project,
) -> None:
    jobs = [
        job(f"echo {name}", name=f"{name}-{{{{ randAlphaNum 5 | lower }}}}")
        for name in ("schema", "admin", "data")
    ]
    jobs[2] = (
        jobs[2]
        .replace("echo data", "echo data; exit $FAILS")
        .replace("command:", "env: [{name: FAILS, value: {{ .Values.fails | quote }}}]\n          command:")
    )
    project.template("setup", "\n---\n".join(jobs))
    migrations(project, of("setup"))

    failed = project.deploy("v1", "--set", "fails=1")
    assert failed.exit_code == 4, failed.told
    assert failed.log == ["schema", "admin", "data"]
    done = deployed(project, "v1", "--set", "fails=0")
    assert done.log == ["data"]
    assert [outcome for _, outcome in results(done)] == ["resumed", "resumed", "succeeded"]


# ── whose ────────────────────────────────────────────────────────────────────────────────────────


def test_each_has_its_own_chart_and_values(project: Project) -> None:
    project.write("db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 0.1.0\n")
    project.write("db/values.yaml", "image: {repository: registry.sandbox/busybox, tag: none}\nwhich: none\n")
    named = "{{ .Values.which }}"
    project.write("db/templates/up.yaml", job(f"echo {named} $WHO", name=f"up-{named}") + (
        "          envFrom: [{configMapRef: {name: for-{{ .Values.which }}}}]\n"))  # fmt: skip
    notes = f'{{"helm.sh/hook": "{BEFORE}", "helm.sh/hook-weight": "-1"}}'
    project.write(
        "db/templates/config.yaml",
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: for-{named}, annotations: {notes}}}\ndata: {{WHO: {named}}}\n",
    )
    project.template("own", job("echo own", name="own"))
    tables = (
        f'name = "{which}"\nchart = "db"\nset = {{ which = "{which}" }}\n' for which in ("orders", "users")
    )
    migrations(project, next(tables), of("own"), *tables)

    for tag in ("v1", "v2"):
        assert deployed(project, tag).log == ["orders orders", "own", "users users"]
    assert project.kube.pods_by_job() == {name: [1, 1] for name in ("up-orders", "own", "up-users")}


def test_what_can_t_be_several_is_refused_before_anything_changes(project4: Project) -> None:
    project4.template("a", job("echo a", name="same"))
    project4.template("b", job("echo b", name="same"))
    cases = {
        (of("a"), of("b")): "2 migrations are called Job same",
        (of("a"), of("a", 'name = "again"')): "the migrations a and again are both Job same",
        (of("a"), of("a", 'job = "same"', 'name = "a"')): 'another [[migration]] is called "a" too',
        (of("a"), 'job = "same"'): "of several migrations each needs one",
    }
    for tables, words in cases.items():
        migrations(project4, *tables)
        refused = project4.deploy("v1")
        assert refused.exit_code in (2, 3), refused.told
        assert words in refused.result["message"], refused.told
    assert project4.kube.all("jobs") == []


def test_the_doctor_has_a_line_for_each(project4: Project) -> None:
    for name in ("a", "b"):
        project4.template(name, job("echo", name=f"shop-{name}"))
    project4.template("c", job("echo", name="shop-c", spec="manualSelector: true"))
    migrations(project4, of("a", 'timeout = "1h"'), of("b", 'phase = "after"'), of("c"))
    found = project4.start("doctor").end()
    lines = {e["name"]: e["state"] for e in found.of("check") if e["name"].startswith("migration")}
    assert lines == {
        "migration": "ok",
        "migration a": "ok",
        "migration b": "ok",
        "migration c": "failed",
    }
    assert found.exit_code == 3, found.told


# ── first installs ───────────────────────────────────────────────────────────────────────────────

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {WHERE: database}\n"


def test_a_first_install_runs_during_what_needs_the_chart_s_own_objects_until_it_has_succeeded(
    project: Project,
) -> None:
    taken = "          envFrom: [{secretRef: {name: db}}]\n"
    project.template("db", SECRET)
    project.template("schema", job("echo no; exit 1", name="schema") + taken)
    project.template("admin", hook("echo admin", BEFORE, name="admin"))
    migrations(project, of("schema", 'first_install = "during"'), of("admin", 'first_install = "after"'))
    failed = project.deploy("v1")
    assert failed.exit_code == 9, failed.told
    assert failed.result["message"].endswith("not run: admin")

    project.template("schema", job("echo schema", name="schema") + taken)
    second = deployed(project, "v2")
    assert second.log == ["schema", "admin"]
    order = steps_done(second)
    assert order.index("upgrade") < order.index("schema") < order.index("admin")
    third = deployed(project, "v3")
    assert third.log == ["admin", "schema"]
    order = steps_done(third)
    assert order.index("schema") < order.index("upgrade")


def test_what_a_first_install_skips_is_said_and_runs_before_the_next_upgrade(project: Project) -> None:
    project.template("schema", job("echo schema", name="schema"))
    project.template("admin", hook("echo admin", BEFORE, name="admin"))
    migrations(project, *(of(name, 'first_install = "skip"') for name in ("schema", "admin")))
    first = deployed(project, "v1")
    assert (first.log, results(first)) == ([], [])
    assert skipped(first) == {name: f"first_install leaves Job {name} out" for name in ("schema", "admin")}
    assert "name: schema" not in project.run_helm("get", "manifest", "shop").stdout
    assert deployed(project, "v2").log == ["admin", "schema"]
