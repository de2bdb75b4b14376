"""A TLS-terminating proxy that stands between shipit (and its helm) and the API server, and breaks what rules say.

aiohttp speaks HTTP and TLS on both sides. Towards the API server the proxy uses the administrator's certificate; its
clients need none. Each proxy has a port and a kubeconfig of its own, so that what one deploy asks for is told apart
from what another does. All of them share one event loop in one thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, assert_never

import aiohttp
from aiohttp import web
from yarl import URL

from tests.faults.certificates import Certificates
from tests.faults.rules import (
    Answer,
    Call,
    Cutoff,
    Delay,
    Drip,
    Drop,
    Fault,
    Hook,
    Lose,
    Record,
    Replay,
    Reset,
    Rules,
    Stall,
)
from tests.faults.shaping import Cut, cut, dripping, ended, first, stalled
from tests.faults.upstream import Upstream

T = TypeVar("T")

ADDRESS = "127.0.0.1"
PER_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("host", "authorization", "content-length"),
    }
)
CREATED = 201
UID = re.compile(rb'"uid":\s*"([0-9a-f-]{36})"')


class Loop:
    """One event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], within: float = 30.0) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Proxy:
    """One port in front of the API server. `rules` may change at any time; `records` is all that was asked for."""

    def __init__(self, loop: Loop, upstream: Upstream, certificates: Certificates, folder: Path) -> None:
        self.rules = Rules()
        self.records: list[Record] = []
        self.uids: set[str] = set()
        self.port = 0
        self._site: web.TCPSite | None = None
        self.kubeconfig = folder / "kubeconfig"
        self._loop = loop
        self._upstream = upstream
        self._authority = certificates.authority
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificates.certificate, certificates.key)
        self._tls.set_alpn_protocols(["http/1.1"])
        self._old: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self._open: set[asyncio.Transport] = set()
        loop.run(self._start())
        self.write_kubeconfig(self.kubeconfig)

    async def _start(self) -> None:
        connector = aiohttp.TCPConnector(ssl=self._upstream.tls(), limit=0)
        self._client = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        server = web.Server(self._serve, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._listen()

    async def _listen(self) -> None:
        site = web.TCPSite(self._runner, ADDRESS, self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self._site = site
        if not self.port:
            self.port = self._runner.addresses[0][1]

    def shut(self) -> None:
        """Close the port: connections are cut, new ones refused, as when the API server is gone."""
        self._loop.run(self._shut())

    async def _shut(self) -> None:
        if self._site is not None:
            await self._site.stop()
            self._site = None
        for transport in self._open:
            cut(transport)
        self._open.clear()

    def open(self) -> None:
        """Open the port again."""
        self._loop.run(self._listen())

    def close(self) -> None:
        self._loop.run(self._close())

    async def _close(self) -> None:
        await self._shut()
        await self._runner.cleanup()
        await self._client.close()

    def write_kubeconfig(self, path: Path, *, server: str = "", user: dict[str, Any] | None = None) -> None:
        """A kubeconfig that leads here: with another `server` elsewhere, with another `user` as somebody else."""
        cluster: dict[str, Any] = {
            "server": server or f"https://{ADDRESS}:{self.port}",
            "certificate-authority": str(self._authority),
        }
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "faults", "cluster": cluster}],
            "users": [{"name": "faults", "user": user or {"token": "the-proxy-asks-for-none"}}],
            "contexts": [{"name": "faults", "context": {"cluster": "faults", "user": "faults"}}],
            "current-context": "faults",
        }
        path.write_text(json.dumps(body), encoding="utf-8")
        path.chmod(0o600)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.transport, asyncio.Transport):
            self._open.add(request.transport)
        record = Record(
            number=len(self.records) + 1,
            who=_who(request.headers.get("User-Agent", "")),
            method=request.method,
            path=request.rel_url.raw_path,
            query=request.rel_url.raw_query_string,
            body=b"",
            began=time.time(),
        )
        self.records.append(record)
        try:
            record.body = await request.read()
            rule = self.rules.of(record)
            if rule is not None:
                record.fault = type(rule.fault).__name__
            return await self._answer(request, record, rule.fault if rule else None)
        except (aiohttp.ClientError, ConnectionError):
            return self._cut(request, record)
        finally:
            record.ended = time.time()

    async def _answer(
        self, request: web.BaseRequest, record: Record, fault: Fault | None
    ) -> web.StreamResponse:
        match fault:
            case None:
                return await self._forward(request, record)
            case Drop():
                return self._cut(request, record)
            case Lose():
                await self._whole(request, record)
                return self._cut(request, record)
            case Reset(after):
                return await self._forward(request, record, shaped=lambda chunks: first(chunks, after))
            case Stall(after):
                return await self._forward(request, record, shaped=lambda chunks: stalled(chunks, after))
            case Delay(seconds):
                forwarded = asyncio.ensure_future(self._later(request, record, seconds))
                return await asyncio.shield(forwarded)
            case Drip(rate):
                return await self._forward(request, record, shaped=lambda chunks: dripping(chunks, rate))
            case Answer(status, body, headers):
                record.status, record.sent = status, len(body)
                return web.Response(status=status, body=body, headers=headers)
            case Cutoff(seconds):
                return await self._forward(request, record, shaped=lambda chunks: ended(chunks, seconds))
            case Replay(stale):
                return await self._replay(request, record, stale)
            case Call():
                return await self._called(request, record, fault)
            case _:
                assert_never(fault)

    async def _called(self, request: web.BaseRequest, record: Record, call: Call) -> web.StreamResponse:
        if call.before is not None:
            await _in_thread(call.before, record)
            if call.cut:
                return self._cut(request, record)
        if call.after is None:
            return await self._forward(request, record)
        if call.cut:
            await self._whole(request, record)
            await _in_thread(call.after, record)
            return self._cut(request, record)
        status, headers, body = await self._whole(request, record)
        await _in_thread(call.after, record)
        record.status, record.sent = status, len(body)
        return web.Response(status=status, body=body, headers=headers)

    async def _later(self, request: web.BaseRequest, record: Record, seconds: float) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        status, headers, body = await self._whole(request, record)
        record.status, record.sent = status, len(body)
        return web.Response(status=status, body=body, headers=headers)

    async def _replay(
        self, request: web.BaseRequest, record: Record, stale: threading.Event
    ) -> web.StreamResponse:
        key = f"{record.path}?{record.query}"
        if not stale.is_set() or key not in self._old:
            self._old[key] = await self._whole(request, record)
            record.fault = ""
        status, headers, body = self._old[key]
        record.status, record.sent = status, len(body)
        return web.Response(status=status, body=body, headers=headers)

    @contextlib.asynccontextmanager
    async def _asked(self, request: web.BaseRequest, record: Record) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in PER_HOP}
        target = URL(f"{self._upstream.server}{request.rel_url.raw_path_qs}", encoded=True)
        async with self._client.request(
            record.method, target, headers=headers, data=record.body or None, allow_redirects=False
        ) as answer:
            record.upstream = answer.status
            yield answer

    async def _whole(self, request: web.BaseRequest, record: Record) -> tuple[int, dict[str, str], bytes]:
        """What the API server answers; of a stream only its beginning, for it has no end."""
        async with self._asked(request, record) as answer:
            streams = "watch=" in record.query or "follow=" in record.query
            body = b"" if streams else await answer.read()
            self._learn(record, body)
            return answer.status, _passed_on(answer), body

    async def _forward(
        self,
        request: web.BaseRequest,
        record: Record,
        shaped: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]] | None = None,
    ) -> web.StreamResponse:
        """Pass the answer on chunk by chunk, as it comes; `shaped` changes what arrives and when."""
        async with self._asked(request, record) as answer:
            record.status = answer.status
            response = web.StreamResponse(status=answer.status, headers=_passed_on(answer))
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
                return self._cut(request, record)
            await response.write_eof()
            return response

    def _learn(self, record: Record, body: bytes) -> None:
        """The UIDs that shipit has seen: only those may it delete."""
        if record.who == "shipit":
            found = [uid.decode() for uid in UID.findall(body)]
            self.uids.update(found)
            if found and record.method == "POST" and record.upstream == CREATED and not record.dry:
                record.made = record.made or found[0]

    def _cut(self, request: web.BaseRequest, record: Record) -> web.StreamResponse:
        record.status = 0
        if isinstance(request.transport, asyncio.Transport):
            cut(request.transport)
        return web.Response(status=502)


async def _in_thread(hook: Hook, record: Record) -> None:
    await asyncio.get_running_loop().run_in_executor(None, hook, record)


def _passed_on(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower() not in PER_HOP}


def _who(agent: str) -> str:
    if agent.startswith(("Helm/", "helm")):
        return "helm"
    return "kubectl" if agent.startswith("kubectl") else "shipit"
