"""Hooks with the names of the app's own objects: what serves as theirs, what is copied, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shipit.config import Request
from shipit.errors import Refused
from shipit.model import Json, Plan, Ref, Revision
from tests.fakes import NAMESPACE, Fakes
from tests.releases import a_release, a_request, hook, job, manifest, planned, rendered


@pytest.fixture
def world() -> Fakes:
    return a_release()


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return a_request(tmp_path)


def made(kind: str = "ConfigMap", name: str = "settings", **fields: Any) -> Json:
    version = "rbac.authorization.k8s.io/v1" if kind == "Role" else "v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **fields}


def reading(kind: str = "ConfigMap", name: str = "settings") -> Json:
    """A pod that takes the object in each of the ways in which a pod can."""
    ref = "configMap" if kind == "ConfigMap" else "secret"
    env = [{"name": "A", "valueFrom": {f"{ref}KeyRef": {"name": name, "key": "COLOUR"}}}]
    inside = {ref: {"name": name}}
    volume = {ref: {"secretName" if kind == "Secret" else "name": name}}
    container = {"image": "shop:v2", "env": env, "envFrom": [{f"{ref}Ref": {"name": name}}]}
    return {
        "initContainers": [{"name": "i", **container}],
        "containers": [{"name": "c", **container}],
        "volumes": [{"name": "v", **volume}, {"name": "p", "projected": {"sources": [inside]}}],
    }


def app(pod: Json | None = None) -> Json:
    pod = pod or {"containers": [{"name": "c", "image": "shop:v2"}]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": pod}}}  # fmt: skip


def there(world: Fakes, body: Json, *, keep: bool = False, as_hook: bool = False) -> Ref:
    notes = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": NAMESPACE}
    notes |= {"helm.sh/resource-policy": "keep"} if keep else {}
    notes |= {"helm.sh/hook": "pre-upgrade"} if as_hook else {}
    meta = {**body["metadata"], "namespace": NAMESPACE, "annotations": notes}
    world.cluster.create({**body, "metadata": meta})
    return Ref(body["apiVersion"], body["kind"], NAMESPACE, body["metadata"]["name"])


def before(asked: Request, world: Fakes, own: Json, *, live: Json | None, in_app: bool, **how: Any) -> Plan:
    """The plan of a chart with a pre-upgrade hook `own` and a migration that takes it; `live` is in revision 1."""
    pod = how.pop("pod", None)
    early = hook(own, "pre-upgrade", weight=-5, policies=how.pop("policies", ()))
    migrate = hook(
        job(pod=reading(own["kind"]) if own["kind"] in ("ConfigMap", "Secret") else {}), "pre-upgrade"
    )
    lasting = [live or own] if in_app else []
    world.helm.rendered = rendered(manifest(app(pod), *lasting), early, migrate, **how)
    world.helm.manifests = {1: manifest(app(), *([live] if live else []))}
    return planned(asked, world)


OLD, NEW = {"COLOUR": "red"}, {"COLOUR": "blue"}


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("in_app", [True, False])
def test_an_object_of_the_app_that_is_the_same_serves_as_the_hook_s(
    asked: Request, world: Fakes, kind: str, in_app: bool
) -> None:
    own = made(kind, data=OLD) if kind == "ConfigMap" else made(kind, stringData=OLD)
    ref = there(world, made(kind, data=OLD if kind == "ConfigMap" else {"COLOUR": "cmVk"}))
    plan = before(asked, world, own, live=own, in_app=in_app)
    assert [(step.ref, step.of_app, step.remark) for step in plan.before[:1]] == [(ref, True, "")]
    assert plan.before[1].manifest["spec"]["template"]["spec"] == job(pod=reading(kind))["spec"]["template"]["spec"]  # fmt: skip


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("in_app", [True, False])
def test_one_that_differs_stays_and_the_migration_gets_a_copy(
    asked: Request, world: Fakes, kind: str, in_app: bool
) -> None:
    ref = there(world, made(kind, data=OLD))
    plan = before(asked, world, made(kind, data=NEW), live=made(kind, data=OLD), in_app=in_app)
    copy, migrate = plan.before
    assert (copy.ref, copy.of_app) == (ref._replace(name="settings-shipit"), False)
    assert copy.manifest["data"] == NEW
    assert "settings belongs to the app and differs" in copy.remark
    assert copy.hook is not None
    assert "hook-failed" in copy.hook.delete_policies, "it is deleted at the end, whatever the chart says"
    spec = migrate.manifest["spec"]["template"]["spec"]
    assert spec == reading(kind, "settings-shipit"), "in every place that names it"
    late = [(step.ref, step.manifest["data"]) for step in plan.after]
    assert late == ([] if in_app else [(ref, NEW)]), "what Helm removes is the hook's from then on"


def test_the_copy_doesn_t_make_it_another_migration(asked: Request, world: Fakes) -> None:
    """Helm may have changed the app's object when an upgrade is interrupted: the retry must know its Job again."""
    ref = there(world, made(data=OLD))
    first = before(asked, world, made(data=NEW), live=made(data=OLD), in_app=True)
    world.cluster.objects[ref]["data"] = NEW
    asked = replace(asked, workdir=asked.workdir / "2")
    asked.workdir.mkdir()
    second = before(asked, world, made(data=NEW), live=made(data=OLD), in_app=True)
    assert second.before[0].of_app
    assert first.before[1].fingerprint == second.before[1].fingerprint


