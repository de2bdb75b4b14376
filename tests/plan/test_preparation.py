"""Preparing in a fake world: what a Plan says of a rendering, and what is refused before anything changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from shipit.config import MigrationSpec, Request
from shipit.errors import AlreadyExists, Forbidden, HelmFailed, Invalid, NotFound, Refused
from shipit.events import StepChanged, Warned
from shipit.model import Json, Ref, Rendered, Values
from shipit.plan.preparation import prepare
from shipit.plan.tag import PROBE_TAG
from tests.fakes import NAMESPACE, FakeHelm, Fakes
from tests.releases import (
    a_release,
    a_request,
    config_map,
    configured,
    hook,
    job,
    manifest,
    planned,
    rendered,
)


@dataclass
class ChartHelm:
    """A helm that renders another thing for each chart, number of layers of values, and tag."""

    helm: FakeHelm
    renders: dict[tuple[str, int, str], Rendered | HelmFailed] = field(default_factory=dict)

    def render(self, chart: str, values: Values) -> Rendered:
        tag = values.set_string[-1].removeprefix("image.tag=")
        found = self.renders.get((Path(chart).name, len(values.layers), tag), self.helm.rendered)
        if isinstance(found, HelmFailed):
            raise found
        return found


@pytest.fixture
def world() -> Fakes:
    return a_release()


@pytest.fixture
def asked(tmp_path: Path) -> Request:
    return a_request(tmp_path)


def own_chart(asked: Request) -> MigrationSpec:
    return MigrationSpec(chart=str(Path(asked.chart).parent / "db"))


# ── the plan ─────────────────────────────────────────────────────────────────────────────────────


def test_the_plan_runs_the_job_and_hands_helm_the_rest(asked: Request, world: Fakes) -> None:
    world.helm.rendered = rendered(manifest(config_map("beside"), job(ttlSecondsAfterFinished=0)))
    plan = planned(asked, world)
    (step,) = plan.before
    assert (step.name, step.ref, step.phase, step.migration) == ("migrate", Ref("batch/v1", "Job", NAMESPACE, "migrate"), "before", True)  # fmt: skip
    assert [each.ref.name for each in plan.app] == ["beside"]
    assert (
        plan.revision,
        plan.base_revision,
        plan.handover,
        plan.rollback_revision,
        plan.rollback_on_failure,
    ) == (2, 1, None, 1, False)
    assert "ttlSecondsAfterFinished" not in step.manifest["spec"], "a Job that goes by itself can't be read"
    assert "migrate" not in "".join(path.read_text() for path in plan.chart.rglob("shipit/*"))


def test_one_object_of_two_events_is_two_steps(asked: Request, world: Fakes) -> None:
    world.helm.rendered = rendered("", hook(job(), "pre-upgrade", "post-upgrade"))
    plan = planned(asked, world)
    assert [step.ref.name for step in (*plan.before, *plan.during)] == ["migrate", "migrate"]
    assert plan.before[0].fingerprint != plan.during[0].fingerprint, (
        "what the one has done, the other has not"
    )


def test_helm_does_not_wait_where_something_runs_before_the_pods_are_ready(
    asked: Request, world: Fakes
) -> None:
    world.helm.rendered = rendered("", hook(job(), "post-upgrade"))
    assert not planned(asked, world).helm_waits
    skipping = planned(replace(fresh(asked, "2"), skip_migration=True), world)
    assert (skipping.helm_waits, skipping.skipped, skipping.later) == (True, ("migrate",), ())
    told = [each.message for each in world.told.of(StepChanged) if each.state == "done"]
    assert told[0].endswith("once it is applied, while pods of the live tag still serve: migrate")
    world.helm.revisions = []
    world.helm.rendered = rendered("", hook(job(), "post-install"), revision=1)
    first = planned(fresh(asked, "3"), world)
    assert (first.helm_waits, [step.name for step in first.during]) == (False, ["migrate"])
    assert world.told.of(StepChanged)[-1].message.endswith("once it is applied: migrate")


def test_with_wait_in_helm_args_post_hooks_come_once_the_pods_are_ready(asked: Request, world: Fakes) -> None:
    world.helm.rendered = rendered(manifest(job("plain")), hook(job(), "post-upgrade"))
    waiting = configured(asked, helm_args=("--wait",))
    plan = planned(waiting, world)
    assert (plan.helm_waits, [step.name for step in plan.after]) == (True, ["migrate"])
    spec = MigrationSpec(template="templates/migrate.yaml", phase="during")
    world.helm.rendered = rendered(manifest(job("plain"), template="migrate"))
    explicit = planned(replace(fresh(waiting, "2"), migrations=(spec,)), world)
    assert (explicit.helm_waits, [step.name for step in explicit.during]) == (False, ["migrate"])


def fresh(asked: Request, name: str) -> Request:
    """The same deploy, by a shipit of its own."""
    workdir = asked.workdir / name
    workdir.mkdir()
    return replace(asked, workdir=workdir)


def test_over_a_release_of_bare_helm_a_handover_is_made_and_rolled_back_to(
    asked: Request, world: Fakes
) -> None:
    world.helm.manifests = {1: manifest(config_map("kept"), job(tag="v1"))}
    plan = planned(configured(asked, rollback_on_failure=True), world)
    assert plan.handover is not None
    assert (plan.revision, plan.rollback_revision, plan.rollback_on_failure) == (3, 2, True)
    frozen = "".join(path.read_text() for path in plan.handover.rglob("shipit/*"))
    assert "kept" in frozen
    assert "Job" not in frozen


def test_a_job_that_the_app_keeps_stays_in_the_handover(asked: Request, world: Fakes) -> None:
    """Helm would delete it with the handover, and run it again with the upgrade."""
    seed = job("seed", "fixed")
    world.helm.manifests = {1: manifest(job("migrate-abc", "v1"), seed)}
    world.helm.rendered = rendered(manifest(job("migrate-xyz"), seed))
    plan = planned(replace(asked, migrations=(MigrationSpec(name="migrate-xyz"),)), world)
    assert [ref.name for ref in plan.previous_jobs] == ["migrate-abc"]
    assert [each.ref.name for each in plan.app] == ["seed"]


def test_a_plain_job_that_has_become_a_hook_is_handed_over_too(asked: Request, world: Fakes) -> None:
    world.helm.manifests = {1: manifest(job(tag="v1"))}
    world.helm.rendered = rendered("", hook(job(), "pre-upgrade"))
    assert planned(asked, world).handover is not None


def test_a_job_that_is_rendered_again_with_its_own_values_is_not_left_to_helm(
    asked: Request, world: Fakes
) -> None:
    """Rendered twice, it may have two names: Helm must not run the other one."""
    chart = ChartHelm(world.helm, {("chart", 2, "v2"): rendered(manifest(job("migrate-two")))})
    world.helm.rendered = rendered(manifest(job("migrate-one"), config_map("beside")))
    mine = MigrationSpec(set={"migrate": True})
    plan = prepare(
        replace(asked, migrations=(mine,)),
        replace(world.world, helm=_with(world.helm, chart)),
        None,
        world.told,
    )
    assert [step.ref.name for step in plan.before] == ["migrate-two"]
    assert [each.ref.name for each in plan.app] == ["beside"]


def _with(helm: FakeHelm, chart: ChartHelm) -> FakeHelm:
    helm.render = chart.render  # type: ignore[method-assign]
    return helm


# ── the tag ──────────────────────────────────────────────────────────────────────────────────────


def test_a_tag_that_the_chart_writes_there_is_a_coincidence(asked: Request, world: Fakes) -> None:
    (Path(asked.chart) / "values.yaml").write_text("image: {tag: v2}\n")
    with pytest.raises(Refused, match=r"image\.tag does not reach the image") as refused:
        planned(asked, world)
    assert "tag_key" in str(refused.value.hint)


@pytest.mark.parametrize(
    "probed",
    [
        rendered(manifest(job(tag=PROBE_TAG))),
        rendered(manifest(job("migrate-again", tag=PROBE_TAG), job("seed", tag="v2", suspend=True))),
        HelmFailed("the tag must be a version"),
        rendered(""),
        rendered(manifest(job("other", tag="v2"), template="other"), hook(job("another"), "pre-upgrade")),
        rendered("---\n# Source: shop/templates/migrate.yaml\na: [\n"),
    ],
    ids=[
        "it changes with the tag",
        "and is called otherwise, beside one that stays",
        "the chart refuses another tag",
        "it is there for some tags only",
        "for others there are other Jobs",
        "the chart is broken with another tag",
    ],
)
def test_a_tag_that_follows_ours_is_none(asked: Request, world: Fakes, probed: Rendered | HelmFailed) -> None:
    (Path(asked.chart) / "values.yaml").write_text("previous: v2\n")
    _with(world.helm, ChartHelm(world.helm, {("chart", 1, PROBE_TAG): probed}))
    assert [step.name for step in planned(asked, world).before] == ["migrate"]


@pytest.mark.parametrize("named", ["migrate", "migrate-x7k2p"])
@pytest.mark.parametrize("hooked", [True, False])
def test_a_coincidence_is_one_whatever_else_there_is_with_another_tag(
    asked: Request, world: Fakes, named: str, hooked: bool
) -> None:
    (Path(asked.chart) / "values.yaml").write_text("image: {tag: v2}\n")

    def chart(name: str, *more: Json) -> Rendered:
        mine = replace(hook(job(name), "pre-upgrade"), path="shop/templates/migrate.yaml")
        return rendered(manifest(*more), mine) if hooked else rendered(manifest(job(name), *more))

    world.helm.rendered = chart(named)
    again = chart("migrate-3y4z5" if "-" in named else named, config_map("new"))
    _with(world.helm, ChartHelm(world.helm, {("chart", 1, PROBE_TAG): again}))
    with pytest.raises(Refused, match=r"image\.tag does not reach the image"):
        planned(asked, world)


def test_the_chart_is_rendered_once_when_nothing_else_holds_the_tag(asked: Request, world: Fakes) -> None:
    (Path(asked.chart) / "Chart.yaml").write_text("apiVersion: v2\nname: chart\nversion: 1.0.0\n")
    planned(asked, world)
    assert world.helm.calls.count("render") == 1


def test_what_helm_does_not_load_is_not_read_for_the_tag(asked: Request, world: Fakes) -> None:
    """A chart that is the root of a repository: its history names every tag, and may be huge or unreadable."""
    chart = Path(asked.chart)
    for name in (".git/packed-refs", "node_modules/x.js", "big.bin"):
        (chart / name).parent.mkdir(exist_ok=True)
        (chart / name).write_text("v2")
    with (chart / "big.bin").open("r+b") as big:
        big.truncate(6 * 1024 * 1024)
    (chart / ".helmignore").write_text("node_modules/\n")
    planned(asked, world)
    assert world.helm.calls.count("render") == 1


def test_a_migration_with_an_image_of_its_own_needs_no_tag_where_it_says_so(
    asked: Request, world: Fakes
) -> None:
    world.helm.rendered = rendered(manifest(job(tag="10"), config_map("app")))
    with pytest.raises(Refused, match="v2 is not in the image") as refused:
        planned(asked, world)
    assert "require_tag = false" in str(refused.value.hint)
    plan = planned(replace(asked, migrations=(MigrationSpec(require_tag=False),)), world)
    assert [step.name for step in plan.before] == ["migrate"]


def test_what_needs_no_tag_is_no_coincidence_either(asked: Request, world: Fakes) -> None:
    (Path(asked.chart) / "values.yaml").write_text("flyway: {tag: v2}\n")
    world.helm.rendered = rendered(manifest(job(tag="v2")))
    planned(replace(asked, migrations=(MigrationSpec(require_tag=False),)), world)
    assert world.helm.calls.count("render") == 1


@pytest.mark.parametrize(
    "place",
    ["a chart of its own", "a values file", "set in the file", "--set", "--set-string", "a packed subchart"],
)
def test_a_coincidence_is_looked_for_wherever_it_can_be(asked: Request, world: Fakes, place: str) -> None:
    folder = Path(asked.chart).parent
    match place:
        case "a chart of its own":
            (folder / "db/values.yaml").write_text("image: {tag: v2}\n")
            asked = replace(asked, migrations=(own_chart(asked),))
        case "a values file":
            (folder / "values.yaml").write_text("migrate: {tag: v2}\n")
        case "set in the file":
            asked = replace(asked, values=asked.values.with_layers({"migrate": {"tag": "v2"}}))
        case "--set":
            asked = replace(asked, values=Values(set=("migrate.tag=v2",)))
        case "--set-string":
            asked = replace(asked, values=Values(set_string=("migrate.tag=v2",)))
        case _:
            (Path(asked.chart) / "charts").mkdir()
            (Path(asked.chart) / "charts/sub-1.0.0.tgz").write_bytes(b"packed")
            world.helm.rendered = rendered(manifest(job()))
    with pytest.raises(Refused, match="does not reach the image"):
        planned(asked, world)


def test_a_tag_that_is_in_no_image_is_refused_unless_the_migration_is_skipped(
    asked: Request, world: Fakes
) -> None:
    world.helm.rendered = rendered(manifest(job(tag="v1")))
    with pytest.raises(Refused) as refused:
        planned(asked, world)
    assert refused.value.details == ("Job migrate: shop:v1",)
    asked = replace(asked, skip_migration=True, workdir=asked.workdir / "2")
    asked.workdir.mkdir()
    assert planned(asked, world).before == ()


IMAGES = {"images": [{"name": "web", "tag": "old"}]}


@pytest.mark.parametrize("where", ["values", "the migration's values"])
def test_an_item_of_a_list_that_only_the_chart_holds_is_refused_for_helm_would_lose_it(
    asked: Request, world: Fakes, where: str
) -> None:
    asked = configured(asked, tag_key="images[0].tag")
    if where == "values":
        asked = replace(asked, migrations=(MigrationSpec(set=IMAGES),))
    else:
        asked = replace(asked, values=Values((IMAGES, {"images": None})))
    with pytest.raises(
        Refused, match=r"names an item of the list images, but no values file holds"
    ) as refused:
        planned(asked, world)
    assert "copy images" in str(refused.value.hint)


def test_an_item_of_a_list_that_our_values_hold_receives_the_tag(asked: Request, world: Fakes) -> None:
    asked = replace(configured(asked, tag_key="images[0].tag"), values=Values((IMAGES,)))
    assert planned(asked, world).values == Values((IMAGES,), (), ("images[0].tag=v2",))


@pytest.mark.parametrize(("image", "what"), [("", "null"), ("shop:v1", "a single value"), ("[1]", "a list")])
def test_a_tag_key_below_what_is_no_table_is_refused_clearly(
    asked: Request, world: Fakes, image: str, what: str
) -> None:
    (Path(asked.chart).parent / "values.yaml").write_text(f"image: {image}\n")
    with pytest.raises(Refused, match=rf"tag_key image\.tag can't be set: image is {what} in the values"):
        planned(asked, world)


# ── what the cluster says ────────────────────────────────────────────────────────────────────────

NEEDY = {
    "serviceAccountName": "runner",
    "containers": [{"name": "c", "image": "shop:v2", "envFrom": [{"secretRef": {"name": "creds"}}]}],
}


def test_what_an_earlier_hook_makes_is_not_missing(asked: Request, world: Fakes) -> None:
    needed = [hook(config_map(name, kind), "pre-upgrade", weight=-1) for name, kind in (("creds", "Secret"), ("runner", "ServiceAccount"))]  # fmt: skip
    world.helm.rendered = rendered("", *needed, hook(job(pod=NEEDY), "pre-upgrade"))
    assert [step.name for step in planned(asked, world).before] == ["creds", "runner", "migrate"]
    dry_run = [call for call in world.cluster.calls if "dry-create Pod" in call]
    assert dry_run, "the pod is asked for without the account that isn't there yet"


def test_what_is_missing_is_listed_whole(asked: Request, world: Fakes) -> None:
    world.helm.rendered = rendered(manifest(job(pod=NEEDY)))
    with pytest.raises(Refused, match="does not exist in namespace shop") as refused:
        planned(asked, world)
    assert [word for line in refused.value.details for word in line.split() if word in ("runner", "creds")] == ["runner", "creds"]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ("dry-create Job shop/migrate", Invalid("unknown field"), "Job shop/migrate: unknown field"),
        ("dry-create Pod", Forbidden("exceeded quota"), "the pod of Job shop/migrate: exceeded quota"),
        ("dry-apply ConfigMap", Invalid("immutable"), r"ConfigMap shop/beside \(from shop/templates/migrate\.yaml\): immutable"),
    ],
)  # fmt: skip
def test_what_the_api_server_does_not_accept_is_refused_in_its_words(
    asked: Request, world: Fakes, call: str, error: Invalid, words: str
) -> None:
    world.helm.rendered = rendered(manifest(job(), config_map("beside")))
    world.cluster.broken = lambda asked_for: error if asked_for.startswith(call) else None
    with pytest.raises(Refused, match=words):
        planned(asked, world)


def test_an_old_job_in_place_does_not_stand_in_the_way_of_its_dry_run(asked: Request, world: Fakes) -> None:
    exists = AlreadyExists("exists", status=409)
    world.cluster.broken = lambda call: exists if call.startswith("dry-create Job") else None
    assert [step.name for step in planned(asked, world).before] == ["migrate"]


def test_what_the_chart_itself_brings_can_t_be_judged_and_is_told(asked: Request, world: Fakes) -> None:
    world.helm.rendered = rendered(manifest(job(), config_map("own", "Widget")))
    missing = NotFound("no such kind", status=404)
    world.cluster.broken = lambda call: missing if call.startswith("dry-apply Widget") else None
    planned(asked, world)
    assert any("Widget" in each.message for each in world.told.of(Warned))
