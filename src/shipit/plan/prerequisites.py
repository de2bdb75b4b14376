"""Pure: which objects of the chart a migration needs before the upgrade, as its `prerequisites` say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from shipit.chart import from_template, pod_spec, ref_of, references_of, resources
from shipit.config import MigrationSpec, Request
from shipit.errors import Refused
from shipit.hints import advice
from shipit.model import Json, Resource, as_map, as_maps, as_text
from shipit.plan.candidates import Rendering
from shipit.plan.refusals import no_such_template
from shipit.plan.selection import SelectedObject

_RUN = ("Job", "Pod")
"""What is run is no prerequisite, even where it stands in the same template."""
_BINDINGS = {"RoleBinding": ("Role", "ClusterRole"), "ClusterRoleBinding": ("ClusterRole",)}


def with_prerequisites(
    objects: Sequence[SelectedObject], request: Request, release: Rendering, own: Sequence[Rendering | None]
) -> tuple[SelectedObject, ...]:
    """The objects, each migration that runs before the upgrade with what it needs, in Helm's order.

    `own` holds for each of the request's migrations its own rendering, None for one that is in the release's: what a
    rendering of its own holds counts where the app doesn't hold it. Raises Refused for a template that isn't there.
    """
    hooks = {ref_of(one.body, request.namespace).identity for one in objects if one.kind not in _RUN}
    found = []
    for one in objects:
        if one.migration and one.phase == "before" and one.spec.prerequisites:
            rendering = _own(one.spec, request, own)
            offered = tuple(each for each in _offered(release, rendering) if each.ref.identity not in hooks)
            found.append(replace(one, needs=_needs(one, offered, request, rendering or release)))
        else:
            found.append(one)
    return tuple(found)


def reached_by(body: Json, rendering: Rendering, namespace: str) -> tuple[Resource, ...]:
    """What of a rendering that is no hook a Job or Pod in that namespace needs: what `prerequisites = "auto"` means."""
    return _Reached(tuple(_offered(rendering, None)), namespace).by(body)


def _own(spec: MigrationSpec, request: Request, own: Sequence[Rendering | None]) -> Rendering | None:
    """The rendering that is made for a migration: those of one chart with the same values are the same."""
    pairs = zip(request.migrations, own, strict=True)
    wanted = (spec.chart, spec.version, spec.layers)
    return next((each for other, each in pairs if (other.chart, other.version, other.layers) == wanted), None)


def _offered(release: Rendering, own: Rendering | None) -> Iterator[Resource]:
    known: set[object] = set()
    for each in (*resources(release.documents), *(resources(own.documents) if own else ())):
        if each.ref.kind not in _RUN and each.ref.identity not in known:
            known.add(each.ref.identity)
            yield each


def _needs(
    one: SelectedObject, offered: Sequence[Resource], request: Request, rendering: Rendering
) -> tuple[Resource, ...]:
    if one.spec.prerequisites == "auto":
        namespace = ref_of(one.body, request.namespace).namespace
        return _Reached(tuple(offered), namespace).by(one.body)
    if rendering.sourceless:
        raise Refused(
            "which template an object is from is not known: a post-renderer leaves no source",
            hint=advice('prerequisites = "auto" under [migration] needs no templates'),
        )
    for template in one.spec.templates_needed:
        _check_template(template, one.spec, offered, request)
    return tuple(
        each
        for each in offered
        if any(from_template(each.source, template) for template in one.spec.templates_needed)
    )


def _check_template(
    template: str, spec: MigrationSpec, offered: Iterable[Resource], request: Request
) -> None:
    """It renders something, or is there at least: it may be behind a value."""
    if any(from_template(each.source, template) for each in offered):
        return
    named = msgspec.structs.replace(spec, template=template)
    charts = {
        request.chart_of(spec): spec.chart or request.spec.chart,
        request.chart: request.spec.chart,
    }
    refused = [no_such_template(named, Path(chart), called) for chart, called in charts.items()]
    for each in refused:
        if each and all(refused):
            raise each


@dataclass(frozen=True, slots=True)
class _Reached:
    """What a pod template reaches of what is offered: what it names, what its account may do, and what these name."""

    offered: tuple[Resource, ...]
    namespace: str

    def by(self, body: Json) -> tuple[Resource, ...]:
        spec = pod_spec(body)
        account = as_text(spec.get("serviceAccountName") or spec.get("serviceAccount")) or "default"
        named = {(each.kind, each.name) for each in references_of(body)} | set(self._of_account(account))
        return tuple(each for each in self.offered if self._is_among(each, named))

    def _is_among(self, each: Resource, named: set[tuple[str, str]]) -> bool:
        return (each.ref.kind, each.ref.name) in named and each.ref.namespace in (self.namespace, "")

    def _of_account(self, name: str) -> Iterator[tuple[str, str]]:
        """The Secrets of the chart's account, and what binds it to which Role."""
        for each in self.offered:
            if (each.ref.kind, each.ref.name) == ("ServiceAccount", name):
                for listed in ("secrets", "imagePullSecrets"):
                    yield from (
                        ("Secret", as_text(one.get("name"))) for one in as_maps(each.body.get(listed))
                    )
            roles = _BINDINGS.get(each.ref.kind)
            if roles and self._binds(each, name):
                role = as_map(each.body.get("roleRef"))
                yield each.ref.kind, each.ref.name
                if as_text(role.get("kind")) in roles:
                    yield as_text(role.get("kind")), as_text(role.get("name"))

    def _binds(self, binding: Resource, account: str) -> bool:
        """Whether it gives the account anything in its namespace; a RoleBinding of another namespace gives it there."""
        return any(
            one.get("kind") == "ServiceAccount"
            and one.get("name") == account
            and (as_text(one.get("namespace")) or binding.ref.namespace) == self.namespace
            for one in as_maps(binding.body.get("subjects"))
        )
