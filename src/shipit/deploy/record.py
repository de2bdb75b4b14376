"""The record of a deploy or a rollback: how it ended, for those who come later, before the lock is given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

from shipit import history
from shipit.config import Request
from shipit.deploy.interrupted import DeployState, Stage
from shipit.deploy.timing import RECORD_WITHIN
from shipit.errors import (
    EXIT_CODES,
    HelmFailed,
    NotAllowed,
    Outcome,
    ShipitError,
    Stopped,
)
from shipit.events import Emit, Event, MigrationResult, PastDeploy, StepChanged, Warned
from shipit.lock import Lease, LockLost, lease_ref
from shipit.model import Identity, Json, Ref, World


@dataclass(slots=True)
class Recording:
    """Hears what a deploy tells, and records how it ended. `world` is the lock's holder's."""

    request: Request
    world: World
    lease: Lease
    state: DeployState
    tell: Emit
    identity: Identity
    started: datetime
    since: float
    results: list[MigrationResult] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        if isinstance(event, StepChanged) and event.result is not None:
            self.results.append(event.result)
        self.tell(event)

    def end(self, outcome: Outcome, exit_code: int) -> None:
        """Write it down: where that can't be done it is a warning, and changes nothing about the outcome."""
        if self.state.plan is None or outcome is Outcome.REFUSED:  # nothing was changed
            return
        past = self._past(outcome, exit_code)
        try:
            with self.world.cluster.within(RECORD_WITHIN):
                self._add(past)
                with suppress(ShipitError):
                    self._announce(past)
        except Stopped as stop:  # it has ended: a signal changes nothing about how
            if stop.again:
                raise

    def _add(self, past: PastDeploy) -> None:
        try:
            history.add(self.world.cluster, self.request.namespace, self.request.release, past)
        except (
            NotAllowed,
            LockLost,
        ):  # of the one preflight has warned; nothing more is written without the other
            pass
        except ShipitError as error:
            self.tell(Warned(f"this deploy could not be recorded: {error.message}", hint=error.hint))

    def _past(self, outcome: Outcome, exit_code: int) -> PastDeploy:
        plan = self.state.plan
        assert plan is not None  # noqa: S101 - see `end`
        return PastDeploy(
            id=self.request.run,
            command="rollback" if self.state.back_to else "deploy",
            started=self.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            who=self.identity.who,
            where=self.identity.where,
            tag=plan.tag,
            outcome=outcome.value,
            exit_code=exit_code,
            revision=0 if self.state.stage is Stage.BEFORE else plan.revision,
            duration=round(self.world.clock.monotonic() - self.since, 3),
            migrations=tuple(self.results),
            message=self.identity.message,
            environment=self.request.environment,
        )

    def _announce(self, past: PastDeploy) -> None:
        """An Event, for who looks at the namespace; a caller that may not write Events goes without."""
        ref = lease_ref(self.request.namespace, self.request.release)
        self.world.cluster.create(event_of(past, ref, self.lease.uid, self.world.cluster.now()))


@contextmanager
def recorded(
    request: Request, world: World, lease: Lease, state: DeployState, *, identity: Identity, emit: Emit
) -> Iterator[Recording]:
    """Record what is done meanwhile, however it ends; `world` is the lock's holder's."""
    found = Recording(
        request, world, lease, state, emit, identity, world.cluster.now(), world.clock.monotonic()
    )
    try:
        yield found
    except LockLost:  # nothing more is written
        raise
    except Stopped as stop:
        if not stop.again:
            found.end(Outcome.INTERRUPTED, 128 + stop.signum)
        raise
    except ShipitError as error:
        outcome = Outcome.UNKNOWN if isinstance(error, HelmFailed) else error.outcome
        found.end(outcome, EXIT_CODES[outcome])
        raise
    except Exception:
        found.end(Outcome.INTERNAL_ERROR, EXIT_CODES[Outcome.INTERNAL_ERROR])
        raise
    found.end(Outcome.DEPLOYED, EXIT_CODES[Outcome.DEPLOYED])


def event_of(past: PastDeploy, lease: Ref, uid: str, now: datetime) -> Json:
    """The Event of a deploy's end, about its Lease."""
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    what = "rollback" if past.command == "rollback" else f"deploy of {past.tag}"
    made = f", revision {past.revision}" if past.revision else ""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{lease.name}.{past.id}", "namespace": lease.namespace},
        "involvedObject": {
            "apiVersion": lease.api_version,
            "kind": lease.kind,
            "namespace": lease.namespace,
            "name": lease.name,
            "uid": uid,
        },
        "type": "Normal" if past.outcome == Outcome.DEPLOYED else "Warning",
        "reason": "".join(word.capitalize() for word in past.outcome.split("_")),
        "message": f"{what} by {past.who}: {past.outcome}{made}"[:1000],
        "source": {"component": "shipit"},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
