"""The same tag deployed again: what is picked up, what runs anew, and what a chart renders otherwise each time."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from shipit.config import MigrationSpec, Request
from shipit.deploy.sequence import deploy
from shipit.errors import AfterFailed, Busy, Interrupted, MigrationFailed, MigrationTimedOut, Stopped
from shipit.events import JobChanged, StepChanged, Warned
from shipit.model import Hook, Json, Ref, Values
from tests.fakes import NAMESPACE, Fakes, Script
from tests.releases import a_release, a_request, config_map, hook, job, manifest, rendered

SQL = Ref("v1", "ConfigMap", NAMESPACE, "sql")
PASSWORD = Ref("v1", "Secret", NAMESPACE, "password")
USES_BOTH: Json = {
    "containers": [
        {"name": "c", "image": "shop:v2", "command": ["psql", "-f", "/sql/1.sql"], "envFrom": [{"secretRef": {"name": "password"}}]}
    ],
    "volumes": [{"name": "sql", "configMap": {"name": "sql"}}],
}  # fmt: skip
PLAIN: Json = {"containers": [{"name": "c", "image": "shop:v2", "command": ["check"]}]}


@dataclass
class Shop:
    """A release whose chart may be edited, and is deployed with the same tag again and again."""

    world: Fakes
    asked: Request
    tries: int = 0

    def renders(self, *hooks: Hook, app: Json | None = None, revision: int = 0) -> None:
        number = revision or len(self.world.helm.revisions) + 1
        text = manifest(app or config_map("app"), template="app")
        self.world.helm.rendered = rendered(text, *hooks, revision=number)

    def edit(self) -> None:
        """Somebody changes the chart's values: how the chart renders then is said beside."""
        values = Path(self.asked.chart) / "values.yaml"
        values.write_text(values.read_text() + f"edited: {self.tries}\n")

    def deploy(self, **changes: object) -> int:
        self.tries += 1
        workdir = self.asked.workdir / str(self.tries)
        workdir.mkdir()
        asked = replace(self.asked, run=f"run-{self.tries}", workdir=workdir, **changes)  # type: ignore[arg-type]
        return deploy(asked, self.world.world, self.world.told).revision

    def interrupted(self, after: float, **changes: object) -> None:
        def hear() -> None:
            raise Stopped(15)

        self.world.clock.later(after, hear)
        with pytest.raises(Interrupted):
            self.deploy(**changes)

    def interrupted_before_its_upgrade(self) -> None:
        """Once the migration is done."""
        self.interrupted(4)
        self.world.helm.revisions[1:] = []

    def script(self, name: str = "migrate", **how: object) -> None:
        self.world.cluster.scripts[name] = Script(**how)  # type: ignore[arg-type]

    def made(self, kind: str = "Job") -> list[str]:
        """What was created, by name."""
        wrote = self.world.cluster.wrote()
        return [call.rpartition("/")[2] for call in wrote if call.startswith(f"create {kind} ")]

    def outcomes(self) -> list[str]:
        return [event.result.outcome for event in self.world.told.of(StepChanged) if event.result]

    def warned(self) -> str:
        return "\n".join(event.message for event in self.world.told.of(Warned))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    found = Shop(a_release(), replace(a_request(tmp_path), values=Values()))
    found.script()
    return found


def sql(text: str) -> Hook:
    return hook(noted({**config_map("sql"), "data": {"1.sql": text}}), "pre-upgrade", weight=-2)


def noted(body: Json) -> Json:
    """A hook's object says so itself."""
    body["metadata"]["annotations"] = {"helm.sh/hook": "pre-upgrade"}
    return body


def password(text: str, name: str = "password") -> Hook:
    body = {**config_map(name, "Secret"), "data": {"PASSWORD": base64.b64encode(text.encode()).decode()}}
    return hook(noted(body), "pre-upgrade", weight=-1)


