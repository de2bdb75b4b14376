"""A release that somebody else keeps as it is: known by what Flux and Argo CD write on its objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipit.config import Request
from shipit.errors import Forbidden
from shipit.events import Warned
from shipit.model import Json, Ref
from tests.fakes import NAMESPACE, Fakes
from tests.releases import a_release, a_request, config_map, job, manifest, planned, rendered

WEB = Ref("v1", "ConfigMap", NAMESPACE, "web")
TRACKED = "argocd.argoproj.io/tracking-id"


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return a_request(tmp_path)


@pytest.fixture
def world() -> Fakes:
    found = a_release()
    found.helm.rendered = rendered(manifest(config_map("web"), job()))
    found.helm.manifests[1] = manifest(config_map("web"))
    return found


def owned(asked: Request, world: Fakes) -> list[str]:
    planned(asked, world)
    return [each.message for each in world.told.of(Warned) if "manages release" in each.message]


def with_metadata(name: str, **more: Json) -> Json:
    return {**config_map(name), "metadata": {"name": name, "namespace": NAMESPACE, **more}}


def test_a_release_of_nobody_else_is_nothing_to_speak_of(asked: Request, world: Fakes) -> None:
    world.cluster.create(with_metadata("web", labels={"app.kubernetes.io/instance": "shop"}))
    assert owned(asked, world) == []


def test_a_helm_release_of_flux_is_named(asked: Request, world: Fakes) -> None:
    labels = {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "flux-system"}
    world.helm.manifests[1] = manifest(config_map("other"), with_metadata("web", labels=labels))
    (told,) = owned(asked, world)
    assert "HelmRelease flux-system/shop" in told


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"annotations": {TRACKED: f"store:/ConfigMap:{NAMESPACE}/web"}}, True),
        ({"labels": {"argocd.argoproj.io/instance": "store"}}, True),
        ({"annotations": {TRACKED: f"store:/ConfigMap:{NAMESPACE}/another"}}, False),  # a copy
        ({"annotations": None, "labels": None}, False),
    ],
)
def test_an_application_of_argo_cd_is_named(asked: Request, world: Fakes, more: Json, named: bool) -> None:
    world.cluster.create(with_metadata("web", **more))
    told = owned(asked, world)
    assert any("Application store" in each for each in told) == named


def test_what_can_t_be_read_says_nothing(asked: Request, world: Fakes) -> None:
    world.cluster.broken = lambda call: Forbidden("no") if call == f"get {WEB}" else None
    assert owned(asked, world) == []
