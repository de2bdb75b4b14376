"""The proxy itself: what each fault does to a request and to its answer, in front of a small web server."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.faults.certificates import make_certificates
from tests.faults.loop import Loop
from tests.faults.proxy import Proxy
from tests.faults.rules import (
    HTML,
    Call,
    Cutoff,
    Delay,
    Drip,
    Drop,
    Lose,
    Record,
    Replay,
    Reset,
    Rule,
    Stall,
    refusal,
)
from tests.faults.upstream import Upstream

UID = "01234567-89ab-cdef-0123-456789abcdef"
BODY = f'{{"metadata": {{"uid": "{UID}"}}, "spec": {{}}}}'.encode()
BROKEN = (ConnectionError, ssl.SSLError, http.client.HTTPException)


class Upstreams(BaseHTTPRequestHandler):
    """Answers every request, counts them, and streams what is watched: an event now and one much later."""

    protocol_version = "HTTP/1.1"
    server: Served

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"{self.command} {self.path}")
        if "watch" in self.path:
            self._stream()
            return
        body = BODY.replace(b"{}", str(len(self.server.asked)).encode())
        self.send_response(201 if self.command == "POST" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"6\r\nfirst\n\r\n")
        self.wfile.flush()
        self.server.ended.wait(20)
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:
        """Not on stderr."""


class Served(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Upstreams)
        self.asked: list[str] = []
        self.ended = threading.Event()


@dataclass
class World:
    proxy: Proxy
    server: Served
    trust: ssl.SSLContext

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.proxy.port, timeout=10, context=self.trust)

    def ask(self, method: str = "GET", path: str = "/thing", agent: str = "shipit") -> tuple[int, bytes]:
        connection = self.connect()
        try:
            connection.request(method, path, body=b"{}", headers={"User-Agent": agent})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, loop: Loop) -> Iterator[World]:
    server = Served()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    certificates = make_certificates(tmp_path)
    proxy = Proxy(loop, Upstream(f"http://127.0.0.1:{server.server_port}"), certificates, tmp_path)
    yield World(proxy, server, ssl.create_default_context(cafile=str(certificates.authority)))
    server.ended.set()
    proxy.close()
    server.shutdown()
    server.server_close()


def test_without_a_rule_everything_passes_and_is_written_down(world: World) -> None:
    status, body = world.ask("POST", "/things?dryRun=All", agent="Helm/4.3.1")
    assert (status, body.startswith(b'{"metadata"')) == (201, True)
    (record,) = world.proxy.records
    assert str(record) == "1 helm POST /things?dryRun=All"
    assert (record.upstream, record.status, record.body, record.dry) == (201, 201, b"{}", True)


def test_the_uids_that_shipit_has_seen_are_remembered_not_helms(world: World) -> None:
    world.ask(agent="Helm/4.3.1")
    assert not world.proxy.uids
    world.ask("POST")
    assert world.proxy.uids == {UID}
    assert world.proxy.records[-1].made == UID


def test_a_dropped_request_never_arrives(world: World) -> None:
    world.proxy.rules.add(Rule(Drop(), "POST"))
    with pytest.raises(BROKEN):
        world.ask("POST")
    assert world.server.asked == []
    assert world.ask("POST")[0] == 201


def test_a_lost_answer_is_for_something_that_was_done(world: World) -> None:
    world.proxy.rules.add(Rule(Lose(), "POST"))
    with pytest.raises(BROKEN):
        world.ask("POST")
    assert world.server.asked == ["POST /thing"]
    assert world.proxy.records[0].made == UID
    assert (world.proxy.records[0].upstream, world.proxy.records[0].status) == (201, 0)


def test_a_reset_comes_after_some_bytes(world: World) -> None:
    world.proxy.rules.add(Rule(Reset(10)))
    connection = world.connect()
    connection.request("GET", "/thing")
    answer = connection.getresponse()
    assert answer.read(10) == BODY[:10]
    with pytest.raises(BROKEN):
        answer.read()
    connection.close()


def test_what_is_watched_passes_as_it_comes(world: World) -> None:
    connection = world.connect()
    connection.request("GET", "/things?watch=true")
    assert connection.getresponse().readline() == b"first\n"
    connection.close()


def test_a_cutoff_ends_a_stream(world: World) -> None:
    world.proxy.rules.add(Rule(Cutoff(0.2)))
    connection = world.connect()
    connection.request("GET", "/things?watch=true")
    answer = connection.getresponse()
    assert answer.readline() == b"first\n"
    with pytest.raises(BROKEN):
        answer.read()
    connection.close()


def test_a_stalled_answer_says_no_more(world: World) -> None:
    world.proxy.rules.add(Rule(Stall(0)))
    connection = http.client.HTTPSConnection("127.0.0.1", world.proxy.port, timeout=0.3, context=world.trust)
    connection.request("GET", "/thing")
    with pytest.raises(TimeoutError):
        connection.getresponse().read()
    connection.close()


def test_a_drip_is_slow_and_whole(world: World) -> None:
    world.proxy.rules.add(Rule(Drip(500)))
    began = time.monotonic()
    assert world.ask()[1].startswith(b'{"metadata"')
    assert time.monotonic() - began > len(BODY) / 500


def test_a_delayed_request_arrives_though_its_sender_is_gone(world: World) -> None:
    rule = world.proxy.rules.add(Rule(Delay(0.3)))
    connection = world.connect()
    connection.request("GET", "/thing")
    rule.await_hit()
    connection.close()
    deadline = time.monotonic() + 10
    while not world.server.asked:
        assert time.monotonic() < deadline, "it never arrived"
        time.sleep(0.01)


def test_an_answer_of_its_own_is_never_asked_for(world: World) -> None:
    world.proxy.rules.add(Rule(refusal(429, "TooManyRequests", "later", Retry_After="9"), path="/busy"))
    world.proxy.rules.add(Rule(HTML, path="/page", times=0))
    assert world.ask(path="/busy")[0] == 429
    assert b"<html>" in world.ask(path="/page")[1]
    assert world.server.asked == []
    assert world.ask(path="/busy")[0] == 200


def test_a_replay_tells_what_was_true_before(world: World) -> None:
    stale = threading.Event()
    world.proxy.rules.add(Rule(Replay(stale), times=0))
    world.ask()
    before = world.ask()[1]
    stale.set()
    assert world.ask()[1] == before
    stale.clear()
    assert world.ask()[1] != before


@pytest.mark.parametrize("cut", [True, False])
def test_a_hook_is_called_before_or_after_the_request_is_carried_out(world: World, *, cut: bool) -> None:
    seen: list[tuple[str, int]] = []

    def note(record: Record) -> None:
        seen.append((record.path, len(world.server.asked)))

    world.proxy.rules.add(Rule(Call(before=note, cut=cut), path="/before"))
    world.proxy.rules.add(Rule(Call(after=note, cut=cut), path="/after"))
    for path in ("/after", "/before"):
        if cut:
            with pytest.raises(BROKEN):
                world.ask(path=path)
        else:
            assert world.ask(path=path)[0] == 200
    assert seen == [("/after", 1), ("/before", 1)]
    assert len(world.server.asked) == (1 if cut else 2)


def test_rules_count_their_own_hits(world: World) -> None:
    rule = world.proxy.rules.add(Rule(Drop(), "GET", "/thing", who="shipit", nth=2, times=2))
    results = []
    for agent in ("shipit", "Helm/4", "shipit", "shipit", "shipit"):
        try:
            results.append(world.ask(agent=agent)[0])
        except BROKEN:
            results.append(0)
    assert results == [200, 200, 0, 0, 200]
    assert [hit.number for hit in rule.hits] == [3, 4]


def test_a_closed_port_refuses_until_it_is_opened(world: World) -> None:
    held = world.connect()
    held.request("GET", "/things?watch=true")
    answer = held.getresponse()
    assert answer.readline() == b"first\n"
    world.proxy.shut()
    with pytest.raises(BROKEN):
        answer.read()
    held.close()
    with pytest.raises(ConnectionRefusedError):
        world.ask()
    world.proxy.open()
    assert world.ask()[0] == 200


def test_an_api_server_that_is_gone_cuts_the_line(world: World) -> None:
    world.server.shutdown()
    world.server.server_close()
    with pytest.raises(BROKEN):
        world.ask()
