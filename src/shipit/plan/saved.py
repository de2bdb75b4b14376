"""A plan that is saved: what it was made from and what it would apply, as salted digests; and whether that still holds."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from shipit.chart import digest
from shipit.config import Request
from shipit.errors import Refused, Usage
from shipit.events import Planned, Warned
from shipit.hints import Command, Hint
from shipit.model import Plan, World, slow_digest
from shipit.plan.inputs import grouped_inputs
from shipit.plan.parts import Part, paired, parts_of
from shipit.plan.parts import Path as FieldPath
from shipit.plan.rendering import ReleaseRendering

VERSION = 1
"""Of the file's form."""
MOST_NAMED = 10


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, as it was typed: what `deploy --plan` does needs no more than that and the project."""

    tag: str
    environment: str | None = None
    values: tuple[str, ...] = ()
    set: tuple[str, ...] = ()
    set_string: tuple[str, ...] = ()
    migration_timeout: str | None = None
    upgrade_timeout: str | None = None
    preflight: str | None = None
    skip_migration: bool = False
    rerun: bool = False
    replace_running: bool = False


class SavedObject(msgspec.Struct, frozen=True):
    """One object of the plan; `digest` is of what it says but for the `volatile` fields."""

    key: str
    place: str
    title: str
    digest: str
    volatile: tuple[FieldPath, ...] = ()


class SavedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The file. `salt` is of all its digests; `live` is of the live manifest, `newest` the newest revision there is;
    `inputs` by what they are of; `steps` are the steps in words.
    """

    version: int = VERSION
    created: datetime
    expires: datetime
    salt: str
    release: str
    namespace: str
    context: str
    options: Options
    deployed: int
    newest: int
    live: str
    inputs: dict[str, str]
    steps: tuple[str, ...]
    objects: tuple[SavedObject, ...]
    shown: Planned
    warnings: tuple[Warned, ...] = ()


def saved_plan(
    request: Request,
    world: World,
    plan: Plan,
    rendering: ReleaseRendering,
    volatile: dict[str, tuple[FieldPath, ...]],
    *,
    options: Options,
    lifetime: float,
    shown: Planned,
    warnings: Sequence[Warned],
) -> SavedPlan:
    """The plan as it is saved; `shown` and `warnings` are what was told of it, masked."""
    now = world.cluster.now().replace(microsecond=0)
    expires = now + timedelta(seconds=lifetime)
    parts = parts_of(plan)
    digests = _digests([each.without(volatile.get(each.key, ())) for each in parts], request.run)
    return SavedPlan(
        created=now,
        expires=expires,
        salt=request.run,
        release=request.release,
        namespace=request.namespace,
        context=world.cluster.context,
        options=options,
        deployed=rendering.deployed,
        newest=rendering.newest,
        live=slow_digest(digest(rendering.live), request.run),
        inputs=_inputs(request, rendering, request.run),
        steps=_steps(plan),
        objects=tuple(
            SavedObject(each.key, each.place, each.title, known, volatile.get(each.key, ()))
            for each, known in zip(parts, digests, strict=True)
        ),
        shown=shown,
        warnings=tuple(warnings),
    )


def write_plan(path: Path, saved: SavedPlan) -> None:
    """Write it for this user only, whole or not at all. Raises Refused."""
    text = msgspec.json.format(msgspec.json.encode(saved), indent=2)
    made = ""
    try:
        opened, made = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # 0600
        with os.fdopen(opened, "wb") as file:
            file.write(text + b"\n")
        Path(made).replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(made).unlink()
        raise Refused(f"the plan can't be written to {path}: {error.strerror}") from error