def test_the_name_of_a_copy_that_is_somebody_s_is_refused(asked: Request, world: Fakes) -> None:
    there(world, made(data=OLD))
    there(world, made(name="settings-shipit"))
    with pytest.raises(
        Refused, match="ConfigMap settings-shipit, the name of the migration's copy, is taken"
    ):
        before(asked, world, made(data=NEW), live=made(data=OLD), in_app=True)


def test_an_account_that_differs_is_used_as_it_is_and_told(asked: Request, world: Fakes) -> None:
    ref = there(world, made("ServiceAccount"))
    own = made("ServiceAccount", automountServiceAccountToken=False)
    plan = before(asked, world, own, live=made("ServiceAccount"), in_app=True)
    assert (plan.before[0].ref, plan.before[0].of_app) == (ref, True)
    assert "is used as it is, and differs from the hook's" in plan.before[0].remark


@pytest.mark.parametrize("as_hook", [True, False])
def test_what_is_not_there_yet_or_left_of_a_hook_is_made_as_a_hook(
    asked: Request, world: Fakes, as_hook: bool
) -> None:
    """On a first install nothing is the app's yet; left of an interrupted one, Helm must not refuse the next."""
    world.helm.revisions = []
    if as_hook:
        there(world, made(), as_hook=True)
    own = hook(made(), "pre-install", weight=-5, policies=("hook-succeeded",))
    world.helm.rendered = rendered(manifest(app(), made()), own, hook(job(), "pre-install"), revision=1)
    (settings, migrate) = planned(asked, world).before
    assert not settings.of_app
    assert settings.manifest["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "Helm"}
    assert settings.manifest["metadata"]["annotations"]["meta.helm.sh/release-name"] == "shop"
    assert migrate.ref.name == "migrate"
    tried = [call for call in world.cluster.calls if call.startswith("dry-") and "ConfigMap" in call]
    assert not any("apply" in call for call in tried), "it meets no field of the hook's: that is gone by then"


def test_what_helm_will_adopt_is_the_app_s(asked: Request, world: Fakes) -> None:
    """Kept from an earlier version of the chart, it is in the new manifest again."""
    there(world, made(data=OLD), keep=True)
    plan = before(asked, world, made(data=NEW), live=None, in_app=True)
    assert [step.ref.name for step in plan.before] == ["settings-shipit", "migrate"]


def test_what_a_failed_revision_brought_is_the_app_s_too(asked: Request, world: Fakes) -> None:
    there(world, made(data=OLD))
    world.helm.revisions.append(Revision(2, "failed"))
    early = hook(made(data=NEW), "pre-upgrade", weight=-5)
    world.helm.rendered = rendered(manifest(app()), early, hook(job(), "pre-upgrade"), revision=3)
    world.helm.manifests = {1: manifest(app()), 2: manifest(app(), made(data=OLD))}
    assert [step.ref.name for step in planned(asked, world).before] == ["settings-shipit", "migrate"]


# ── the live release has it, and the chart makes it by a hook from now on ─────────────────────────


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("policy", ["before-hook-creation", "hook-succeeded"])
def test_what_becomes_a_hook_is_handed_over_unless_the_app_would_lose_it(
    asked: Request, world: Fakes, policy: str, same: bool, used: bool
) -> None:
    ref = there(world, made(data=OLD))
    own = made(data=OLD if same else NEW)
    how: dict[str, Any] = {"pod": reading() if used else None, "policies": (policy,)}
    stays = policy == "before-hook-creation"
    if used and not (same and stays):
        with pytest.raises(
            Refused, match="ConfigMap shop/settings belongs to revision 1 of the app"
        ) as caught:
            before(asked, world, own, live=made(data=OLD), in_app=False, **how)
        assert "without hook annotations" in str(caught.value.hint)
        return
    plan = before(asked, world, own, live=made(data=OLD), in_app=False, **how)
    assert plan.taken_over == ((ref,) if stays else ()), "what is to go with its hook, Helm removes"
    assert (plan.handover is not None, plan.revision) == (stays, 3 if stays else 2)
    assert plan.before[0].of_app is same
    late = [(step.ref, step.phase) for step in plan.after]
    assert late == ([(ref, "after")] if stays and not same else []), "no longer the app's"


INGRESS = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}, "spec": {"tls": [{"hosts": ["a"], "secretName": "settings"}]}}  # fmt: skip
BINDING = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "web"}, "subjects": [{"kind": "ServiceAccount", "name": "settings"}], "roleRef": {"kind": "Role", "name": "reader"}}  # fmt: skip


