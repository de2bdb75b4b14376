"""A migration without a template: the Job that is made from a workload, and what Helm gets when it is lifted."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shipit.config import MigrationSpec, Request
from shipit.errors import Refused
from shipit.events import Warned
from shipit.model import Json, Plan, Ref, Values
from shipit.plan.from_workload import job_name
from tests.fakes import NAMESPACE, Fakes
from tests.releases import a_release, a_request, hook, job, manifest, planned, rendered

LABELS = {"app": "shop", "tier": "web", "azure.workload.identity/use": "true"}

WEB: Json = {
    "name": "web",
    "image": "shop:v2",
    "command": ["serve"],
    "args": ["--port", "80"],
    "env": [{"name": "MODE", "value": "web"}],
    "envFrom": [{"configMapRef": {"name": "settings", "optional": True}}],
    "ports": [{"containerPort": 80, "hostPort": 80}],
    "livenessProbe": {"httpGet": {"port": 80}},
    "readinessProbe": {"httpGet": {"port": 80}},
    "startupProbe": {"httpGet": {"port": 80}},
    "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
    "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}],
    "resources": {"limits": {"memory": "1Gi"}},
    "securityContext": {"runAsUser": 1000},
    "volumeMounts": [{"name": "config", "mountPath": "/config"}],
}
PROXY: Json = {
    "name": "proxy",
    "image": "proxy:1",
    "restartPolicy": "Always",
    "ports": [{"name": "db", "containerPort": 5432, "hostPort": 5432}],
    "startupProbe": {"tcpSocket": {"port": "db"}},
}
WAIT: Json = {"name": "wait-for-db", "image": "busybox:1"}
RENDER: Json = {
    "name": "render",
    "image": "busybox:1",
    "volumeMounts": [{"name": "config", "mountPath": "/out"}],
}
MIGRATE: Json = {"name": "migrate", "image": "shop:v2", "command": ["migrate"], "args": ["--all"]}


def deployment(kind: str = "Deployment", name: str = "shop", **more: Any) -> Json:
    """`more` are fields of the pod's spec; `containers` and `inits` are its containers."""
    containers, inits = more.pop("containers", [WEB]), more.pop("inits", [])
    spec = {
        "serviceAccountName": "default",
        "securityContext": {"fsGroup": 2000},
        "volumes": [{"name": "config", "emptyDir": {}}, {"name": "unused", "emptyDir": {}}],
        "containers": containers,
        **({"initContainers": inits} if inits else {}),
        **more,
    }
    template = {
        "metadata": {"labels": LABELS, "annotations": {"checksum": "1", "helm.sh/x": "y"}},
        "spec": spec,
    }
    body: Json = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}}
    match kind:
        case "CronJob":
            return body | {
                "apiVersion": "batch/v1",
                "spec": {"jobTemplate": {"spec": {"template": template}}},
            }
        case "Pod":
            return {
                **template,
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {**template["metadata"], "name": name},
            }
    return body | {
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "shop"}}, "template": template}
    }


def service(name: str = "shop", **selector: str) -> Json:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"selector": selector}}


@pytest.fixture
def world() -> Fakes:
    return a_release()


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return a_request(tmp_path)


def made(asked: Request, world: Fakes, *bodies: Json, live: tuple[Json, ...] = (), **keys: Any) -> Plan:
    world.helm.rendered = rendered(manifest(*bodies, template="app"))
    world.helm.manifests = {1: manifest(*live, template="app")} if live else {}
    spec = MigrationSpec(**({"name": "migrate", "workload": "deployment/shop"} | keys))
    folder = Path(tempfile.mkdtemp(dir=asked.workdir))
    return planned(replace(asked, migrations=(spec,), workdir=folder), world)


def pod_of(plan: Plan) -> Json:
    (step,) = plan.before
    found: Json = step.manifest["spec"]["template"]["spec"]
    return found


def told(world: Fakes) -> list[str]:
    found = [each.message for each in world.told.of(Warned)]
    world.told.events.clear()
    return found


# ── the Job ──────────────────────────────────────────────────────────────────────────────────────


