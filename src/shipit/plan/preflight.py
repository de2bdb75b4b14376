"""What the API server would say, asked before anything changes: permissions, references, dry runs."""

from __future__ import annotations

from collections.abc import Sequence

from shipit.chart import Document, pod_template_of, resources
from shipit.errors import AlreadyExists, ApiError, Conflict, Forbidden, Invalid, NotFound, Refused
from shipit.hints import advice, shipit
from shipit.model import Cluster, Json, Plan, Ref, Step, Storage, as_text, metadata_of, spec_of
from shipit.plan.objects import Objects, needed
from shipit.plan.three_way_merge import three_way_merge

Rules = tuple[tuple[str, str, tuple[str, ...]], ...]
"""API group, resource, verbs."""

VERBS: Rules = (
    ("batch", "jobs", ("create", "get", "list", "watch", "patch", "delete")),
    ("", "pods", ("get", "list", "watch")),
    ("", "pods/log", ("get",)),
    ("", "events", ("list",)),
)
BARE_POD_VERBS: Rules = (("", "pods", ("create", "delete")),)


def storage_verbs(storage: Storage) -> Rules:
    """What helm itself does with what it keeps its releases in."""
    plural = {"Secret": "secrets", "ConfigMap": "configmaps"}[storage]
    return (("", plural, ("get", "list", "create", "update", "delete")),)


def missing_verbs(cluster: Cluster, namespace: str, more: Rules = ()) -> tuple[tuple[str, str, str], ...]:
    """What a deploy does, and `more`, that the caller may not: API group, resource, verb."""
    return tuple(
        (group, resource, verb)
        for group, resource, verbs in (*VERBS, *more)
        for verb in verbs
        if not cluster.may(verb, group, resource, namespace)
    )


def check_permissions(cluster: Cluster, namespace: str, steps: Sequence[Step], storage: Storage) -> None:
    """Raises Refused naming everything that the caller may not do but a deploy does."""
    bare = any(step.ref.kind == "Pod" for step in steps)
    more = (*storage_verbs(storage), *(BARE_POD_VERBS if bare else ()))
    missing = missing_verbs(cluster, namespace, more)
    if missing:
        named = ", ".join(f"{verb} {resource}" for _, resource, verb in missing)
        raise Refused(
            f"not allowed to deploy to namespace {namespace}: missing {named}",
            hint=shipit("doctor", why="shows the Role that is missing; examples/rbac holds the whole"),
        )


def check_references(plan: Plan, objects: Objects) -> None:
    """Every Secret, ConfigMap, ServiceAccount and PVC that a step names exists, or is made before it runs.

    Raises Refused with all that is missing.
    """
    missing = [each for each in needed(plan) if not each.optional and objects.get(each.ref) is None]
    if missing:
        told = (
            f"{each.step.ref.title} references {each.ref.title}" + (f" ({each.where})" if each.where else "")
            for each in missing
        )
        raise Refused(
            f"what the migration references does not exist in namespace {plan.namespace}",
            hint=advice(
                "create it first, outside this chart or as a pre-install,pre-upgrade hook of lower weight"
            ),
            details=tuple(dict.fromkeys(told)),
        )


def dry_run_step(cluster: Cluster, step: Step) -> None:
    """The API server accepts the object, and the pod that it would make. Raises Refused with its words."""
    try:
        cluster.create(step.manifest, dry_run=True)
    except AlreadyExists:
        pass  # the old one stands in place: everything but its name was accepted
    except (Invalid, Forbidden, NotFound) as error:
        raise _refused(str(step.ref), step.hook.path if step.hook else "", error) from error
    if step.ref.kind == "Job" and cluster.may(
        "create", "", "pods", step.ref.namespace
    ):  # dry runs need it too
        _dry_run_pod(cluster, step)


def _dry_run_pod(cluster: Cluster, step: Step) -> None:
    """Quota and PodSecurity refuse pods, not Jobs: ask for the Job's pod as well."""
    template = pod_template_of(step.manifest) or {}
    meta = dict(metadata_of(template))
    meta |= {"name": f"{step.ref.name[:50]}-dry-run", "namespace": step.ref.namespace}
    spec = dict(spec_of(template))
    account = as_text(spec.get("serviceAccountName") or spec.get("serviceAccount")) or "default"
    if cluster.get(Ref("v1", "ServiceAccount", step.ref.namespace, account)) is None:
        for key in ("serviceAccountName", "serviceAccount"):  # an earlier hook makes it, or the app
            spec.pop(key, None)
    pod: Json = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    try:
        cluster.create(pod, dry_run=True)
    except AlreadyExists:
        pass
    except (Invalid, Forbidden) as error:
        raise _refused(f"the pod of {step.ref}", step.hook.path if step.hook else "", error) from error


def dry_run_app(
    cluster: Cluster, plan: Plan, live: Sequence[Document], *, server_side: bool
) -> tuple[str, ...]:
    """The API server accepts what the upgrade will apply, in the way that Helm will apply it.

    Returns what can't be judged yet: objects of a kind or in a namespace that the chart itself brings.
    """
    before = {each.ref: each.body for each in resources(live)}
    gone = {step.ref.identity for step in plan.before if not step.of_app}  # by then: Helm makes its own
    unknown: list[str] = []
    for each in plan.app:
        ref = _placed(cluster, each.ref, plan.namespace)
        if ref is None:
            unknown.append(str(each.ref))
            continue
        try:
            applied = server_side and each.ref.identity not in gone
            _dry_run(cluster, ref, each.body, before.get(each.ref), server_side=applied)
        except NotFound:
            unknown.append(str(ref))
        except (Invalid, Forbidden, Conflict) as error:
            raise _refused(str(ref), each.source, error) from error
    return tuple(unknown)


def _placed(cluster: Cluster, ref: Ref, namespace: str) -> Ref | None:
    """Where the object really lives; None for a kind that isn't served yet."""
    namespaced = cluster.namespaced(ref.api_version, ref.kind)
    if namespaced is None:
        return None
    return ref._replace(namespace=(ref.namespace or namespace) if namespaced else "")


def _dry_run(cluster: Cluster, ref: Ref, body: Json, old: Json | None, *, server_side: bool) -> None:
    meta = {k: v for k, v in metadata_of(body).items() if k != "namespace"}
    new = {**body, "metadata": {**meta, "namespace": ref.namespace} if ref.namespace else meta}
    if server_side:
        cluster.apply(new, dry_run=True)
        return
    live = cluster.get(ref)
    if live is None:
        cluster.create(new, dry_run=True)
    else:
        cluster.replace(three_way_merge(old, live, new), dry_run=True)


def _refused(what: str, source: str, error: ApiError) -> Refused:
    where = f" (from {source})" if source else ""
    hint = error.hint
    if "immutable" in error.message:
        hint = advice(
            "if it is a migration Job, name its template under [migration]: a live object's field can't be changed"
        )
    return Refused(
        f"the API server does not accept {what}{where}: {error.message}", hint=hint, details=error.details
    )
