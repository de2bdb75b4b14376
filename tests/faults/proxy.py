"""A TLS-terminating proxy that stands between shipit (and its helm) and the API server, and breaks what rules say.

aiohttp speaks HTTP and TLS on both sides. Towards the API server the proxy uses the administrator's certificate; its
clients need none. Each proxy has a port and a kubeconfig of its own, so that what one deploy asks for is told apart
from what another does.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, assert_never

import aiohttp
from aiohttp import web

from tests.faults.certificates import Certificates
from tests.faults.forwarding import Answered, Forwarder, answer_with, cut_off
from tests.faults.loop import Loop
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
from tests.faults.shaping import cut, dripping, ended, first, stalled
from tests.faults.upstream import Upstream

ADDRESS = "127.0.0.1"


class Proxy:
    """One port in front of the API server. `rules` may change at any time; `records` is all that was asked for."""

    def __init__(self, loop: Loop, upstream: Upstream, certificates: Certificates, folder: Path) -> None:
        self.rules = Rules()
        self.records: list[Record] = []
        self.port = 0
        self.kubeconfig = folder / "kubeconfig"
        self._site: web.TCPSite | None = None
        self._loop = loop
        self._authority = certificates.authority
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificates.certificate, certificates.key)
        self._tls.set_alpn_protocols(["http/1.1"])
        self._old: dict[str, Answered] = {}
        self._open: set[asyncio.Transport] = set()
        self._forwarder = loop.run(self._start(upstream))
        self.write_kubeconfig(self.kubeconfig)

    @property
    def uids(self) -> set[str]:
        """All UIDs that shipit was told."""
        return self._forwarder.uids

    async def _start(self, upstream: Upstream) -> Forwarder:
        server = web.Server(self._serve, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._listen()
        return Forwarder(upstream)

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
        await self._forwarder.close()

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
            return cut_off(request, record)
        finally:
            record.ended = time.time()

    async def _answer(
        self, request: web.BaseRequest, record: Record, fault: Fault | None
    ) -> web.StreamResponse:
        match fault:
            case None | Delay(seconds=0):
                return await self._forwarder.forward(request, record)
            case Drop():
                return cut_off(request, record)
            case Lose():
                await self._forwarder.whole(request, record)
                return cut_off(request, record)
            case Delay(seconds):
                return await asyncio.shield(asyncio.ensure_future(self._later(request, record, seconds)))
            case Answer(status, body, headers):
                return answer_with(record, (status, dict(headers), body))
            case Replay(stale):
                return await self._replay(request, record, stale)
            case Call():
                return await self._called(request, record, fault)
            case Reset() | Stall() | Cutoff() | Drip():
                return await self._forwarder.forward(request, record, shaped=_shape(fault))
            case _:
                assert_never(fault)

    async def _called(self, request: web.BaseRequest, record: Record, call: Call) -> web.StreamResponse:
        if call.before is not None:
            await _in_thread(call.before, record)
            if call.cut:
                return cut_off(request, record)
        if call.after is None:
            return await self._forwarder.forward(request, record)
        answered = await self._forwarder.whole(request, record)
        await _in_thread(call.after, record)
        return cut_off(request, record) if call.cut else answer_with(record, answered)

    async def _later(self, request: web.BaseRequest, record: Record, seconds: float) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return answer_with(record, await self._forwarder.whole(request, record))

    async def _replay(
        self, request: web.BaseRequest, record: Record, stale: threading.Event
    ) -> web.StreamResponse:
        key = f"{record.path}?{record.query}"
        if not stale.is_set() or key not in self._old:
            self._old[key] = await self._forwarder.whole(request, record)
            record.fault = ""
        return answer_with(record, self._old[key])


def _shape(fault: Reset | Stall | Cutoff | Drip) -> Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]:
    match fault:
        case Reset(after):
            return lambda chunks: first(chunks, after)
        case Stall(after):
            return lambda chunks: stalled(chunks, after)
        case Cutoff(seconds):
            return lambda chunks: ended(chunks, seconds)
        case Drip(rate):
            return lambda chunks: dripping(chunks, rate)
        case _:
            assert_never(fault)


async def _in_thread(hook: Hook, record: Record) -> None:
    await asyncio.get_running_loop().run_in_executor(None, hook, record)


def _who(agent: str) -> str:
    if agent.startswith(("Helm/", "helm")):
        return "helm"
    return "kubectl" if agent.startswith("kubectl") else "shipit"
