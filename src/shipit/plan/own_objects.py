"""What belongs to the app makes no room for a hook: it serves as the hook's object, or the migration gets a copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shipit.chart import Document, deletes_after, ref_of, references_of, resources, split, with_references
from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import (
    COPY_ANNOTATION,
    RELEASE_LABEL,
    Cluster,
    Hook,
    Json,
    Plan,
    Ref,
    Resource,
    Step,
    World,
    as_list,
    as_map,
    as_text,
    get_job_or_pod,
)
from shipit.plan.job_metadata import HOOK_ANNOTATION, RESOURCE_POLICY_ANNOTATION, owned
from shipit.plan.rendering import ReleaseRendering
from shipit.plan.same_content import COPIED, say_the_same
from shipit.plan.selection import SelectedObject

_MIGRATIONS_OWN = (*COPIED, "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
"""Kinds that charts make for their migration alone, and turn into hooks later."""

Identity = tuple[str, str, str, str]


def keep_own_objects(plan: Plan, rendering: ReleaseRendering, world: World) -> Plan:
    """The plan with hooks that leave alone what the live release, or the manifest that Helm gets, brings under their
    names. Raises Refused, before anything changes, where only a deletion would do what the chart asks for.
    """
    own = _Own(plan, rendering, world)
    later = _renamed(tuple(own.after(step) for step in plan.later))
    during, after = later[: len(plan.during)], later[len(plan.during) :]
    if plan.resumed:
        return replace(plan, during=during, after=after)
    before = tuple(own.before(step) for step in plan.before)
    for found in filter(None, map(world.cluster.get, plan.taken_over)):
        world.cluster.replace(kept_by_helm(found), dry_run=True)
    late = tuple(each.late for each in before if each.late is not None)
    return replace(plan, before=_renamed(before), during=during, after=(*late, *after))


def taken_over(
    selected: Sequence[SelectedObject], app: Sequence[Document], live: Sequence[Document], namespace: str
) -> tuple[Resource, ...]:
    """What the live revision lists and the chart makes by hooks from now on, which stays there: Helm must not remove
    it with the upgrade, and could not roll back to a revision that lists it.
    """
    hooks = {
        ref_of(one.body, namespace).identity
        for one in selected
        if one.kind not in ("Job", "Pod") and one.phase == "before" and _stays(one.hook)
    }
    kept = {each.ref.identity for each in resources(app)}
    return tuple(each for each in resources(live) if each.ref.identity in hooks - kept)


def kept_by_helm(body: Json) -> Json:
    """An object as it is, marked for Helm to leave it where a manifest no longer lists it."""
    notes = {**_annotations(body), RESOURCE_POLICY_ANNOTATION: "keep"}
    return {**body, "metadata": {**as_map(body.get("metadata")), "annotations": notes}}


def copy_of(ref: Ref) -> Ref:
    """Names the copy of an object. The name is fixed: a migration that still runs is never joined by a second copy."""
    return ref._replace(name=f"{ref.name}-shipit")


def is_copy(body: Json, release: str) -> bool:
    """Whether a deploy of that release made it as a migration's copy."""
    labels = as_map(as_map(body.get("metadata")).get("labels"))
    return COPY_ANNOTATION in _annotations(body) and labels.get(RELEASE_LABEL) == release


def as_copy(step: Step, ref: Ref, plan: Plan, cluster: Cluster) -> Step:
    """The step that makes what the migration gets in place of one of the app's objects. Raises Refused when the name
    is taken.
    """
    there = cluster.get(ref)
    if there is not None and not is_copy(there, plan.release):
        raise Refused(
            f"{step.ref} belongs to the app, and {ref.title}, the name of the migration's copy, is taken",
            hint=advice("give the migration's object a name of its own in the chart"),
        )
    meta = {**as_map(step.manifest.get("metadata")), "name": ref.name}
    meta["labels"] = {**as_map(meta.get("labels")), RELEASE_LABEL: plan.release}
    meta["annotations"] = {**as_map(meta.get("annotations")), COPY_ANNOTATION: step.ref.name}
    return replace(
        step,
        ref=ref,
        manifest={**step.manifest, "metadata": meta},
        remark=f"{step.ref.title} belongs to the app and differs: the migration gets {ref.name} in its place",
    )


@dataclass(frozen=True, slots=True)
class _Settled:
    """A step as it is run now. `copies` what it makes under another name; `late` what is made once the app
    no longer has an object of that name.
    """

    step: Step
    copies: str = ""
    late: Step | None = None


def _renamed(settled: tuple[_Settled, ...]) -> tuple[Step, ...]:
    """The steps, each Job and Pod taking the copies that were made before it."""
    names: dict[tuple[str, str], str] = {}
    steps = []
    for each in settled:
        if each.copies:
            names[each.step.ref.kind, each.copies] = each.step.ref.name
        if each.step.watched and names:
            steps.append(replace(each.step, manifest=with_references(each.step.manifest, names)))
        else:
            steps.append(each.step)
    return tuple(steps)