def migration(
    pod: Json = USES_BOTH, name: str = "migrate", weight: int = 0, event: str = "pre-upgrade"
) -> Hook:
    return hook(job(name, pod=pod), event, weight=weight)


def dressed(salt: str, event: str = "pre-upgrade", name: str = "migrate") -> Hook:
    """A Job with the time of its rendering in its labels, its annotations and those of its pods."""
    body = job(name, pod=PLAIN)
    body["metadata"] |= {"annotations": {"at": salt}, "labels": {"at": salt}}
    body["spec"]["template"]["metadata"] = {"annotations": {"at": salt}, "labels": {"at": salt}}
    return hook(body, event)


# ── what is the same ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("edited", [False, True], ids=["same inputs", "only the app edited"])
def test_what_dresses_a_job_does_not_make_it_another(shop: Shop, edited: bool) -> None:
    shop.script(ends=60)
    shop.renders(dressed("one"))
    shop.interrupted(20)
    if edited:
        shop.edit()
    shop.renders(dressed("two"), app=config_map("app-two"))
    assert shop.deploy() == 2
    assert shop.made() == ["migrate"]


def test_a_chart_with_random_secrets_attaches_to_its_running_job_and_leaves_it_its_secret(shop: Shop) -> None:
    shop.script(ends=60)
    shop.renders(sql("select 1"), password("x7k2p"), migration())
    shop.interrupted(20)
    shop.renders(sql("select 1"), password("q9z4r"), migration())
    assert shop.deploy() == 2
    assert (shop.made(), shop.made("Secret"), shop.made("ConfigMap")) == (["migrate"], ["password"], ["sql"])
    assert base64.b64decode(shop.world.cluster.objects[PASSWORD]["data"]["PASSWORD"]) == b"x7k2p"


@pytest.mark.parametrize("names", ["fixed", "random"])
def test_a_completed_job_that_renders_otherwise_each_time_is_accepted(shop: Shop, names: str) -> None:
    """Its environment holds the time: what it does is another thing each time, what it is made from is not."""

    def timed(salt: str) -> Hook:
        env = [{"name": "RENDERED_AT", "value": salt}]
        pod = {"containers": [{"name": "c", "image": "shop:v2", "env": env}]}
        return replace(
            migration(pod, "migrate" if names == "fixed" else f"migrate-{salt}"), path="shop/templates/m.yaml"
        )

    for name in ("migrate-monday", "migrate-tuesday"):
        shop.script(name)
    shop.renders(timed("monday"))
    shop.interrupted_before_its_upgrade()
    shop.renders(timed("tuesday"))
    assert shop.deploy() == 2
    assert shop.outcomes() == ["succeeded", "resumed"]
    assert len(shop.made()) == 1


def test_what_ran_before_an_interrupted_install_is_accepted_though_helm_calls_the_next_an_upgrade(
    shop: Shop,
) -> None:
    def timed(salt: str) -> Hook:
        pod = {"containers": [{"name": "c", "image": "shop:v2", "env": [{"name": "AT", "value": salt}]}]}
        return hook(job(pod=pod), "pre-install", "pre-upgrade")

    shop.world.helm.revisions = []
    shop.renders(timed("monday"))
    shop.interrupted(4)
    shop.renders(timed("tuesday"))
    assert shop.deploy() == 2
    assert shop.outcomes() == ["succeeded", "resumed"]


def test_two_jobs_of_one_template_with_random_names_are_told_apart(shop: Shop) -> None:
    """They do the very same: each is one step's only."""

    def two(salt: str) -> tuple[Hook, Hook]:
        first, second = (migration(PLAIN, f"{which}-{salt}") for which in ("a", "b"))
        return replace(first, path="shop/templates/m.yaml"), replace(second, path="shop/templates/m.yaml")

    for name in ("a-1", "a-2", "b-2"):
        shop.script(name)
    shop.script("b-1", ends=100)
    shop.renders(*two("1"))
    shop.interrupted(30)
    shop.renders(*two("2"))
    assert shop.deploy() == 2
    assert shop.made() == ["a-1", "b-1"]
    assert shop.outcomes() == ["succeeded", "resumed", "succeeded"]


