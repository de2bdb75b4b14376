"""What a step references: surely missing, perhaps still to come, or not to be known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shipit.config import Request
from shipit.errors import NotAllowed, Refused
from shipit.events import Warned
from shipit.model import Hook, Json, Ref
from tests.fakes import NAMESPACE, Fakes
from tests.releases import a_release, a_request, config_map, hook, job, manifest, planned, rendered


@pytest.fixture
def world() -> Fakes:
    return a_release()


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return a_request(tmp_path)


def taking(*env: Json, **pod: Any) -> Json:
    entries = [{"name": f"E{number}", "valueFrom": source} for number, source in enumerate(env)]
    return job(pod={"containers": [{"name": "c", "image": "shop:v2", "env": entries}], **pod})


def key(name: str, kind: str = "secret", at: str = "db", **more: object) -> Json:
    return {f"{kind}KeyRef": {"name": at, "key": name, **more}}


def there(world: Fakes, kind: str = "Secret", **parts: Json) -> None:
    world.cluster.objects[Ref("v1", kind, NAMESPACE, "db")] = config_map("db", kind) | parts


def refused(asked: Request, world: Fakes) -> tuple[str, ...]:
    with pytest.raises(Refused, match="does not exist in namespace shop") as caught:
        planned(asked, world)
    return caught.value.details


def told(world: Fakes) -> list[str]:
    return [each.message for each in world.told.of(Warned)]


@pytest.mark.parametrize(
    ("kind", "parts", "body"),
    [
        ("Secret", {"data": {"user": "eA=="}}, taking(key("password"))),
        ("ConfigMap", {"data": {"user": "x"}, "binaryData": {}}, taking(key("password", "configMap"))),
        ("Secret", {"data": {"user": "eA=="}}, taking(volumes=[{"name": "v", "secret": {"secretName": "db", "items": [{"key": "password", "path": "p"}]}}])),
        ("Secret", {"data": {"user": "eA=="}}, taking(volumes=[{"name": "v", "projected": {"sources": [{"secret": {"name": "db", "items": [{"key": "password", "path": "p"}]}}]}}])),
    ],
    ids=["env", "env of a ConfigMap", "volume", "projected volume"],
)  # fmt: skip
def test_a_key_that_is_not_there_is_refused_by_name(
    asked: Request, world: Fakes, kind: str, parts: dict[str, Json], body: Json
) -> None:
    there(world, kind, **parts)
    world.helm.rendered = rendered(manifest(body))
    (line,) = refused(asked, world)
    assert f"key password of {kind} db" in line
    assert line.endswith("holds only user")


def test_keys_that_are_there_or_optional_are_no_matter(asked: Request, world: Fakes) -> None:
    there(world, data={"url": "eA=="})
    there(world, "ConfigMap", data={"a": "1"}, binaryData={"b": "eA=="})
    world.helm.rendered = rendered(
        manifest(
            taking(
                key("url"),
                key("a", "configMap"),
                key("b", "configMap"),
                key("no", optional=True),
                key("x", at="nowhere", optional=True),
            )
        )
    )
    planned(asked, world)
    assert told(world) == []


def test_an_object_that_holds_nothing_says_so(asked: Request, world: Fakes) -> None:
    there(world)
    world.helm.rendered = rendered(manifest(taking(key("url"))))
    assert refused(asked, world)[0].endswith("which holds no key")


def a_secret(name: str = "db", **parts: object) -> Hook:
    body = config_map(name, "Secret") | {"stringData": {"user": "x"}, "data": {"token": "eA=="}} | parts
    return hook(body, "pre-upgrade", weight=-1)


@pytest.mark.parametrize(("name", "fine"), [("user", True), ("token", True), ("password", False)])
def test_the_keys_of_what_an_earlier_hook_makes_are_known(
    asked: Request, world: Fakes, name: str, fine: bool
) -> None:
    there(world, data={"password": "eA=="})  # it is replaced by the hook's
    world.helm.rendered = rendered("", a_secret(), hook(taking(key(name)), "pre-upgrade"))
    if fine:
        planned(asked, world)
    else:
        assert refused(asked, world)[0].endswith("holds only token, user")


@pytest.mark.parametrize(
    "filled",
    [
        a_secret(type="kubernetes.io/service-account-token"),
        a_secret(metadata={"name": "db", "annotations": {"secret-generator.v1.mittwald.de/autogenerate": "password"}}),
    ],
    ids=["a token", "an annotation"],
)  # fmt: skip
def test_what_a_controller_fills_in_can_t_be_known(asked: Request, world: Fakes, filled: Hook) -> None:
    world.helm.rendered = rendered("", filled, hook(taking(key("password")), "pre-upgrade"))
    planned(asked, world)


def test_helm_s_own_annotations_fill_in_nothing(asked: Request, world: Fakes) -> None:
    body = config_map("db", "Secret")
    body["metadata"]["annotations"] = {"helm.sh/hook": "pre-upgrade", "helm.sh/hook-weight": "-1"}
    world.helm.rendered = rendered("", hook(body, "pre-upgrade", weight=-1), hook(taking(key("password")), "pre-upgrade"))  # fmt: skip
    refused(asked, world)


EXTERNAL = config_map("db", "ExternalSecret") | {"apiVersion": "external-secrets.io/v1"}
POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "keys"},
    "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]},
}


@pytest.mark.parametrize("maker", [job("keys"), POD, EXTERNAL], ids=["Job", "Pod", "custom resource"])
@pytest.mark.parametrize("half", [False, True], ids=["nothing there", "a key is missing"])
def test_what_a_step_before_may_make_is_told_and_waited_for(
    asked: Request, world: Fakes, maker: Json, half: bool
) -> None:
    if half:
        there(world, data={"user": "eA=="})
    needy = taking(key("url"), serviceAccountName="runner", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "disk"}}])  # fmt: skip
    world.helm.rendered = rendered("", hook(maker, "pre-upgrade", weight=-1), hook(needy, "pre-upgrade"))
    plan = planned(asked, world)
    assert [step.awaits for step in plan.before] == [False, True]
    messages = told(world)
    for named in ("Secret db", "ServiceAccount runner", "PersistentVolumeClaim disk"):
        assert any(named in each and maker["kind"] in each for each in messages), messages


@pytest.mark.parametrize("maker", [config_map("x"), config_map("r", "Role") | {"apiVersion": "rbac.authorization.k8s.io/v1"}])  # fmt: skip
def test_what_only_stands_there_makes_nothing(asked: Request, world: Fakes, maker: Json) -> None:
    world.helm.rendered = rendered(
        "", hook(maker, "pre-upgrade", weight=-1), hook(taking(key("url")), "pre-upgrade")
    )
    assert "Secret db" in refused(asked, world)[0]


def test_what_runs_after_may_find_what_the_app_makes(asked: Request, world: Fakes) -> None:
    app = job("operator") | {"kind": "Deployment", "apiVersion": "apps/v1"}
    after = hook(taking(key("url")), "post-upgrade")
    world.helm.rendered = rendered(manifest(app), after)
    assert [step.awaits for step in planned(asked, world).during] == [True]


def test_a_job_that_runs_later_makes_nothing(asked: Request, world: Fakes) -> None:
    world.helm.rendered = rendered(
        "", hook(taking(key("url")), "pre-upgrade", weight=-1), hook(job("keys"), "pre-upgrade")
    )
    refused(asked, world)


def test_whoever_may_not_read_it_can_t_know(asked: Request, world: Fakes) -> None:
    names = ("Secret", "ConfigMap", "ServiceAccount", "PersistentVolumeClaim")
    world.cluster.broken = lambda call: (
        NotAllowed("no") if call.startswith(tuple(f"get {name}" for name in names)) else None
    )
    needy = taking(key("url"), key("a", "configMap"), serviceAccountName="runner", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "disk"}}])  # fmt: skip
    world.helm.rendered = rendered(manifest(needy))
    planned(asked, world)
    assert told(world) == []


def test_what_kubernetes_puts_into_each_namespace_is_not_missing(asked: Request, world: Fakes) -> None:
    ca = {"name": "ca", "configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca"}]}}
    world.helm.rendered = rendered(manifest(taking(volumes=[ca])))
    planned(asked, world)


def test_an_object_of_another_namespace_is_another(asked: Request, world: Fakes) -> None:
    body = config_map("db", "Secret") | {"stringData": {"url": "x"}}
    body["metadata"]["namespace"] = "elsewhere"
    world.helm.rendered = rendered(
        "", hook(body, "pre-upgrade", weight=-1), hook(taking(key("url")), "pre-upgrade")
    )
    refused(asked, world)