def test_the_job_is_the_container_without_what_makes_it_serve(asked: Request, world: Fakes) -> None:
    app = deployment(nodeSelector={"disk": "ssd"}, imagePullSecrets=[{"name": "pull"}], terminationGracePeriodSeconds=0, topologySpreadConstraints=[{"maxSkew": 1}], hostname="web", affinity={"nodeAffinity": {"a": 1}, "podAntiAffinity": {"b": 2}})  # fmt: skip
    plan = made(asked, world, app)
    (step,) = plan.before
    assert (step.name, step.ref, step.migration) == ("migrate", Ref("batch/v1", "Job", NAMESPACE, "shop-migrate"), True)  # fmt: skip
    assert {k: v for k, v in step.manifest["spec"].items() if k != "template"} == {"backoffLimit": 0, "podReplacementPolicy": "Failed"}  # fmt: skip
    kept = (
        "name",
        "image",
        "command",
        "args",
        "env",
        "envFrom",
        "resources",
        "securityContext",
        "volumeMounts",
    )
    assert pod_of(plan) == {
        "restartPolicy": "Never",
        "serviceAccountName": "default",
        "securityContext": {"fsGroup": 2000},
        "nodeSelector": {"disk": "ssd"},
        "imagePullSecrets": [{"name": "pull"}],
        "affinity": {"nodeAffinity": {"a": 1}},
        "volumes": [{"name": "config", "emptyDir": {}}],
        "containers": [{key: WEB[key] for key in kept}],
    }
    assert step.manifest["spec"]["template"]["metadata"]["annotations"] == {"checksum": "1"}
    assert [each.body for each in plan.app] == [app], "Helm gets the workload as it is"
    assert told(world) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [("Deployment", "deploy/shop"), ("StatefulSet", "sts/shop"), ("DaemonSet", "ds/shop"), ("CronJob", "cj/shop"), ("Pod", "pod/shop")],
)  # fmt: skip
def test_every_kind_of_workload_serves(asked: Request, world: Fakes, kind: str, text: str) -> None:
    plan = made(asked, world, deployment(kind), workload=text)
    assert [each["image"] for each in pod_of(plan)["containers"]] == ["shop:v2"]
    assert [each.ref.title for each in plan.app] == [f"{kind} shop"]


@pytest.mark.parametrize(
    ("keys", "command", "args"),
    [
        ({}, ["serve"], ["--port", "80"]),
        ({"command": ("alembic", "upgrade")}, ["alembic", "upgrade"], None),
        ({"args": ("migrate",)}, ["serve"], ["migrate"]),
        ({"args": ()}, ["serve"], []),
        ({"command": ("alembic",), "args": ("upgrade",)}, ["alembic"], ["upgrade"]),
    ],
)
def test_a_command_leaves_none_of_the_old_arguments_behind(
    asked: Request, world: Fakes, keys: Json, command: list[str], args: list[str] | None
) -> None:
    (container,) = pod_of(made(asked, world, deployment(), **keys))["containers"]
    assert (container["command"], container.get("args")) == (command, args)


def test_resources_and_retries_are_as_the_file_says(asked: Request, world: Fakes) -> None:
    more = {"requests": {"memory": "2Gi"}}
    plan = made(asked, world, deployment(resources={"limits": {"cpu": 4}}), resources=more, retries=2)
    assert (pod_of(plan)["containers"][0]["resources"], "resources" in pod_of(plan)) == (more, False)
    spec = plan.before[0].manifest["spec"]
    assert (spec["backoffLimit"], spec["podReplacementPolicy"]) == (2, "Failed")


def test_of_the_other_containers_sidecars_stay_and_what_prepares_its_volumes(
    asked: Request, world: Fakes
) -> None:
    nginx = {"name": "nginx", "image": "nginx:1"}
    pod = pod_of(made(asked, world, deployment(inits=[WAIT, RENDER, PROXY], containers=[WEB, nginx])))
    assert pod["initContainers"] == [RENDER, {**PROXY, "ports": [{"name": "db", "containerPort": 5432}]}]
    (warning,) = told(world)
    assert warning == (
        "Job shop-migrate is made from container web of Deployment shop without its other containers: "
        "wait-for-db, nginx"
    )


def test_what_prepares_a_volume_for_what_prepares_one_stays_too(asked: Request, world: Fakes) -> None:
    def init(name: str, *mounts: str, read_only: bool = False) -> Json:
        rest = {"readOnly": True} if read_only else {}
        return {"name": name, "image": "x:1", "volumeMounts": [{"name": each, "mountPath": f"/{each}", **rest} for each in mounts]}  # fmt: skip

    volumes: list[Json] = [{"name": name, "emptyDir": {}} for name in ("config", "keys", "other")]
    volumes += [{"name": "fixed", "configMap": {"name": "x", "optional": True}}]
    inits = [init("keys", "keys", "fixed"), init("reads", "config", read_only=True), init("other", "other", "fixed"), init("render", "keys", "config", "fixed")]  # fmt: skip
    pod = pod_of(made(asked, world, deployment(inits=inits, volumes=volumes)))
    assert [each["name"] for each in pod["initContainers"]] == ["keys", "render"]
    assert [each["name"] for each in pod["volumes"]] == ["config", "keys", "fixed"]


