"""A small notes service: JSON over HTTP, PostgreSQL behind it; it says which release and which schema it runs."""

import json
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg2
import psycopg2.errors

PORT = 8080
LARGEST_BODY = 64 * 1024
TAG = os.environ.get("NOTES_TAG", "unknown")


def newest_migration(versions: Path) -> str:
    """The revision that this release needs: the newest that its own image carries, such as `0002`."""
    return max((file.name[:4] for file in versions.glob("[0-9]*.py")), default="0000")


REQUIRED = newest_migration(Path(__file__).parent / "migrations" / "versions")


@contextmanager
def database() -> Iterator[Any]:
    """A cursor in a transaction of its own. libpq reads PGHOST, PGUSER, PGPASSWORD and PGDATABASE."""
    connection = psycopg2.connect(connect_timeout=3, application_name=f"notes {TAG}")
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def schema(cursor: Any) -> dict[str, Any]:
    """Alembic's revision (None before the first migration) and the columns of `notes`."""
    cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
    revision = None
    if cursor.fetchone()[0]:
        cursor.execute("SELECT version_num FROM alembic_version")
        row = cursor.fetchone()
        revision = row and row[0]
    cursor.execute(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND table_name = 'notes' ORDER BY ordinal_position"
    )
    return {"revision": revision, "columns": [row[0] for row in cursor.fetchall()]}


def about() -> dict[str, Any]:
    with database() as cursor:
        return {"app": "notes", "tag": TAG, "schema": schema(cursor)}


def health() -> tuple[HTTPStatus, dict[str, Any]]:
    """Ready only on a schema that has this release's migrations; a newer one is fine, as a rollback makes it."""
    answer = about()
    ready = (answer["schema"]["revision"] or "0000") >= REQUIRED
    answer["status"] = "ok" if ready else f"needs schema {REQUIRED}"
    return (HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE), answer


def list_notes(limit: int) -> list[dict[str, Any]]:
    """The newest notes, with whatever columns the schema has."""
    with database() as cursor:
        cursor.execute("SELECT * FROM notes ORDER BY id DESC LIMIT %s", (limit,))
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def slug_of(title: str) -> str:
    """The title as it may stand in a URL: `Milk & eggs!` is `milk-eggs`."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def add_note(title: str, body: str) -> dict[str, Any]:
    row = {"title": title, "body": body}
    if REQUIRED >= "0002":
        row["slug"] = slug_of(title)
    with database() as cursor:
        cursor.execute(
            f"INSERT INTO notes ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))}) RETURNING id",
            tuple(row.values()),
        )
        return {"id": cursor.fetchone()[0], **row}


class Handler(BaseHTTPRequestHandler):
    """Routes of the service. A database that can't be reached is 503, never a broken connection."""

    server_version = "notes"
    timeout = 10

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/":
            self._guarded(lambda: (HTTPStatus.OK, about()))
        elif url.path == "/healthz":
            self._guarded(health)
        elif url.path == "/notes":
            limit = parse_qs(url.query).get("limit", ["20"])[0]
            if not re.fullmatch(r"[0-9]{1,4}", limit):
                self._answer(HTTPStatus.BAD_REQUEST, {"error": "limit is a number up to 9999"})
                return
            self._guarded(lambda: (HTTPStatus.OK, {"notes": list_notes(int(limit))}))
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"error": "try /, /healthz or /notes"})

    def do_POST(self) -> None:
        if urlsplit(self.path).path != "/notes":
            self._answer(HTTPStatus.NOT_FOUND, {"error": "try /notes"})
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            self.close_connection = True
            self._answer(HTTPStatus.BAD_REQUEST, {"error": f"a body of at most {LARGEST_BODY} bytes, please"})
            return
        try:
            note = json.loads(self.rfile.read(int(length)))
            title, body = note["title"], note.get("body", "")
        except (ValueError, TypeError, KeyError, AttributeError):
            title = body = None
        if not isinstance(title, str) or not title.strip() or not isinstance(body, str):
            self._answer(HTTPStatus.BAD_REQUEST, {"error": 'send {"title": "…", "body": "…"}'})
            return
        self._guarded(lambda: (HTTPStatus.CREATED, add_note(title, body)))

    def _guarded(self, work: Any) -> None:
        try:
            status, answer = work()
        except psycopg2.errors.UndefinedTable:
            status, answer = HTTPStatus.SERVICE_UNAVAILABLE, {"error": "the schema is not there yet"}
        except psycopg2.OperationalError as error:
            # Only its kind: the text of a failed connection names the host and the user.
            print(f"database: {error}", file=sys.stderr)
            status, answer = HTTPStatus.SERVICE_UNAVAILABLE, {"error": "the database does not answer"}
        self._answer(status, {"tag": TAG, **answer} if "error" in answer else answer)

    def _answer(self, status: HTTPStatus, answer: dict[str, Any]) -> None:
        data = json.dumps(answer, default=str).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Every request but the probes, which would drown the rest."""
        if self.path != "/healthz":
            super().log_request(code, size)


def main() -> None:
    server = ThreadingHTTPServer(("", PORT), Handler)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # As process 1 of a container nothing ends us by default; shutdown() waits for the loop we interrupt.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"notes {TAG} serves on port {PORT} and needs schema {REQUIRED}", flush=True)
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
