"""Rows of the table: the API server is gone, or answers what nobody asked for, or slowly, or not any more."""

from __future__ import annotations

import json
import time

from tests.faults.case import CREATE_JOB, HELM_APPLIES, LOG, READ_JOB, case, ended_with, noticed, since
from tests.faults.judge import Findings
from tests.faults.ledger import script
from tests.faults.rules import HTML, Answer, Drip, Drop, Lose, Rule, refusal
from tests.faults.scene import Scene

GONE = "API server gone, refused, unresolvable, TLS wrong, HTML instead of JSON"
BUSY = "429 with a huge Retry-After; 500 and 503 on every verb"
DENIED = "401 in the middle of the wait; 403 on logs only; a hanging exec plugin"
SLOW = "answers at one byte a second"
OUTAGE = "the API server's port closed for a minute"
AT_ONCE = 30.0
"""Seconds within which a server that can't be talked to is given up."""


@case("refused", GONE, "EF", short=True, installed=False)
def connection_refused(scene: Scene, findings: Findings) -> None:
    proxy = scene.proxy()
    proxy.shut()
    attempt = scene.start("v2", proxy=proxy, bound=AT_ONCE)
    scene.end(attempt)
    ended_with(attempt, findings, [3], "refused")


@case("unresolvable", GONE, "EF")
def name_that_does_not_exist(scene: Scene, findings: Findings) -> None:
    proxy = scene.proxy()
    proxy.write_kubeconfig(proxy.kubeconfig, server="https://api.invalid:6443")
    attempt = scene.start("v2", proxy=proxy, bound=AT_ONCE)
    scene.end(attempt)
    ended_with(attempt, findings, [3], "api.invalid")


@case("tls", GONE, "EF")
def certificate_of_somebody_else(scene: Scene, findings: Findings) -> None:
    proxy = scene.proxy()
    proxy.write_kubeconfig(proxy.kubeconfig, server=scene.bench.upstream.server)
    attempt = scene.start("v2", proxy=proxy, bound=AT_ONCE)
    scene.end(attempt)
    ended_with(attempt, findings, [3], "certificate")


@case("html", GONE, "EF")
def login_page_instead_of_json(scene: Scene, findings: Findings) -> None:
    attempt = scene.deploy("v2", rules=[Rule(HTML, times=0)], bound=AT_ONCE)
    ended_with(attempt, findings, [3])


@case("html-midway", GONE, "CEF")
def login_page_in_the_middle_of_the_wait(scene: Scene, findings: Findings) -> None:
    scene.configure('timeout = "20s"')
    created = noticed(*CREATE_JOB)
    page = Rule(HTML, *READ_JOB, nth=2, times=0, where=since(created))
    attempt = scene.deploy("v2", rules=[created, page], bound=50)
    ended_with(attempt, findings, [8])


@case("gone-for-good", GONE, "CEFI")
def port_closed_for_good_during_the_migration(scene: Scene, findings: Findings) -> None:
    scene.migrate(script(held=True), lines=0)
    scene.configure('timeout = "20s"')
    proxy = scene.proxy()
    opened = proxy.rules.add(noticed(*LOG))
    attempt = scene.start("v2", proxy=proxy, bound=20 + AT_ONCE)
    opened.await_hit()
    proxy.shut()
    scene.end(attempt)
    ended_with(attempt, findings, [8])
    scene.ledger.let_go()


@case("outage-migration", f"{OUTAGE} during migration", "ABCEFH")
def port_closed_for_a_minute_during_the_migration(scene: Scene, findings: Findings) -> None:
    scene.migrate(script(300), lines=300)
    proxy = scene.proxy()
    logs = proxy.rules.add(noticed(*LOG))
    attempt = scene.start("v2", proxy=proxy, bound=200)
    logs.await_hit()
    proxy.shut()
    time.sleep(60)
    proxy.open()
    scene.end(attempt)
    ended_with(attempt, findings, [0])


@case("outage-upgrade", f"{OUTAGE} during the upgrade", "ABCEFI", replicas=1)
def port_closed_for_a_minute_during_the_upgrade(scene: Scene, findings: Findings) -> None:
    proxy = scene.proxy()
    applied = proxy.rules.add(noticed(*HELM_APPLIES, who="helm"))
    attempt = scene.start("v2", proxy=proxy, bound=200)
    applied.await_hit()
    proxy.shut()
    time.sleep(60)
    proxy.open()
    scene.end(attempt)
    ended_with(attempt, findings, [0, 6, 7, 8])
    again = scene.deploy("v2")
    ended_with(again, findings, [0])


@case("429", BUSY, "BEF")
def too_many_requests_and_a_day_to_wait(scene: Scene, findings: Findings) -> None:
    busy = refusal(429, "TooManyRequests", "come back tomorrow", Retry_After="86400")
    attempt = scene.deploy("v2", rules=[Rule(busy, *CREATE_JOB, times=0)])
    ended_with(attempt, findings, [4, 8])
    findings.holds("B", not scene.lives(), "a migration ran that was never created")


@case("429-once", BUSY, "BEF")
def too_many_requests_once_on_every_verb(scene: Scene, findings: Findings) -> None:
    busy = refusal(429, "TooManyRequests", "slowly", Retry_After="1")
    verbs = ("GET", "POST", "PUT", "DELETE")
    attempt = scene.deploy("v2", rules=[Rule(busy, verb, who="shipit", nth=2) for verb in verbs])
    ended_with(attempt, findings, [0])


