"""The cluster as shipit sees it: `world.Cluster` over the API."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from shipit.cluster.api import WITHIN, Api
from shipit.cluster.calls import Call, Kind, call_for
from shipit.cluster.kinds import ACCESS_REVIEW, EVENT, JOB, POD, REPLICA_SET, REVISION, Kinds
from shipit.cluster.parse import event_of, job_of, pod_of
from shipit.cluster.private_kubeconfig import PrivateKubeconfig
from shipit.cluster.streams import Stream
from shipit.cluster.watches import Alarm, Leaving, pods_watch
from shipit.cluster.workloads import newest_hash, newest_revision, selector_of, workload_of
from shipit.cluster.writes import Writes
from shipit.errors import ApiError, Forbidden, NotFound
from shipit.model import Clock, Job, Json, KubeEvent, Pod, Ref, Workload, as_map, as_maps, as_text

CHECK_WITHIN = 10.0
"""Seconds in which a server that is there answers at all."""
LOG_QUIET = 30.0
"""Seconds of silence after which a followed log ends as cut: it may have stalled at a rotation."""
PAGE = "500"


class KubeCluster(Writes):
    """See `world.Cluster`. `default_namespace` is the context's, or the pod's that shipit runs in; `unverified` names the
    kubeconfig's cluster where its TLS certificate is not verified, else "".
    """

    def __init__(self, api: Api, clock: Clock, kubeconfig: PrivateKubeconfig) -> None:
        chosen = kubeconfig.chosen
        super().__init__(api, Kinds(api), chosen.namespace)
        self._clock = clock
        self._kubeconfig = kubeconfig
        self._context = chosen.context
        self.default_namespace = chosen.namespace
        self.unverified = chosen.unverified

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of this context alone, for helm."""
        return self._kubeconfig.path

    def renew_kubeconfig(self) -> None:
        """Write it anew, before each helm: rotated credentials must reach it.

        Raises IdentityChanged when what it was made from leads to another server or user by now.
        """
        if self._kubeconfig.refresh():
            self._api.renew()

    def close(self) -> None:
        """Close the connections that wait for the next call."""
        self._api.close()

    @property
    def context(self) -> str:
        return self._context

    def check(self) -> str:
        found = self._api.read(Call("get", "/version"), within=CHECK_WITHIN)
        self._api.note_user(CHECK_WITHIN)
        return as_text(found.get("gitVersion"))

    def within(self, seconds: float) -> AbstractContextManager[None]:
        return self._api.within(seconds)

    def now(self) -> datetime:
        return self._api.now()

    def get(self, ref: Ref) -> Json | None:
        kind = self._kinds.find(ref.api_version, ref.kind)
        return self._read(kind, ref.namespace, ref.name) if kind is not None else None

    def find(self, api_version: str, kind: str, namespace: str, selector: str) -> tuple[Json, ...]:
        served = self._kinds.find(api_version, kind)
        if served is None:
            return ()
        items = self._list(served, namespace, labelSelector=selector)["items"]
        # The items of a list don't say what they are
        return tuple({"apiVersion": api_version, "kind": kind, **item} for item in items)

    def may(self, verb: str, group: str, resource: str, namespace: str, name: str = "") -> bool:
        plural, _, subresource = resource.partition("/")
        asked = {"verb": verb, "group": group, "resource": plural, "subresource": subresource}
        asked |= {"namespace": namespace, "name": name}
        review: Json = {
            "apiVersion": ACCESS_REVIEW.api_version,
            "kind": ACCESS_REVIEW.name,
            "spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}},
        }
        answer = self._api.read(call_for("create", ACCESS_REVIEW, "", body=review))
        return as_map(answer.get("status")).get("allowed") is True

    def namespaced(self, api_version: str, kind: str) -> bool | None:
        found = self._kinds.find(api_version, kind)
        return found.namespaced if found is not None else None

    def api_versions(self) -> tuple[str, ...]:
        return self._kinds.api_versions()

    def job(self, namespace: str, name: str) -> Job | None:
        body = self._read(JOB, namespace, name)
        return job_of(body) if body is not None else None

    def jobs(self, namespace: str, selector: str) -> tuple[Job, ...]:
        return tuple(map(job_of, self._list(JOB, namespace, labelSelector=selector)["items"]))

    def pod(self, namespace: str, name: str) -> Pod | None:
        body = self._read(POD, namespace, name)
        return pod_of(body) if body is not None else None

    def pods(self, namespace: str, selector: str) -> tuple[Pod, ...]:
        return tuple(map(pod_of, self._list(POD, namespace, labelSelector=selector)["items"]))

    def workload(self, ref: Ref) -> Workload | None:
        body = self.get(ref)
        return workload_of(ref, body, self._newest_pods(ref, body)) if body is not None else None

    def _newest_pods(self, ref: Ref, body: Json) -> str:
        """The hash label of the newest pods; "" when the caller may not look, or it isn't known yet."""
        if ref.kind == "StatefulSet":
            return as_text(as_map(body.get("status")).get("updateRevision"))
        selector = selector_of(as_map(as_map(body.get("spec")).get("selector")))
        try:
            if ref.kind == "Deployment":
                sets = self._list(REPLICA_SET, ref.namespace, labelSelector=selector)["items"]
                return newest_hash(body, sets)
            if ref.kind == "DaemonSet":
                revisions = self._list(REVISION, ref.namespace, labelSelector=selector)["items"]
                return newest_revision(body, revisions)
        except Forbidden:
            pass
        return ""

    def events(self, namespace: str, uid: str) -> tuple[KubeEvent, ...]:
        items = self._list(EVENT, namespace, fieldSelector=f"involvedObject.uid={uid}")["items"]
        found = map(event_of, items)
        never = datetime.min.replace(tzinfo=UTC)
        return tuple(sorted(found, key=lambda event: event.last_seen or never))

    def changes(self, namespace: str, selector: str) -> Alarm:
        return Alarm(self._api, self._clock, namespace, selector)

    def departures(self, namespace: str, selector: str) -> Leaving:
        return Leaving(
            self._api,
            self._clock,
            lambda: self._list(POD, namespace, labelSelector=selector),
            pods_watch(namespace, selector),
        )

    def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        since: datetime | None = None,
        follow: bool = True,
        tail: int | None = None,
        previous: bool = False,
    ) -> Stream:
        asked = {"container": container, "timestamps": "true"}
        if follow:
            asked["follow"] = "true"
        if since is not None:
            asked["sinceTime"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if tail is not None:
            asked["tailLines"] = str(tail)
        if previous:
            asked["previous"] = "true"
        call = call_for("get", POD, namespace, pod, subresource="log").asking(**asked)
        return Stream(self._api, call, quiet=LOG_QUIET, within=None if follow else WITHIN)

    def _read(self, kind: Kind, namespace: str, name: str) -> Json | None:
        try:
            return self._api.read(call_for("get", kind, namespace or self.default_namespace, name))
        except NotFound:
            return None

    def _list(self, kind: Kind, namespace: str, **query: str) -> Json:
        """All pages of a list; `metadata` is the first one's. A list that grew too old between pages starts anew."""
        call = call_for("list", kind, namespace or self.default_namespace)
        call = replace(call, query=tuple((key, value) for key, value in query.items() if value))
        first = page = self._api.read(call.asking(limit=PAGE))
        items = as_maps(page.get("items"))
        while token := as_text(as_map(page.get("metadata")).get("continue")):
            try:
                page = self._api.read(call.asking(limit=PAGE, **{"continue": token}))
            except ApiError as error:
                if error.status != HTTPStatus.GONE:
                    raise
                first = page = self._api.read(call)
                items = []
            items += as_maps(page.get("items"))
        return {**first, "items": items}
