"""Whose values are hidden: the Secrets that the steps, the app and a Job's pods take, and those of the chart."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from shipit.chart import split
from shipit.config import MigrationSpec, ReleaseSpec, Request
from shipit.errors import ApiError, Forbidden, Unreachable
from shipit.events import LogLine, Warned
from shipit.model import Identity, Json, Plan, Ref, Resource, Situation, Start, Step, Values
from shipit.output.mask import Mask
from shipit.plan.objects import Objects
from shipit.plan.public_texts import COMMON, texts_in_clear
from shipit.plan.secret_values import (
    mask_secrets,
    mask_secrets_of_job,
    mask_secrets_taken,
    mask_values,
    secret_values,
    values_told,
)
from tests.fakes import NAMESPACE, Fakes, fakes


def secret(name: str, value: str) -> Json:
    data = {"key": base64.b64encode(value.encode()).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": data,
    }


def runs(kind: str, name: str, *secrets: str, **more: Any) -> Json:
    sources = [{"secretRef": {"name": each, **more}} for each in secrets]
    pod = {"spec": {"containers": [{"name": "c", "image": "x", "envFrom": sources}]}}
    api = "batch/v1" if kind == "Job" else "apps/v1"
    meta = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": {"template": pod}}


def resource(body: Json) -> Resource:
    meta = body["metadata"]
    return Resource(Ref(body["apiVersion"], body["kind"], meta["namespace"], meta["name"]), body, "t.yaml")


FIRST = Situation(Start.FRESH, 1, install=True, first_install_owed=True)


def build_plan(*app: Json, before: tuple[Json, ...] = ()) -> Plan:
    steps = [Step(one.ref.name, one.ref, one.body, "before", 1, 1) for one in map(resource, before)]
    return Plan(
        release="mastodon", namespace=NAMESPACE, run="r", tag="v1.2.3", situation=FIRST, revision=1, base_revision=0,
        before=tuple(steps), after=(), chart=Path("app"), values=Values(), digest="d",
        app=tuple(map(resource, app)), workloads=(), timeout=1,
    )  # fmt: skip


@pytest.fixture
def world() -> Fakes:
    found = fakes()
    for name in ("db", "stripe", "other"):
        found.cluster.objects[Ref("v1", "Secret", NAMESPACE, name)] = secret(name, f"value of {name}")
    return found


def masked(world: Fakes, plan: Plan, live: str = "") -> None:
    mask_secrets(plan, split(live, NAMESPACE), world.world, Objects(world.cluster))


def real_mask(world: Fakes) -> Mask:
    """In place of the fake one."""
    world.mask = mask = Mask(world.told)  # type: ignore[assignment]
    return mask


def denied(call: str) -> ApiError | None:
    return Forbidden("secrets is forbidden", status=403) if "Secret" in call else None


def test_a_deploy_hides_what_its_steps_and_its_app_take(world: Fakes) -> None:
    plan = build_plan(runs("Deployment", "web", "stripe"), before=(runs("Job", "migrate", "db"),))
    masked(world, plan)
    assert world.mask.hidden == {"value of db", "value of stripe"}


def test_the_secrets_of_the_chart_are_hidden_without_being_read(world: Fakes) -> None:
    rendered = {**secret("app", "by the chart"), "stringData": {"other": "as a string", "port": 5432}}
    hook = secret("hook", "by a hook")
    masked(world, build_plan(rendered, runs("Deployment", "web", "app", "hook"), before=(hook,)))
    assert world.mask.hidden == {"by the chart", "as a string", "5432", "by a hook"}
    assert world.cluster.calls == []


def test_secrets_of_the_app_that_may_not_be_read_refuse_no_deploy(world: Fakes) -> None:
    world.cluster.broken = denied
    masked(world, build_plan(runs("Deployment", "web", "stripe"), secret("app", "by the chart")))
    assert world.mask.hidden == {"by the chart"}


def test_a_value_that_is_the_name_of_the_release_or_its_tag_is_not_hidden(world: Fakes) -> None:
    texts = {
        "user": "mastodon",
        "tag": "v1.2.3",
        "context": "fake",
        "place": NAMESPACE,
        "password": "hunter22",
    }
    masked(world, build_plan({**secret("app", "mastodon"), "stringData": texts}))
    assert world.mask.hidden == {"hunter22"}


def test_a_log_is_masked_for_the_secrets_of_its_job(world: Fakes) -> None:
    mask = Mask(world.told)
    world.cluster.create(runs("Job", "migrate", "db", "stripe"))
    job = world.cluster.job(NAMESPACE, "migrate")
    assert job is not None
    mask_secrets_of_job(job, world.cluster, mask, world.told, release="mastodon")
    mask(LogLine("migrate", "p", "c", 1, "with value of db and value of stripe, not value of other"))
    assert [each.line for each in world.told.of(LogLine)] == ["with *** and ***, not value of other"]
    assert world.told.of(Warned) == []


def test_who_may_not_read_secrets_is_told_once_and_sees_the_log(world: Fakes) -> None:
    world.cluster.create(runs("Job", "migrate", "db", "stripe"))
    world.cluster.broken = denied
    job = world.cluster.job(NAMESPACE, "migrate")
    assert job is not None
    mask_secrets_of_job(job, world.cluster, world.mask, world.told, release="mastodon")
    (warned,) = world.told.of(Warned)
    assert warned.message == (
        "this log is not masked for the Secrets that can't be read: db (not allowed), stripe (not allowed)"
    )


def test_a_secret_that_is_gone_is_named_unless_the_pod_starts_without_it(world: Fakes) -> None:
    for name, optional in (("needs", False), ("can-do-without", True)):
        world.cluster.create(runs("Job", name, "db", "gone", optional=optional))
        job = world.cluster.job(NAMESPACE, name)
        assert job is not None
        mask_secrets_of_job(job, world.cluster, world.mask, world.told, release="mastodon")
    assert world.mask.hidden == {"value of db"}
    assert [each.message.rpartition(": ")[2] for each in world.told.of(Warned)] == [
        "gone (not there any more)"
    ]


def test_a_secret_that_is_there_and_could_not_be_read_shows_no_log(world: Fakes) -> None:
    world.cluster.create(runs("Job", "migrate", "db"))
    job = world.cluster.job(NAMESPACE, "migrate")
    assert job is not None
    world.cluster.broken = lambda call: Unreachable("reset") if "Secret" in call else None
    with pytest.raises(Unreachable):
        mask_secrets_of_job(job, world.cluster, world.mask, world.told, release="mastodon")


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ({"data": {"a": "aHVudGVy\nMjI="}}, ["hunter22"]),
        ({"data": {"a": "/w=="}}, ["/w=="]),
        ({"data": {"a": "no base64!"}, "stringData": {"b": "text"}}, ["text", "no base64!"]),
        ({"data": "nothing of the kind", "stringData": None}, []),
    ],
)
def test_values_are_decoded_where_they_are_text(body: Json, values: list[str]) -> None:
    assert list(secret_values({"kind": "Secret", **body})) == values
    assert list(secret_values({"kind": "ConfigMap", **body})) == []


LIVE = """\
# Source: shop/templates/old.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {host: "db.example.com:5432"}
---
apiVersion: v1
kind: Secret
metadata: {name: old}
stringData: {password: of-last-year, host: db.example.com}
"""


def test_what_stands_in_clear_is_public_in_the_new_manifests_and_in_the_live_ones(world: Fakes) -> None:
    mask = real_mask(world)
    texts = {
        "user": "migrator",
        "host": "db.example.com",
        "password": "hunter22",
        "part": "igrator",
        "step": "schema-job",
    }
    app = runs("Deployment", "db-migrator", "app")
    masked(
        world,
        build_plan(app, {**secret("app", "x"), "stringData": texts}, before=(runs("Job", "schema-job"),)),
        LIVE,
    )
    line = "Job schema-job failed: migrator at db.example.com, pod db-migrator-0"
    assert mask.text(f"{line}: hunter22 of-last-year") == f"{line}: *** ***"
    assert mask.text("xigratory") == "x***y", "no word of the manifests"


def test_a_word_that_everybody_uses_is_no_secret(world: Fakes) -> None:
    mask = real_mask(world)
    file = (
        "production:\n  adapter: postgresql\n  host: localhost\n  log: WARNING\n  password: correct-horse\n"
    )
    masked(world, build_plan({**secret("app", "postgres"), "stringData": {"a": file, "env": "production"}}))
    line = "production: the migration of postgres failed at localhost, WARNING"
    assert mask.text(f"{line}: correct-horse") == f"{line}: ***"
    assert all(len(word) < 25 for word in COMMON)


def test_of_a_secret_its_names_alone_are_public() -> None:
    body = secret("database", "hunter22")
    applied = {"kubectl.kubernetes.io/last-applied-configuration": '{"stringData": {"key": "hunter22"}}'}
    body["metadata"]["annotations"] = applied
    assert set(texts_in_clear({**body, "stringData": {"other": "x"}, "type": "Opaque"})) == {
        "database", "key", "other", "Opaque",
    }  # fmt: skip
    assert set(texts_in_clear({"kind": "ConfigMap", "data": {"a": ["b", 5, True, None]}})) == {
        "kind", "ConfigMap", "data", "a", "b", "5",
    }  # fmt: skip


def test_a_secret_that_is_made_while_the_deploy_runs_is_hidden_once_it_is_there(world: Fakes) -> None:
    job = runs("Job", "second", "made", "database")
    mask_secrets_taken(job, NAMESPACE, world.world)
    assert world.mask.hidden == set()
    world.cluster.objects[Ref("v1", "Secret", NAMESPACE, "made")] = secret("made", "by a Job")
    mask_secrets_taken(job, NAMESPACE, world.world)
    assert world.mask.hidden == {"by a Job"}
    world.cluster.broken = lambda _: Unreachable("gone")
    mask_secrets_taken(job, NAMESPACE, world.world)


def test_secrets_of_the_values_are_those_under_keys_that_tell() -> None:
    values = {"db": {"password": "hunter2!", "host": "db.local"}, "tokens": ["abcdef", True], "pin": 123456}
    assert set(values_told(values)) == {"hunter2!", "abcdef"}
    assert set(values_told({"apiKey": 12345678})) == {"12345678"}


@pytest.mark.parametrize(
    ("values", "own"),
    [
        (Values(({"db": {"password": "hunter2!"}},)), {}),
        (Values(set=("a=1,db.password=hunter2!,b=2",)), {}),
        (Values(set_string=("db.password=hunter2!",)), {}),
        (Values((Path("there-is-none.yaml"),)), {"password": "hunter2!"}),
    ],
    ids=["set", "--set", "--set-string", "the migration's"],
)
def test_secret_values_are_hidden_before_helm_can_quote_them(world: Fakes, values: Values, own: Json) -> None:
    request = Request(
        run="r", namespace="n", tag="v1", spec=ReleaseSpec(name="mastodon", chart="chart"), values=values,
        workdir=Path(), identity=Identity("me", "here"), migrations=(MigrationSpec(set=own),),
        from_variables=("license-of-ours", "mastodon"),
    )  # fmt: skip
    mask = real_mask(world)
    mask_values(request, mask)
    assert (
        mask.text("mastodon: bad value 'hunter2!' or license-of-ours, a=1")
        == "mastodon: bad value '***' or ***, a=1"
    )
