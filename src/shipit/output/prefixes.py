"""Whose log line it is, as briefly as is clear."""

from __future__ import annotations

from shipit.events import AppLogLine, JobChanged, LogLine
from shipit.output.sanitize import one_line


class Prefixes:
    """`migrate`; `migrate/wait-for-db` for an init container, and for each container once a second one has spoken;
    `migrate#2` for a second attempt; `migrate/x2k7d` for a pod that runs beside others.

    Verbose, each label names its pod and container: `migrate/shop-migrate-x2k7/init#2`.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._containers: dict[str, set[str]] = {}
        self._parallel: dict[str, str] = {}
        self._hues: dict[tuple[str, str], int] = {}

    def note(self, event: JobChanged) -> None:
        """Take in how many of a Job's pods run at once."""
        if event.active > 1:
            self._parallel[event.step] = event.job

    def of(self, line: LogLine | AppLogLine) -> str:
        parts = self._app(line) if isinstance(line, AppLogLine) else self._step(line)
        return one_line("/".join(parts))

    def hue(self, line: LogLine | AppLogLine) -> int:
        """A number of its own for each pod's container, counted from 0."""
        return self._hues.setdefault((line.pod, line.container), len(self._hues))

    def _step(self, line: LogLine) -> list[str]:
        parts = [line.step]
        job = self._parallel.get(line.step)
        if self._verbose:
            parts.append(line.pod)
        elif job is not None:
            parts.append(line.pod.removeprefix(f"{job}-"))
        if line.init or self._several(line.step, line.container):
            parts.append(line.container)
        if line.attempt > 1 and job is None:
            parts[-1] += f"#{line.attempt}"
        return parts

    def _app(self, line: AppLogLine) -> list[str]:
        return [line.pod, line.container] if self._several(f"pod {line.pod}", line.container) else [line.pod]

    def _several(self, whose: str, container: str) -> bool:
        seen = self._containers.setdefault(whose, set())
        seen.add(container)
        return len(seen) > 1 or self._verbose
