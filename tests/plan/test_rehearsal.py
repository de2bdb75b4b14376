"""Dry runs: what surely fails is refused, what may pass is told, and what will pass goes by without a word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shipit.chart import split
from shipit.config import Request
from shipit.errors import (
    ApiError,
    Conflict,
    Denied,
    Forbidden,
    Invalid,
    NoDryRun,
    NotAllowed,
    NotFound,
    QuotaExceeded,
    Refused,
    WebhookFailed,
)
from shipit.events import Warned
from shipit.model import Json, Ref, Rendered
from shipit.plan.pod_of_job import pod_of_job
from tests.fakes import NAMESPACE, Fakes
from tests.releases import (
    a_release,
    a_request,
    config_map,
    configured,
    hook,
    job,
    manifest,
    planned,
    rendered,
)


@pytest.fixture
def world() -> Fakes:
    return a_release()


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return a_request(tmp_path)


def says(world: Fakes, call: str, *errors: ApiError) -> None:
    """What the API server says to calls that begin so: one after the other, the last one for ever."""
    left = list(errors)

    def broken(asked_for: str) -> ApiError | None:
        if not asked_for.startswith(call):
            return None
        return left.pop(0) if len(left) > 1 else left[0]

    world.cluster.broken = broken


def once(world: Fakes, call: str, error: ApiError) -> None:
    """The first such call is answered so, those after it as ever."""
    left = [error]
    world.cluster.broken = lambda asked_for: left.pop() if left and asked_for.startswith(call) else None


def told(world: Fakes) -> list[str]:
    return [each.message for each in world.told.of(Warned)]


# ── the Job's pod ────────────────────────────────────────────────────────────────────────────────


def test_the_pod_that_is_tried_is_the_one_that_the_job_controller_makes() -> None:
    template = {"metadata": {"labels": {"app": "x"}, "name": "mine"}, "spec": {"containers": []}}
    body = job() | {"spec": {"template": template}}
    pod = pod_of_job(body, name="migrate", namespace="shop", uid="u1")
    labels = {"controller-uid": "u1", "job-name": "migrate"}
    assert pod == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "migrate-",
            "namespace": "shop",
            "labels": {
                "app": "x",
                **labels,
                **{f"batch.kubernetes.io/{key}": value for key, value in labels.items()},
            },
            "annotations": {},
            "finalizers": ["batch.kubernetes.io/job-tracking"],
            "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "Job", "name": "migrate", "uid": "u1", "controller": True}
            ],
        },
        "spec": {"containers": []},
    }
    assert template["metadata"] == {"labels": {"app": "x"}, "name": "mine"}, "the Job stays as it was"


def test_the_pod_of_an_indexed_job_has_an_index() -> None:
    body = job(completionMode="Indexed")
    meta = pod_of_job(body, name="migrate", namespace="shop", uid="u1")["metadata"]
    assert meta["generateName"] == "migrate-0-"
    assert meta["labels"]["batch.kubernetes.io/job-completion-index"] == "0"
    assert meta["annotations"] == {"batch.kubernetes.io/job-completion-index": "0"}


@pytest.mark.parametrize("metadata", [None, {"labels": None, "annotations": None}])
def test_a_template_without_metadata_has_a_pod(metadata: Json | None) -> None:
    body = job()
    body["spec"]["template"]["metadata"] = metadata
    assert pod_of_job(body, name="m", namespace="n", uid="u")["metadata"]["labels"]["job-name"] == "m"


POLICY = Ref("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "", "ours")
BY_POLICY = Denied(
    "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'ours' with binding 'b' denied request: no"
)
BY_WEBHOOK = Denied('admission webhook "w.example.com" denied the request: no')


@pytest.mark.parametrize(
    ("expression", "sure"),
    [
        ("object.spec.containers.all(c, c.image.startsWith('ours/'))", True),
        ("request.userInfo.username.startsWith('system:')", False),
        ("authorizer.path('/x').check('get').allowed()", False),
        ("request.dryRun == false", False),
    ],
)
def test_a_policy_that_looks_at_who_asks_may_let_the_job_controller_s_pod_in(
    asked: Request, world: Fakes, expression: str, sure: bool
) -> None:
    world.cluster.objects[POLICY] = {"metadata": {}, "spec": {"validations": [{"expression": expression}]}}
    says(world, "dry-create Pod", BY_POLICY)
    if sure:
        with pytest.raises(Refused, match="'ours' with binding 'b' denied"):
            planned(asked, world)
        return
    planned(asked, world)
    assert any("pod of Job shop/migrate" in each and "'ours'" in each for each in told(world))


@pytest.mark.parametrize("unread", ["a webhook", "a policy that may not be read", "a policy that is gone"])
def test_whoever_denied_the_pod_unread_is_told(asked: Request, world: Fakes, unread: str) -> None:
    def broken(call: str) -> ApiError | None:
        if call.startswith("dry-create Pod"):
            return BY_WEBHOOK if unread == "a webhook" else BY_POLICY
        return NotAllowed("no") if call == f"get {POLICY}" and "not be read" in unread else None

    world.cluster.broken = broken
    planned(asked, world)
    assert len(told(world)) == 1


def test_a_policy_that_denies_the_job_itself_is_a_refusal(asked: Request, world: Fakes) -> None:
    says(world, "dry-create Job", BY_WEBHOOK)
    with pytest.raises(Refused, match="does not accept Job shop/migrate: admission webhook"):
        planned(asked, world)


@pytest.mark.parametrize(("expression", "sure"), [("request.dryRun == false", False), ("request.userInfo.username == 'x'", True)])  # fmt: skip
def test_a_policy_that_looks_at_dry_runs_may_let_the_job_in(
    asked: Request, world: Fakes, expression: str, sure: bool
) -> None:
    world.cluster.objects[POLICY] = {"metadata": {}, "spec": {"validations": [{"expression": expression}]}}
    says(world, "dry-create Job", BY_POLICY)
    if sure:
        with pytest.raises(Refused, match="'ours' with binding 'b' denied"):
            planned(asked, world)
    else:
        planned(asked, world)
        assert len(told(world)) == 1


def test_a_pod_of_a_hook_is_tried_without_an_account_that_isn_t_there_yet(
    asked: Request, world: Fakes
) -> None:
    seen: list[Json] = []
    create = world.cluster.create

    def watched(body: Json, *, dry_run: bool = False) -> Json:
        seen.append(body)
        return create(body, dry_run=dry_run)

    world.cluster.create = watched  # type: ignore[method-assign,assignment]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {
            "serviceAccountName": "runner",
            "restartPolicy": "Never",
            "containers": [{"name": "c", "image": "shop:v2"}],
        },
    }
    account = config_map("runner", "ServiceAccount")
    world.helm.rendered = rendered("", hook(account, "pre-upgrade", weight=-1), hook(pod, "pre-upgrade"))
    plan = planned(asked, world)
    assert ["serviceAccountName" in body["spec"] for body in seen if body["kind"] == "Pod"] == [False]
    assert plan.before[-1].manifest["spec"]["serviceAccountName"] == "runner"


def test_an_account_that_a_new_namespace_has_not_got_yet_is_no_refusal(asked: Request, world: Fakes) -> None:
    late = 'pods "x" is forbidden: error looking up service account shop/default: serviceaccount "default" not found'
    says(world, "dry-create Pod", Forbidden(late))
    planned(asked, world)
    assert len(told(world)) == 1


@pytest.mark.parametrize(
    "brought", [None, config_map("low", "PriorityClass"), config_map("small", "LimitRange")]
)
def test_what_an_earlier_hook_brings_for_admission_may_change_its_mind(
    asked: Request, world: Fakes, brought: Json | None
) -> None:
    hooks = [hook(brought, "pre-upgrade", weight=-1)] if brought else []
    world.helm.rendered = rendered("", *hooks, hook(job(), "pre-upgrade"))
    says(world, "dry-create Pod", Forbidden("no PriorityClass with name low was found"))
    if brought is None:
        with pytest.raises(Refused, match="PriorityClass"):
            planned(asked, world)
    else:
        planned(asked, world)
        assert len(told(world)) == 1


@pytest.mark.parametrize("call", ["dry-create Job", "dry-create Pod", "dry-apply ConfigMap"])
def test_a_webhook_that_can_t_be_rehearsed_is_told(asked: Request, world: Fakes, call: str) -> None:
    world.helm.rendered = rendered(manifest(job(), config_map("beside")))
    says(world, call, NoDryRun('admission webhook "w" does not support dry run', status=400))
    planned(asked, world)
    assert any("does not support dry run" in each for each in told(world))


# ── quotas ───────────────────────────────────────────────────────────────────────────────────────


def full(resource: str, used: int = 1, limited: int = 1, name: str = "few") -> QuotaExceeded:
    return QuotaExceeded(
        f"jobs is forbidden: exceeded quota: {name}, requested: {resource}=1, used: {resource}={used}, limited: {resource}={limited}",
        status=403,
    )


def old_job(world: Fakes, *, phase: str, name: str = "migrate", hooked: bool = False) -> None:
    """A Job of an earlier deploy, with one pod."""
    notes = {"helm.sh/hook": "pre-upgrade"} if hooked else {}
    meta = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"of-{name}",
        "labels": {"shipit/release": "shop"},
        "annotations": notes,
        "creationTimestamp": "2026-11-25T11:00:00Z",
    }
    done = [{"type": "Complete", "status": "True"}] if phase == "Succeeded" else []
    body = {**job(name), "metadata": meta, "status": {"conditions": done}}
    world.cluster.objects[Ref("batch/v1", "Job", NAMESPACE, name)] = body
    owner = {"kind": "Job", "uid": f"of-{name}", "controller": True, "name": name}
    pod = {
        "name": f"{name}-x",
        "namespace": NAMESPACE,
        "uid": f"pod-of-{name}",
        "labels": {"controller-uid": f"of-{name}"},
        "ownerReferences": [owner],
        "creationTimestamp": "2026-11-25T11:00:00Z",
    }
    world.cluster.objects[Ref("v1", "Pod", NAMESPACE, f"{name}-x")] = {
        "metadata": pod,
        "spec": {},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("said", "old", "ends"),
    [
        (("dry-create Job", full("count/jobs.batch")), "Succeeded", "fine"),
        (("dry-create Job", full("count/jobs.batch", used=3)), "Succeeded", "refused"),
        (("dry-create Job", full("count/jobs.batch")), "", "refused"),
        (("dry-create Pod", full("count/pods")), "Succeeded", "fine"),
        (("dry-create Pod", full("pods")), "Succeeded", "refused"),
        (("dry-create Pod", full("pods")), "Pending", "fine"),
        (("dry-create Pod", full("requests.cpu")), "Pending", "told"),
        (("dry-create Pod", full("requests.cpu")), "Succeeded", "refused"),
        (("dry-create Pod", QuotaExceeded("exceeded quota: few")), "Succeeded", "told"),
    ],
)
def test_a_quota_that_the_old_job_fills_has_room_once_it_is_gone(
    asked: Request, world: Fakes, said: tuple[str, QuotaExceeded], old: str, ends: str
) -> None:
    if old:
        old_job(world, phase=old)
    says(world, *said)
    if ends == "refused":
        with pytest.raises(Refused, match="exceeded quota: few"):
            planned(asked, world)
        return
    planned(asked, world)
    assert len(told(world)) == (1 if ends == "told" else 0)


@pytest.mark.parametrize(("hooked", "room"), [(False, True), (True, False)])
def test_a_finished_job_under_an_old_name_makes_room_unless_it_is_a_hook_s(
    asked: Request, world: Fakes, hooked: bool, room: bool
) -> None:
    old_job(world, phase="Succeeded", name="migrate-abc", hooked=hooked)
    says(world, "dry-create Job", full("count/jobs.batch"))
    if room:
        planned(asked, world)
    else:
        with pytest.raises(Refused, match="exceeded quota"):
            planned(asked, world)


def test_a_quota_for_a_hook_object_that_is_replaced_has_room(asked: Request, world: Fakes) -> None:
    world.cluster.objects[Ref("v1", "ConfigMap", NAMESPACE, "settings")] = config_map("settings")
    world.helm.rendered = rendered(
        "", hook(config_map("settings"), "pre-upgrade", weight=-1), hook(job(), "pre-upgrade")
    )
    says(world, "dry-create ConfigMap", full("count/configmaps"))
    planned(asked, world)
    assert told(world) == []


def test_a_quota_that_the_chart_itself_changes_is_told(asked: Request, world: Fakes) -> None:
    quota = config_map("few", "ResourceQuota")
    world.helm.rendered = rendered(manifest(job(), quota, config_map("beside")))
    says(world, "dry-apply ConfigMap", full("count/configmaps"))
    planned(asked, world)
    assert len(told(world)) == 1
    says(world, "dry-apply ConfigMap", full("count/configmaps", name="other"))
    other = replace(asked, workdir=asked.workdir / "2")
    with pytest.raises(Refused, match="exceeded quota: other"):
        planned(other, world)


# ── the app's objects ────────────────────────────────────────────────────────────────────────────

OTHERS = Conflict(
    'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'
)
OWN = Conflict('Apply failed with 2 conflicts: conflicts with "helm" using v1:\n- .data.a\n- .data.b')
BOTH = Conflict(
    'Apply failed with 2 conflicts: conflict with "helm" using v1: .data.a\nconflict with "kubectl" using v1: .data.b'
)


def applied(world: Fakes) -> list[str]:
    return [call for call in world.cluster.calls if "ConfigMap" in call and call.startswith("dry-")]


def test_a_field_of_another_manager_is_a_refusal_unless_helm_is_to_force(
    asked: Request, world: Fakes
) -> None:
    world.helm.rendered = rendered(manifest(job(), config_map("beside")))
    says(world, "dry-apply ConfigMap shop/beside", OTHERS)
    with pytest.raises(Refused, match=r'conflict with "kubectl".*spec\.replicas'):
        planned(asked, world)
    world.cluster.broken = lambda call: None
    world.helm.rendered = replace(world.helm.rendered, force_conflicts=True)
    planned(replace(asked, workdir=asked.workdir / "2"), world)
    assert applied(world)[-1] == "dry-apply ConfigMap shop/beside by force"


@pytest.mark.parametrize(("conflict", "fine"), [(OWN, True), (BOTH, False)])
def test_what_helm_itself_set_by_a_client_side_update_is_no_conflict(
    asked: Request, world: Fakes, conflict: Conflict, fine: bool
) -> None:
    world.helm.rendered = rendered(manifest(job(), config_map("beside")))
    once(world, "dry-apply ConfigMap", conflict)
    if fine:
        planned(asked, world)
        assert applied(world) == [
            "dry-apply ConfigMap shop/beside",
            "dry-apply ConfigMap shop/beside by force",
        ]
    else:
        with pytest.raises(Refused, match="kubectl"):
            planned(asked, world)


@pytest.fixture
def client_side(world: Fakes) -> Fakes:
    """The app's ConfigMap is there, and Helm merges."""
    live = config_map("beside") | {"data": {"old": "1"}}
    live["metadata"] |= {"namespace": NAMESPACE, "resourceVersion": "7"}
    world.cluster.objects[Ref("v1", "ConfigMap", NAMESPACE, "beside")] = live
    world.helm.rendered = replace(rendered(manifest(job(), config_map("beside"))), server_side=False)
    return world