class _Own:
    """What belongs to the app: by its name, as it was rendered."""

    def __init__(self, plan: Plan, rendering: ReleaseRendering, world: World) -> None:
        self._plan = plan
        self._cluster = world.cluster
        self._app = _by_identity(plan.app)
        self._live = live_objects(plan, rendering, world)
        self._handed_over = {ref.identity for ref in plan.previous_jobs} - self._app.keys()
        self._used = {each for resource in plan.app for each in _uses(resource.body)}

    def before(self, step: Step) -> _Settled:
        """A step while the live release is what runs."""
        key = step.ref.identity
        if key not in self._live and key not in self._app:
            return _Settled(step)
        if step.watched:
            self._refuse_live_job(step)
            return _Settled(step)
        there = self._cluster.get(step.ref)
        if there is None or not (key in self._live or _is_lasting(there)):
            return _Settled(self._adoptable(step) if key in self._app else step)
        same = say_the_same(step.manifest, there if step.ref.kind in COPIED else self._rendered(key))
        if key in self._app:
            return self._beside(step, same=same)
        return self._taken_over(step, same=same)

    def after(self, step: Step) -> _Settled:
        """A step once the app is what Helm got."""
        key = step.ref.identity
        if key not in self._app:
            return _Settled(step)
        if step.watched:
            raise self._refused(step, "would be deleted")
        return self._beside(step, same=say_the_same(step.manifest, self._app[key].body))

    def _rendered(self, key: Identity) -> Json:
        return (self._live.get(key) or self._app[key]).body

    def _refuse_live_job(self, step: Step) -> None:
        """A Job or Pod of the app's own; what an earlier deploy of ours left is none."""
        if step.ref.identity in self._handed_over:
            return
        found = get_job_or_pod(self._cluster, step.ref)
        if found is not None and RELEASE_LABEL not in found.labels:
            raise self._refused(step, "would be deleted")

    def _beside(self, step: Step, *, same: bool) -> _Settled:
        """The app has an object of that name, now and afterwards."""
        if same or step.ref.kind not in COPIED:
            return _Settled(_served(step, same=same))
        return self._copied(step)

    def _taken_over(self, step: Step, *, same: bool) -> _Settled:
        """The live release has it, and the chart makes it by a hook from now on: it is handed over where it stays."""
        stays = _stays(step.hook)
        used = (step.ref.kind, step.ref.name) in self._used
        if (used or step.ref.kind not in _MIGRATIONS_OWN) and not (stays and same):
            raise self._refused(step, "would be replaced" if stays else "would be removed")
        if same or step.ref.kind not in COPIED:
            return _Settled(_served(step, same=same))
        return replace(self._copied(step), late=_late(step) if stays else None)

    def _copied(self, step: Step) -> _Settled:
        copy = replace(
            as_copy(step, copy_of(step.ref), self._plan, self._cluster),
            hook=_with_policies(step, "before-hook-creation", "hook-succeeded", "hook-failed"),
        )
        return _Settled(copy, copies=step.ref.name)

    def _adoptable(self, step: Step) -> Step:
        """With Helm's ownership metadata: left by a deploy that was interrupted, it would make Helm refuse the next."""
        return replace(step, manifest=owned(step.manifest, self._plan.release, self._plan.namespace))

    def _refused(self, step: Step, what: str) -> Refused:
        whose = (
            f"revision {self._plan.base_revision} of the app"
            if step.ref.identity in self._live
            else "the app's new manifest"
        )
        what_else = "a hook" if step.hook is not None else "a migration"
        return Refused(
            f"{step.ref} belongs to {whose} and is {what_else} of the chart as well: it {what}",
            hint=advice(
                f"give the hook's {step.ref.kind} a name of its own in the chart"
                + ("" if step.watched else ", or let the chart also render it without hook annotations")
            ),
        )


def _served(step: Step, *, same: bool) -> Step:
    remark = (
        f"{step.ref.title} belongs to the app, is used as it is, and differs from the hook's: where the migration needs "
        "that, give the hook's a name of its own in the chart"
    )
    return replace(step, of_app=True, remark="" if same else remark)


def _stays(hook: Hook | None) -> bool:
    """Whether a hook's object is there after its event."""
    return hook is not None and not deletes_after(hook, succeeded=True)


def _late(step: Step) -> Step:
    """The hook's object, made once the app's is no longer the app's."""
    return replace(step, phase="after", hook=_with_policies(step, "before-hook-creation"))


def _with_policies(step: Step, *policies: str) -> Hook | None:
    return replace(step.hook, delete_policies=policies) if step.hook is not None else None


def live_objects(plan: Plan, rendering: ReleaseRendering, world: World) -> dict[Identity, Resource]:
    """What the release has in the cluster: by its deployed revision, and by a newer one that failed."""
    newest = rendering.history[-1] if rendering.history else None
    if newest is None or newest.status == "uninstalled":
        return {}
    found = _by_identity(resources(rendering.live))
    if rendering.deployed and newest.number != rendering.deployed:
        failed = split(world.helm.manifest(newest.number), plan.namespace)
        found = _by_identity(resources(failed)) | found
    return found


def _uses(body: Json) -> Iterator[tuple[str, str]]:
    """Kind and name of what an object of the app uses: its pods, a RoleBinding, the certificate of an Ingress, …"""
    yield from ((each.kind, each.name) for each in references_of(body))
    inside = [value for key, value in body.items() if key != "metadata"]
    while inside:
        value = inside.pop()
        inside += as_list(value) + list(as_map(value).values())
        yield as_text(as_map(value).get("kind")), as_text(as_map(value).get("name"))
        yield "Secret", as_text(as_map(value).get("secretName"))


def _by_identity(found: tuple[Resource, ...]) -> dict[Identity, Resource]:
    return {each.ref.identity: each for each in found}


def _annotations(body: Json) -> Json:
    return as_map(as_map(body.get("metadata")).get("annotations"))


def _is_lasting(body: Json) -> bool:
    """Whether what is there was not made as a hook."""
    return HOOK_ANNOTATION not in _annotations(body)