def test_an_init_container_that_migrates_is_made_the_job_s_only_one(asked: Request, world: Fakes) -> None:
    app = deployment(inits=[WAIT, MIGRATE, RENDER], containers=[WEB])
    plan = made(asked, world, app, container="migrate")
    assert pod_of(plan)["containers"] == [MIGRATE]
    assert "initContainers" not in pod_of(plan)
    assert [each.body for each in plan.app] == [app]
    assert told(world) == [
        "Job shop-migrate is made from init container migrate of Deployment shop without its other containers: wait-for-db",
        "init container migrate of Deployment shop still runs in each of the app's pods, after the migration",
    ]


def test_the_pods_carry_no_label_that_the_app_s_objects_select_and_keep_the_others(
    asked: Request, world: Fakes
) -> None:
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "x"}, "spec": {"selector": {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["web", "api"]}]}}}  # fmt: skip
    by_app = {"podSelector": {"matchLabels": {"app": "shop"}}}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "db"}, "spec": {"ingress": [{"from": [by_app]}]}}  # fmt: skip

    def labels(*more: Json, live: tuple[Json, ...] = ()) -> Json:
        (step,) = made(asked, world, deployment(), *more, live=live).before
        found: Json = step.manifest["spec"]["template"]["metadata"].get("labels", {})
        return found

    identity = {"azure.workload.identity/use": "true"}
    assert labels() == {"tier": "web"} | identity
    assert labels(service(tier="web")) == identity
    assert labels(budget) == identity
    assert labels(service(tier="worker", app="shop")) == {"tier": "web"} | identity
    assert labels(live=(service(tier="web"),)) == identity, "the live app's pods serve while it runs"
    assert told(world) == []
    labels(policy)
    assert told(world) == ["Job shop-migrate does not carry the labels by which NetworkPolicy db lets the app's pods through"]  # fmt: skip


def test_its_name_is_short_enough_and_nobody_else_s(asked: Request, world: Fakes) -> None:
    assert job_name("shop", "migrate") == "shop-migrate"
    assert job_name("Shop.v1", "Seed_1") == "shop-v1-seed-1"
    long = job_name("s" * 60, "migrate")
    assert len(long) <= 63
    assert long != job_name("s" * 60, "migrated")
    plan = made(asked, world, deployment(), job("shop-migrate"))
    assert [step.ref.name for step in plan.before] == ["shop-migrate-2"]
    world.helm.rendered = rendered(manifest(deployment()), hook(job("shop-migrate"), "pre-upgrade"))
    fresh = replace(asked, migrations=(MigrationSpec(name="migrate", workload="deploy/shop"),))
    assert [step.ref.name for step in planned(fresh, world).before] == ["shop-migrate", "shop-migrate-2"]


def test_a_live_job_of_that_name_is_handed_over(asked: Request, world: Fakes) -> None:
    plan = made(asked, world, deployment(), live=(deployment(), job("shop-migrate", tag="v1")))
    assert [ref.name for ref in plan.previous_jobs] == ["shop-migrate"]
    assert plan.handover is not None


# ── what is not there ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("keys", "words", "hint"),
    [
        ({"workload": "deployment/shpo"}, "the chart renders no Deployment shpo", 'did you mean from = "deployment/shop"?'),
        ({"workload": "sts/shop"}, "the chart renders no StatefulSet shop", "set from"),
        ({"container": "wbe"}, "Deployment shop has no container wbe", 'did you mean container = "web"?'),
    ],
)  # fmt: skip
def test_a_workload_or_container_that_is_not_there_is_refused_with_those_that_are(
    asked: Request, world: Fakes, keys: Json, words: str, hint: str
) -> None:
    with pytest.raises(Refused, match=words) as refused:
        made(asked, world, deployment(inits=[MIGRATE]), service(app="shop"), **keys)
    assert hint in str(refused.value.hint)
    assert refused.value.details == (
        ("init container migrate", "container web") if "container" in keys else ("Deployment shop",)
    )


def test_the_tag_must_be_in_it_because_it_was_set(asked: Request, world: Fakes) -> None:
    own = {**WEB, "image": "flyway:10"}
    with pytest.raises(Refused, match="the tag v2 is not in the image of the migration"):
        made(asked, world, deployment(containers=[own]))
    made(asked, world, deployment(containers=[own]), require_tag=False)
    asked = replace(asked, values=Values(set_string=("other=v2",)))
    with pytest.raises(Refused, match="it reads v2 because the chart says so"):
        made(asked, world, deployment())


