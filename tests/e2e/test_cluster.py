"""The cluster adapter against a real API server."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import Sandbox
from shipit.cli.clock import SystemClock
from shipit.cluster import KubeCluster, connect
from shipit.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Unauthorized, Unreachable
from shipit.model import Json, Pod, Ref
from tests.e2e.kit import Kube

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MISSING_IMAGE = "registry.sandbox/busybox:no-such-tag"
IMAGE = "registry.sandbox/busybox:v1"


@pytest.fixture
def cluster(sandbox: Sandbox) -> KubeCluster:
    return connect(kubeconfig=str(sandbox.kubeconfig), context=sandbox.context or None, clock=SystemClock())


def a_job(
    namespace: str, script: str = "true", *, image: str = IMAGE, run: str = "r1", grace: int = 1
) -> Json:
    container = {"name": "m", "image": image, "command": ["sh", "-c", script]}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": grace, "containers": [container]}
    notes = {"shipit/run": run, "shipit/hash": "h"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "namespace": namespace, "annotations": notes},
        "spec": {"backoffLimit": 0, "template": {"spec": spec}},
    }


def ref(namespace: str, name: str = "migrate") -> Ref:
    return Ref("batch/v1", "Job", namespace, name)


def uid_of(body: Json) -> str:
    return str(body["metadata"]["uid"])


def until(holds: Callable[[], bool], within: float = 60.0) -> None:
    clock = SystemClock()
    end = clock.monotonic() + within
    while not holds():
        assert clock.monotonic() < end
        clock.sleep(0.1)


def test_a_job_is_made_once_followed_by_its_alarm_and_deleted_with_its_pods(
    cluster: KubeCluster, kube: Kube
) -> None:
    body = cluster.create(a_job(kube.namespace, "sleep 1; echo done"))
    with pytest.raises(AlreadyExists):
        cluster.create(a_job(kube.namespace, run="r2"))
    with pytest.raises(AlreadyExists):
        cluster.create(a_job(kube.namespace, run="r2"), dry_run=True)
    selector = f"controller-uid={uid_of(body)}"
    changes, woken = cluster.changes(kube.namespace, selector), 0
    while not (job := cluster.job(kube.namespace, "migrate")) or not job.complete:
        woken += changes.wait(5)
    changes.close()
    assert woken >= 3
    assert (job.run, job.succeeded, job.uid) == ("r1", 1, uid_of(body))
    (pod,) = cluster.pods(kube.namespace, selector)
    assert pod.complete
    assert pod.owner_uid == job.uid
    assert pod.containers[0].image_id.startswith("registry.sandbox/busybox@sha256:")
    assert [event.reason for event in cluster.events(kube.namespace, job.uid)][-1] == "Completed"
    assert abs((cluster.now() - job.created).total_seconds()) < 60
    cluster.delete(ref(kube.namespace), uid=job.uid)
    until(lambda: cluster.job(kube.namespace, "migrate") is None)
    assert cluster.pods(kube.namespace, selector) == ()
    cluster.delete(ref(kube.namespace), uid=job.uid)


def test_the_alarm_rings_for_a_job_that_has_labels_of_its_own(cluster: KubeCluster, kube: Kube) -> None:
    """The Job's controller-uid label is there only when the Job has no other: it is known by its UID."""
    manifest = a_job(kube.namespace, image=MISSING_IMAGE)
    manifest["metadata"]["labels"] = {"shipit/release": "shop"}
    manifest["spec"]["suspend"] = True
    uid = uid_of(cluster.create(manifest))
    changes = cluster.changes(kube.namespace, f"controller-uid={uid}")
    while changes.wait(2):
        pass
    cluster.patch(ref(kube.namespace), {"metadata": {"annotations": {"a": "b"}}}, uid=uid)
    assert changes.wait(5)
    changes.close()


def test_a_successor_is_neither_deleted_nor_patched(cluster: KubeCluster, kube: Kube) -> None:
    first = uid_of(cluster.create(a_job(kube.namespace, "sleep 1000")))
    cluster.delete(ref(kube.namespace), uid=first)
    until(lambda: cluster.job(kube.namespace, "migrate") is None)
    second = uid_of(cluster.create(a_job(kube.namespace, "sleep 1000")))
    with pytest.raises(Conflict):
        cluster.delete(ref(kube.namespace), uid=first)
    with pytest.raises(Conflict):
        cluster.patch(ref(kube.namespace), {"spec": {"suspend": True}}, uid=first)
    job = cluster.job(kube.namespace, "migrate")
    assert job is not None
    assert (job.uid, job.deleting, job.suspended) == (second, False, False)


