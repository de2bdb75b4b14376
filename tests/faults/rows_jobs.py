"""Rows of the table: Jobs whose creation or deletion goes wrong, old ones that don't go, pods that never start."""

from __future__ import annotations

import json
import threading
import time

from tests.faults.case import CREATE_JOB, DELETE_JOB, LOG, READ_JOB, WATCH, case, ended_with, noticed, since
from tests.faults.judge import Findings
from tests.faults.ledger import script
from tests.faults.rules import Answer, Call, Cutoff, Delay, Drop, Lose, Record, Replay, Reset, Rule, Stall
from tests.faults.scene import PATIENCE, Scene

CREATE = "create Job: request lost / answer lost"
RIVAL = "delete Job: answer lost while a rival recreates it"
STUBBORN = "old pod ignores SIGTERM for a minute; old Job held by a finalizer"
RUNNING = "old Job still running: this deploy's / another's"
WATCHES = "watch reset mid-event; 410; closed every second; silently stalled"
STALE = "a stale list shows the old Job's Complete"
OUTSIDE = "pod evicted or deleted mid-way; Job deleted from outside; TTL removes it first"


@case("create-request-lost", CREATE, "BCF")
def create_that_never_arrived(scene: Scene, findings: Findings) -> None:
    ended_with(scene.deploy("v2", rules=[Rule(Drop(), *CREATE_JOB)]), findings, [0])


@case("create-answer-lost", CREATE, "BCF", short=True)
def create_whose_answer_was_lost(scene: Scene, findings: Findings) -> None:
    ended_with(scene.deploy("v2", rules=[Rule(Lose(), *CREATE_JOB)]), findings, [0])


@case("create-late", CREATE, "BCF")
def create_that_arrives_after_its_second_try(scene: Scene, findings: Findings) -> None:
    ended_with(scene.deploy("v2", rules=[Rule(Delay(12), *CREATE_JOB)]), findings, [0])


@case("create-after-death", CREATE, "ABCFG", short=True)
def create_that_arrives_after_its_deploy_was_killed(scene: Scene, findings: Findings) -> None:
    late = Rule(Delay(5), *CREATE_JOB)
    first = scene.start("v2", rules=[late])
    late.await_hit()
    first.kill()
    scene.end(first)
    again = scene.deploy("v2")
    ended_with(again, findings, [0])
    findings.holds("B", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")


@case("delete-rival", RIVAL, "ADF", short=True)
def delete_whose_answer_is_lost_while_a_rival_recreates_the_job(scene: Scene, findings: Findings) -> None:
    rival = {"uid": ""}

    def recreate(_: Record) -> None:
        scene.kube.wait(lambda: scene.kube.get("job", "migrate") is None)
        container = {"name": "rival", "image": "registry.sandbox/busybox:v1", "command": ["sleep", "600"]}
        pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}
        body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}}
        made = scene.kube.kubectl(
            *("create", "-f", "-", "-o", "json"),
            stdin=json.dumps({**body, "spec": {"template": {"spec": pod}}}),
        )
        rival["uid"] = json.loads(made)["metadata"]["uid"]

    attempt = scene.deploy("v2", rules=[Rule(Call(after=recreate, cut=True), *DELETE_JOB)])
    ended_with(attempt, findings, [7])
    now = scene.kube.get("job", "migrate")
    findings.holds("D", now and now["metadata"]["uid"] == rival["uid"], "the rival's Job was deleted")
    findings.holds(
        "D", now and "deletionTimestamp" not in now["metadata"], "the rival's Job is being deleted"
    )


@case("delete-lost", RIVAL, "ADF")
def delete_whose_request_and_whose_answer_are_lost(scene: Scene, findings: Findings) -> None:
    rules = [Rule(Drop(), *DELETE_JOB), Rule(Lose(), *DELETE_JOB)]
    ended_with(scene.deploy("v2", rules=rules), findings, [0])


@case("stubborn-pod", STUBBORN, "ABEF", installed=False)
def old_pod_that_ignores_sigterm(scene: Scene, findings: Findings) -> None:
    scene.migrate("trap '' TERM\n" + script(held=True), lines=0, grace=60)
    first = scene.start("v1")
    scene.kube.wait(scene.ledger.lives)
    first.kill()
    scene.end(first)
    scene.migrate(script())
    second = scene.deploy("v2", "--replace-running", bound=120)
    ended_with(second, findings, [0])
    findings.holds("A", len(scene.lives()) == 2, f"{len(scene.lives())} migrations ran")


