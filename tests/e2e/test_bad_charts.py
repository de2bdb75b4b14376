"""Charts with a mistake in them, or only odd ones: refused before anything changes with one line that says what and why,
or deployed where they can surely be. A suspended Job is in test_stops.py, a template of many things in test_shapes.py.

All that is refused shares one namespace: nothing of it can meet there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from sandbox import Sandbox
from tests.e2e.kit import VALUES, Project, Result, fresh_namespace, hook, job
from tests.e2e.stage import Stage, a_stage

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

AT_ONCE = 4
NAME = "{{ .Release.Name }}"
FINE = job("echo up", name=NAME)
HOOK = hook("echo up", "pre-install,pre-upgrade", name=NAME)
ALWAYS = FINE.replace("restartPolicy: Never", "restartPolicy: Always")
CHART = "apiVersion: v2\nname: shop\n"
BESIDE = "          command: [sh, -c, 'sleep 1000']\n"


@dataclass(frozen=True)
class Bad:
    """`templates` of the chart, by name, and its other `files`; what the message says, in this order; how the hint begins."""

    says: tuple[str, ...]
    hint: str
    templates: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


def odd(text: str, *says: str, hint: str) -> Bad:
    return Bad(says, hint, {"odd": text})


NO_OBJECT = "the chart renders something that is not a Kubernetes object"
NO_RENDER = "the chart does not render"
BAD = {
    "two-of-a-name": Bad(
        ("2 migrations are called Job two-of-a-name, and only one object of that name can be there",),
        "give each a name of its own in its template",
        {"migrate": f"{FINE}---\n{FINE}"},
    ),
    "two-hooks-of-a-name": Bad(
        ("2 migrations are called Job two-hooks-of-a-name",),
        "give each a name of its own in its template",
        {"migrate": HOOK, "other": HOOK},
    ),
    "no-such-namespace": Bad(
        ("the API server does not accept Job nowhere/no-such-namespace", 'namespaces "nowhere" not found'),
        "its template names that namespace: create it first",
        {"migrate": FINE.replace(f"  name: {NAME}\n", f"  name: {NAME}\n  namespace: nowhere\n")},
    ),
    "restarts-always": Bad(
        ("the API server does not accept Job", "restartPolicy", '"OnFailure", "Never"'),
        "",
        {"migrate": ALWAYS},
    ),
    "a-list": odd("- a\n- b\n", NO_OBJECT, "shop/templates/odd.yaml", hint="each document of a template is one object"),
    "a-text": odd("only words\n", NO_OBJECT, "shop/templates/odd.yaml", hint="each document of a template is one object"),
    "no-kind": odd("just: words\n", NO_OBJECT, "apiVersion not set, kind not set", hint="helm template"),
    "no-name": odd(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n",
        "the chart renders an object without a name", 'ConfigMap ""', hint="give it a metadata.name",
    ),
    "no-yaml": odd("a: [1, 2\n", NO_RENDER, "shop/templates/odd.yaml", hint="helm template --debug"),
    "fails": odd(
        '{{ fail "set db.host: there is no default" }}\n',
        NO_RENDER, "shop/templates/odd.yaml:1", "set db.host: there is no default", hint="the chart itself demands it",
    ),
    "requires": odd(
        '{{ required "db.host is required" .Values.host }}\n',
        NO_RENDER, "shop/templates/odd.yaml:1", "db.host is required", hint="the chart itself demands it",
    ),
    "no-value": odd(
        "a: {{ .Values.no.such.value }}\n",
        NO_RENDER, "shop/templates/odd.yaml:1", "nil pointer", hint="correct the template there, or give it the value",
    ),
    "no-template-language": odd("{{ if }}\n", NO_RENDER, "shop/templates/odd.yaml:1", hint="correct the template there"),
    "schema": Bad(
        ("the values don't fit the chart's schema: shop: ", "replicas", "tring"),
        "correct them in the values files",
        {},
        {"values.schema.json": '{"properties": {"replicas": {"type": "string"}}}'},
    ),
    "no-version": Bad(("Chart.yaml of the chart ", " is not complete", "version"), "", {}, {"Chart.yaml": CHART}),
    "bad-chart-yaml": Bad(("helm can't read the chart ", "Chart.yaml"), "", {}, {"Chart.yaml": "name: [\n"}),
    "bad-values": Bad(("helm can't read the chart ", "values.yaml"), "", {}, {"values.yaml": VALUES + "x: [\n"}),
    "library": Bad(
        ("helm can't use the chart ", "library charts are not installable"), "", {},
        {"Chart.yaml": CHART + "version: 1.0.0\ntype: library\n"},
    ),
}  # fmt: skip


@pytest.fixture(
    scope="module", params=["4", pytest.param("3", marks=pytest.mark.long)], ids=["helm4", "helm3"]
)
def stage(
    request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stage, str]]:
    with a_stage(sandbox, tmp_path_factory.mktemp("bad")) as made:
        yield made, request.param


@pytest.fixture(scope="module")
def ended(stage: tuple[Stage, str]) -> dict[str, Result]:
    """How each ended, a few of them deployed at a time."""
    made, version = stage
    projects = {name: made.project(name, version) for name in BAD}
    for name, bad in BAD.items():
        for template, text in {"migrate": FINE, **bad.templates}.items():
            projects[name].template(template, text)
        for path, text in bad.files.items():
            projects[name].write(f"chart/{path}", text)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(
            zip(projects, pool.map(lambda project: project.deploy("v1"), projects.values()), strict=True)
        )


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_in_one_line_with_what_to_write(ended: dict[str, Result], name: str) -> None:
    bad, found = BAD[name], ended[name]
    assert (found.exit_code, found.outcome) == (3, "refused"), found.told
    message = found.error["message"]
    assert re.search(".*".join(map(re.escape, bad.says)), message), message
    assert "\n" not in message
    assert len(message) < 400, message
    assert found.error["hint"].startswith(bad.hint) if bad.hint else True, found.error
    assert "Traceback" not in found.told
    assert found.result["message"] == message


def test_nothing_of_it_is_there_and_every_lock_is_free(
    ended: dict[str, Result], stage: tuple[Stage, str]
) -> None:
    kube = stage[0].kube
    assert kube.all("jobs,pods,deployments,configmaps", "app.kubernetes.io/managed-by=Helm") == []
    assert kube.all("jobs") == []
    assert kube.all("secrets", "owner=helm") == []
    leases = {each["metadata"]["name"]: each["spec"].get("holderIdentity") for each in kube.all("leases")}
    assert set(leases) == {f"shipit-{name}" for name in BAD}
    assert not any(leases.values())


def test_a_job_that_would_go_at_once_stays_for_a_look(project4: Project) -> None:
    project4.template("first", job("echo first", name="first", spec="ttlSecondsAfterFinished: 0\n"))
    project4.configure('template = "templates/first.yaml"')
    done = project4.deploy("v1")
    assert (done.exit_code, done.log) == (0, ["first"]), done.told
    assert project4.kube.get("job", "first") is not None


def test_a_job_in_another_namespace_is_run_there(project4: Project, sandbox: Sandbox) -> None:
    other = fresh_namespace(sandbox)
    project4.template(
        "migrate",
        job("echo there").replace("  name: migrate\n", f"  name: migrate\n  namespace: {other.namespace}\n"),
    )
    try:
        done = project4.deploy("v1")
        assert (done.exit_code, done.log) == (0, ["there"]), done.told
        assert other.pods_by_job() == {"migrate": [1]}
        assert project4.kube.all("jobs") == []
    finally:
        other.kubectl("delete", "namespace", other.namespace, "--wait=false")


def test_a_sidecar_that_never_ends_is_named_while_it_waits_and_at_the_end(project4: Project) -> None:
    with_proxy = job("echo up") + (
        '        - name: proxy\n          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"\n'
        + BESIDE
    )
    project4.template("migrate", with_proxy)
    project4.configure('timeout = "20s"')
    ended = project4.deploy("v1")
    assert (ended.exit_code, ended.log) == (5, ["up"]), ended.told
    why = "container migrate has exited, but proxy is still running and keeps the pod alive"
    assert ended.error["message"] == (
        f"Job migrate did not end within 20 s: {why}; Job migrate still runs; the app is not installed"
    )
    assert any(why in each.get("reason", "") + each.get("message", "") for each in ended.events[:-2]), (
        ended.told
    )
    assert project4.history() == []
