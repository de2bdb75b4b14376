"""What the cluster is asked, and what becomes of its answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shipit.cluster import KubeCluster, connect
from shipit.errors import Invalid, NotFound, Unreachable
from shipit.model import Cluster, Ref
from tests.scripted_api import (
    Api,
    Fault,
    Handler,
    Json,
    kubeconfig,
    missing,
    refuses,
    says,
    serving,
    serving_securely,
)

PODS = "/api/v1/namespaces/shop/pods"
WEB = Ref("apps/v1", "Deployment", "shop", "web")


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as found:
        yield found


@pytest.fixture
def cluster(api: Api, tmp_path: Path) -> Iterator[KubeCluster]:
    path = kubeconfig(tmp_path, api.address)
    made = connect(kubeconfig=str(path), context=None, clock=api.clock)
    yield made
    made.close()


def a_list(kind: str, *items: Json, **meta: str) -> Json:
    return {"kind": f"{kind}List", "metadata": meta, "items": list(items)}


def test_it_is_the_cluster_that_a_deploy_talks_to(cluster: KubeCluster) -> None:
    seen: Cluster = cluster
    assert (seen.context, cluster.default_namespace) == ("here", "shop")


def test_the_token_is_sent_and_the_version_is_read(tmp_path: Path) -> None:
    with serving_securely(tmp_path) as api:
        api.on("GET /version", says({"major": "1", "gitVersion": "v1.34.4"}))
        path = kubeconfig(tmp_path, api.address, **api.trust)
        cluster = connect(kubeconfig=str(path), context=None, clock=api.clock)
        assert cluster.check() == "v1.34.4"
        assert api.asked[0].headers["authorization"] == "Bearer sesame-opens"
        assert api.asked[0].headers["User-Agent"] == "shipit"
        cluster.close()


def test_no_server_that_is_spoken_to_in_clear_gets_the_token(api: Api, cluster: KubeCluster) -> None:
    """As with kubectl and helm: behind `kubectl proxy` the proxy's user counts, for all three."""
    api.on("GET /version", says({"gitVersion": "v1"}))
    cluster.check()
    assert not any("authorization" in map(str.lower, request.headers) for request in api.asked)


def test_the_time_is_the_servers_and_goes_on_with_our_clock(api: Api, cluster: KubeCluster) -> None:
    assert cluster.now() == api.clock.now()
    api.on("GET", dated("Mon, 02 Mar 2026 18:00:00 GMT"))
    cluster.check()
    api.clock.seconds += 5
    assert cluster.now() == datetime(2026, 3, 2, 18, 0, 5, tzinfo=UTC)


def dated(moment: str) -> Fault:
    def fault(handler: Handler) -> None:
        body = b'{"gitVersion": "v1"}'
        handler.send_response_only(200)
        handler.send_header("Date", moment)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return fault


def test_an_object_of_any_kind_is_looked_up_by_discovery_once(api: Api, cluster: KubeCluster) -> None:
    widget = {"kind": "Widget", "apiVersion": "example.com/v1", "metadata": {"name": "w"}}
    group = {"name": "example.com", "versions": [{"groupVersion": "example.com/v1"}]}
    served = [
        {"name": "widgets/status", "kind": "Widget", "namespaced": True},
        {"name": "widgets", "kind": "Widget", "namespaced": True},
        {"name": "fleets", "kind": "Fleet", "namespaced": False},
    ]
    api.on("GET /apis", says({"kind": "APIGroupList", "groups": [group]}))
    api.on("GET /apis/example.com/v1", says({"kind": "APIResourceList", "resources": served}))
    api.on("GET /apis/example.com/v1/namespaces/shop/widgets/w", says(widget))
    api.on("GET /apis/example.com/v1/fleets/f", missing())
    assert cluster.get(Ref("example.com/v1", "Widget", "shop", "w")) == widget
    assert cluster.get(Ref("example.com/v1", "Fleet", "shop", "f")) is None
    assert cluster.namespaced("example.com/v1", "Widget") is True
    assert cluster.namespaced("example.com/v1", "Fleet") is False
    assert api.calls.count("GET /apis/example.com/v1") == 1


def test_a_kind_that_is_not_served_is_absent_and_can_not_be_made(api: Api, cluster: KubeCluster) -> None:
    api.on("GET /apis", says({"kind": "APIGroupList", "groups": []}))
    api.on("GET /apis/example.com/v1", says("404 page not found", 404))
    ref = Ref("example.com/v1", "Widget", "shop", "w")
    assert cluster.get(ref) is None
    assert cluster.find("example.com/v1", "Widget", "shop", "a=b") == ()
    assert cluster.namespaced("example.com/v1", "Widget") is None
    with pytest.raises(NotFound, match="has no kind Widget in example"):
        cluster.create({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}})
    with pytest.raises(NotFound, match="has no kind Widget in example"):
        cluster.patch(ref, {}, uid="u1")