def test_a_replace_is_a_compare_and_swap(cluster: KubeCluster, kube: Kube) -> None:
    lease: Json = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "shipit-shop", "namespace": kube.namespace},
        "spec": {"holderIdentity": "a"},
    }
    body = cluster.create(lease)
    newer = cluster.replace({**body, "spec": {"holderIdentity": "b"}})
    with pytest.raises(Conflict):
        cluster.replace({**body, "spec": {"holderIdentity": "c"}})
    assert newer["spec"]["holderIdentity"] == "b"
    found = cluster.get(Ref("coordination.k8s.io/v1", "Lease", kube.namespace, "shipit-shop"))
    assert found is not None
    assert found["spec"]["holderIdentity"] == "b"


def test_a_suspended_jobs_pod_that_never_started_is_proven_so(cluster: KubeCluster, kube: Kube) -> None:
    uid = uid_of(cluster.create(a_job(kube.namespace, image=MISSING_IMAGE)))
    selector = f"controller-uid={uid}"
    until(
        lambda: any(
            each.containers[0].reason == "ErrImagePull" for each in cluster.pods(kube.namespace, selector)
        )
    )
    last = suspended(cluster, kube.namespace, uid)
    assert last is not None
    assert len(last) == 1
    assert not last[0].ever_started


def test_a_suspended_jobs_pod_that_ran_is_known_to_have_run(cluster: KubeCluster, kube: Kube) -> None:
    uid = uid_of(cluster.create(a_job(kube.namespace, "sleep 1000")))
    selector = f"controller-uid={uid}"
    until(lambda: any(each.ever_started for each in cluster.pods(kube.namespace, selector)))
    last = suspended(cluster, kube.namespace, uid)
    assert last is not None
    assert [each.ever_started for each in last] == [True]


def test_a_pod_that_goes_without_any_grace_proves_nothing(cluster: KubeCluster, kube: Kube) -> None:
    """The API server forgets it at once, whatever its container does: the kubelet isn't asked."""
    uid = uid_of(cluster.create(a_job(kube.namespace, image=MISSING_IMAGE, grace=0)))
    selector = f"controller-uid={uid}"
    until(
        lambda: any(
            each.containers[0].reason == "ErrImagePull" for each in cluster.pods(kube.namespace, selector)
        )
    )
    assert suspended(cluster, kube.namespace, uid) is None


def test_a_job_without_pods_is_proven_so(cluster: KubeCluster, kube: Kube) -> None:
    manifest = a_job(kube.namespace)
    manifest["spec"]["suspend"] = True
    assert suspended(cluster, kube.namespace, uid_of(cluster.create(manifest))) == ()


def suspended(cluster: KubeCluster, namespace: str, uid: str) -> tuple[Pod, ...] | None:
    with cluster.departures(namespace, f"controller-uid={uid}") as departures:
        cluster.patch(ref(namespace), {"spec": {"suspend": True}}, uid=uid)
        until(
            lambda: (
                (job := cluster.job(namespace, "migrate")) is not None and bool(job.condition("Suspended"))
            )
        )
        return departures.wait(30)


def test_what_the_api_server_rejects_is_told_in_its_words(cluster: KubeCluster, kube: Kube) -> None:
    with pytest.raises(Invalid, match="restartPolicy") as caught:
        cluster.create({**a_job(kube.namespace), "spec": {"template": {"spec": {}}}})
    assert len(caught.value.details) >= 2
    with pytest.raises(NotFound, match='namespaces "no-such" not found'):
        cluster.create(a_job("no-such"))
    with pytest.raises(NotFound, match=r"has no kind Widget in example\.com/v1"):
        cluster.create({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "x"}})
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls"}
    meta = {"name": "s", "namespace": kube.namespace}
    data = {"tls.crt": base64.b64encode(b"hunter2").decode()}
    with pytest.raises(Invalid) as caught:
        cluster.create({**secret, "metadata": meta, "data": data})
    assert "hunter2" not in caught.value.message
    assert data["tls.crt"] not in caught.value.message


def test_a_kind_that_the_chart_brings_is_known_once_it_is_there(cluster: KubeCluster, kube: Kube) -> None:
    group = f"{kube.namespace}.example.com"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget"}
    definition: Json = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
    assert cluster.namespaced(f"{group}/v1", "Widget") is None
    made = cluster.create(definition)
    try:
        until(lambda: cluster.namespaced(f"{group}/v1", "Widget") is True)
        widget = {"apiVersion": f"{group}/v1", "kind": "Widget"}
        meta = {"name": "w", "namespace": kube.namespace, "labels": {"a": "b"}}
        until(lambda: served(cluster, {**widget, "metadata": meta}))
        assert [
            each["metadata"]["name"] for each in cluster.find(f"{group}/v1", "Widget", kube.namespace, "a=b")
        ] == ["w"]
    finally:
        where = Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", f"widgets.{group}")
        cluster.delete(where, uid=uid_of(made))


