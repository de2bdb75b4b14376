"""What a migration needs of the chart before the upgrade, by its templates or by what its pod references."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shipit.config import MigrationSpec, Request
from shipit.errors import Refused
from shipit.events import StepChanged, Warned
from shipit.model import Json, Plan, Ref
from tests.fakes import NAMESPACE, Fakes
from tests.plan.test_own_objects import app, made, reading, there
from tests.releases import a_release, a_request, hook, job, manifest, planned, rendered

RBAC = "rbac.authorization.k8s.io/v1"
SUBJECT = {"kind": "ServiceAccount", "name": "runner"}
POD = {
    "serviceAccountName": "runner",
    "containers": [
        {"name": "c", "image": "shop:v2", "envFrom": [{"configMapRef": {"name": "settings"}}]},
    ],
    "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
}


@pytest.fixture
def world() -> Fakes:
    return a_release()


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return replace(a_request(tmp_path), migrations=(MigrationSpec(prerequisites="auto"),))


def rbac(kind: str, name: str, **fields: object) -> Json:
    return {"apiVersion": RBAC, "kind": kind, "metadata": {"name": name}, **fields}


def bound(kind: str, called: str, role: str, role_kind: str = "Role", **subject: str) -> Json:
    return rbac(kind, called, roleRef={"kind": role_kind, "name": role}, subjects=[SUBJECT | subject])


def needs(asked: Request, world: Fakes, *bodies: Json, pod: Json = POD) -> list[str]:
    world.helm.rendered = rendered(manifest(*bodies, app(), job(pod=pod)))
    return [step.ref.title for step in planned(asked, world).prerequisites]


def test_what_the_job_references_and_what_its_account_may_do(asked: Request, world: Fakes) -> None:
    account = made("ServiceAccount", "runner", imagePullSecrets=[{"name": "pull"}])
    own = [
        made("Secret", "pull"), made("Secret", "unused"), made(data={"COLOUR": "blue"}), account,
        made("PersistentVolumeClaim", "data"), rbac("ClusterRole", "reads"), rbac("Role", "writes"), rbac("Role", "another"),
        bound("RoleBinding", "writes", "writes"), bound("ClusterRoleBinding", "reads", "reads", "ClusterRole", namespace=NAMESPACE),
        bound("RoleBinding", "of-another", "another", name="somebody"),
        bound("ClusterRoleBinding", "elsewhere", "another", "ClusterRole", namespace="elsewhere"),
    ]  # fmt: skip
    assert needs(asked, world, *own) == [
        "Secret pull", "ConfigMap settings", "ServiceAccount runner", "PersistentVolumeClaim data", "ClusterRole reads",
        "Role writes", "RoleBinding writes", "ClusterRoleBinding reads",
    ]  # fmt: skip


def test_templates_are_taken_whole_but_for_what_runs(asked: Request, world: Fakes, tmp_path: Path) -> None:
    asked = replace(asked, migrations=(MigrationSpec(prerequisites=("templates/migrate.yaml",)),))
    assert needs(asked, world, made(), made("Service", "web"), pod={}) == ["ConfigMap settings", "Service web", "Deployment web"]  # fmt: skip


def test_a_template_that_is_not_there_is_refused_and_one_that_renders_nothing_is_not(
    asked: Request, world: Fakes
) -> None:
    asked = replace(asked, migrations=(MigrationSpec(prerequisites=("templates/settings.yaml",)),))
    with pytest.raises(Refused, match=r"has no template templates/settings\.yaml"):
        needs(asked, world, made(), pod={})
    Path(asked.chart, "templates", "settings.yaml").touch()
    assert needs(asked, world, made(), pod={}) == []


def test_templates_can_not_be_told_where_a_post_renderer_has_lost_them(asked: Request, world: Fakes) -> None:
    asked = replace(asked, migrations=(MigrationSpec(prerequisites=("templates/settings.yaml",)),))
    text = manifest(made(), app(), job())
    world.helm.rendered = rendered("\n".join(line for line in text.splitlines() if not line.startswith("#")))
    with pytest.raises(Refused, match="a post-renderer leaves no source") as refused:
        planned(asked, world)
    assert "auto" in refused.value.hint.why


def test_what_a_hook_makes_is_none(asked: Request, world: Fakes) -> None:
    early = hook(made(data={"COLOUR": "blue"}), "pre-upgrade", weight=-5)
    world.helm.rendered = rendered(manifest(app(), made()), early, hook(job(pod=reading()), "pre-upgrade"))
    assert planned(asked, world).prerequisites == ()


@pytest.mark.parametrize("phase", ["during", "after"])
def test_what_runs_behind_the_upgrade_needs_none(asked: Request, world: Fakes, phase: str) -> None:
    asked = replace(asked, migrations=(MigrationSpec(prerequisites="auto", phase=phase),))  # type: ignore[arg-type]
    assert needs(asked, world, made(), pod=reading()) == []


def settled(asked: Request, world: Fakes, own: Json, pod: Json) -> Plan:
    world.helm.rendered = rendered(manifest(own, app(), job(pod=pod)))
    world.helm.manifests = {1: manifest(own, app())}
    return planned(asked, world)


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_a_copy_is_named_by_what_it_holds_and_bare_of_labels(asked: Request, world: Fakes, kind: str) -> None:
    own = made(kind, data={"COLOUR": "Ymx1ZQ=="})
    own["metadata"]["labels"] = {"grafana_dashboard": "1"}
    there(world, made(kind, data={"COLOUR": "cmVk"}))
    plan = settled(asked, world, own, reading(kind))
    (copy,) = plan.prerequisites
    assert copy.ref.name.startswith("settings-shipit-")
    assert copy.manifest["data"] == own["data"]
    assert copy.manifest["metadata"]["labels"] == {"shipit/release": "shop"}
    assert copy.manifest["metadata"]["annotations"] == {"shipit/copy-of": "settings"}
    assert plan.before[0].manifest["spec"]["template"]["spec"] == reading(kind, copy.ref.name), (
        "wherever it is named"
    )
    assert plan.app[0].body["metadata"]["name"] == "settings", "the app is what the chart renders"
    (same,) = settled(with_workdir(asked, "2"), world, own, reading(kind)).prerequisites
    assert same.ref == copy.ref
    (other,) = settled(
        with_workdir(asked, "3"), world, {**own, "data": {"A": "YQ=="}}, reading(kind)
    ).prerequisites
    assert other.ref != copy.ref


def with_workdir(asked: Request, name: str) -> Request:
    folder = asked.workdir / name
    folder.mkdir()
    return replace(asked, workdir=folder)


@pytest.mark.parametrize(
    ("live", "differs"),
    [
        (
            {"rules": [{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""], "more": "by default"}]},
            False,
        ),
        ({"rules": [{"verbs": ["list"], "resources": ["pods"], "apiGroups": [""]}]}, True),
    ],
)
def test_a_role_that_is_there_serves_and_only_a_difference_is_told(
    asked: Request, world: Fakes, live: Json, differs: bool
) -> None:
    rules = [{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}]
    binding = bound("RoleBinding", "writes", "writes")
    role = rbac("Role", "writes", rules=rules)
    there(world, {**role, **live})
    there(world, made("ServiceAccount", "runner"))
    world.helm.rendered = rendered(manifest(role, binding, app(), job(pod={**POD, "volumes": [], "containers": [{"name": "c", "image": "shop:v2"}]})))  # fmt: skip
    found = {step.name: step for step in planned(asked, world).prerequisites}
    assert found["Role writes"].of_app
    assert bool(found["Role writes"].remark) is differs
    assert not found["RoleBinding writes"].of_app, "it is missing, and made"


def test_the_name_of_a_copy_that_is_somebody_s_is_refused(asked: Request, world: Fakes) -> None:
    own = made(data={"COLOUR": "blue"})
    ref = there(world, made(data={"COLOUR": "red"}))
    (copy,) = settled(asked, world, own, reading()).prerequisites
    there(world, made(name=copy.ref.name))
    with pytest.raises(Refused, match="the name of the migration's copy, is taken"):
        settled(with_workdir(asked, "2"), world, own, reading())
    assert ref in world.cluster.objects


def test_without_them_what_the_chart_brings_is_named_in_the_refusal(asked: Request, world: Fakes) -> None:
    asked = replace(asked, migrations=(MigrationSpec(),))
    with pytest.raises(Refused) as refused:
        settled(asked, world, made(), reading())
    assert 'prerequisites = "auto"' in refused.value.hint.why


def test_without_them_an_old_content_is_warned_of(asked: Request, world: Fakes) -> None:
    asked = replace(asked, migrations=(MigrationSpec(),))
    there(world, made(data={"COLOUR": "red"}))
    settled(asked, world, made(data={"COLOUR": "blue"}), reading())
    (told,) = (each for each in world.told.of(Warned) if "as it is now" in each.message)
    assert told.message.startswith("Job migrate reads ConfigMap settings as it is now")
    assert 'prerequisites = "auto"' in told.hint.why


def test_a_secret_s_copy_is_masked(asked: Request, world: Fakes) -> None:
    there(world, made("Secret", data={"COLOUR": "cmVk"}))
    settled(asked, world, made("Secret", stringData={"COLOUR": "hunter2-blue"}), reading("Secret"))
    assert "hunter2-blue" in world.mask.hidden


def test_a_copy_takes_permission_to_make_and_delete_it(asked: Request, world: Fakes) -> None:
    there(world, made(data={"COLOUR": "red"}))
    world.cluster.forbidden = {"delete configmaps"}
    with pytest.raises(Refused, match="missing delete configmaps"):
        settled(asked, world, made(data={"COLOUR": "blue"}), reading())


def test_what_is_missing_is_tried_before_anything_changes(asked: Request, world: Fakes) -> None:
    settled(asked, world, made(data={"COLOUR": "blue"}), reading())
    assert f"dry-apply {Ref('v1', 'ConfigMap', NAMESPACE, 'settings')} by force" in world.cluster.calls
    prepared = world.told.of(StepChanged)[-1].message
    assert prepared == "before the upgrade: migrate, with ConfigMap settings made for it"
