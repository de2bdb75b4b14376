"""A request passed on to the API server, and its answer passed back: chunk by chunk, or whole."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable

import aiohttp
from aiohttp import web
from yarl import URL

from tests.faults.rules import Record
from tests.faults.shaping import Cut, cut
from tests.faults.upstream import Upstream

CREATED = 201
PER_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("host", "authorization", "content-length"),
    }
)
UID = re.compile(rb'"uid":\s*"([0-9a-f-]{36})"')

Answered = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


class Forwarder:
    """The way to the API server. `uids` are all that shipit was ever told."""

    def __init__(self, upstream: Upstream) -> None:
        """Only within a running event loop."""
        self.uids: set[str] = set()
        self._server = upstream.server
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=upstream.tls(), limit=0),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    async def close(self) -> None:
        await self._client.close()

    @contextlib.asynccontextmanager
    async def asked(self, request: web.BaseRequest, record: Record) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in PER_HOP}
        target = URL(f"{self._server}{request.rel_url.raw_path_qs}", encoded=True)
        async with self._client.request(
            record.method, target, headers=headers, data=record.body or None, allow_redirects=False
        ) as answer:
            record.upstream = answer.status
            yield answer

    async def whole(self, request: web.BaseRequest, record: Record) -> tuple[int, dict[str, str], bytes]:
        """What the API server answers; of a stream only its beginning, for it has no end."""
        async with self.asked(request, record) as answer:
            streams = "watch=" in record.query or "follow=" in record.query
            body = b"" if streams else await answer.read()
            self._learn(record, body)
            return answer.status, passed_on(answer), body

    async def forward(
        self,
        request: web.BaseRequest,
        record: Record,
        shaped: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]] | None = None,
    ) -> web.StreamResponse:
        """Pass the answer on chunk by chunk, as it comes; `shaped` changes what arrives and when."""
        async with self.asked(request, record) as answer:
            record.status = answer.status
            response = web.StreamResponse(status=answer.status, headers=passed_on(answer))
            if answer.content_length is not None:
                response.content_length = answer.content_length
            else:
                response.enable_chunked_encoding()
            await response.prepare(request)
            chunks: AsyncIterator[bytes] = answer.content.iter_any()
            tail = b""
            try:
                async for chunk in shaped(chunks) if shaped else chunks:
                    self._learn(record, tail + chunk)
                    tail = chunk[-64:]
                    await response.write(chunk)
                    record.sent += len(chunk)
            except Cut:
                return cut_off(request, record)
            await response.write_eof()
            return response

    def _learn(self, record: Record, body: bytes) -> None:
        """The UIDs that shipit has seen: only those may it delete."""
        if record.who == "shipit":
            found = [uid.decode() for uid in UID.findall(body)]
            self.uids.update(found)
            if found and record.method == "POST" and record.upstream == CREATED and not record.dry:
                record.made = record.made or found[0]


def cut_off(request: web.BaseRequest, record: Record) -> web.StreamResponse:
    """End the client's connection in the middle; what is returned never reaches it."""
    record.status = 0
    if isinstance(request.transport, asyncio.Transport):
        cut(request.transport)
    return web.Response(status=502)


def answer_with(record: Record, answered: Answered) -> web.StreamResponse:
    """An answer that is known whole."""
    status, headers, body = answered
    record.status, record.sent = status, len(body)
    return web.Response(status=status, body=body, headers=headers)


def passed_on(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower() not in PER_HOP}