def test_a_kind_that_comes_later_is_found_then(api: Api, cluster: KubeCluster) -> None:
    group = {"name": "example.com", "versions": [{"groupVersion": "example.com/v1"}]}
    served = {"resources": [{"name": "widgets", "kind": "Widget", "namespaced": True}]}
    api.on("GET /apis", says({"groups": []}), says({"groups": [group]}))
    api.on("GET /apis/example.com/v1", says(served))
    assert cluster.namespaced("example.com/v1", "Widget") is None
    assert cluster.namespaced("example.com/v1", "Widget") is True


def test_a_server_that_lists_no_groups_says_nothing_about_a_kind(api: Api, cluster: KubeCluster) -> None:
    api.on("GET /apis", says({"status": "ok"}))
    with pytest.raises(Unreachable):
        cluster.namespaced("example.com/v1", "Widget")


def test_what_names_no_kind_is_not_sent(api: Api, cluster: KubeCluster) -> None:
    with pytest.raises(Invalid):
        cluster.create({"metadata": {"name": "x"}})
    assert api.calls == []


def test_a_long_list_comes_in_pages(api: Api, cluster: KubeCluster) -> None:
    first = a_list("Pod", {"metadata": {"name": "a"}}, **{"continue": "more"})
    api.on(f"GET {PODS}", says(first), says(a_list("Pod", {"metadata": {"name": "b"}})))
    assert [pod.name for pod in cluster.pods("shop", "app=web")] == ["a", "b"]
    assert [request.query for request in api.asked] == [
        "labelSelector=app%3Dweb&limit=500",
        "labelSelector=app%3Dweb&limit=500&continue=more",
    ]


def test_a_list_that_grew_too_old_between_its_pages_starts_anew(api: Api, cluster: KubeCluster) -> None:
    first = a_list("Pod", {"metadata": {"name": "a"}}, **{"continue": "more"})
    whole = a_list("Pod", {"metadata": {"name": "a"}}, {"metadata": {"name": "b"}})
    api.on(f"GET {PODS}", says(first), refuses(410, "Expired", "too old"), says(whole))
    assert [pod.name for pod in cluster.pods("shop", "app=web")] == ["a", "b"]


def test_what_a_list_finds_says_what_it_is(api: Api, cluster: KubeCluster) -> None:
    api.on("GET /api/v1/namespaces/shop/secrets", says(a_list("Secret", {"metadata": {"name": "s"}})))
    assert cluster.find("v1", "Secret", "shop", "owner=helm") == (
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}},
    )


def test_a_permission_is_asked_for_as_rbac_knows_it(api: Api, cluster: KubeCluster) -> None:
    path = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    review = {"kind": "SelfSubjectAccessReview", "status": {"allowed": True}}
    api.on(path, says(review, 201), says({**review, "status": {"allowed": False, "denied": True}}, 201))
    assert cluster.may("get", "", "pods/log", "shop") is True
    assert cluster.may("create", "batch", "jobs", "shop") is False
    assert [request.body["spec"]["resourceAttributes"] for request in api.asked] == [
        {"verb": "get", "resource": "pods", "subresource": "log", "namespace": "shop"},
        {"verb": "create", "group": "batch", "resource": "jobs", "namespace": "shop"},
    ]


def test_events_come_oldest_first_in_either_style(api: Api, cluster: KubeCluster) -> None:
    old = {"reason": "Pulling", "message": "a", "eventTime": "2026-03-01T12:00:00.5Z", "series": {"count": 4}}
    new = {"reason": "Failed", "type": "Warning", "count": 2, "lastTimestamp": "2026-03-01T12:00:09Z"}
    api.on("GET /api/v1/namespaces/shop/events", says(a_list("Event", new, {"reason": "Odd"}, old)))
    found = cluster.events("shop", "u1")
    assert [(event.reason, event.type, event.count) for event in found] == [
        ("Odd", "Normal", 1),
        ("Pulling", "Normal", 4),
        ("Failed", "Warning", 2),
    ]
    assert api.asked[0].query == "fieldSelector=involvedObject.uid%3Du1&limit=500"


# ── rollouts ─────────────────────────────────────────────────────────────────────────────────────


def deployment(**status: int) -> Json:
    notes = {"deployment.kubernetes.io/revision": "4"}
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "uid": "d1", "generation": 3, "annotations": notes},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}},
        "status": {"observedGeneration": 3, **status},
    }


def owned(kind: str, owner: str, notes: dict[str, str], labels: dict[str, str], **more: object) -> Json:
    meta = {"ownerReferences": [{"uid": owner}], "annotations": notes, "labels": labels}
    return {"kind": kind, "metadata": meta, **more}