@pytest.mark.parametrize(("kind", "user"), [("Secret", INGRESS), ("ServiceAccount", BINDING)])
def test_not_only_pods_use_what_becomes_a_hook(asked: Request, world: Fakes, kind: str, user: Json) -> None:
    there(world, made(kind))
    gone = hook(made(kind), "pre-upgrade", policies=("hook-succeeded",))
    world.helm.rendered = rendered(manifest(user), gone, hook(job(), "pre-upgrade"))
    world.helm.manifests = {1: manifest(user, made(kind))}
    with pytest.raises(Refused, match=f"{kind} shop/settings belongs to revision 1 of the app"):
        planned(asked, world)


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("kind", "refused"), [("PersistentVolumeClaim", True), ("Role", False)])
def test_a_claim_that_becomes_a_hook_never_loses_its_data(
    asked: Request, world: Fakes, kind: str, refused: bool, same: bool
) -> None:
    there(world, made(kind))
    own = made(kind, spec={} if same else {"more": True})
    if refused and not same:
        with pytest.raises(Refused, match="it would be replaced"):
            before(asked, world, own, live=made(kind, spec={}), in_app=False)
        return
    plan = before(asked, world, own, live=made(kind, spec={}), in_app=False)
    assert (plan.before[0].of_app, plan.handover is not None, plan.after) == (True, True, ())


# ── Jobs and Pods, and what runs after the upgrade ────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["Job", "Pod"])
def test_a_job_or_pod_of_the_app_makes_no_room_for_a_hook(asked: Request, world: Fakes, kind: str) -> None:
    own = job() if kind == "Job" else {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "migrate"}, "spec": job()["spec"]["template"]["spec"]}  # fmt: skip
    there(world, own)
    world.helm.rendered = rendered(manifest(app(), own), hook(own, "pre-upgrade"))
    world.helm.manifests = {1: manifest(app(), own)}
    with pytest.raises(Refused, match=f"{kind} shop/migrate belongs to revision 1 of the app"):
        planned(asked, world)


def test_a_plain_job_of_bare_helm_that_becomes_a_hook_is_handed_over_as_before(
    asked: Request, world: Fakes
) -> None:
    there(world, job(tag="v1"))
    world.helm.rendered = rendered(manifest(app()), hook(job(), "pre-upgrade"))
    world.helm.manifests = {1: manifest(app(), job(tag="v1"))}
    plan = planned(asked, world)
    assert plan.handover is not None
    assert [ref.name for ref in plan.previous_jobs] == ["migrate"]


@pytest.mark.parametrize("same", [True, False])
def test_after_the_upgrade_it_is_the_new_manifest_that_counts(
    asked: Request, world: Fakes, same: bool
) -> None:
    there(world, made(data=OLD))
    own = hook(made(data=NEW if same else OLD), "post-upgrade", weight=-5)
    late = hook(job(pod=reading()), "post-upgrade")
    world.helm.rendered = rendered(manifest(app(), made(data=NEW)), own, late)
    world.helm.manifests = {1: manifest(app(), made(data=OLD))}
    settings, migrate = planned(asked, world).during
    assert settings.of_app == same
    name = "settings" if same else "settings-shipit"
    assert migrate.manifest["spec"]["template"]["spec"] == reading(name=name)


def test_a_hook_of_after_the_upgrade_may_take_the_name_of_what_the_upgrade_removes(
    asked: Request, world: Fakes
) -> None:
    there(world, made(data=OLD))
    own = hook(made(data=NEW), "post-upgrade", weight=-5)
    world.helm.rendered = rendered(manifest(app()), own, hook(job(), "post-upgrade"))
    world.helm.manifests = {1: manifest(app(), made(data=OLD))}
    assert not planned(asked, world).during[0].of_app


def test_a_job_of_the_new_manifest_makes_no_room_for_a_hook_after_the_upgrade(
    asked: Request, world: Fakes
) -> None:
    world.helm.rendered = rendered(manifest(app(), job()), hook(job(), "post-upgrade"))
    with pytest.raises(Refused, match="belongs to the app's new manifest and is a hook of the chart as well"):
        planned(asked, world)


def test_an_older_version_of_the_api_names_the_same_object(asked: Request, world: Fakes) -> None:
    old = {**made("Role"), "apiVersion": "rbac.authorization.k8s.io/v1beta1"}
    ref = there(world, made("Role"))
    plan = before(asked, world, made("Role"), live=old, in_app=True)
    assert (plan.before[0].ref, plan.before[0].of_app) == (ref, True)