@case("500-once", BUSY, "BEF", short=True)
def internal_errors_and_gateways_on_every_verb(scene: Scene, findings: Findings) -> None:
    broken = refusal(500, "InternalError", "etcd has no leader")
    gateway = Answer(503, b"<html>no healthy upstream</html>", {"Content-Type": "text/html"})
    rules = [Rule(broken, verb, who="shipit", nth=2) for verb in ("GET", "POST", "PUT", "DELETE")]
    rules += [Rule(gateway, verb, who="shipit", nth=3) for verb in ("GET", "POST", "PUT")]
    rules += [Rule(broken, *CREATE_JOB), Rule(gateway, *CREATE_JOB)]
    attempt = scene.deploy("v2", rules=rules)
    ended_with(attempt, findings, [0])


@case("503-for-ever", BUSY, "BCEF")
def nothing_but_503_from_the_migration_on(scene: Scene, findings: Findings) -> None:
    scene.configure('timeout = "20s"')
    down = refusal(503, "ServiceUnavailable", "down")
    created = noticed(*CREATE_JOB)
    outage = Rule(down, who="shipit", nth=3, times=0, where=since(created))
    attempt = scene.deploy("v2", rules=[created, outage], bound=50)
    ended_with(attempt, findings, [7, 8])


@case("401", DENIED, "CEF", short=True)
def credentials_that_expire_in_the_wait(scene: Scene, findings: Findings) -> None:
    expired = refusal(401, "Unauthorized", "Unauthorized")
    created = noticed(*CREATE_JOB)
    attempt = scene.deploy("v2", rules=[created, Rule(expired, *READ_JOB, nth=3, where=since(created))])
    ended_with(attempt, findings, [0])


@case("401-for-good", DENIED, "CEF")
def credentials_that_are_revoked_in_the_wait(scene: Scene, findings: Findings) -> None:
    scene.configure('timeout = "20s"')
    expired = refusal(401, "Unauthorized", "Unauthorized")
    created = noticed(*CREATE_JOB)
    revoked = Rule(expired, "GET", r"jobs|pods|events", who="shipit", nth=3, times=0, where=since(created))
    attempt = scene.deploy("v2", rules=[created, revoked], bound=50)
    ended_with(attempt, findings, [8])


@case("403-logs", DENIED, "CEF", short=True)
def logs_that_may_not_be_read(scene: Scene, findings: Findings) -> None:
    scene.lines = 0
    denied = refusal(403, "Forbidden", 'pods is forbidden: User cannot get resource \\"pods/log\\"')
    attempt = scene.deploy("v2", rules=[Rule(denied, *LOG, times=0)])
    ended_with(attempt, findings, [0], "log")


@case("exec-hangs", DENIED, "EF")
def credential_plugin_that_hangs(scene: Scene, findings: Findings) -> None:
    proxy = scene.proxy()
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["600"]}
    user = {"exec": {**plugin, "interactiveMode": "Never"}}
    proxy.write_kubeconfig(proxy.kubeconfig, user=user)
    attempt = scene.start("v2", proxy=proxy, bound=60)
    scene.end(attempt)
    ended_with(attempt, findings, [3])


@case("exec-expires", DENIED, "CEF")
def credential_plugin_whose_token_expires_in_the_wait(scene: Scene, findings: Findings) -> None:
    proxy = scene.proxy()
    counter = scene.project.folder / "asked"
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "fresh"},
    }
    shell = f"echo asked >> '{counter}'; echo '{json.dumps(credential)}'"
    plugin = {"apiVersion": credential["apiVersion"], "command": "sh", "args": ["-c", shell]}
    proxy.write_kubeconfig(proxy.kubeconfig, user={"exec": {**plugin, "interactiveMode": "Never"}})
    created = proxy.rules.add(noticed(*CREATE_JOB))
    expired = refusal(401, "Unauthorized", "Unauthorized")
    proxy.rules.add(Rule(expired, *READ_JOB, nth=3, where=since(created)))
    attempt = scene.start("v2", proxy=proxy)
    scene.end(attempt)
    ended_with(attempt, findings, [0])
    findings.holds("F", counter.read_text().count("asked") > 1, "the plugin was not asked again")


@case("drip", SLOW, "E")
def every_answer_at_one_byte_a_second(scene: Scene, findings: Findings) -> None:
    attempt = scene.deploy("v2", rules=[Rule(Drip(1), times=0)], bound=AT_ONCE)
    ended_with(attempt, findings, [3])


@case("drip-midway", SLOW, "CEF")
def one_byte_a_second_in_the_middle_of_the_wait(scene: Scene, findings: Findings) -> None:
    scene.configure('timeout = "20s"')
    created = noticed(*CREATE_JOB)
    drip = Rule(Drip(1), *READ_JOB, nth=2, times=0, where=since(created))
    attempt = scene.deploy("v2", rules=[created, drip], bound=50)
    ended_with(attempt, findings, [8])


@case("drip-helm", SLOW, "CEFI")
def helm_at_one_byte_a_second(scene: Scene, findings: Findings) -> None:
    scene.configure(release='timeout = "10s"')
    attempt = scene.deploy("v2", rules=[Rule(Drip(1), *HELM_APPLIES, who="helm", times=0)], bound=90)
    ended_with(attempt, findings, [6])


@case("loose-cable", "one request in seven lost, one answer in eleven", "ABCDEFGHI")
def requests_and_answers_lost_again_and_again(scene: Scene, findings: Findings) -> None:
    rules = [
        Rule(Drop(), who="shipit", times=0, where=lambda asked: asked.number % 7 == 0),
        Rule(Lose(), who="shipit", times=0, where=lambda asked: asked.number % 11 == 0),
    ]
    attempt = scene.deploy("v2", rules=rules)
    ended_with(attempt, findings, [0])