CHANGED = Conflict("Operation cannot be fulfilled: the object has been modified", status=409)


def test_an_update_by_somebody_else_meanwhile_is_tried_again(asked: Request, client_side: Fakes) -> None:
    once(client_side, "dry-replace", CHANGED)
    planned(asked, client_side)
    assert applied(client_side) == ["dry-replace ConfigMap shop/beside"] * 2
    assert told(client_side) == []


def test_one_that_is_updated_all_the_time_is_told(asked: Request, client_side: Fakes) -> None:
    says(client_side, "dry-replace", CHANGED)
    planned(asked, client_side)
    (message,) = told(client_side)
    assert "ConfigMap shop/beside" in message
    assert "has been modified" in message


def test_whoever_may_patch_needs_no_update(asked: Request, client_side: Fakes) -> None:
    says(client_side, "dry-replace", NotAllowed("not allowed to update"))
    planned(asked, client_side)
    assert applied(client_side)[-1] == "dry-apply ConfigMap shop/beside by force"
    client_side.cluster.broken = lambda call: (
        NotAllowed("not allowed") if call.startswith(("dry-replace", "dry-apply")) else None
    )
    with pytest.raises(Refused, match="not allowed"):
        planned(replace(asked, workdir=asked.workdir / "2"), client_side)


