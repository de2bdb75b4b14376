"""The charts of a deploy, brought to this machine before anything is rendered."""

from __future__ import annotations

from dataclasses import replace

from shipit.config import Request
from shipit.events import Emit, StepChanged
from shipit.model import ChartFiles, World


def with_charts(request: Request, world: World, emit: Emit) -> Request:
    """The request with the files of its charts, which every rendering uses from here on: fetched, but once, where they
    are elsewhere. Raises HelmFailed with the reason why one can't be, Refused for dependencies that are missing.
    """
    wanted = [(request.spec.chart, request.spec.version)]
    wanted += [(entry.chart, entry.version) for entry in request.migrations if entry.chart]
    missing = [each for each in dict.fromkeys(wanted) if each not in request.charts]
    return replace(
        request, charts={**request.charts, **{each: _files(each, world, emit) for each in missing}}
    )


def _files(wanted: tuple[str, str], world: World, emit: Emit) -> ChartFiles:
    told = []

    def tell(text: str) -> None:
        told.append(text)
        emit(StepChanged("chart", "started", text))

    found = world.helm.chart(*wanted, tell)
    if told:
        emit(StepChanged("chart", "done", _told(found)))
    return found


def digests_of(request: Request) -> tuple[str, ...]:
    """The archives that a deploy is made from: `shop-1.4.2.tgz sha256:…`."""
    return tuple(told for each in request.charts.values() if (told := _told(each)))


def _told(files: ChartFiles) -> str:
    return f"{files.path.name} {files.digest}" if files.digest else ""
