"""What the cluster says about a release, asked past the proxy: the truth that exit codes are held against."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass, field

from tests.e2e.kit import Json, Kube


@dataclass(frozen=True, slots=True)
class State:
    """A release as it stands. `deployed` is its newest deployed revision, 0 for none; `tag` is what the app runs;
    `owes` when the lock's last holder noted an upgrade and not its end."""

    newest: int
    status: str
    deployed: int
    tag: str
    owes: bool
    holder: str
    jobs: dict[str, Json] = field(repr=False)

    @property
    def pending(self) -> bool:
        return self.status.startswith("pending-")


def look(kube: Kube, release: str) -> State:
    """One look at everything that a deploy of the release leaves behind."""
    found = json.loads(kube.kubectl("get", "secrets,deployments,leases,jobs", "-o", "json"))["items"]
    revisions: dict[int, str] = {}
    tag = holder = ""
    owes = False
    jobs: dict[str, Json] = {}
    for each in found:
        meta = each["metadata"]
        labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
        if each["kind"] == "Secret" and labels.get("owner") == "helm" and labels.get("name") == release:
            revisions[int(labels["version"])] = _status_of(each)
        elif each["kind"] == "Deployment" and meta["name"] == release:
            tag = each["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]
        elif each["kind"] == "Lease" and meta["name"] == f"shipit-{release}":
            upgrade = json.loads(notes.get("shipit/progress") or "{}")
            owes = bool(upgrade) and upgrade["state"] != "settled"
            holder = each["spec"].get("holderIdentity", "")
        elif each["kind"] == "Job":
            jobs[meta["uid"]] = each
    newest = max(revisions, default=0)
    deployed = max((number for number, status in revisions.items() if status == "deployed"), default=0)
    return State(newest, revisions.get(newest, ""), deployed, tag, owes, holder, jobs)


def _status_of(secret: Json) -> str:
    """As `helm history` tells it: the record inside. A helm that is interrupted may leave a label that differs."""
    record = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    return str(json.loads(gzip.decompress(record))["info"]["status"])
