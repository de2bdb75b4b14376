"""`--if-changed`: whether the release is already as a deploy would make it. And what a chart renders anew each time."""

from __future__ import annotations

from dataclasses import replace

from shipit.config import Request
from shipit.deploy.recognition import as_found
from shipit.events import Emit, StepChanged
from shipit.lock import LockRecord
from shipit.model import Plan, World
from shipit.plan import Path, ReleaseRendering, draft, parts_of, reasons_to_deploy, volatile_paths

Volatile = dict[str, tuple[Path, ...]]


def up_to_date(request: Request, world: World, before: LockRecord, emit: Emit) -> int:
    """The live revision when there is nothing to do, else 0, and why is told. `before` is what the lock said."""
    plan, rendering = _drafted("if-changed", request, world, before)
    reasons = reasons_to_deploy(
        plan, rendering, before, world, lambda: rendered_again(plan, request, world, before)
    )
    if reasons:
        emit(StepChanged("if-changed", "done", f"something to do: {'; '.join(reasons)}"))
        return 0
    live = rendering.newest
    emit(StepChanged("if-changed", "done", f"nothing to do: {request.tag} is live as revision {live}"))
    return live


def rendered_again(plan: Plan, request: Request, world: World, before: LockRecord) -> Volatile:
    """By the key of each object the fields that another rendering of the same makes another."""
    second, _ = _drafted("again", request, world, before)
    return volatile_paths(parts_of(plan), parts_of(as_found(second, world)))


def _drafted(name: str, request: Request, world: World, before: LockRecord) -> tuple[Plan, ReleaseRendering]:
    """A draft in a folder of its own: each takes one for the chart that it freezes."""
    folder = request.workdir / name
    folder.mkdir(mode=0o700)
    return draft(replace(request, workdir=folder), world, before.upgrade, lambda _event: None, before.made)
