"""What a chart renders, and who asks for it: the parts of the stories about preparing a deploy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec

from shipit.config import ReleaseSpec, Request
from shipit.lock.record import UpgradeRecord
from shipit.model import Hook, Identity, Json, Plan, Rendered, Revision, Values
from shipit.plan.preparation import prepare
from tests.fakes import NAMESPACE, Fakes, fakes


def job(name: str = "migrate", tag: str = "v2", **spec: object) -> Json:
    pod = {"containers": [{"name": "c", "image": f"shop:{tag}"}]} | dict(spec.pop("pod", {}))  # type: ignore[call-overload]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}, **spec},
    }


def config_map(name: str, kind: str = "ConfigMap") -> Json:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}


def manifest(*bodies: Json, template: str = "migrate") -> str:
    return "".join(f"---\n# Source: shop/templates/{template}.yaml\n{json.dumps(body)}\n" for body in bodies)


def hook(body: Json, *events: str, policies: tuple[str, ...] = (), weight: int = 0) -> Hook:
    path = f"shop/templates/{body['metadata']['name']}.yaml"
    return Hook(body["metadata"]["name"], body["kind"], path, json.dumps(body), events, weight, policies)


def rendered(text: str, *hooks: Hook, revision: int = 2) -> Rendered:
    return Rendered(text, hooks, revision, install=revision == 1, server_side=True)


def a_release() -> Fakes:
    """Revision 1 is deployed; the chart renders a migration with v2."""
    found = fakes(rendered(manifest(job())))
    found.helm.revisions = [Revision(1, "deployed", "shop-1.0.0")]
    return found


def a_request(tmp_path: Path) -> Request:
    """A deploy of v2; beside the chart there is another one, `db`."""
    for chart in ("chart", "db"):
        (tmp_path / chart / "templates").mkdir(parents=True)
        (tmp_path / chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {chart}\nversion: 1.0.0\n")
        (tmp_path / chart / "values.yaml").write_text("image: {tag: none}\n")
    (tmp_path / "work").mkdir()
    (tmp_path / "values.yaml").write_text("replicas: 2\n")
    return Request(
        run="run-1",
        namespace=NAMESPACE,
        tag="v2",
        spec=ReleaseSpec(name="shop", chart=str(tmp_path / "chart")),
        values=Values((tmp_path / "values.yaml",)),
        workdir=tmp_path / "work",
        identity=Identity("anna", "laptop"),
    )


def configured(asked: Request, **keys: object) -> Request:
    """The same deploy with other keys of [release]."""
    return replace(asked, spec=msgspec.structs.replace(asked.spec, **keys))


def planned(asked: Request, world: Fakes, owed: UpgradeRecord | None = None) -> Plan:
    before = list(world.cluster.wrote())
    try:
        return prepare(asked, world.world, owed, world.told)
    finally:
        assert world.cluster.wrote() == before, "preparing changes nothing"