# ── what is not ──────────────────────────────────────────────────────────────────────────────────


def test_after_a_failed_try_a_corrected_migration_gets_what_was_corrected(shop: Shop) -> None:
    shop.script(outcome="failed", exit_code=3)
    shop.renders(sql("selct 1"), password("wrong"), migration())
    with pytest.raises(MigrationFailed):
        shop.deploy()
    shop.script()
    shop.edit()
    shop.renders(sql("select 1"), password("right"), migration())
    assert shop.deploy() == 2
    assert shop.made() == ["migrate", "migrate"]
    assert shop.world.cluster.objects[SQL]["data"] == {"1.sql": "select 1"}
    assert base64.b64decode(shop.world.cluster.objects[PASSWORD]["data"]["PASSWORD"]) == b"right"


def test_what_only_the_failed_one_uses_is_made_anew_behind_an_accepted_one_too(shop: Shop) -> None:
    """It lies before a Job that was done: its place says nothing of who needs it."""
    both = (migration(PLAIN, "check", weight=1), migration(USES_BOTH, "migrate", weight=2))
    shop.script("check")
    shop.script(outcome="failed", exit_code=3)
    shop.renders(sql("selct 1"), password("p"), *both)
    with pytest.raises(MigrationFailed):
        shop.deploy()
    shop.script()
    shop.edit()
    shop.renders(sql("select 1"), password("p"), *both)
    assert shop.deploy() == 2
    assert shop.made() == ["check", "migrate", "migrate"]
    assert shop.world.cluster.objects[SQL]["data"] == {"1.sql": "select 1"}


@pytest.mark.parametrize(
    ("second", "differs"),
    [
        ((sql("select 2"), password("p"), migration()), "ConfigMap sql"),
        ((sql("select 1"), password("q"), migration()), "Secret password"),
        ((sql("select 1"), password("p"), migration({**USES_BOTH, "serviceAccountName": "root"})), "serviceAccountName"),
        ((sql("select 1"), password("p"), migration({**USES_BOTH, "containers": [{**USES_BOTH["containers"][0], "command": ["rm"]}]})), "container c: command"),
    ],
    ids=["SQL", "password", "account", "command"],
)  # fmt: skip
@pytest.mark.parametrize("state", ["running", "complete"])
def test_a_job_that_does_something_else_is_not_ours_and_the_difference_is_told(
    shop: Shop, state: str, second: tuple[Hook, ...], differs: str
) -> None:
    shop.world.cluster.create(
        {**config_map("root", "ServiceAccount"), "metadata": {"name": "root", "namespace": NAMESPACE}}
    )
    shop.script(ends=2 if state == "complete" else 60)
    shop.renders(sql("select 1"), password("p"), migration())
    shop.interrupted(20) if state == "running" else shop.interrupted_before_its_upgrade()
    shop.edit()
    shop.renders(*second)
    if state == "running":
        wrote = len(shop.world.cluster.wrote())
        with pytest.raises(
            Busy, match=f"Job migrate of v2 .* still runs, .*it differs in {differs}(;|$)"
        ) as busy:
            shop.deploy()
        assert "--replace-running" in busy.value.hint.why
        assert not [call for call in shop.world.cluster.wrote()[wrote:] if "Lease" not in call]
        return
    assert shop.deploy() == 2
    assert shop.made() == ["migrate", "migrate"]
    assert f"is complete, but not what would run now: it differs in {differs}; it runs anew" in shop.warned()