# ── lifting ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Pod"])
def test_what_is_lifted_is_left_out_of_what_helm_gets(asked: Request, world: Fakes, kind: str) -> None:
    app = deployment(kind, inits=[MIGRATE, RENDER])
    text = f"{kind.lower()}/shop"
    plan = made(asked, world, app, service(app="shop"), workload=text, container="migrate", lift=True)
    want = deployment(kind, inits=[RENDER])
    assert [each.body for each in plan.app] == [want, service(app="shop")]
    assert "helm upgrade without shipit puts it back" in told(world)[-1]
    (only,) = made(asked, world, deployment(kind, inits=[MIGRATE]), workload=text, container="migrate", lift=True).app  # fmt: skip
    assert only.body == deployment(kind)


@pytest.mark.parametrize(
    ("inits", "keys", "words"),
    [
        ([RENDER], {"container": "render"}, "it may write to volume config, which container web mounts"),
        ([PROXY], {"container": "proxy"}, "it keeps running beside the others"),
        ([MIGRATE], {}, "it is the app"),
    ],
)
def test_what_the_app_s_pods_need_is_not_lifted(
    asked: Request, world: Fakes, inits: list[Json], keys: Json, words: str
) -> None:
    with pytest.raises(Refused, match=words):
        made(asked, world, deployment(inits=inits), lift=True, require_tag=False, **keys)


def test_a_volume_that_it_only_reads_is_no_reason_to_leave_it(asked: Request, world: Fakes) -> None:
    reads = copy.deepcopy(RENDER)
    reads["volumeMounts"][0]["readOnly"] = True
    plan = made(asked, world, deployment(inits=[reads]), lift=True, require_tag=False, container="render")
    assert "initContainers" not in plan.app[0].body["spec"]["template"]["spec"]


# ── claims ───────────────────────────────────────────────────────────────────────────────────────


def claimed(world: Fakes, name: str, *modes: str, pod: str = "") -> None:
    ref = Ref("v1", "PersistentVolumeClaim", NAMESPACE, name)
    world.cluster.objects[ref] = {"apiVersion": "v1", "kind": ref.kind, "metadata": {"name": name}, "spec": {"accessModes": list(modes)}}  # fmt: skip
    if pod:
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]
        world.cluster.objects[Ref("v1", "Pod", NAMESPACE, pod)] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod}, "spec": {"nodeName": "node-1", "volumes": volumes}, "status": {"phase": "Running"}}  # fmt: skip


def stateful(replicas: int = 1) -> Json:
    web = {**WEB, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    body = deployment("StatefulSet", containers=[web])
    body["spec"] |= {"volumeClaimTemplates": [{"metadata": {"name": "data"}}], "replicas": replicas}
    return body


def test_a_statefulset_s_claim_is_that_of_its_first_replica_or_an_empty_volume(
    asked: Request, world: Fakes
) -> None:
    plan = made(asked, world, stateful(), workload="sts/shop")
    assert pod_of(plan)["volumes"] == [{"name": "data", "emptyDir": {}}]
    assert "what it writes there is lost" in told(world)[0]

    claimed(world, "data-shop-0", "ReadWriteMany")
    plan = made(asked, world, stateful(), workload="sts/shop")
    assert pod_of(plan)["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-shop-0"}}
    ]
    assert told(world) == []
    made(asked, world, stateful(3), workload="sts/shop")
    assert told(world) == ["Job shop-migrate takes volume data from the first replica of StatefulSet shop: claim data-shop-0"]  # fmt: skip


def test_a_claim_that_one_node_has_to_itself_is_said_with_who_has_it(asked: Request, world: Fakes) -> None:
    volumes = [{"name": "config", "persistentVolumeClaim": {"claimName": "files"}}]
    claimed(world, "files", "ReadWriteOnce")
    made(asked, world, deployment(volumes=volumes))
    assert told(world) == [], "nobody uses it"
    claimed(world, "files", "ReadWriteOnce", pod="shop-x")
    made(asked, world, deployment(volumes=volumes))
    (warning,) = told(world)
    assert "PersistentVolumeClaim files, which Pod shop-x uses on node node-1" in warning
    claimed(world, "files", "ReadWriteMany", "ReadWriteOnce", pod="shop-x")
    made(asked, world, deployment(volumes=volumes))
    assert told(world) == []
    claimed(world, "files", "ReadWriteOncePod", pod="shop-x")
    with pytest.raises(Refused, match="Pod shop-x has to itself"):
        made(asked, world, deployment(volumes=volumes))
