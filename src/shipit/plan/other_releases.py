"""What another release has under the name of a step: whether it may go to make room, or is in the way."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from shipit.chart import deletes_before
from shipit.errors import Busy, Forbidden, HelmFailed, Refused, ShipitError
from shipit.hints import Hint, advice, deploy_again, helm, kubectl
from shipit.lock import LockRecord, deployer_of, lease_ref
from shipit.model import JobOrPod, Plan, Ref, Step, World, as_map, as_text, get_job_or_pod, is_active
from shipit.plan.job_metadata import (
    HOOK_ANNOTATION,
    MANAGED_BY_LABEL,
    RELEASE_NAME_ANNOTATION,
    RELEASE_NAMESPACE_ANNOTATION,
)


class Owner(NamedTuple):
    """A release, by its name and the namespace in which Helm stores it."""

    release: str
    namespace: str


def other_owner(annotations: Mapping[str, object], plan: Plan) -> Owner | None:
    """The other release that an object belongs to, None when it is this one's or nobody's."""
    owner = _owner(annotations, plan.namespace)
    return owner if owner != Owner(plan.release, plan.namespace) else None


def _owner(annotations: Mapping[str, object], namespace: str) -> Owner | None:
    """The release that an object says it belongs to; one that names no namespace is of this one."""
    release = as_text(annotations.get(RELEASE_NAME_ANNOTATION))
    if not release:
        return None
    return Owner(release, as_text(annotations.get(RELEASE_NAMESPACE_ANNOTATION)) or namespace)


def explain_in_the_way(error: HelmFailed, release: str, namespace: str, world: World) -> HelmFailed | Refused:
    """What helm does not render over, told more plainly where that is a Job which a deploy of another release left:
    helm looks at owners alone, before anything could make room.
    """
    if error.reason != "ownership":
        return error
    told = "\n".join((error.message, *error.details))
    for job in world.cluster.jobs(namespace, f"{MANAGED_BY_LABEL}=Helm"):
        owner = _owner(job.annotations, namespace)
        if owner in (None, Owner(release, namespace)) or f'"{job.name}"' not in told:
            continue
        history = world.helm.history_of(*owner)
        if history and history[-1].status != "uninstalled":
            return Refused(f"Job {job.name} belongs to release {owner.release}", hint=_ANOTHER_NAME)
        return Refused(
            f"Job {job.name} was left by release {owner.release}, which is gone, and helm does not render over it",
            hint=kubectl("delete", "job", job.name, namespace=namespace, why="then deploy again"),
        )
    return error


def refuse_anothers(step: Step, plan: Plan, world: World) -> None:
    """Nothing of another release is in the way of a step, or what there is may go. Raises Refused or Busy.

    A Job or Pod that runs stays; one that has ended goes as under Helm, when both are hooks and ours is deleted before
    its creation, or when its release is gone. What another release has in its manifest stays as long as there is that
    release.
    """
    if step.watched:
        found = get_job_or_pod(world.cluster, step.ref)
        if found is not None and (owner := other_owner(found.annotations, plan)) is not None:
            _refuse_job(_Neighbour(step, owner, plan, world), found)
        return
    annotations = as_map(as_map((world.cluster.get(step.ref) or {}).get("metadata")).get("annotations"))
    owner = other_owner(annotations, plan)
    if owner is not None and HOOK_ANNOTATION not in annotations:
        _Neighbour(step, owner, plan, world).refuse_while_there()


@dataclass(frozen=True, slots=True)
class _Neighbour:
    """Another release, and the step whose name it uses."""

    step: Step
    owner: Owner
    plan: Plan
    world: World

    @property
    def what(self) -> str:
        return f"{self.step.ref.title} of release {self.name}"

    @property
    def name(self) -> str:
        elsewhere = f" in namespace {self.owner.namespace}"
        return self.owner.release + (elsewhere if self.owner.namespace != self.plan.namespace else "")

    @property
    def there(self) -> bool:
        """Whether there is that release: Helm knows it, with more than a history that was kept, or it is just being
        installed.
        """
        history = self.world.helm.history_of(*self.owner)
        return bool(history and history[-1].status != "uninstalled") or self.deployer() is not None

    def deployer(self) -> LockRecord | None:
        """Who deploys it now, as far as that may be seen."""
        ref = lease_ref(self.owner.namespace, self.owner.release)
        try:
            return deployer_of(self.world.cluster.get(ref), self.world.cluster.now())
        except Forbidden:
            return None

    def refuse_while_there(self) -> None:
        try:
            there = self.there
        except HelmFailed as error:
            raise Refused(
                f"{self.what} is in the way, and whether that release still exists is not known: {error.message}",
                hint=error.hint or helm("history", self.owner.release, namespace=self.owner.namespace),
                details=error.details,
            ) from error
        if there:
            raise Refused(
                f"{self.step.ref.title} belongs to release {self.name}",
                hint=_ANOTHER_NAME,
            )

    def refuse_deploying(self) -> None:
        """What a deploy that is under way has just run, it still needs."""
        if deployer := self.deployer():
            raise self.busy(f"{self.what} is in use: {deployer}", _WAIT)

    def busy(self, message: str, hint: Hint) -> ShipitError:
        return Busy(message, hint=hint, states=(self.plan.app_at(self.step),))


_ANOTHER_NAME = advice("give it another name in one of the two charts")
_WAIT = advice("wait until that deploy has ended, and deploy again")


def _refuse_job(one: _Neighbour, found: JobOrPod) -> None:
    step = one.step
    if is_active(found):
        _refuse_running(one, step.ref)
    elif step.hook is not None and deletes_before(step.hook) and HOOK_ANNOTATION in found.annotations:
        one.refuse_deploying()
    else:
        one.refuse_deploying()
        one.refuse_while_there()


def _refuse_running(one: _Neighbour, ref: Ref) -> None:
    """It is never deleted, unless its release is gone and the deploy is told to replace what runs."""
    gone = False
    with suppress(HelmFailed):
        gone = not one.there
    if gone and one.plan.replace_running:
        return
    hint = (
        deploy_again(one.plan.tag, "--replace-running", why=f"deletes it: there is no release {one.name}")
        if gone
        else kubectl("wait", "--for=condition=complete", f"job/{ref.name}", "--timeout=1h",
                     namespace=ref.namespace, why="waits until it has ended; then deploy again")
        if ref.kind == "Job"
        else kubectl("get", "pod", ref.name, namespace=ref.namespace, why="shows whether it has ended")
    )  # fmt: skip
    raise one.busy(f"{one.what} still runs", hint)
