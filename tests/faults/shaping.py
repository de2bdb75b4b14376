"""How an answer arrives: cut after some bytes, stalled, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator

FOR_EVER = 3600.0


class Cut(Exception):
    """The answer ends here, without an end."""


async def first(chunks: AsyncIterator[bytes], after: int) -> AsyncIterator[bytes]:
    left = after
    if left <= 0:
        raise Cut
    async for chunk in chunks:
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            # What was written must be on its way before the reset overtakes it
            await asyncio.sleep(0.05)
            raise Cut


async def stalled(chunks: AsyncIterator[bytes], after: int) -> AsyncIterator[bytes]:
    left = after
    async for chunk in chunks:
        if left > 0:
            yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            await asyncio.sleep(FOR_EVER)


async def ended(chunks: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    deadline = time.monotonic() + seconds
    while True:
        try:
            chunk = await asyncio.wait_for(anext(chunks), max(0.01, deadline - time.monotonic()))
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Cut from None
        yield chunk


async def dripping(chunks: AsyncIterator[bytes], rate: float) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        for byte in chunk:
            yield bytes([byte])
            await asyncio.sleep(1 / rate)


def cut(transport: asyncio.Transport) -> None:
    """End a connection with a reset, not with a farewell."""
    if transport.is_closing():
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
