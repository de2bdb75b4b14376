"""What can be read but once is read once, and helm gets a file of it as often as it likes."""

from __future__ import annotations

import base64
import io
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shipit.config import STDIN
from shipit.errors import Refused
from shipit.helm import GivenValues
from shipit.helm.given_values import MOST


class Handler(BaseHTTPRequestHandler):
    asked: list[str]

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        self.asked.append(self.path)
        login = self.headers.get("Authorization") == "Basic " + base64.b64encode(b"bob:s3 same").decode()
        found = self.path.startswith("/a.yaml") and (login or "private" not in self.path)
        body = b"a: 1\n" if found else b""
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def host() -> Iterator[str]:
    Handler.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def text_of(layer: object) -> str:
    assert isinstance(layer, Path)
    assert layer.stat().st_mode & 0o777 == 0o600
    return layer.read_text()


def test_stdin_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a: 1\n")))
    given = GivenValues(tmp_path)
    assert text_of(given.kept(STDIN)) == "a: 1\n"
    assert given.kept(STDIN) == given.kept(STDIN)


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("b: 2\n"))
    writer.start()
    given = GivenValues(tmp_path)
    assert text_of(given.kept(pipe)) == text_of(given.kept(pipe)) == "b: 2\n"
    writer.join()
    assert text_of(given.kept(Path("/dev/null"))) == ""


def test_a_url_is_fetched_once_with_its_own_credentials(tmp_path: Path, host: str) -> None:
    given = GivenValues(tmp_path)
    url = f"http://bob:s3%20same@{host}/a.yaml?private=1"
    assert text_of(given.kept(url)) == text_of(given.kept(url)) == "a: 1\n"
    assert Handler.asked == ["/a.yaml?private=1"]


def test_what_is_a_file_a_table_or_for_helm_alone_stays_as_it_is(tmp_path: Path) -> None:
    plain = tmp_path / "plain.yaml"
    plain.touch()
    given = GivenValues(tmp_path)
    for layer in (plain, tmp_path / "gone.yaml", {"a": 1}, "secrets://s.yaml", "ref+vault://a#/b"):
        assert given.kept(layer) is layer


def test_a_url_that_cannot_be_fetched_is_told_without_its_secrets(tmp_path: Path, host: str) -> None:
    given = GivenValues(tmp_path)
    with pytest.raises(Refused) as caught:
        given.kept(f"http://bob:hunter2@{host}/b.yaml?token=hunter3")
    assert (
        caught.value.message
        == f"the values at http://{host}/b.yaml can't be fetched: the server answers 404 Not Found"
    )
    with pytest.raises(Refused, match="refused"):
        given.kept("http://127.0.0.1:1/x.yaml")
    with pytest.raises(Refused, match="can't be fetched"):
        given.kept("http:///x.yaml")


def test_no_end_of_values_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=f"larger than {MOST // 1024 // 1024} MiB"):
        GivenValues(tmp_path).kept(Path("/dev/zero"))