@case("finalizer", STUBBORN, "ABEF")
def old_job_that_a_finalizer_holds(scene: Scene, findings: Findings) -> None:
    hold = '{"metadata": {"finalizers": ["example.com/hold"]}}'
    scene.kube.kubectl("patch", "job", "migrate", "--type=merge", "-p", hold)
    attempt = scene.deploy("v2", bound=330)
    ended_with(attempt, findings, [4], "example.com/hold")
    findings.holds("B", not scene.lives(), "a migration ran beside the old one")
    scene.kube.kubectl("patch", "job", "migrate", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


@case("running", RUNNING, "ABCFG", short=True)
def old_job_still_running(scene: Scene, findings: Findings) -> None:
    scene.migrate(script(held=True))
    first = scene.start("v2")
    scene.begun()
    first.kill()
    scene.end(first)
    another = scene.deploy("v3")
    ended_with(another, findings, [7], "still runs")
    again = scene.start("v2")
    again.running.until("attached", within=PATIENCE)
    scene.ledger.let_go()
    scene.end(again)
    ended_with(again, findings, [0])
    findings.holds("A", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")


def _watched(scene: Scene, findings: Findings, *rules: Rule) -> None:
    scene.migrate(script(30), lines=30)
    ended_with(scene.deploy("v2", rules=rules), findings, [0])


@case("watch-reset", WATCHES, "CEF", short=True)
def watch_reset_in_the_middle_of_an_event(scene: Scene, findings: Findings) -> None:
    _watched(scene, findings, Rule(Reset(1500), *WATCH, who="shipit", times=0))


@case("watch-410", WATCHES, "CEF")
def watch_from_a_version_that_is_too_old(scene: Scene, findings: Findings) -> None:
    expired = (
        b'{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired","code":410}}\n'
    )
    answer = Answer(200, expired, {"Content-Type": "application/json"})
    _watched(scene, findings, Rule(answer, *WATCH, who="shipit", times=0))


@case("watch-closing", WATCHES, "CEF")
def watch_closed_every_second(scene: Scene, findings: Findings) -> None:
    _watched(scene, findings, Rule(Cutoff(1), *WATCH, who="shipit", times=0))


@case("watch-stalled", WATCHES, "CEF")
def watch_that_falls_silent(scene: Scene, findings: Findings) -> None:
    _watched(scene, findings, Rule(Stall(0), *WATCH, who="shipit", times=0))


@case("stale", STALE, "CF")
def reads_that_show_the_old_job(scene: Scene, findings: Findings) -> None:
    stale = threading.Event()
    rules = [
        Rule(Call(after=lambda _: stale.set()), *CREATE_JOB),
        Rule(Replay(stale), "GET", r"/jobs(/migrate)?\?(labelSelector|$)", times=0, who="shipit"),
    ]
    attempt = scene.deploy("v2", rules=rules)
    ended_with(attempt, findings, [4, 7, 8])
    ended_with(scene.deploy("v2"), findings, [0])


@case("stale-while-clearing", STALE, "CF", short=True)
def reads_that_show_the_old_job_for_some_seconds(scene: Scene, findings: Findings) -> None:
    stale = threading.Event()

    def for_a_while(_: Record) -> None:
        stale.set()
        threading.Timer(4, stale.clear).start()

    rules = [
        Rule(Call(after=for_a_while), *DELETE_JOB),
        Rule(Replay(stale), "GET", r"/jobs(/migrate)?\?(labelSelector|$)", times=0, who="shipit"),
    ]
    ended_with(scene.deploy("v2", rules=rules), findings, [0])


def _interrupted(scene: Scene, findings: Findings, codes: list[int], *kubectl: str, stdin: str = "") -> None:
    """Do something to a migration that is in the middle of its work."""
    scene.migrate(script(held=True), lines=0)
    attempt = scene.start("v2")
    scene.begun()
    pod = scene.lives()[0].pod
    scene.kube.kubectl(
        *(word.replace("POD", pod) for word in kubectl), stdin=stdin.replace("POD", pod) or None
    )
    scene.end(attempt)
    ended_with(attempt, findings, codes)
    findings.holds("A", len(scene.lives()) == 1, f"{len(scene.lives())} migrations ran")


@case("pod-deleted", OUTSIDE, "ACF")
def pod_deleted_mid_way(scene: Scene, findings: Findings) -> None:
    _interrupted(scene, findings, [4], "delete", "pod", "POD", "--wait=false")


@case("pod-evicted", OUTSIDE, "ACF")
def pod_evicted_mid_way(scene: Scene, findings: Findings) -> None:
    body = '{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "POD", "namespace": "NS"}}'
    path = f"/api/v1/namespaces/{scene.kube.namespace}/pods/POD/eviction"
    stdin = body.replace("NS", scene.kube.namespace)
    _interrupted(scene, findings, [4], "create", "--raw", path, "-f", "-", stdin=stdin)


@case("job-deleted", OUTSIDE, "ACF", short=True)
def job_deleted_from_outside(scene: Scene, findings: Findings) -> None:
    _interrupted(scene, findings, [8], "delete", "job", "migrate", "--wait=false")


@case("ttl", OUTSIDE, "ACF")
def job_that_its_ttl_removes_at_once(scene: Scene, findings: Findings) -> None:
    scene.migrate(script(), spec="ttlSecondsAfterFinished: 0")
    ended_with(scene.deploy("v2"), findings, [0])


@case("job-gone-at-its-end", OUTSIDE, "ACF")
def job_deleted_before_its_end_was_seen(scene: Scene, findings: Findings) -> None:
    """From the moment at which its log is open, nothing is read of the Job until it has ended and is gone."""

    def gone(_: Record) -> None:
        scene.kube.wait(lambda: scene.kube.get("job", "migrate") is None)

    opened = noticed(*LOG)
    reads = Rule(Call(before=gone), *READ_JOB, where=since(opened))
    scene.lines = 0
    attempt = scene.start("v2", rules=[opened, reads])
    opened.await_hit()
    scene.kube.wait(lambda: scene.lives() and scene.lives()[0].ended)
    time.sleep(0.5)
    scene.kube.kubectl("delete", "job", "migrate", "--wait=false")
    scene.end(attempt)
    ended_with(attempt, findings, [8])