def served(cluster: KubeCluster, body: Json) -> bool:
    """A new kind is listed a moment before it can be written."""
    try:
        cluster.create(body)
    except NotFound:
        return False
    return True


def test_an_apply_is_helms_and_a_rollout_is_counted(cluster: KubeCluster, kube: Kube) -> None:
    labels = {"app": "web"}
    body: Json = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": kube.namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{"name": "web", "image": IMAGE, "command": ["sleep", "1000"]}],
                },
            },
        },
    }
    assert uid_of(cluster.apply(body, dry_run=True))
    web = Ref("apps/v1", "Deployment", kube.namespace, "web")
    assert cluster.workload(web) is None
    made = cluster.apply(body)
    assert {each["manager"] for each in made["metadata"]["managedFields"]} == {"helm"}

    def done() -> bool:
        found = cluster.workload(web)
        return found is not None and found.done

    until(done)
    workload = cluster.workload(web)
    assert workload is not None
    pods = cluster.pods(kube.namespace, workload.selector)
    assert {pod.labels["pod-template-hash"] for pod in pods} == {workload.pod_hash}
    body["spec"]["template"]["spec"]["containers"][0]["image"] = MISSING_IMAGE
    cluster.apply(body)
    until(lambda: (now := cluster.workload(web)) is not None and now.observed and now.updated > 0)
    stuck = cluster.workload(web)
    assert stuck is not None
    assert not stuck.done
    assert stuck.available < 2
    assert stuck.pod_hash != workload.pod_hash


# ── credentials ──────────────────────────────────────────────────────────────────────────────────


def kubeconfig(sandbox: Sandbox, folder: Path, user: Json, **cluster: object) -> Path:
    """The sandbox's, with another user, or with another idea of the server."""
    admin = Kube(sandbox, "default").kubectl("config", "view", "--raw", "--flatten", "--minify", "-o", "json")
    body = json.loads(admin)
    body["users"][0]["user"] = user or body["users"][0]["user"]
    server = body["clusters"][0]["cluster"] | cluster
    body["clusters"][0]["cluster"] = {key: value for key, value in server.items() if value is not None}
    path = folder / "kubeconfig"
    path.write_text(json.dumps(body), encoding="utf-8")
    return path


def test_an_account_without_rights_is_told_what_it_lacks(
    sandbox: Sandbox, kube: Kube, tmp_path: Path
) -> None:
    kube.kubectl("create", "serviceaccount", "weak")
    token = kube.kubectl("create", "token", "weak").strip()
    weak = connect(
        kubeconfig=str(kubeconfig(sandbox, tmp_path, {"token": token})), context=None, clock=SystemClock()
    )
    assert weak.check().startswith("v1.")
    assert not weak.may("create", "batch", "jobs", kube.namespace)
    with pytest.raises(Forbidden, match=r"^not allowed to get jobs\.batch in namespace") as caught:
        weak.job(kube.namespace, "migrate")
    assert token not in caught.value.message
    assert str(caught.value.hint).startswith(f"kubectl auth can-i get jobs.batch -n {kube.namespace}")
    kube.kubectl(
        "create", "rolebinding", "weak", "--clusterrole=view", f"--serviceaccount={kube.namespace}:weak"
    )
    until(lambda: weak.may("get", "", "pods/log", kube.namespace))


def test_a_token_that_is_not_known(sandbox: Sandbox, tmp_path: Path) -> None:
    path = kubeconfig(sandbox, tmp_path, {"token": "sesame-opens"})
    stranger = connect(kubeconfig=str(path), context=None, clock=SystemClock())
    with pytest.raises(Unauthorized, match="does not accept the credentials") as caught:
        stranger.check()
    assert "sesame" not in caught.value.message


def test_a_certificate_that_is_not_trusted_is_no_reason_to_wait(sandbox: Sandbox, tmp_path: Path) -> None:
    path = kubeconfig(sandbox, tmp_path, {}, **{"certificate-authority-data": None})
    clock = SystemClock()
    cluster = connect(kubeconfig=str(path), context=None, clock=clock)
    began = clock.monotonic()
    with pytest.raises(Unreachable, match="certificate is not trusted") as caught:
        cluster.check()
    assert clock.monotonic() - began < 5
    assert "_ssl.c" not in caught.value.message