def test_where_the_difference_can_t_be_read_it_is_said_where_it_lies(shop: Shop) -> None:
    """A hook's delete policy has taken what the Job used."""
    shop.script(ends=60)
    shop.renders(password("p"), migration({"containers": [{"name": "c", "image": "shop:v2"}]}))
    shop.interrupted(20)
    shop.world.cluster.objects[Ref("batch/v1", "Job", NAMESPACE, "migrate")]["metadata"]["annotations"][
        "shipit/hash"
    ] = "2:a:b"
    with pytest.raises(Busy, match="made from another chart, other values or another configuration"):
        shop.deploy()


# ── notes of the first form ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("same", "running"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_job_of_an_earlier_version_is_known_by_the_hash_that_it_noted(
    shop: Shop, same: bool, running: bool
) -> None:
    shop.script(ends=60 if running else 2)
    shop.renders(migration(PLAIN))
    shop.interrupted(20) if running else shop.interrupted_before_its_upgrade()
    notes = shop.world.cluster.objects[Ref("batch/v1", "Job", NAMESPACE, "migrate")]["metadata"][
        "annotations"
    ]
    notes |= {"shipit/version": "1", "shipit/hash": EARLIER if same else "0123456789abcdef"}
    if running and not same:
        with pytest.raises(Busy, match="still runs"):
            shop.deploy()
        return
    assert shop.deploy() == 2
    assert len(shop.made()) == (1 if same else 2)
    assert ("it runs anew" in shop.warned()) is not same


EARLIER = "b21c1c8b75302dc5"
"""As the first version hashed that very Job."""


# ── a tag that is moved ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("pushed", "warns"), [("sha256:2", True), ("sha256:1", False)])
def test_an_accepted_job_s_image_is_compared_with_the_app_s(shop: Shop, pushed: str, warns: bool) -> None:
    app = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": NAMESPACE}}
    shop.renders(migration(PLAIN), app=app)
    shop.interrupted_before_its_upgrade()
    for ref, body in shop.world.cluster.objects.items():
        if ref.kind == "Pod":
            body["spec"]["containers"][0]["image"] = "shop:v2"
    run_app(shop.world, pushed)
    assert shop.deploy() == 2
    assert shop.outcomes() == ["succeeded", "resumed"]
    assert ("the tag v2 was moved: the migration ran shop:v2 as sha256:1" in shop.warned()) is warns


def test_an_app_whose_pods_pulled_another_image_since_is_told_where_only_the_rest_is_finished(
    shop: Shop,
) -> None:
    app = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": NAMESPACE}}
    shop.script("post", ends=100)
    shop.renders(migration(PLAIN), migration(PLAIN, "post", event="post-upgrade"), app=app)
    run_app(shop.world, "sha256:1")
    shop.interrupted(30)
    assert "was moved" not in shop.warned()
    for ref, body in shop.world.cluster.objects.items():
        if ref.name.startswith("migrate-"):
            body["spec"]["containers"][0]["image"] = "shop:v2"
    run_app(shop.world, "sha256:2")
    assert shop.deploy() == 2
    assert "the tag v2 was moved: the migration ran shop:v2 as sha256:1" in shop.warned()


def run_app(world: Fakes, digest: str) -> None:
    """The app's Deployment with one ready pod of that image."""
    replicas = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    world.cluster.objects[Ref("apps/v1", "Deployment", NAMESPACE, "web")] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": NAMESPACE, "uid": "web", "resourceVersion": "1"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}},
        "status": replicas,
    }
    status = {
        "name": "web",
        "image": "shop:v2",
        "imageID": f"shop@{digest}",
        "ready": True,
        "restartCount": 0,
        "state": {"running": {}},
    }
    world.cluster.objects[Ref("v1", "Pod", NAMESPACE, "web-1")] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": NAMESPACE, "uid": "web-1", "labels": {"app": "web"}, "creationTimestamp": "2026-11-25T12:00:00Z"},
        "spec": {"containers": [{"name": "web", "image": "shop:v2"}]},
        "status": {"phase": "Running", "containerStatuses": [status], "conditions": [{"type": "Ready", "status": "True"}]},
    }  # fmt: skip


