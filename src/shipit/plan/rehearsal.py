"""Dry runs of what a deploy will create and apply, as it will do it: what surely fails is refused, what may is told."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from shipit.chart import Document, resources
from shipit.errors import AlreadyExists, Conflict, Forbidden, NotAllowed, NotFound
from shipit.model import Cluster, Json, Plan, Ref, Rendered, Step, metadata_of, uid_of
from shipit.plan.objects import Made, made_before, made_before_upgrade, with_app
from shipit.plan.own_objects import is_copy
from shipit.plan.pod_of_job import account_of, pod_of_job, without_account
from shipit.plan.three_way_merge import three_way_merge
from shipit.plan.verdicts import REHEARSED, Judge, Preflight, Verdict

TRIES = 4
"""Of a dry run that somebody else's update comes between."""

_MANAGER = re.compile(r'conflicts? with "([^"]*)"')
HELM = "helm"


def rehearse_prerequisites(cluster: Cluster, plan: Plan, preflight: Preflight) -> None:
    """The API server accepts what is made for the migrations. Raises Refused with its words."""
    for step in plan.prerequisites:
        if step.of_app:
            continue
        try:
            if is_copy(step.manifest, plan.release):
                cluster.create(step.manifest, dry_run=True)
            else:
                cluster.apply(step.manifest, dry_run=True, force=True)
        except AlreadyExists:
            continue  # a copy that an earlier try has made
        except REHEARSED as error:
            preflight.judge(Judge(cluster, plan, Made()).object(step, error), str(step.ref), error)


def rehearse_steps(cluster: Cluster, plan: Plan, preflight: Preflight) -> None:
    """The API server accepts each step's object, and the pod that a Job would make. Raises Refused with its words."""
    for step, made in made_before(plan):
        if step not in plan.to_run:
            continue
        judge = Judge(cluster, plan, made)
        job = _rehearse_object(cluster, step, judge, preflight)
        if step.ref.kind == "Job" and cluster.may("create", "", "pods", step.ref.namespace):
            _rehearse_pod(cluster, step, job, judge, preflight)


def _rehearse_object(cluster: Cluster, step: Step, judge: Judge, preflight: Preflight) -> Json | None:
    """What would be there of it, as admission and defaults leave it; None when that isn't known."""
    body = step.manifest
    if step.ref.kind == "Pod" and not _has_account(cluster, body, step, judge.made):
        body = without_account(body)
    try:
        return cluster.create(body, dry_run=True)
    except AlreadyExists:
        return None  # the old one stands in place: everything but its name was accepted
    except REHEARSED as error:
        preflight.judge(judge.object(step, error), _called(step), error)
        return None


def _rehearse_pod(cluster: Cluster, step: Step, job: Json | None, judge: Judge, preflight: Preflight) -> None:
    """Quota, PodSecurity and policies judge pods, not Jobs: ask for the Job's pod as well."""
    uid = uid_of(job) or str(uuid.uuid4())
    pod = pod_of_job(job or step.manifest, name=step.ref.name, namespace=step.ref.namespace, uid=uid)
    if not _has_account(cluster, pod, step, judge.made):
        pod = without_account(pod)
    try:
        cluster.create(pod, dry_run=True)
    except AlreadyExists:
        pass
    except REHEARSED as error:
        preflight.judge(judge.pod(step, error), f"the pod of {_called(step)}", error)


def _has_account(cluster: Cluster, pod: Json, step: Step, made: Made) -> bool:
    """Whether the pod's account is there; an earlier hook may make it, or the app."""
    ref = Ref("v1", "ServiceAccount", step.ref.namespace, account_of(pod))
    with suppress(Forbidden):
        return cluster.get(ref) is not None
    return ref not in made.objects


def _called(step: Step) -> str:
    return str(step.ref) + (f" (from {step.hook.path})" if step.hook else "")


def rehearse_app(
    cluster: Cluster, plan: Plan, live: Sequence[Document], rendered: Rendered, preflight: Preflight
) -> None:
    """The API server accepts what the upgrade will apply, in the way that Helm will apply it. Raises Refused."""
    before = {each.ref: each.body for each in resources(live)}
    made = made_before_upgrade(plan)
    gone = {step.ref.identity for step in plan.before if not step.of_app}  # by then: Helm makes its own
    judge = Judge(cluster, plan, replace(with_app(made, plan), makers=made.makers))
    for each in plan.app:
        what = str(each.ref) + (f" (from {each.source})" if each.source else "")
        try:
            ref = _placed(cluster, each.ref, plan.namespace)
            how = replace(rendered, server_side=False) if each.ref.identity in gone else rendered
            _apply(cluster, ref, each.body, before.get(each.ref), how)
        except REHEARSED as error:
            verdict = Verdict.MAY if isinstance(error, _Restless) else judge.app(each.ref, error)
            preflight.judge(verdict, what, error)


class _Restless(Conflict):
    """Somebody else updates the object all the time: no answer about it."""


def _placed(cluster: Cluster, ref: Ref, namespace: str) -> Ref:
    """Where the object really lives. Raises NotFound for a kind that isn't served yet."""
    namespaced = cluster.namespaced(ref.api_version, ref.kind)
    if namespaced is None:
        raise NotFound(f"the API server has no kind {ref.kind} in {ref.api_version}", status=404)
    return ref._replace(namespace=(ref.namespace or namespace) if namespaced else "")


def _apply(cluster: Cluster, ref: Ref, body: Json, old: Json | None, rendered: Rendered) -> None:
    """Try it again when somebody else's update came between the look and the write."""
    meta = {k: v for k, v in metadata_of(body).items() if k != "namespace"}
    new = {**body, "metadata": {**meta, "namespace": ref.namespace} if ref.namespace else meta}
    for left in reversed(range(TRIES)):
        try:
            if rendered.server_side:
                _apply_server_side(cluster, new, force=rendered.force_conflicts)
            else:
                _apply_client_side(cluster, ref, new, old, replaces=rendered.force_replace)
        except Conflict as error:
            if _MANAGER.search(error.message):
                raise
            if not left:
                raise _Restless(error.message, status=error.status, reason=error.reason) from error
        else:
            return


def _apply_server_side(cluster: Cluster, new: Json, *, force: bool) -> None:
    """Helm takes over fields that it set itself by a client-side update before it applies, so they are no conflict."""
    try:
        cluster.apply(new, dry_run=True, force=force)
    except Conflict as error:
        if set(_MANAGER.findall(error.message)) != {HELM}:
            raise
        cluster.apply(new, dry_run=True, force=True)


def _apply_client_side(cluster: Cluster, ref: Ref, new: Json, old: Json | None, *, replaces: bool) -> None:
    live = cluster.get(ref)
    if live is None:
        cluster.create(new, dry_run=True)
        return
    version = metadata_of(live).get("resourceVersion")
    whole = {**new, "metadata": {**new["metadata"], "resourceVersion": version}}
    try:
        cluster.replace(whole if replaces else three_way_merge(old, live, new), dry_run=True)
    except NotAllowed:
        cluster.apply(new, dry_run=True, force=True)  # Helm patches: whoever may do that needs no update