def read_plan(path: Path) -> SavedPlan:
    """Read a plan. Raises Usage for what is none, Refused for one of a newer shipit."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Usage(f"the plan {path} can't be read: {error.strerror}") from error
    try:
        version = msgspec.json.decode(content, type=_Versioned).version
        if version > VERSION:
            raise Refused(
                f"{path} was saved by a newer shipit (format {version}, this one knows {VERSION}): upgrade shipit"
            )
        return msgspec.json.decode(content, type=SavedPlan)
    except msgspec.MsgspecError as error:
        raise Usage(f"{path} is not a plan that shipit has saved: {error}") from error


class _Versioned(msgspec.Struct):
    version: int


def check_target(saved: SavedPlan, request: Request, world: World) -> None:
    """The plan is for this release, and has not expired by the API server's clock. Raises Refused."""
    for what, planned, here in (
        ("release", saved.release, request.release),
        ("namespace", saved.namespace, request.namespace),
        ("context", saved.context, world.cluster.context),
    ):
        if planned != here:
            raise Refused(f"the plan is for {what} {planned}, and this is {here}")
    if world.cluster.now() >= saved.expires:
        raise Refused(f"the plan expired at {_stamp(saved.expires)}", hint=_again(saved))


def check_plan(saved: SavedPlan, request: Request, plan: Plan, rendering: ReleaseRendering) -> None:
    """What would be done now is what was planned. Raises Refused with all that moved.

    What this very plan has begun before, and died over, has moved the release itself: that is known by the lock.
    """
    moved = [*_moved_inputs(saved, request, rendering)]
    if plan.situation.start == "fresh":
        moved += _moved_release(saved, rendering)
    if not moved:
        moved += _moved_objects(saved, plan)
    if moved:
        more = [f"and {len(moved) - MOST_NAMED} more"] if len(moved) > MOST_NAMED else []
        raise Refused(
            "the plan no longer holds",
            hint=_again(saved),
            details=(*moved[:MOST_NAMED], *more),
        )


def _moved_inputs(saved: SavedPlan, request: Request, rendering: ReleaseRendering) -> Iterator[str]:
    now = _inputs(request, rendering, saved.salt)
    for what in dict.fromkeys((*saved.inputs, *now)):
        if saved.inputs.get(what) != now.get(what):
            yield f"{what} changed"


def _moved_release(saved: SavedPlan, rendering: ReleaseRendering) -> Iterator[str]:
    if (saved.deployed, saved.newest) != (rendering.deployed, rendering.newest):
        yield f"the release moved from revision {saved.newest} to revision {rendering.newest}"
    elif saved.live != slow_digest(digest(rendering.live), saved.salt):
        yield f"the live revision {saved.newest} is another than the one of that number when it was planned"


def _moved_objects(saved: SavedPlan, plan: Plan) -> Iterator[str]:
    steps = _steps(plan)
    if steps != saved.steps:
        yield f"the steps are others: {'; '.join(steps) or 'none'} instead of {'; '.join(saved.steps) or 'none'}"
        return
    known = {each.key: each for each in saved.objects}
    pairs = paired([Part(each.key, each.place, each.title, {}) for each in saved.objects], parts_of(plan))
    both = [(one, other) for one, other in pairs if one is not None and other is not None]
    digests = _digests([other.without(known[one.key].volatile) for one, other in both], saved.salt)
    for one, other in pairs:
        if one is None and other is not None:
            yield f"{other.title} was not in the plan"
        elif other is None and one is not None:
            yield f"{one.title} is not rendered any more"
    for (one, _), now in zip(both, digests, strict=True):
        if known[one.key].digest != now:
            yield f"{one.title} is rendered otherwise"


def _inputs(request: Request, rendering: ReleaseRendering, salt: str) -> dict[str, str]:
    return {what: slow_digest(each, salt) for what, each in grouped_inputs(request, rendering).items()}


def _steps(plan: Plan) -> tuple[str, ...]:
    """What is run, in its order and with its patience."""
    return (
        *(
            f"{step.name} ({step.ref.kind}, {step.phase}, {step.timeout:g} s, starts within {step.start_timeout:g} s)"
            for step in plan.steps
        ),
        *(f"{name} is skipped" for name in plan.skipped),
        f"helm upgrade ({plan.timeout:g} s)",
    )


def _digests(texts: Sequence[str], salt: str) -> list[str]:
    """Slow ones, at 50 ms each: on all processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda text: slow_digest(text, salt), texts))


def _again(saved: SavedPlan) -> Hint:
    words = ("shipit", "plan", "--tag", saved.options.tag)
    return Hint(Command(words), "shows what would be done now; --save FILE saves it")


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