def test_with_force_replace_the_whole_object_is_put(asked: Request, client_side: Fakes) -> None:
    bodies: list[Json] = []
    client_side.cluster.replace = lambda body, **how: bodies.append(body) or body  # type: ignore[method-assign,func-returns-value]
    planned(asked, client_side)
    client_side.helm.rendered = replace(client_side.helm.rendered, force_replace=True)
    planned(replace(asked, workdir=asked.workdir / "2"), client_side)
    assert ["data" in body for body in bodies] == [True, False]
    assert [body["metadata"]["resourceVersion"] for body in bodies] == ["7", "7"]


# ── kinds and namespaces that are still to come ──────────────────────────────────────────────────


def definition(kind: str = "Gadget") -> Json:
    names = {"plural": f"{kind.lower()}s", "kind": kind}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.lower()}s.example.com"},
        "spec": {"group": "example.com", "names": names, "versions": [{"name": "v1", "served": True}]},
    }


GADGET = config_map("g", "Gadget") | {"apiVersion": "example.com/v1"}
ELSEWHERE: Json = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "there", "namespace": "elsewhere"},
}
NO_KIND = NotFound("the API server has no kind Gadget in example.com/v1", status=404)
NO_NAMESPACE = NotFound('namespaces "elsewhere" not found', status=404)
RUNNER = hook(job("operator"), "pre-upgrade", weight=-2)