# ── what is owed behind the upgrade ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["post", "post-{salt}"])
def test_what_is_owed_is_finished_once_however_the_chart_renders_now(shop: Shop, name: str) -> None:
    def renders(salt: str) -> None:
        shop.renders(
            dressed(salt, "post-upgrade", name.format(salt=salt)),
            app={
                **config_map("app"),
                "data": {"at": salt, "revision": str(len(shop.world.helm.revisions) + 1)},
            },
        )

    for salt in ("one", "two", "three"):
        shop.script(name.format(salt=salt), ends=100)
    renders("one")
    shop.interrupted(20)
    renders("two")
    shop.interrupted(20)
    renders("three")
    assert shop.deploy() == 2
    assert shop.made() == [name.format(salt="one")]
    assert [call for call in shop.world.helm.calls if call.startswith("upgrade")] == ["upgrade app"]
    assert shop.warned().count("finishing what it left") == 2
    renders("four")
    shop.script(name.format(salt="four"))
    assert shop.deploy() == 3, "and nothing is owed any more"


def test_a_post_install_hook_that_only_an_install_renders_is_still_owed(shop: Shop) -> None:
    shop.world.helm.revisions = []
    shop.script("seed", ends=100)
    shop.renders(dressed("one", "post-install", "seed"))
    shop.interrupted(20)
    shop.renders()  # Helm renders the next one as an upgrade
    assert shop.deploy() == 1
    assert shop.made() == ["seed"]
    assert shop.outcomes() == ["succeeded"]


def test_a_value_edited_since_the_upgrade_makes_another_one_and_what_was_owed_runs_then(shop: Shop) -> None:
    shop.script("post", ends=100)
    shop.renders(migration(PLAIN), dressed("one", "post-upgrade", "post"))
    shop.interrupted(30)
    shop.edit()
    shop.renders(migration(PLAIN), dressed("two", "post-upgrade", "post"), app=config_map("edited"))
    assert shop.deploy() == 3
    assert "the app is upgraded again" in shop.warned()
    assert "Job post of an earlier try of v2 still runs: waiting for its end" in shop.warned()
    assert shop.made() == ["migrate", "post", "migrate", "post"]
    assert shop.outcomes() == ["succeeded", "succeeded", "succeeded", "succeeded"]


def test_a_post_hook_edited_while_it_runs_stops_the_deploy(shop: Shop) -> None:
    shop.script("post", ends=100)
    shop.renders(migration(PLAIN, "post", event="post-upgrade"))
    shop.interrupted(20)
    shop.edit()
    other = {"containers": [{"name": "c", "image": "shop:v2", "command": ["other"]}]}
    shop.renders(migration(other, "post", event="post-upgrade"))
    with pytest.raises(Busy, match="it differs in container c: command"):
        shop.deploy()


def test_a_post_hook_corrected_since_it_was_interrupted_is_the_corrected_one(shop: Shop) -> None:
    """The app is the same: nothing but what is owed is left to do, in its new form."""
    shop.script("post", ends=5, outcome="failed", exit_code=1)
    shop.renders(migration(PLAIN, "post", event="post-upgrade"))
    shop.interrupted(6)
    shop.world.clock.sleep(10)
    shop.script("post")
    shop.edit()
    other = {"containers": [{"name": "c", "image": "shop:v2", "command": ["other"]}]}
    shop.renders(migration(other, "post", event="post-upgrade"))
    assert shop.deploy() == 2
    left = shop.world.cluster.objects[Ref("batch/v1", "Job", NAMESPACE, "post")]
    assert left["spec"]["template"]["spec"]["containers"][0]["command"] == ["other"]


