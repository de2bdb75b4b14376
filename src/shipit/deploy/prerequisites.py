"""What migrations need before the upgrade: made for them, noted on the lock, and taken away when nobody needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from shipit.deploy.create import create
from shipit.deploy.recognition import find_existing, is_this_deploys
from shipit.errors import Busy, Conflict, MigrationFailed, Unknown
from shipit.events import Emit, StepChanged, Warned
from shipit.lock import Lease
from shipit.model import Json, MadeObject, Plan, Ref, Step, World, as_map, metadata_of, uid_of
from shipit.plan import RELEASE_NAME_ANNOTATION, RESOURCE_POLICY_ANNOTATION, is_copy, other_owner
from shipit.states import PrerequisitesMade


@dataclass(slots=True)
class Prerequisites:
    """Those of one deploy. `made` is what it has made and not taken away again."""

    lease: Lease
    world: World
    emit: Emit
    made: dict[Ref, None] = field(default_factory=dict)

    def provide(self, plan: Plan) -> None:
        """Make what is missing, and the copies. Noted before, so that no object is forgotten, and after, by its UID.

        Raises MigrationFailed, Busy or Unknown; an object that exists is left as it is, unless it is a copy of ours.
        """
        due = _due(plan, self.world)
        for step in due:
            if step.of_app and step.remark:
                self.emit(
                    Warned(
                        f"the migration uses {step.ref.title} as it is; it differs from the chart's, which comes with the "
                        "upgrade"
                    )
                )
        making = [step for step in due if not step.of_app]
        if not making:
            return
        names = ", ".join(step.ref.title for step in making)
        self.emit(StepChanged("prerequisites", "started", names))
        new = {step.ref: self._begun(step, plan) for step in making}
        self._note({**self._noted(), **new})
        try:
            for step in making:
                body = self._make(step, new[step.ref], plan)
                new[step.ref] = replace(new[step.ref], uid=uid_of(body))
                self.made[step.ref] = None
        except (Busy, Unknown, MigrationFailed) as error:
            self.emit(StepChanged("prerequisites", "failed", error.message))
            raise
        self._note({**self._noted(), **new})
        self.emit(StepChanged("prerequisites", "done", f"created {names}"))

    def take_copies_away(self, plan: Plan) -> None:
        """Once no migration runs that may read them, this deploy's and any that an earlier one could not take away."""
        self._take_away(plan, self._noted(), lambda each: each.copy)

    def settle(self, plan: Plan) -> None:
        """Once the deploy has succeeded: what the app's manifest holds is Helm's from now on, what no migration needs any
        more goes.
        """
        held = {each.ref.identity for each in plan.app}
        listed = {step.ref.identity for step in plan.prerequisites}
        noted = self._noted()
        left = {ref: each for ref, each in noted.items() if each.copy or ref.identity not in held}
        self._take_away(plan, left, lambda each: each.copy or each.ref.identity not in listed)

    @property
    def left(self) -> tuple[PrerequisitesMade, ...]:
        """What this deploy has made beside the app."""
        return (PrerequisitesMade(tuple(ref.title for ref in self.made)),) if self.made else ()

    def _begun(self, step: Step, plan: Plan) -> MadeObject:
        """As it is noted before it is made: by its UID where an earlier deploy made it and it is still there."""
        known = self._noted().get(step.ref)
        there = self.world.cluster.get(step.ref) if known is not None else None
        uid = known.uid if known is not None and there is not None and uid_of(there) == known.uid else ""
        return MadeObject(step.ref, uid, copy=is_copy(step.manifest, plan.release))

    def _make(self, step: Step, begun: MadeObject, plan: Plan) -> Json:
        """As Helm would own it; what somebody else has made in the meantime is not overwritten."""
        cluster = self.world.cluster
        there = cluster.get(step.ref)
        if begun.copy and there is not None and is_copy(there, plan.release):
            return there  # its name says what it holds
        applies = not begun.copy and (there is None or uid_of(there) == begun.uid)
        return create(step, plan, partial(cluster.apply, force=True) if applies else cluster.create)

    def _take_away(self, plan: Plan, left: dict[Ref, MadeObject], goes: Callable[[MadeObject], bool]) -> None:
        """Delete what goes of those, and note what is left. What has ended well does not fail over it."""
        for ref, each in tuple(left.items()):
            try:
                if goes(each) and _delete(each, plan, self.world):
                    del left[ref]
                    self.made.pop(ref, None)
            except Conflict:  # another one has come in its place
                del left[ref]
            except (Unknown, Busy) as error:
                self.emit(Warned(f"{ref.title}, made for a migration, could not be deleted: {error.message}"))
        try:
            self._note(left)
        except (Unknown, Busy) as error:
            self.emit(Warned(f"that prerequisites are gone could not be noted on the lock: {error.message}"))

    def _noted(self) -> dict[Ref, MadeObject]:
        return {each.ref: each for each in self.lease.made}

    def _note(self, made: dict[Ref, MadeObject]) -> None:
        self.lease.note_made(made.values())


def _due(plan: Plan, world: World) -> tuple[Step, ...]:
    """The prerequisites of migrations that are yet to be created: what is attached to or accepted has had its own."""
    wanted: set[str] = set()
    for step in plan.before:
        found = find_existing(step, plan, world) if step.needs else None
        if step.needs and not (found is not None and is_this_deploys(found, step, plan)):
            wanted |= {ref.title for ref in step.needs}
    return tuple(each for each in plan.prerequisites if each.name in wanted)


def _delete(each: MadeObject, plan: Plan, world: World) -> bool:
    """Ask for its deletion, by its UID; true when it is gone or not ours. Raises ApiError, Conflict for a successor."""
    there = world.cluster.get(each.ref)
    if there is not None and _is_ours(each, there, plan) and not _is_kept(there):
        world.cluster.delete(each.ref, uid=each.uid or uid_of(there))
    return True


def _is_ours(each: MadeObject, there: Json, plan: Plan) -> bool:
    """Whether it is still this release's: another may have taken it over. One whose maker died before it had noted the
    UID has to say so itself.
    """
    if each.copy:
        return is_copy(there, plan.release)
    notes = as_map(metadata_of(there).get("annotations"))
    return other_owner(notes, plan) is None and (bool(each.uid) or RELEASE_NAME_ANNOTATION in notes)


def _is_kept(there: Json) -> bool:
    """As Helm would keep it."""
    return as_map(metadata_of(there).get("annotations")).get(RESOURCE_POLICY_ANNOTATION) == "keep"