Chart = Callable[[], Rendered]


@pytest.mark.parametrize(
    ("chart", "fine"),
    [
        (rendered("", hook(GADGET, "pre-upgrade"), hook(job(), "pre-upgrade", weight=1)), False),
        (rendered("", hook(definition(), "pre-upgrade", weight=-1), hook(GADGET, "pre-upgrade"), hook(job(), "pre-upgrade")), True),
        (rendered("", hook(definition("Other"), "pre-upgrade", weight=-1), hook(GADGET, "pre-upgrade"), hook(job(), "pre-upgrade")), False),
        (rendered("", hook(job(), "pre-upgrade", weight=-1), hook(GADGET, "pre-upgrade")), True),
        (rendered(manifest(GADGET), hook(job(), "pre-upgrade")), True),
        (rendered(manifest(job(), GADGET)), True),
        (rendered(manifest(definition()), hook(GADGET, "post-upgrade"), hook(job(), "post-upgrade", weight=1)), True),
    ],
    ids=["nobody", "a hook before", "a hook of another kind", "a Job before may", "a Job before may, for the app", "the migration may", "the app, for what comes after"],
)  # fmt: skip
def test_a_kind_that_is_not_there_yet(asked: Request, world: Fakes, chart: Rendered, fine: bool) -> None:
    world.cluster.unserved = {("example.com/v1", "Gadget")}
    world.helm.rendered = chart
    says(world, "dry-create Gadget", NO_KIND)
    if fine:
        planned(asked, world)
        assert any("Gadget" in each for each in told(world))
    else:
        with pytest.raises(Refused, match="no kind Gadget"):
            planned(asked, world)


