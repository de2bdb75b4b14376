"""How the API serves a kind: those that shipit always needs are known, the others are looked up and remembered."""

from __future__ import annotations

from contextlib import suppress

from shipit.cluster.api import Api
from shipit.cluster.calls import Call, Kind, root_of
from shipit.errors import ApiError, NotFound, Unreachable
from shipit.hints import advice
from shipit.model import as_maps, as_text

POD = Kind("v1", "Pod", "pods", namespaced=True)
EVENT = Kind("v1", "Event", "events", namespaced=True)
JOB = Kind("batch/v1", "Job", "jobs", namespaced=True)
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets", namespaced=True)
REVISION = Kind("apps/v1", "ControllerRevision", "controllerrevisions", namespaced=True)
ACCESS_REVIEW = Kind(
    "authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False
)
_BUILT_IN = (
    POD,
    EVENT,
    JOB,
    REPLICA_SET,
    REVISION,
    Kind("v1", "ConfigMap", "configmaps", namespaced=True),
    Kind("v1", "Namespace", "namespaces", namespaced=False),
    Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", namespaced=True),
    Kind("v1", "Secret", "secrets", namespaced=True),
    Kind("v1", "Service", "services", namespaced=True),
    Kind("v1", "ServiceAccount", "serviceaccounts", namespaced=True),
    Kind("apps/v1", "DaemonSet", "daemonsets", namespaced=True),
    Kind("apps/v1", "Deployment", "deployments", namespaced=True),
    Kind("apps/v1", "StatefulSet", "statefulsets", namespaced=True),
    Kind("coordination.k8s.io/v1", "Lease", "leases", namespaced=True),
)


GROUP_WITHIN = 3.0
"""Seconds in which a group of custom resources has to say what it holds."""


class Kinds:
    """What the API server serves. What it doesn't serve is asked for again: a chart may bring it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known = {(kind.api_version, kind.name): kind for kind in _BUILT_IN}

    def find(self, api_version: str, name: str) -> Kind | None:
        """None when the API server serves no such kind in that version."""
        found = self._known.get((api_version, name))
        if found is None:
            self._known |= {(kind.api_version, kind.name): kind for kind in self._served(api_version)}
            found = self._known.get((api_version, name))
        return found

    def need(self, api_version: str, name: str) -> Kind:
        """Raises NotFound for a kind that isn't served."""
        found = self.find(api_version, name)
        if found is None:
            raise NotFound(
                f"the API server has no kind {name} in {api_version}",
                status=404,
                reason="NotFound",
                hint=advice("install its CustomResourceDefinition, or correct the apiVersion"),
            )
        return found

    def _served(self, api_version: str) -> list[Kind]:
        if not self._is_group_served(api_version):
            return []
        try:
            body = self._api.read(Call("get", root_of(api_version)))
        except NotFound:
            return []
        return [
            Kind(
                api_version,
                as_text(each.get("kind")),
                as_text(each.get("name")),
                namespaced=bool(each.get("namespaced")),
            )
            for each in as_maps(body.get("resources"))
            if each.get("kind") and each.get("name") and "/" not in as_text(each.get("name"))
        ]

    def api_versions(self) -> tuple[str, ...]:
        """See `world.Cluster`. A group whose server is down is left out."""
        listed = as_maps(self._api.read(Call("get", "/apis")).get("groups"))
        found = ["v1"]
        for group in listed:
            name = as_text(group.get("name"))
            for served in as_maps(group.get("versions")):
                version = as_text(served.get("groupVersion"))
                found.append(version)
                if "." in name and not name.endswith(".k8s.io"):
                    with suppress(ApiError), self._api.within(GROUP_WITHIN):
                        found += [f"{version}/{kind.name}" for kind in self._served(version)]
        return tuple(found)

    def _is_group_served(self, api_version: str) -> bool:
        """An unserved group answers "404 page not found" like any web server; this list is JSON."""
        group, _, version = api_version.rpartition("/")
        if not group:
            return version == "v1"
        body = self._api.read(Call("get", "/apis"))
        if "groups" not in body:
            raise Unreachable(f"the API server at {self._api.server} did not list its API groups")
        return any(
            as_text(served.get("groupVersion")) == api_version
            for each in as_maps(body["groups"])
            if each.get("name") == group
            for served in as_maps(each.get("versions"))
        )
