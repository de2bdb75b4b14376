"""What a deploy is made from, as one digest: the same whatever the chart renders anew each time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from shipit.chart import all_files, canonical
from shipit.config import MigrationSpec, Request, parse_helm_args
from shipit.model import Json, Values
from shipit.plan.rendering import ReleaseRendering
from shipit.plan.tagged import tagged

# How long a migration may take is not what it is.
_PATIENCE = ("timeout", "start_timeout", "on_timeout")
# What is read counts by what it holds.
_READ = ("chart", "version", "values", "set")
_GROUPS = (
    ("chart", "the chart"),
    ("release", "the values"),
    ("values of revision", "the live revision, whose values are reused,"),
    ("migration", "the migration's configuration or values"),
    ("helm_args", "helm_args, or a file that they name,"),
)
_REUSING = ("--reuse-values", "--reset-then-reuse-values")


def inputs_of(request: Request, rendering: ReleaseRendering) -> str:
    """Names the charts' files, all values, the tag, the migration's configuration and the helm_args that shape a
    rendering, as 64 hexadecimal digits. Raises Refused for a chart or values file that can't be read.

    Values that only helm can read (`secrets://…`) may have changed, so each run counts as made from others.
    """
    whole = hashlib.sha256(request.run.encode() if _reads_unknown_values(request) else b"")
    for label, content in _inputs(request, rendering):
        whole.update(canonical([label, hashlib.sha256(content).hexdigest()]).encode("utf-8", "surrogatepass"))
    return whole.hexdigest()


def grouped_inputs(request: Request, rendering: ReleaseRendering) -> dict[str, str]:
    """The same by what it is of, in words: the chart, the values, the configuration of the migration, helm_args."""
    groups: dict[str, Any] = {}
    for label, content in _inputs(request, rendering):
        name = next((name for start, name in _GROUPS if label.startswith(start)), label)
        whole = groups.setdefault(name, hashlib.sha256())
        whole.update(canonical([label, hashlib.sha256(content).hexdigest()]).encode("utf-8", "surrogatepass"))
    return {name: whole.hexdigest() for name, whole in groups.items()}


def _inputs(request: Request, rendering: ReleaseRendering) -> Iterator[tuple[str, bytes]]:
    yield from _chart(request.chart)
    yield from _values("release", tagged(request, request.values, request.chart))
    for number, entry in enumerate(request.migrations):
        yield f"migration {number}", _text(_configuration(entry))
        yield from _values(f"migration {number}", Values(entry.layers))
        if entry.chart:
            yield from _chart(request.chart_of(entry))
    if request.skip_migration:
        yield "without migrations", b""
    yield from _helm_args(request, rendering)


def _reads_unknown_values(request: Request) -> bool:
    own = (layer for entry in request.migrations for layer in entry.layers)
    return any(isinstance(layer, str) for layer in (*request.values.layers, *own))


def _chart(chart: str) -> Iterator[tuple[str, bytes]]:
    """Its files; of one that helm has from elsewhere, what it is called."""
    if not Path(chart).exists():
        return iter([(f"chart {chart}", b"")])
    return ((f"chart {path}", content) for path, content in all_files(Path(chart)))


def _values(whose: str, values: Values) -> Iterator[tuple[str, bytes]]:
    for layer in values.layers:
        yield f"{whose}, values", _file(layer) if isinstance(layer, Path) else _text(layer)
    yield f"{whose}, set", _text([values.set, values.set_string])


def _configuration(entry: MigrationSpec) -> Json:
    """Its keys but for what is read as a file, and for how long it may take."""
    keys: Json = msgspec.to_builtins(entry)
    return {key: value for key, value in keys.items() if key not in (*_PATIENCE, *_READ)}


def _helm_args(request: Request, rendering: ReleaseRendering) -> Iterator[tuple[str, bytes]]:
    flags = [flag for flag in parse_helm_args(request.spec.helm_args) if flag.shapes_rendering]
    for flag in flags:
        yield "helm_args", _text(flag.words)
        for name in flag.files:
            yield "helm_args, file", _file(request.project / name)
    if any(flag.name in _REUSING for flag in flags):
        yield "values of revision", _text(rendering.deployed)


def _file(path: Path) -> bytes:
    """What it holds; nothing for what can't be read, which is helm's to refuse, or a program on PATH."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _text(value: object) -> bytes:
    return canonical(value).encode("utf-8", "surrogatepass")