NAMESPACES = config_map("elsewhere", "Namespace")


@pytest.mark.parametrize(
    ("chart", "fine"),
    [
        (rendered("", hook(ELSEWHERE, "pre-upgrade"), hook(job(), "pre-upgrade", weight=1)), False),
        (rendered("", hook(NAMESPACES, "pre-upgrade", weight=-1), hook(ELSEWHERE, "pre-upgrade"), hook(job(), "pre-upgrade", weight=1)), True),
        (rendered(manifest(NAMESPACES), hook(ELSEWHERE, "pre-upgrade"), hook(job(), "pre-upgrade", weight=1)), False),
        (rendered(manifest(NAMESPACES), hook(ELSEWHERE, "post-upgrade"), hook(job(), "pre-upgrade")), True),
        (rendered("", hook(job(), "pre-upgrade", weight=-1), hook(ELSEWHERE, "pre-upgrade")), True),
    ],
    ids=["nobody", "a hook before", "the app, too late", "the app, for what comes after", "a Job before may"],
)  # fmt: skip
def test_a_namespace_that_is_not_there_yet(asked: Request, world: Fakes, chart: Rendered, fine: bool) -> None:
    world.helm.rendered = chart
    says(world, "dry-create ConfigMap elsewhere/there", NO_NAMESPACE)
    if fine:
        planned(asked, world)
        assert any("elsewhere" in each for each in told(world))
    else:
        with pytest.raises(Refused, match='"elsewhere" not found'):
            planned(asked, world)


@pytest.mark.parametrize("brought", [True, False])
def test_an_object_of_the_app_in_a_namespace_that_is_not_there(
    asked: Request, world: Fakes, brought: bool
) -> None:
    parts = [NAMESPACES] if brought else []
    world.helm.rendered = rendered(manifest(*parts, ELSEWHERE), hook(config_map("a"), "pre-upgrade"))
    world.helm.rendered = replace(world.helm.rendered, hooks=())
    asked = replace(asked, skip_migration=True)
    says(world, "dry-apply ConfigMap elsewhere/there", NO_NAMESPACE)
    if brought:
        planned(asked, world)
        assert any("elsewhere" in each for each in told(world))
    else:
        with pytest.raises(Refused, match='"elsewhere" not found'):
            planned(asked, world)


