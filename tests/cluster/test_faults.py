"""Calls of the API that break: each ends in time, with the truth or with words that say what is not known."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shipit.cluster import KubeCluster, connect
from shipit.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Denied,
    Forbidden,
    Invalid,
    NoDryRun,
    NotAllowed,
    NotFound,
    QuotaExceeded,
    Unauthorized,
    Unreachable,
    WebhookFailed,
)
from shipit.model import Ref
from tests.scripted_api import Api, Fault, Handler, Json, drops, kubeconfig, missing, refuses, says, serving

JOBS = "/apis/batch/v1/namespaces/shop/jobs"
MIGRATE = f"{JOBS}/migrate"
REF = Ref("batch/v1", "Job", "shop", "migrate")
DEADLINE = 30.0


def job(uid: str = "u1", version: str = "7", *, run: str = "r1", **spec: object) -> Json:
    meta = {
        "name": "migrate",
        "namespace": "shop",
        "uid": uid,
        "resourceVersion": version,
        "annotations": {"shipit/run": run, "shipit/hash": "h"},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}


def wanted(run: str = "r1", **meta: object) -> Json:
    notes = {"shipit/run": run, "shipit/hash": "h"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate", "namespace": "shop", "annotations": notes, **meta},
        "spec": {},
    }


SECRET: Json = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}}


@dataclass
class World:
    api: Api
    cluster: KubeCluster

    @property
    def waited(self) -> float:
        return self.api.clock.seconds


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving() as api:
        path = kubeconfig(tmp_path, api.address)
        cluster = connect(kubeconfig=str(path), context=None, clock=api.clock)
        yield World(api, cluster)
        cluster.close()


def drips_body(handler: Handler) -> None:
    """One byte a second, for a quarter of an hour."""
    handler.send_response(200)
    handler.send_header("Content-Length", "900")
    handler.end_headers()
    for _ in range(900):
        handler.server.story.clock.seconds += 1
        handler.wfile.write(b" ")


def drips_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    handler.wfile.flush()
    while handler.server.story.clock.seconds < 900:
        handler.server.story.clock.seconds += 1
        handler.wfile.write(b"y")


def cuts_body(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "900")
    handler.end_headers()
    handler.wfile.write(b'{"kind": "Job"')
    handler.drop()


PASSING = {
    "reset": drops(),
    "cut in the middle": cuts_body,
    "html": says("<html>Bad gateway</html>", 502),
    "html that claims success": says("<html>Log in first</html>"),
    "html that claims absence": says("<html>Not found</html>", 404),
    "json of a gateway": says({"error": "no upstream"}, 404),
    "json of a gateway that claims success": says({"status": "ok"}),
    "another kind": says({"kind": "Pod", "metadata": {}}),
    "500": refuses(500, "InternalError", "etcdserver: request timed out"),
    "503": refuses(503, "ServiceUnavailable", "apiserver is shutting down"),
    "504": refuses(504, "Timeout", "Timeout: request did not complete"),
    "429": refuses(429, "TooManyRequests", "too many requests"),
    "408": refuses(408, "Timeout", "slow"),
    "a redirect": says("moved", 302, Location="http://127.0.0.1:1/"),
    "a list that is no list": says({"kind": "JobList", "items": 5}),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_read_goes_through_when_the_fault_passes(world: World, fault: Fault) -> None:
    world.api.on("GET", fault, fault, says(job()))
    found = world.cluster.job("shop", "migrate")
    assert found is not None
    assert found.uid == "u1"
    assert len(world.api.asked) == 3
    assert world.waited < 2


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_read_gives_up_in_time_and_says_whom_it_asked_what(world: World, fault: Fault) -> None:
    world.api.on("GET", fault)
    with pytest.raises(Unreachable) as caught:
        world.cluster.job("shop", "migrate")
    told = caught.value.message
    assert world.api.address in told
    assert "can't read Job migrate in namespace shop (API server" in told
    assert "sesame" not in told
    assert str(caught.value.hint) == "kubectl version"
    assert DEADLINE - 5 < world.waited <= DEADLINE + 1
    assert len(world.api.asked) < 40


def test_calls_share_the_time_that_they_get_together(world: World) -> None:
    world.api.on("GET", drops())
    with world.cluster.within(8):
        for _ in range(3):
            with pytest.raises(Unreachable), world.cluster.within(5):
                world.cluster.job("shop", "migrate")
    assert 7 < world.waited <= 9


@pytest.mark.parametrize("fault", [drips_body, drips_headers])
def test_an_answer_at_one_byte_a_second_ends_at_the_deadline(world: World, fault: Fault) -> None:
    world.api.on("GET", fault)
    with pytest.raises(Unreachable):
        world.cluster.job("shop", "migrate")
    assert len(world.api.asked) == 1


def test_a_server_that_asks_to_wait_an_hour_is_asked_again_just_before_the_deadline(world: World) -> None:
    world.api.on("GET", refuses_and_asks_to_wait("3600"), says(job()))
    assert world.cluster.job("shop", "migrate") is not None
    assert DEADLINE - 3 < world.waited < DEADLINE


@pytest.mark.parametrize("nonsense", ["-5", "soon", "9" * 40, "1e9", ""])
def test_a_retry_after_that_makes_no_sense_is_none(world: World, nonsense: str) -> None:
    world.api.on("GET", refuses_and_asks_to_wait(nonsense), says(job()))
    assert world.cluster.job("shop", "migrate") is not None
    assert world.waited < 1


def refuses_and_asks_to_wait(value: str) -> Fault:
    return says({"kind": "Status", "message": "slow down"}, 429, Retry_After=value)


def test_nobody_there(world: World) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    world.cluster._api._credentials.session.client.configuration.host = f"http://127.0.0.1:{port}"
    with pytest.raises(Unreachable, match="connection refused"):
        world.cluster.check()
    assert world.waited <= 11


def test_a_name_that_can_not_be_resolved(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unresolvable(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    world.cluster._api._credentials.session.client.configuration.host = "http://nowhere.invalid"
    monkeypatch.setattr(socket, "getaddrinfo", unresolvable)
    with pytest.raises(Unreachable, match=r"can't resolve its name nowhere\.invalid"):
        world.cluster.check()


def test_a_server_that_speaks_no_tls(world: World, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, world.api.address.replace("http:", "https:"))
    cluster = connect(kubeconfig=str(path), context=None, clock=world.api.clock)
    with pytest.raises(Unreachable, match="TLS failed"):
        cluster.check()


# ── writes whose answer is lost ──────────────────────────────────────────────────────────────────

LOST = {
    "reset": drops(),
    "html": says("<html>Bad gateway</html>", 502),
    "500": refuses(500, "InternalError", "etcdserver: request timed out"),
    "504": refuses(504, "Timeout", "Timeout: request did not complete"),
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST.keys())
def test_a_create_whose_request_was_lost_is_sent_again(world: World, fault: Fault) -> None:
    world.api.on("POST", fault, says(job(), 201))
    world.api.on("GET", missing())
    assert world.cluster.create(wanted())["metadata"]["uid"] == "u1"
    assert world.api.calls == [f"POST {JOBS}", f"GET {MIGRATE}", f"POST {JOBS}"]


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST.keys())
def test_a_create_whose_answer_was_lost_is_not_sent_again(world: World, fault: Fault) -> None:
    world.api.on("POST", fault)
    world.api.on("GET", says(job()))
    assert world.cluster.create(wanted())["metadata"]["uid"] == "u1"
    assert world.api.calls == [f"POST {JOBS}", f"GET {MIGRATE}"]


def test_after_a_lost_answer_somebody_elses_job_is_not_ours(world: World) -> None:
    world.api.on("POST", drops())
    world.api.on("GET", says(job(run="r2")))
    with pytest.raises(AlreadyExists):
        world.cluster.create(wanted())


def test_a_create_that_is_told_that_its_own_first_try_exists_believes_what_it_finds(world: World) -> None:
    """The first try arrived late: after we had looked, and before the second."""
    world.api.on("POST", drops(), refuses(409, "AlreadyExists", 'jobs.batch "migrate" already exists'))
    world.api.on("GET", missing(), says(job()))
    assert world.cluster.create(wanted())["metadata"]["uid"] == "u1"


def test_a_name_that_is_taken_at_once_is_somebody_elses(world: World) -> None:
    world.api.on("POST", refuses(409, "AlreadyExists", 'jobs.batch "migrate" already exists'))
    world.api.on("GET", says(job()))
    with pytest.raises(AlreadyExists, match="already exists"):
        world.cluster.create(wanted())
    assert world.api.calls == [f"POST {JOBS}"]


def test_whether_a_job_was_made_is_not_known_while_nobody_answers(world: World) -> None:
    world.api.on("POST", drops())
    world.api.on("GET", drops())
    with pytest.raises(Unreachable):
        world.cluster.create(wanted())
    assert world.api.calls.count(f"POST {JOBS}") == 1
    assert world.waited < 2 * DEADLINE


def test_a_create_that_met_others_in_its_quota_is_sent_again(world: World) -> None:
    words = 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified'
    world.api.on("POST", refuses(409, "Conflict", words), says(job()))
    assert world.cluster.create(wanted())["metadata"]["uid"] == "u1"
    assert world.api.calls == [f"POST {JOBS}", f"POST {JOBS}"]


def test_a_create_that_was_turned_away_unseen_is_sent_again(world: World) -> None:
    world.api.on("POST", refuses(429, "TooManyRequests", "too many requests"), says(job(), 201))
    world.cluster.create(wanted())
    assert world.api.calls == [f"POST {JOBS}"] * 2


def test_a_dry_run_may_be_repeated(world: World) -> None:
    world.api.on("POST", drops(), says(job(), 201))
    world.cluster.create(wanted(), dry_run=True)
    assert [request.query for request in world.api.asked] == [
        "dryRun=All&fieldManager=shipit&fieldValidation=Strict"
    ] * 2


def test_an_object_without_marks_counts_as_ours_when_it_is_what_was_sent(world: World) -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {}}
    meta = {"name": "shipit-shop", "namespace": "shop"}
    sent = {**lease, "metadata": meta}
    made = {**lease, "metadata": {**meta, "uid": "u1", "resourceVersion": "3"}}
    world.api.on("POST", drops())
    world.api.on("GET", says(made))
    assert world.cluster.create(sent)["metadata"]["uid"] == "u1"


def test_a_generated_name_can_not_be_looked_for(world: World) -> None:
    world.api.on("POST", drops())
    manifest = wanted()
    manifest["metadata"] = {"generateName": "migrate-", "namespace": "shop"}
    with pytest.raises(ApiError, match="can't tell whether it was created"):
        world.cluster.create(manifest)


def test_a_delete_is_for_one_uid_only_and_takes_the_pods_along(world: World) -> None:
    world.api.on("DELETE", says(job()))
    world.cluster.delete(REF, uid="u1")
    assert world.api.asked[0].body["preconditions"] == {"uid": "u1"}
    assert world.api.asked[0].body["propagationPolicy"] == "Foreground"


def test_a_delete_of_what_is_gone_or_of_a_kind_that_is_not_served_is_done(world: World) -> None:
    world.cluster.delete(REF, uid="u1")
    world.api.on("GET /apis", says({"kind": "APIGroupList", "groups": []}))
    world.cluster.delete(Ref("example.com/v1", "Thing", "shop", "x"), uid="u1")
    assert world.api.calls == [f"DELETE {MIGRATE}", "GET /apis"]


def test_a_delete_never_hits_a_successor(world: World) -> None:
    world.api.on("DELETE", refuses(409, "Conflict", "the UID in the precondition does not match"))
    with pytest.raises(Conflict):
        world.cluster.delete(REF, uid="u1")


@pytest.mark.parametrize(
    "there",
    [
        missing(),
        says(job("u2")),
        says({**job(), "metadata": {**job()["metadata"], "deletionTimestamp": "now"}}),
    ],
    ids=["gone", "a successor", "leaving"],
)
def test_a_delete_whose_answer_was_lost_is_done_when_ours_is_gone(world: World, there: Fault) -> None:
    world.api.on("DELETE", drops())
    world.api.on("GET", there)
    world.cluster.delete(REF, uid="u1")
    assert world.api.calls == [f"DELETE {MIGRATE}", f"GET {MIGRATE}"]


def test_a_delete_whose_request_was_lost_is_sent_again(world: World) -> None:
    world.api.on("DELETE", drops(), says(job()))
    world.api.on("GET", says(job()))
    world.cluster.delete(REF, uid="u1")
    assert world.api.calls == [f"DELETE {MIGRATE}", f"GET {MIGRATE}", f"DELETE {MIGRATE}"]


def test_a_replace_whose_request_was_lost_is_sent_again(world: World) -> None:
    world.api.on("PUT", drops(), says(job(version="8")))
    world.api.on("GET", says(job(version="7")))
    assert world.cluster.replace(wanted(resourceVersion="7"))["metadata"]["resourceVersion"] == "8"
    assert world.api.calls == [f"PUT {MIGRATE}", f"GET {MIGRATE}", f"PUT {MIGRATE}"]


def test_a_replace_whose_answer_was_lost_is_read_back(world: World) -> None:
    world.api.on("PUT", drops())
    world.api.on("GET", says(job(version="8")))
    assert world.cluster.replace(wanted(resourceVersion="7"))["metadata"]["resourceVersion"] == "8"


def test_a_replace_whose_answer_was_lost_and_that_is_not_there_was_overtaken(world: World) -> None:
    world.api.on("PUT", drops())
    world.api.on("GET", says(job(version="9", run="r2")))
    with pytest.raises(Conflict, match="changed by someone else"):
        world.cluster.replace(wanted(resourceVersion="7"))


def test_a_replace_of_what_is_gone(world: World) -> None:
    world.api.on("PUT", drops())
    with pytest.raises(NotFound):
        world.cluster.replace(wanted(resourceVersion="7"))


def test_a_patch_is_for_one_uid_only(world: World) -> None:
    world.api.on("PATCH", says(job()))
    world.cluster.patch(REF, {"spec": {"suspend": True}}, uid="u1")
    assert world.api.asked[0].body == {"spec": {"suspend": True}, "metadata": {"uid": "u1"}}
    assert world.api.asked[0].headers["Content-Type"] == "application/merge-patch+json"
    world.api.on("PATCH", refuses(422, "Invalid", "metadata.uid: Invalid value: field is immutable"))
    world.api.on("GET", says(job("u2")))
    with pytest.raises(Conflict, match="was replaced meanwhile"):
        world.cluster.patch(REF, {"spec": {"suspend": True}}, uid="u1")
    world.api.on("GET", says(job("u1")))
    with pytest.raises(Invalid):
        world.cluster.patch(REF, {"spec": {"suspend": 5}}, uid="u1")


def test_applying_is_helms(world: World) -> None:
    world.api.on("PATCH", drops(), says(job()))
    world.cluster.apply(wanted(), dry_run=True)
    assert world.api.asked[-1].query == "dryRun=All&fieldManager=helm"
    assert world.api.asked[-1].headers["Content-Type"] == "application/apply-patch+yaml"


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


def test_what_rbac_forbids_is_named_with_the_question_to_ask(world: World) -> None:
    words = 'jobs.batch is forbidden: User "ci" cannot create resource "jobs" in API group "batch"'
    world.api.on("POST", refuses(403, "Forbidden", words))
    with pytest.raises(Forbidden) as caught:
        world.cluster.create(wanted())
    assert caught.value.message == f"not allowed to create jobs.batch in namespace shop: {words}"
    assert str(caught.value.hint) == "kubectl auth can-i create jobs.batch -n shop"


def test_what_a_quota_forbids_is_told_in_its_own_words(world: World) -> None:
    world.api.on("POST", refuses(403, "Forbidden", "exceeded quota: small, requested: pods=1"))
    with pytest.raises(Forbidden, match=r"^exceeded quota: small") as caught:
        world.cluster.create(wanted())
    assert str(caught.value.hint) == ""


def test_a_rejected_object_names_its_fields(world: World) -> None:
    causes = [
        {"field": "spec.a", "message": "Required value"},
        {"field": "spec.b", "message": "Required value"},
    ]
    world.api.on("POST", refuses(422, "Invalid", "Job is invalid: [a, b]", details={"causes": causes}))
    with pytest.raises(Invalid) as caught:
        world.cluster.create(wanted())
    assert caught.value.details == ("spec.a: Required value", "spec.b: Required value")


def test_an_apply_that_does_not_fit_its_type_is_rejected_at_once_though_it_is_a_500(world: World) -> None:
    words = "failed to create typed patch object (shop/x; v1, Kind=X): .data: expected map, got &{hunter2}"
    for body, told in ((wanted(), "got &{hunter2}"), ({**SECRET, "data": "hunter2"}, "Kind=X): (hidden)")):
        world.api.on("PATCH", refuses(500, "InternalError", words))
        with pytest.raises(Invalid) as caught:
            world.cluster.apply(body, dry_run=True)
        assert told in caught.value.message
    assert world.waited == 0


def test_a_dry_run_of_what_shipit_makes_refuses_fields_that_would_be_dropped(world: World) -> None:
    world.api.on("POST", says(job()), says({**SECRET}))
    world.cluster.create(wanted(), dry_run=True)
    world.cluster.create(SECRET, dry_run=True)
    assert ["fieldValidation=Strict" in each.query for each in world.api.asked[-2:]] == [True, False]


def test_a_rejected_secret_is_not_quoted(world: World) -> None:
    words = 'Secret "db" is invalid: data[password]: Invalid value: "hunter2": too short'
    causes = [{"field": "data", "message": words}] * 2
    world.api.on("POST", refuses(422, "Invalid", words, details={"causes": causes}))
    with pytest.raises(Invalid) as caught:
        world.cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "db"},
                "data": {"password": "aHVudGVyMg=="},
            }
        )
    assert "hunter2" not in f"{caught.value.message} {caught.value.details}"
    assert "data[password]: Invalid value: (hidden)" in caught.value.message


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_be_another_path_is_never_sent(world: World, name: str) -> None:
    with pytest.raises(Invalid):
        world.cluster.job("shop", name)
    with pytest.raises(Invalid):
        world.cluster.delete(REF._replace(name=name), uid="u1")
    assert world.api.calls == []


def test_odd_names_stay_within_their_part_of_the_path(world: World) -> None:
    assert world.cluster.job("shop", "a/b?c#d e") is None
    assert world.api.calls == [f"GET {JOBS}/a%2Fb%3Fc%23d%20e"]


def test_a_401_that_stays_is_told_with_what_to_do(world: World) -> None:
    world.api.on("GET", refuses(401, "Unauthorized", "Unauthorized"))
    with pytest.raises(Unauthorized, match="does not accept the credentials of context here") as caught:
        world.cluster.job("shop", "migrate")
    assert len(world.api.asked) == 2
    assert "kubectl auth whoami" in str(caught.value.hint)


def test_calls_that_share_a_bound_are_given_up_together(world: World) -> None:
    world.api.on("GET", drops())
    with world.cluster.within(8):
        with pytest.raises(Unreachable):
            world.cluster.job("shop", "migrate")
        with pytest.raises(Unreachable):
            world.cluster.jobs("shop", "a=b")
    assert 4 < world.waited <= 8
    with pytest.raises(Unreachable):
        world.cluster.job("shop", "migrate")
    assert world.waited > 8 + DEADLINE - 5


# ── admission ────────────────────────────────────────────────────────────────────────────────────

NOT_CALLED = (
    'Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: '
    'Post "https://w.shop.svc:443/?timeout=10s": context deadline exceeded'
)
SILENT_WEBHOOK = refuses(500, "InternalError", NOT_CALLED)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_webhook_that_comes_back_lets_the_create_through(world: World, *, dry_run: bool) -> None:
    world.api.on("POST", SILENT_WEBHOOK, SILENT_WEBHOOK, says(job(), 201))
    assert world.cluster.create(wanted(), dry_run=dry_run)["metadata"]["uid"] == "u1"
    assert world.api.calls == [f"POST {JOBS}"] * 3, "nothing was done: there is nothing to look for"


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_webhook_that_stays_silent_is_a_clear_no(world: World, *, dry_run: bool) -> None:
    world.api.on("POST", SILENT_WEBHOOK)
    with pytest.raises(WebhookFailed, match=r"context deadline exceeded \(tried \d+ times\)$") as caught:
        world.cluster.create(wanted(), dry_run=dry_run)
    assert caught.value.status == 500
    assert DEADLINE - 5 < world.waited <= DEADLINE + 1


def test_a_silent_webhook_after_a_lost_answer_leaves_it_open(world: World) -> None:
    world.api.on("POST", drops(), SILENT_WEBHOOK)
    world.api.on("GET", missing())
    with pytest.raises(Unreachable):
        world.cluster.create(wanted())


def test_an_apply_and_a_deletion_meet_webhooks_too(world: World) -> None:
    world.api.on("PATCH", SILENT_WEBHOOK, says(job()))
    world.api.on("DELETE", SILENT_WEBHOOK, says({"kind": "Status", "status": "Success"}))
    world.cluster.apply(wanted(), dry_run=True, force=True)
    world.cluster.delete(REF, uid="u1")
    assert "force=true" in world.api.asked[0].query
    assert world.api.calls == [f"PATCH {MIGRATE}"] * 2 + [f"DELETE {MIGRATE}"] * 2


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (422, "Invalid", "jobs \"m\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"),
        (403, "Forbidden", 'admission webhook "w" denied the request: no'),
        (400, "BadRequest", 'admission webhook "w" denied the request without explanation'),
        (500, "InternalError", 'admission webhook "w" denied the request: no'),
    ],
)  # fmt: skip
def test_a_policy_that_says_no_is_known_whatever_its_status(
    world: World, status: int, reason: str, words: str
) -> None:
    world.api.on("POST", refuses(status, reason, words))
    with pytest.raises(Denied) as caught:
        world.cluster.create(wanted(), dry_run=True)
    assert caught.value.message == words
    assert len(world.api.asked) == 1


@pytest.mark.parametrize(
    "words",
    [
        'admission webhook "w" does not support dry run',
        'admission webhook "w" denied the request: dry-run is not supported',
        'admission webhook "w" denied the request: we don\'t support dry runs',
    ],
)
def test_a_webhook_that_knows_no_dry_run_is_no_answer(world: World, words: str) -> None:
    world.api.on("POST", refuses(400, "BadRequest", words))
    with pytest.raises(NoDryRun):
        world.cluster.create(wanted(), dry_run=True)


FULL = refuses(
    403,
    "Forbidden",
    'jobs.batch "m" is forbidden: exceeded quota: few, requested: count/jobs.batch=1, used: count/jobs.batch=1, '
    "limited: count/jobs.batch=1",
)


def test_a_quota_still_counts_for_a_moment_what_was_just_deleted(world: World) -> None:
    world.api.on("POST", FULL, FULL, says(job(), 201))
    assert world.cluster.create(wanted())["metadata"]["uid"] == "u1"


def test_a_quota_that_stays_full_says_so_at_the_end_and_to_a_dry_run_at_once(world: World) -> None:
    world.api.on("POST", FULL)
    with pytest.raises(QuotaExceeded, match="exceeded quota: few"):
        world.cluster.create(wanted(), dry_run=True)
    assert len(world.api.asked) == 1
    with pytest.raises(QuotaExceeded, match=r"limited: count/jobs.batch=1 \(tried"):
        world.cluster.create(wanted())


def test_what_rbac_forbids_is_told_from_what_admission_does(world: World) -> None:
    world.api.on(
        "POST", refuses(403, "Forbidden", 'User "ci" cannot create resource "jobs" in API group "batch"')
    )
    with pytest.raises(NotAllowed):
        world.cluster.create(wanted())
