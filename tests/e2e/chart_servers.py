"""Servers that charts come from: a chart repository, and the sandbox's registry behind a password."""

from __future__ import annotations

import base64
import http.client
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

USER, PASSWORD = "bob", "s3same-open"
_AUTHORIZATION = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@dataclass
class Server:
    """What is asked of it, in order; `url` has no credentials in it."""

    url: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")


@contextmanager
def _serving(handler: Any, server: Server) -> Iterator[Server]:
    listening = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.url = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


class _Guarded(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: Server

    def log_message(self, format: str, *args: object) -> None: ...

    def allowed(self, *, guarded: bool) -> bool:
        self.server_of.asked.append(self.path)
        if not guarded or self.headers.get("Authorization") == _AUTHORIZATION:
            return True
        self.answer(401, b"", {"WWW-Authenticate": 'Basic realm="charts"'})
        return False

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def files_served(folder: Path) -> Iterator[Server]:
    """Serves a folder; what is asked for under /private/ needs USER and PASSWORD."""
    server = Server()

    class Handler(_Guarded):
        server_of = server

        def do_GET(self) -> None:
            if not self.allowed(guarded=self.path.startswith("/private/")):
                return
            path = folder / self.path.removeprefix("/private").lstrip("/")
            self.answer(200, path.read_bytes()) if path.is_file() else self.answer(404, b"")

    with _serving(Handler, server):
        yield server


@contextmanager
def registry_behind_a_password(upstream: str) -> Iterator[Server]:
    """The registry `upstream` (host and port), for whoever says USER and PASSWORD."""
    server = Server()

    class Handler(_Guarded):
        server_of = server

        def do_GET(self) -> None:
            if not self.allowed(guarded=True):
                return
            connection = http.client.HTTPConnection(upstream, timeout=30)
            accept = {"Accept": self.headers["Accept"]} if self.headers.get("Accept") else {}
            connection.request(self.command, self.path, headers=accept)
            found = connection.getresponse()
            body = found.read()
            kept = ("content-type", "docker-content-digest", "content-length")
            headers = {name: value for name, value in found.getheaders() if name.lower() in kept}
            self.answer(found.status, body, {name.title(): value for name, value in headers.items()})
            connection.close()

        do_HEAD = do_GET  # noqa: N815 - as http.server calls it

    with _serving(Handler, server):
        yield server


def packed(helm: Path, chart: Path, version: str, target: Path) -> Path:
    """The chart's folder as an archive of that version."""
    target.mkdir(parents=True, exist_ok=True)
    run_helm(helm, "package", str(chart), f"--version={version}", f"--destination={target}")
    return next(target.glob(f"*-{version}.tgz"))


def indexed(helm: Path, folder: Path) -> None:
    """Make a chart repository of a folder of archives."""
    run_helm(helm, "repo", "index", str(folder))


def pushed(helm: Path, archive: Path, registry: str, project: str) -> str:
    """The `oci://` name under which the archive is in the registry now, without its version."""
    run_helm(helm, "push", str(archive), f"oci://{registry}/{project}", "--plain-http")
    return f"oci://{registry}/{project}/{archive.name.rpartition('-')[0]}"


def run_helm(helm: Path, *args: str, env: dict[str, str] | None = None) -> str:
    ran = subprocess.run([helm, *args], capture_output=True, text=True, check=False, timeout=60, env=env)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def without_folder(chart: Path) -> None:
    """Only what was fetched can be deployed now."""
    shutil.rmtree(chart)
