"""An API server that answers by a script, faults included, over HTTP or HTTPS on this machine. For tests."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.faults.certificates import make_certificates

Json = dict[str, Any]


@dataclass
class Clock:
    """Passes only when somebody sleeps, when a fault makes it pass, or by a tick with every look at it."""

    seconds: float = 0.0
    tick: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        self.seconds += self.tick
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: str
    body: Any
    headers: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().handle_one_request()

    def _any(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(size)
        path, _, query = self.path.partition("?")
        request = Request(self.command, path, query, json.loads(raw) if raw else None, dict(self.headers))
        self.server.story.answer(request, self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

    def log_message(self, *args: object) -> None: ...

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        """The beginning of an answer in chunks."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def drop(self) -> None:
        """End the connection without another word."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    story: Api


Fault = Callable[[Handler], None]


@dataclass
class Api:
    """`script` holds the next answers of a "METHOD /path" ("WATCH /path" for a watch), or of the method alone.

    The last answer goes on for ever.
    """

    clock: Clock = field(default_factory=Clock)
    script: dict[str, list[Fault]] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    address: str = ""
    trust: Json = field(default_factory=dict)  # what a kubeconfig's cluster says to trust it
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def on(self, what: str, *answers: Fault) -> None:
        self.script[what] = list(answers)

    def answer(self, request: Request, handler: Handler) -> None:
        with self._guard:
            self.asked.append(request)
            watched = f"WATCH {request.path}" if "watch=true" in request.query else ""
            answers = next(
                (found for key in (watched, str(request), request.method) if (found := self.script.get(key))),
                [],
            )
            fault = (answers.pop(0) if len(answers) > 1 else answers[0]) if answers else missing()
        fault(handler)

    @property
    def calls(self) -> list[str]:
        return [str(request) for request in self.asked]


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Api]:
    api = Api()
    server = Server(("127.0.0.1", 0), Handler)
    server.story = api
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    api.address = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextlib.contextmanager
def serving_securely(folder: Path) -> Iterator[Api]:
    """Over HTTPS: credentials are given to no other server."""
    certificates = make_certificates(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.certificate, certificates.key)
    with serving(tls) as api:
        api.trust = {"certificate-authority": str(certificates.authority)}
        yield api


def says(body: object, status: int = 200, **headers: str) -> Fault:
    """Answer with JSON, or with text as it is."""
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = "text/html" if isinstance(body, str) else "application/json"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.reply(status, raw, {"Content-Type": kind, **named})


def refuses(status: int, reason: str, message: str, **more: object) -> Fault:
    """Answer with a Status, as the API server refuses."""
    return says({"kind": "Status", "status": "Failure", "reason": reason, "message": message, **more}, status)


def missing() -> Fault:
    return refuses(404, "NotFound", 'jobs.batch "migrate" not found')


def drops() -> Fault:
    """Take the request and close the connection."""
    return Handler.drop


def kubeconfig(folder: Path, server: str, user: Json | None = None, **cluster: object) -> Path:
    """A kubeconfig of one context, `here`, in namespace `shop`."""
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user or {"token": "sesame-opens"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(body), encoding="utf-8")
    return path
