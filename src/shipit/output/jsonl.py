"""One JSON object a line: every event of the contract, for machines.

Beyond the contract's fields an event carries what its dataclass holds. `revision` is null when none was made, and
`timeout_s` null when a step has no bound. ASCII only, so that neither a locale nor a line separator inside a log line
can break a reader; lone surrogates, which JSON can't name, become U+FFFD.
"""

from __future__ import annotations

import json
from typing import Any, assert_never

from shipit.events import (
    AppLogLine,
    Ended,
    Event,
    Failed,
    JobChanged,
    LogLine,
    PodChanged,
    RolloutChanged,
    Started,
    StepChanged,
    Warned,
)
from shipit.hints import AnyHint, as_hint
from shipit.model import Clock
from shipit.output.sanitize import scalars
from shipit.output.sink import Sink

Fields = dict[str, Any]


class JsonLines:
    interval: float | None = None

    def __init__(self, out: Sink, *, clock: Clock, run: str) -> None:
        self._out = out
        self._clock = clock
        self._run = run

    def show(self, event: Event) -> None:
        time = self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": time, "run": self._run, **fields(event)})
        self._out.line(line if "\\ud" not in line else json.dumps(json.loads(line, object_hook=_clean)))

    def tick(self) -> None:
        """A machine needs no heartbeat."""

    def close(self) -> None:
        """Every line is already out."""


def _clean(fields: Fields) -> Fields:
    return {key: _scalar(value) for key, value in fields.items()}


def _scalar(value: object) -> object:
    if isinstance(value, list):
        return [_scalar(item) for item in value]
    return scalars(value) if isinstance(value, str) else value


def fields(event: Event) -> Fields:
    """The contract's `type` and fields of an event."""
    match event:
        case LogLine(step, pod, container, attempt, line):
            return {
                "type": "log",
                "step": step,
                "pod": pod,
                "container": container,
                "attempt": attempt,
                "line": line,
            }
        case AppLogLine(pod, container, line):
            return {"type": "app_log", "pod": pod, "container": container, "line": line}
        case Started():
            return _started(event)
        case StepChanged(step, state, message, timeout):
            return {"type": "step", "step": step, "state": state, "message": message, "timeout_s": timeout}
        case JobChanged():
            return _job(event)
        case PodChanged(step, pod, state, attempt, message):
            return {
                "type": "pod",
                "step": step,
                "pod": pod,
                "state": state,
                "attempt": attempt,
                "message": message,
            }
        case RolloutChanged(kind, name, ready, desired, reason):
            return {
                "type": "rollout", "kind": kind, "name": name, "ready": ready, "desired": desired, "reason": reason,
            }  # fmt: skip
        case Warned(message, hint):
            return {"type": "warning", "message": message, **_hint(hint)}
        case Failed(outcome, message, hint, details, states):
            return {
                "type": "error",
                "outcome": outcome,
                "message": "; ".join((message, *states)),
                **_hint(hint),
                "details": list(details),
            }
        case Ended():
            return result(event)
        case _:
            assert_never(event)


def _started(event: Started) -> Fields:
    return {
        "type": "started",
        "command": event.command,
        "release": event.release,
        "namespace": event.namespace,
        "tag": event.tag,
        "context": event.context,
        "helm": event.helm,
    }


def _job(event: JobChanged) -> Fields:
    return {
        "type": "job",
        "step": event.step,
        "job": event.job,
        "state": event.state,
        "active": event.active,
        "succeeded": event.succeeded,
        "failed": event.failed,
        "reason": event.reason,
    }


def result(event: Ended) -> Fields:
    """The `result` object: what `--report` writes too."""
    return {
        "type": "result",
        "outcome": event.outcome,
        "exit_code": event.exit_code,
        "release": event.release,
        "namespace": event.namespace,
        "tag": event.tag,
        "revision": event.revision or None,
        "duration_s": round(event.duration, 3),
        "migrations": [
            {"name": m.name, "job": m.job, "outcome": m.outcome, "duration_s": round(m.duration, 3)}
            for m in event.migrations
        ],
        "message": event.message,
        **_hint(event.hint),
    }


def _hint(given: AnyHint) -> Fields:
    hint = as_hint(given)
    return {"hint": str(hint), "hint_why": hint.why if hint.command else ""}