# ── preflight = "warn" ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("dry-create Job", Invalid("unknown field")),
        ("dry-create Job", full("count/jobs.batch")),
        ("dry-create Pod", Forbidden('violates PodSecurity "restricted"')),
        ("dry-create Job", WebhookFailed("failed calling webhook")),
    ],
)
def test_with_warn_what_is_refused_is_told_and_tried(
    asked: Request, world: Fakes, call: str, error: ApiError
) -> None:
    says(world, call, error)
    with pytest.raises(Refused):
        planned(asked, world)
    warning = configured(replace(asked, workdir=asked.workdir / "2"), preflight="warn")
    assert [step.name for step in planned(warning, world).before] == ["migrate"]
    (message,) = told(world)
    assert error.message in message
    assert "preflight" in message


def test_with_warn_a_permission_that_seems_to_miss_is_told(asked: Request, world: Fakes) -> None:
    world.cluster.forbidden = {"delete jobs"}
    planned(configured(asked, preflight="warn"), world)
    assert any("missing delete jobs" in each for each in told(world))


def test_with_warn_the_app_s_own_objects_and_what_is_missing_are_refused_all_the_same(
    asked: Request, world: Fakes
) -> None:
    asked = configured(asked, preflight="warn")
    world.helm.rendered = rendered(manifest(job(), config_map("beside")))
    says(world, "dry-apply ConfigMap", Invalid("immutable"))
    with pytest.raises(Refused, match="ConfigMap shop/beside"):
        planned(asked, world)
    world.cluster.broken = lambda call: None
    needy = {"containers": [{"name": "c", "image": "shop:v2", "envFrom": [{"secretRef": {"name": "s"}}]}]}
    world.helm.rendered = rendered(manifest(job(pod=needy)))
    with pytest.raises(Refused, match="does not exist"):
        planned(replace(asked, workdir=asked.workdir / "2"), world)


# ── crds/ ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def first(asked: Request, world: Fakes) -> Request:
    """A first install of a chart whose `crds/` bring Gadgets."""
    (Path(asked.chart) / "crds").mkdir()
    (Path(asked.chart) / "crds/gadget.yaml").write_text("brought\n")
    world.helm.revisions = []
    world.helm.crds = manifest(definition())
    world.helm.rendered = rendered(manifest(job(), GADGET), revision=1)
    world.cluster.unserved = {("example.com/v1", "Gadget")}
    return asked


def test_what_crds_bring_is_planned_and_what_needs_it_is_no_worry_yet(first: Request, world: Fakes) -> None:
    plan = planned(first, world)
    assert [each.ref.name for each in plan.definitions] == ["gadgets.example.com"]
    assert told(world) == [], "all of it is told once they are there"
    assert "dry-create CustomResourceDefinition gadgets.example.com" in world.cluster.calls


@pytest.mark.parametrize("why", ["an upgrade", "--skip-crds", "they are there", "no crds/"])
def test_nothing_is_brought(first: Request, world: Fakes, why: str) -> None:
    world.helm.rendered = rendered(manifest(job()), revision=1)
    match why:
        case "an upgrade":
            world.helm.revisions = a_release().helm.revisions
            world.helm.rendered = rendered(manifest(job()))
        case "--skip-crds":
            first = configured(first, helm_args=("--skip-crds",))
        case "they are there":
            world.cluster.unserved = set()
        case _:
            (Path(first.chart) / "crds/gadget.yaml").unlink()
    assert planned(first, world).definitions == ()


def test_whoever_may_not_create_definitions_is_refused_with_what_to_do(first: Request, world: Fakes) -> None:
    world.cluster.forbidden = {"create customresourcedefinitions"}
    with pytest.raises(
        Refused, match=r"not allowed to create CustomResourceDefinition gadgets\.example\.com"
    ) as refused:
        planned(first, world)
    assert "--skip-crds" in str(refused.value.hint)


def test_a_definition_that_is_not_accepted_is_refused(first: Request, world: Fakes) -> None:
    says(world, "dry-create CustomResourceDefinition", Invalid("spec.names.plural: Required value"))
    with pytest.raises(Refused, match=r"CustomResourceDefinition gadgets.*Required value"):
        planned(first, world)


def test_the_documents_of_crds_may_be_several_in_a_file(first: Request, world: Fakes) -> None:
    world.helm.crds = manifest(definition()) + "".join(
        each.text.join(("---\n", "\n")) for each in split(manifest(definition("Other")))
    )
    world.cluster.unserved.add(("example.com/v1", "Other"))
    assert len(planned(first, world).definitions) == 2