def test_a_migration_edited_since_its_upgrade_runs_anew_though_the_app_is_the_same(shop: Shop) -> None:
    shop.script("post", ends=100)
    shop.renders(sql("select 1"), password("p"), migration(), migration(PLAIN, "post", event="post-upgrade"))
    shop.interrupted(30)
    shop.edit()
    shop.renders(sql("select 2"), password("p"), migration(), migration(PLAIN, "post", event="post-upgrade"))
    assert shop.deploy() == 3
    assert shop.made() == ["migrate", "post", "migrate", "post"]
    assert (
        "the chart renders another app or another migration now: the app is upgraded again" in shop.warned()
    )


def test_a_comment_edited_since_its_upgrade_changes_nothing(shop: Shop) -> None:
    shop.script("post", ends=100)
    shop.renders(migration(PLAIN), migration(PLAIN, "post", event="post-upgrade"))
    shop.interrupted(30)
    shop.edit()
    shop.renders(migration(PLAIN), migration(PLAIN, "post", event="post-upgrade"))
    assert shop.deploy() == 2
    assert shop.made() == ["migrate", "post"]


def test_what_was_left_running_and_fails_ends_the_deploy(shop: Shop) -> None:
    shop.script("post", ends=100, outcome="failed", exit_code=1)
    shop.renders(dressed("one", "post-upgrade", "post"))
    shop.interrupted(30)
    shop.edit()
    shop.renders(dressed("one", "post-upgrade", "post"), app=config_map("edited"))
    with pytest.raises(AfterFailed, match=r"the app is upgraded to v2 \(revision 2\)"):
        shop.deploy()
    shop.script("post")
    assert shop.deploy() == 3


def test_a_plain_migration_after_the_upgrade_is_owed_too(shop: Shop) -> None:
    """It is no part of what Helm has stored: it is rendered anew, and known by what it was made from."""
    after = (MigrationSpec(name="migrate", phase="after"),)

    def renders(salt: str) -> None:
        env = [{"name": "AT", "value": salt}]
        body = job(pod={"containers": [{"name": "c", "image": "shop:v2", "env": env}]})
        shop.world.helm.rendered = rendered(manifest({**config_map("app"), "data": {"at": salt}}, body))

    def stored() -> None:
        shop.world.helm.manifests[2] = manifest({**config_map("app"), "data": {"at": "one"}})

    shop.script(ends=100)
    renders("one")
    shop.world.clock.later(10, stored)
    shop.interrupted(30, migrations=after)
    renders("two")
    assert shop.deploy(migrations=after) == 2
    assert shop.made() == ["migrate"]


def test_a_job_that_is_called_otherwise_by_now_is_followed_under_the_name_that_it_has(shop: Shop) -> None:
    """And what it uses stays for as long as it runs."""
    shop.script("migrate-monday", ends=3000)
    shop.renders(sql("select 1"), password("secret"), migration(name="migrate-monday"))
    shop.interrupted(20)
    shop.renders(sql("select 1"), password("secret"), migration(name="migrate-tuesday"))
    with pytest.raises(MigrationTimedOut, match="Job migrate-monday did not end") as left:
        shop.deploy()
    assert "Job migrate-monday still runs" in str(left.value)
    assert str(left.value.hint).startswith("shipit logs migrate-monday ")
    assert PASSWORD in shop.world.cluster.objects
    assert {event.step for event in shop.world.told.of(JobChanged) if event.job == "migrate-tuesday"} == set()


def test_the_delete_policy_of_a_job_that_is_called_otherwise_by_now_is_heeded(shop: Shop) -> None:
    def named(name: str) -> Hook:
        return replace(migration(PLAIN, name), delete_policies=("hook-succeeded",))

    shop.script("migrate-monday", ends=60)
    shop.renders(named("migrate-monday"))
    shop.interrupted(20)
    shop.renders(named("migrate-tuesday"))
    assert shop.deploy() == 2
    assert shop.made() == ["migrate-monday"]
    deleted = [each for each in shop.world.cluster.wrote() if each.startswith("delete Job ")]
    assert ["migrate-monday" in each for each in deleted] == [True]