def test_old_pods_that_still_serve_do_not_make_a_rollout_done(api: Api, cluster: KubeCluster) -> None:
    path = "GET /apis/apps/v1/namespaces/shop/deployments/web"
    api.on("GET /apis/apps/v1/namespaces/shop/replicasets", says(a_list("ReplicaSet")))
    api.on(
        path,
        says(deployment(replicas=4, updatedReplicas=2, readyReplicas=2, availableReplicas=2)),
        says(deployment(replicas=3, updatedReplicas=2, readyReplicas=3, availableReplicas=3)),
    )
    stuck, done = cluster.workload(WEB), cluster.workload(WEB)
    assert stuck is not None
    assert done is not None
    assert (stuck.available, stuck.ready, stuck.done) == (0, 0, False)
    assert (done.available, done.ready, done.done) == (2, 2, True)


def test_the_newest_pods_of_a_deployment_are_those_of_its_revision(api: Api, cluster: KubeCluster) -> None:
    revision = "deployment.kubernetes.io/revision"
    sets = [
        owned("ReplicaSet", "d1", {revision: "3"}, {"pod-template-hash": "old"}),
        owned("ReplicaSet", "other", {revision: "4"}, {"pod-template-hash": "foreign"}),
        owned("ReplicaSet", "d1", {revision: "4"}, {"pod-template-hash": "new"}),
    ]
    api.on("GET /apis/apps/v1/namespaces/shop/deployments/web", says(deployment()))
    api.on(
        "GET /apis/apps/v1/namespaces/shop/replicasets",
        says(a_list("ReplicaSet", *sets)),
        refuses(403, "Forbidden", 'User "ci" cannot list resource "replicasets"'),
    )
    first, second = cluster.workload(WEB), cluster.workload(WEB)
    assert first is not None
    assert (first.pod_hash, first.selector, first.observed) == ("new", "app=web", True)
    assert second is not None
    assert second.pod_hash == ""


def test_a_daemon_set_is_counted_by_nodes(api: Api, cluster: KubeCluster) -> None:
    body = {
        "kind": "DaemonSet",
        "metadata": {"uid": "d1"},
        "spec": {"selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}]}},
        "status": {
            "desiredNumberScheduled": 3,
            "currentNumberScheduled": 3,
            "updatedNumberScheduled": 2,
            "numberReady": 3,
            "numberAvailable": 3,
        },
    }
    revisions = [
        owned("ControllerRevision", "d1", {}, {"controller-revision-hash": "new"}, revision=10),
        owned("ControllerRevision", "d1", {}, {"controller-revision-hash": "old"}, revision=9),
    ]
    api.on("GET /apis/apps/v1/namespaces/shop/daemonsets/web", says(body))
    api.on(
        "GET /apis/apps/v1/namespaces/shop/controllerrevisions",
        says(a_list("ControllerRevision", *revisions)),
    )
    found = cluster.workload(WEB._replace(kind="DaemonSet"))
    assert found is not None
    assert (found.desired, found.updated, found.available, found.done) == (3, 2, 2, False)
    assert (found.selector, found.pod_hash) == ("a in (b,c)", "new")


@pytest.mark.parametrize(
    ("strategy", "done"),
    [
        ({"type": "RollingUpdate"}, False),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, True),
        ({"type": "OnDelete"}, True),
    ],
)
def test_pods_that_a_stateful_set_leaves_as_they_are_are_not_waited_for(
    api: Api, cluster: KubeCluster, strategy: Json, *, done: bool
) -> None:
    body = {
        "kind": "StatefulSet",
        "spec": {"replicas": 3, "updateStrategy": strategy},
        "status": {
            "replicas": 3,
            "updatedReplicas": 1,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "updateRevision": "web-2",
        },
    }
    api.on("GET /apis/apps/v1/namespaces/shop/statefulsets/web", says(body))
    found = cluster.workload(WEB._replace(kind="StatefulSet"))
    assert found is not None
    assert (found.done, found.pod_hash) == (done, "web-2")


def test_a_workload_that_is_not_there(cluster: KubeCluster) -> None:
    assert cluster.workload(WEB) is None


def test_what_is_served_is_listed_as_charts_ask_for_it(api: Api, cluster: KubeCluster) -> None:
    """A group whose server is down is left out; Kubernetes' own kinds are known to Helm."""
    groups = [
        {"name": name, "versions": [{"groupVersion": f"{name}/v1"}]}
        for name in ("apps", "example.com", "down.example.com", "storage.k8s.io")
    ]
    served = [{"name": "widgets", "kind": "Widget", "namespaced": True}]
    api.on("GET /apis", says({"kind": "APIGroupList", "groups": groups}))
    api.on("GET /apis/example.com/v1", says({"kind": "APIResourceList", "resources": served}))
    api.on("GET /apis/down.example.com/v1", refuses(503, "ServiceUnavailable", "down"))
    assert cluster.api_versions() == (
        "v1",
        "apps/v1",
        "example.com/v1",
        "example.com/v1/Widget",
        "down.example.com/v1",
        "storage.k8s.io/v1",
    )
