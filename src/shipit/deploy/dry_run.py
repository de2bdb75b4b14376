"""`shipit plan`, top to bottom: all that a deploy would find out, and nothing that it would change. Takes no lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from shipit import lock
from shipit.chart import resources
from shipit.config import Request
from shipit.deploy.existing import refuse_what_is_in_the_way
from shipit.deploy.foreseen import deleted, steps_of
from shipit.deploy.if_changed import Volatile, rendered_again
from shipit.deploy.live import look_at_live
from shipit.deploy.notes import counts_anew
from shipit.deploy.pending_release import as_recovered
from shipit.deploy.recognition import as_found
from shipit.errors import Forbidden, ShipitError, refusing
from shipit.events import Compared, Emit, Event, HandChange, Planned, StepChanged, Warned
from shipit.lock import LockRecord, lease_ref
from shipit.model import Identity, Plan, Ref, World
from shipit.plan import (
    Objects,
    Preflight,
    ReleaseRendering,
    by_hand,
    check,
    compared,
    draft,
    look_over,
    mask_secrets,
    missing_to_deploy,
    parts_of,
    reasons_to_deploy,
    summary,
    with_charts,
    written,
)


@dataclass(frozen=True, slots=True)
class Preview:
    """What was found out: the plan, and what was told of it. `volatile` are the fields that the chart renders anew each
    time, by object, empty unless it was asked for.
    """

    plan: Plan
    rendering: ReleaseRendering
    shown: Planned
    warnings: tuple[Warned, ...]
    volatile: Volatile


def preview(request: Request, world: World, emit: Emit, *, twice: bool = False) -> Preview:
    """Tell what a deploy would do. Raises what would end it before it changes anything, once all is told.

    `twice`: render once more in any case, to know what is volatile.
    """
    warnings: list[Warned] = []

    def later(event: Event) -> None:
        """Warnings stand below the plan, where they are read."""
        warnings.append(event) if isinstance(event, Warned) else emit(event)

    there = _has_namespace(request, world)
    before = _last_deploy(request, world, later)
    with refusing():
        stored, world = world, as_recovered(request, world, before.upgrade, later)
        request = with_charts(request, world, later)
        plan, rendering = draft(request, world, before.upgrade, later, before.made)
        plan, _ = look_at_live(as_found(plan, world), before.upgrade, world)
        mask_secrets(plan, rendering.live, world, Objects(world.cluster))
        again = cache(lambda: rendered_again(plan, request, world, before))
        reasons = reasons_to_deploy(plan, rendering, before, world, again)
        volatile = again() if twice else {}
        found = _Found(request, world, plan, rendering, before, there, settled=world is stored)
        refused = _refusal(lambda: found.check(later))
        shown = found.told(reasons, volatile)
    emit(StepChanged("prepare", "done", summary(plan)))
    emit(shown)
    for each in warnings:
        emit(each)
    if refused is not None:
        raise refused
    return Preview(plan, rendering, shown, tuple(warnings), volatile)


def _has_namespace(request: Request, world: World) -> bool:
    """Whether it is there. Raises Refused when a deploy would not make it."""
    with refusing():
        try:
            if world.cluster.get(Ref("v1", "Namespace", "", request.namespace)) is not None:
                return True
        except Forbidden:  # a Role of the namespace's own doesn't let one read it
            return True
    if not request.spec.create_namespace:
        raise lock.no_namespace(request.namespace)
    return False


def _last_deploy(request: Request, world: World, emit: Emit) -> LockRecord:
    """What the lock says, which isn't taken: a deploy that is under way is told."""
    ref = lease_ref(request.namespace, request.release)
    with refusing():
        try:
            body = world.cluster.get(ref)
            record, frozen = lock.record_of(body), lock.freeze_of(body, world.cluster.now())
        except Forbidden:
            emit(Warned(f"Lease {ref.name} may not be read: whether somebody deploys is not known"))
            return LockRecord("", "", Identity("", ""))
    if frozen is not None:
        emit(Warned(f"a deploy would end at once, for the release is frozen {frozen}"))
    if record.run:
        emit(Warned(f"a deploy holds the lock: {record}; what it changes is not part of this plan"))
    return record


def _refusal(checks: Callable[[], None]) -> ShipitError | None:
    try:
        with refusing():
            checks()
    except ShipitError as error:
        return error
    return None


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of a deploy before it is checked. `there`: its namespace is; `settled`: no revision is pending."""

    request: Request
    world: World
    plan: Plan
    rendering: ReleaseRendering
    before: LockRecord
    there: bool
    settled: bool

    def check(self, emit: Emit) -> None:
        """As a deploy does; for who may not deploy, and where there is no namespace yet, what can be known all the same."""
        plan, world = self.plan, self.world
        preflight = Preflight(emit, warns=self.request.spec.preflight == "warn")
        missing = missing_to_deploy(world.cluster, plan, world.helm.storage)
        if not self.there:
            told = "does not exist yet: what the API server says of its objects can't be known"
            emit(Warned(f"namespace {plan.namespace} {told}"))
        elif missing:
            look_over(plan, world, self.rendering, preflight)
            emit(Warned(f"you may not deploy, and nothing was tried in dry runs: missing {missing}"))
        else:
            check(plan, world, self.rendering, preflight)
        refuse_what_is_in_the_way(plan, world)

    def told(self, reasons: tuple[str, ...], volatile: Volatile) -> Planned:
        plan, world = self.plan, self.world
        found = Compared((), len(plan.app)) if plan.resumed else compared(plan, self.rendering.live)
        titles = {each.key: each.title for each in parts_of(plan)}
        return Planned(
            release=plan.release,
            namespace=plan.namespace,
            tag=plan.tag,
            revision=plan.revision,
            base_revision=self.rendering.newest,
            reasons=reasons,
            steps=steps_of(plan, self.request, world, namespace_there=self.there),
            changes=found.changes,
            unchanged=found.unchanged,
            deleted=deleted(plan, world, anew=counts_anew(plan, self.before.upgrade)),
            by_hand=self._by_hand(),
            volatile=tuple(written(titles[key], path) for key, paths in volatile.items() for path in paths),
        )

    def _by_hand(self) -> tuple[HandChange, ...]:
        """Since the live revision; where a newer one failed or never ended, what that changed can't be told from anything
        else.
        """
        live = self.rendering
        if not self.settled or not live.deployed or live.deployed != live.newest:
            return ()
        return by_hand(self.world.cluster, resources(live.live), self.plan.namespace, live.deployed)
