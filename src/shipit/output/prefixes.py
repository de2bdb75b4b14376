"""Whose log line it is, as briefly as is clear."""

from __future__ import annotations

from shipit.events import AppLogLine, LogLine
from shipit.output.sanitize import one_line


class Prefixes:
    """`migrate`; `migrate/init` once a second container of the step has spoken; `migrate#2` from the second pod on.

    Verbose, each label names its pod and container: `migrate/shop-migrate-x2k7/init#2`.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._containers: dict[str, set[str]] = {}

    def of(self, line: LogLine | AppLogLine) -> str:
        parts = self._app(line) if isinstance(line, AppLogLine) else self._step(line)
        return one_line("/".join(parts))

    def _step(self, line: LogLine) -> list[str]:
        parts = [line.step]
        if self._verbose:
            parts.append(line.pod)
        if self._several(line.step, line.container):
            parts.append(line.container)
        if line.attempt > 1:
            parts[-1] += f"#{line.attempt}"
        return parts

    def _app(self, line: AppLogLine) -> list[str]:
        return [line.pod, line.container] if self._several(f"pod {line.pod}", line.container) else [line.pod]

    def _several(self, whose: str, container: str) -> bool:
        seen = self._containers.setdefault(whose, set())
        seen.add(container)
        return len(seen) > 1 or self._verbose
