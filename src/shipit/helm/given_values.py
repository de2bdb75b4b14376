"""Values that can be read but once, or may change between two looks: stdin, pipes and what is behind a URL."""

from __future__ import annotations

import base64
import os
import stat
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import SplitResult, unquote, urlsplit

from shipit.config import STDIN
from shipit.errors import Refused, refusing
from shipit.hints import advice
from shipit.model import Layer

MOST = 16 * 1024 * 1024
"""Bytes. Helm could not store a hundredth of it."""
WITHIN = 30.0
_FETCHED = ("http", "https")
_CHUNK = 64 * 1024


class GivenValues:
    """Keeps each in a file in `folder`, which is private, and reads none of them twice."""

    def __init__(self, folder: Path, *, within: float = WITHIN) -> None:
        self._folder = folder
        self._within = within
        self._kept: dict[Path | str, Path] = {}

    def kept(self, layer: Layer) -> Layer:
        """The file that holds it; a plain file, a table and what only helm can read as they are. Raises Refused."""
        if isinstance(layer, dict) or not _is_read_once(layer):
            return layer
        if layer not in self._kept:
            with refusing():
                self._kept[layer] = self._read(layer)
        return self._kept[layer]

    def _read(self, layer: Path | str) -> Path:
        if isinstance(layer, str):
            return self._fetch(layer)
        if layer == STDIN:
            return self._write(sys.stdin.buffer.read(MOST + 1), "stdin")
        with layer.open("rb") as pipe:
            return self._write(pipe.read(MOST + 1), str(layer))

    def _fetch(self, url: str) -> Path:
        """As helm would: with no credentials but those in the URL."""
        parts = urlsplit(url)
        shown = parts._replace(netloc=_host(parts), query="", fragment="").geturl()
        request = urllib.request.Request(parts._replace(netloc=_host(parts)).geturl())  # noqa: S310 - http(s) only
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(login).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=self._within) as answer:  # noqa: S310
                return self._write(_read_within(answer, self._within), shown)
        except urllib.error.HTTPError as error:
            error.close()
            raise _not_fetched(shown, f"the server answers {error.code} {error.reason}") from None
        except urllib.error.URLError as error:
            raise _not_fetched(shown, str(error.reason)) from None
        except (OSError, HTTPException, ValueError) as error:
            raise _not_fetched(shown, str(error) or type(error).__name__) from None

    def _write(self, content: bytes, source: str) -> Path:
        if len(content) > MOST:
            raise Refused(f"the values from {source} are larger than {MOST // 1024 // 1024} MiB")
        opened, path = tempfile.mkstemp(prefix="values-", suffix=".yaml", dir=self._folder)
        with os.fdopen(opened, "wb") as file:
            file.write(content)
        return Path(path)


def _is_read_once(layer: Path | str) -> bool:
    if isinstance(layer, str):
        return urlsplit(layer).scheme.lower() in _FETCHED
    try:
        return layer == STDIN or not stat.S_ISREG(layer.stat().st_mode) or layer.is_relative_to("/dev")
    except OSError:
        return False  # gone since it was looked at: helm says so


def _read_within(answer: IO[bytes], within: float, now: Callable[[], float] = time.monotonic) -> bytes:
    """A server that sends a byte now and then doesn't hold us for ever."""
    until = now() + within
    content = b""
    while (chunk := answer.read(_CHUNK)) and len(content) <= MOST:
        content += chunk
        if now() > until:
            raise TimeoutError(f"it was not all there within {within:g} s")
    return content


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _not_fetched(shown: str, why: str) -> Refused:
    return Refused(
        f"the values at {shown} can't be fetched: {why}",
        hint=advice("check the URL; like helm, shipit sends no credentials but those in it"),
    )
