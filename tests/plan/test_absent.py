"""A migration that this operation does not render: said when it is the other one's, refused with what there is else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from shipit.config import MigrationSpec, Request
from shipit.errors import Refused
from shipit.lock.record import UpgradeRecord, UpgradeState
from shipit.model import Json, Rendered
from tests.fakes import Fakes
from tests.releases import a_release, a_request, config_map, hook, job, manifest, planned, rendered

TEMPLATE = "templates/migrate.yaml"
NAMED = MigrationSpec(name="migrate", template=TEMPLATE)
POD: Json = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "migrate"}, "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "shop:v2"}]}}  # fmt: skip


@pytest.fixture
def world() -> Fakes:
    return a_release()


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    found = a_request(tmp_path)
    (tmp_path / "chart" / TEMPLATE).write_text(
        "{{- if and .Values.migration.enabled (not $.Values.global.external) -}}\n{{ .Values.other }}\n{{ end }}"
    )
    return replace(found, migrations=(NAMED,))


def operation(world: Fakes, manifest: str = "", *, install: bool) -> None:
    world.helm.rendered = replace(rendered(manifest, revision=1 if install else 2))
    if install:
        world.helm.revisions = []


@pytest.mark.parametrize("install", [True, False])
@pytest.mark.parametrize(
    "spec",
    [
        NAMED,
        MigrationSpec(),
        MigrationSpec(job="migra*"),
        MigrationSpec(set={"a": 1}),
        MigrationSpec(chart="db"),
    ],
)
def test_a_job_of_the_other_operation_is_said_and_the_deploy_goes_on(
    asked: Request, world: Fakes, spec: MigrationSpec, install: bool
) -> None:
    operation(world, install=install)
    world.helm.rendered_as = rendered(manifest(job()))
    plan = planned(replace(asked, migrations=(spec,)), world)
    only = "upgrades" if install else "installs"
    assert [(each.name, each.reason) for each in plan.left_out] == [
        ("migrate", f"Job migrate runs on {only} only")
    ]
    assert plan.before == ()
    assert world.helm.calls[-1] == f"render as {'upgrade' if install else 'install'}"


@pytest.mark.parametrize(
    ("phase", "other", "runs"),
    [
        ("after", rendered(manifest(job())), ["migrate"]),
        (UNSET, rendered("", hook(job(), "post-install")), ["migrate"]),
        ("before", rendered(manifest(job())), []),
        (UNSET, rendered("", hook(job(), "pre-install")), []),
    ],
)
def test_what_only_an_install_has_and_still_owes_is_run_by_the_next_deploy(
    asked: Request, world: Fakes, phase: Any, other: Rendered, runs: list[str]
) -> None:
    operation(world, install=False)
    world.helm.rendered_as = other
    owed = UpgradeRecord("v1", 1, "x", install=True, state=UpgradeState.SETTLED, first_install_owed=True)
    plan = planned(replace(asked, migrations=(MigrationSpec(phase=phase),)), world, owed)
    assert [step.name for step in plan.steps] == runs
    assert bool(plan.left_out) == (not runs)


@pytest.mark.parametrize("install", [True, False])
@pytest.mark.parametrize(
    "other", [None, rendered(manifest(config_map("x"))), rendered(manifest(job(), template="else"))]
)
def test_a_template_that_renders_nothing_in_either_is_refused_with_the_values_that_may_be_off(
    asked: Request, world: Fakes, other: Rendered | None, install: bool
) -> None:
    operation(world, install=install)
    world.helm.rendered_as = other
    with pytest.raises(
        Refused, match=r"template templates/migrate\.yaml renders no Job .*: it renders nothing"
    ) as refused:
        planned(asked, world)
    assert "asks for migration.enabled, global.external:" in str(refused.value.hint)
    assert "--skip-migration" in str(refused.value.hint)


@pytest.mark.parametrize("install", [True, False])
def test_what_the_template_renders_instead_is_told(asked: Request, world: Fakes, install: bool) -> None:
    operation(
        world, manifest(config_map("settings")) + manifest(job("other"), template="other"), install=install
    )
    other = replace(hook(job("probe"), "test"), path="shop/templates/migrate.yaml")
    world.helm.rendered = replace(world.helm.rendered, hooks=(other,))
    with pytest.raises(Refused, match=r"renders no Job .*, but ConfigMap settings, Job probe") as refused:
        planned(asked, world)
    assert refused.value.details == ("ConfigMap settings", "Job probe (hook test, which no deploy runs)")


@pytest.mark.parametrize("named", [NAMED, MigrationSpec(job="migr*"), MigrationSpec()])
@pytest.mark.parametrize("install", [True, False])
def test_a_pod_that_ends_is_run_like_a_job_and_helm_does_not_get_it(
    asked: Request, world: Fakes, install: bool, named: MigrationSpec
) -> None:
    operation(world, manifest(POD) + manifest(config_map("settings"), template="app"), install=install)
    plan = planned(replace(asked, migrations=(named,)), world)
    assert [(step.name, step.ref.title, step.migration) for step in plan.before] == [
        ("migrate", "Pod migrate", True)
    ]
    assert plan.before[0].manifest["metadata"]["labels"]["shipit/release"] == "shop"
    assert [each.ref.title for each in plan.app] == ["ConfigMap settings"]


@pytest.mark.parametrize("policy", [{}, {"restartPolicy": "Always"}])
def test_a_pod_that_never_ends_is_refused_where_it_is_named_and_the_app_s_elsewhere(
    asked: Request, world: Fakes, policy: Json
) -> None:
    forever = {**POD, "spec": {**policy, "containers": POD["spec"]["containers"]}}
    operation(world, manifest(forever), install=False)
    with pytest.raises(Refused, match="Pod migrate would run again and again, and never end"):
        planned(asked, world)
    asked = replace(asked, migrations=(MigrationSpec(),), workdir=asked.workdir / "w")
    asked.workdir.mkdir()
    with pytest.raises(Refused, match="the chart renders no Job to run as the migration"):
        planned(asked, world)


def test_a_job_counts_more_than_a_pod_beside_it(asked: Request, world: Fakes) -> None:
    for named in (MigrationSpec(), NAMED):
        operation(world, manifest(POD) + manifest(job("up")), install=False)
        asked = replace(asked, migrations=(named,), workdir=asked.workdir / "w")
        asked.workdir.mkdir()
        plan = planned(asked, world)
        assert [step.ref.title for step in plan.before] == ["Job up"]
        assert [each.ref.title for each in plan.app] == ["Pod migrate"]


def test_a_template_that_is_not_there_is_refused_with_the_nearest(asked: Request, world: Fakes) -> None:
    operation(world, install=True)
    wrong = MigrationSpec(name="migrat", template="templates/migrat.yaml")
    with pytest.raises(Refused, match=r"has no template templates/migrat\.yaml") as refused:
        planned(replace(asked, migrations=(wrong,)), world)
    assert str(refused.value.hint) == f"did you mean {TEMPLATE}?"
    assert "render as upgrade" not in world.helm.calls


def test_a_skipped_migration_may_be_anywhere(asked: Request, world: Fakes) -> None:
    for migration in (NAMED, MigrationSpec()):
        operation(world, install=False)
        asked = replace(asked, skip_migration=True, migrations=(migration,), workdir=asked.workdir / "w")
        asked.workdir.mkdir()
        assert (planned(asked, world).steps, "render as install" in world.helm.calls) == ((), False)


def test_a_pattern_that_nothing_is_called_by_lists_what_there_is(asked: Request, world: Fakes) -> None:
    operation(world, manifest(job("seed")), install=False)
    with pytest.raises(Refused, match=r"the chart renders no Job called schema-\*") as refused:
        planned(replace(asked, migrations=(MigrationSpec(job="schema-*"),)), world)
    assert refused.value.details == ("shop/templates/migrate.yaml: Job seed",)
