"""Values reach the migration and the app as helm itself would hand them over, and in the order of the contract."""

from __future__ import annotations

import pytest

from tests.e2e.kit import Project, job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SEEN = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: seen}
data:
  build: "{{ .Values.build }} {{ kindOf .Values.build }}"
  batch: "{{ (first .Values.batches).size }}"
  limit: "{{ .Values.limit }}"
  order: "{{ .Values.order | values | sortAlpha | join " " }}"
  note: {{ .Values.note | quote }}
"""
DEFAULTS = "build: none\nbatches: []\nlimit: 1\nnote: none\norder: {a: chart, b: chart, c: chart, d: chart, e: chart}\n"
MIGRATE = job("echo build={{ .Values.build }} limit={{ .Values.limit }}")
SET = """\
values = ["values.yaml"]
set = { batches = [{ size = 2500000 }], limit = 9007199254740993, order = { c = "set", d = "set", e = "set" } }
"""


def seen(project: Project) -> dict[str, str]:
    found = project.kube.get("configmap", "seen")
    assert found is not None
    return dict(found["data"])


@pytest.fixture
def shop(project: Project) -> Project:
    project.template("seen", SEEN)
    project.template("migrate", MIGRATE)
    project.write("chart/values.yaml", (project.folder / "chart/values.yaml").read_text() + DEFAULTS)
    project.write("values.yaml", "order: {b: values, c: values, d: values, e: values}\n")
    project.configure(release=SET)
    return project


def test_numbers_keep_their_digits_and_each_layer_beats_the_one_below(shop: Project) -> None:
    deployed = shop.deploy(
        "v1",
        "--set",
        "build=20251129,order.d=typed",
        "--set-string",
        "order.e=text",
        env={"SHIPIT_SET": "build=1\nnote=unused"},
    )
    assert deployed.exit_code == 0, deployed.told
    assert "build=20251129 limit=9007199254740993" in deployed.log
    assert seen(shop) == {
        "build": "20251129 int64",
        "batch": "2500000",
        "limit": "9007199254740993",
        "order": "chart set text typed values",
        "note": "none",
    }

    lines = "note=one\\, two = {three}\n\norder.c=a b\n"
    again = shop.deploy("v2", env={"SHIPIT_SET": lines, "SHIPIT_SET_STRING": "build=007"})
    assert again.exit_code == 0, again.told
    assert "build=007 limit=9007199254740993" in again.log
    assert seen(shop) == {
        "build": "007 string",
        "batch": "2500000",
        "limit": "9007199254740993",
        "order": "a b chart set set values",
        "note": "one, two = {three}",
    }


BAD = {
    "an assignment that helm can't read": ("", ("--set", "x"), 2, 'key "x" has no value'),
    "a list that only the chart holds": ('tag_key = "images[0].tag"', (), 3, "the list images"),
    "a tag key below what is null": (
        "set = { a = 1 }",
        ("-f", "null.yaml"),
        3,
        "image is null in the values",
    ),
    "a parent that is typed as text": ("", ("--set", "image=x"), 2, "can't read an assignment"),
    "a file in the tag's place": (
        'helm_args = ["--set-file=image=x"]',
        (),
        2,
        "--set-file would replace the tag",
    ),
}


def test_what_would_lose_the_tag_or_a_value_is_refused_before_anything_changes(project: Project) -> None:
    project.template("migrate", job("echo no"))
    project.write("null.yaml", "image:\n")
    for release, flags, code, words in BAD.values():
        project.configure(release=release)
        refused = project.deploy("v1", *flags)
        assert refused.exit_code == code, refused.told
        assert words in refused.error["message"]
        assert project.history() == []
        assert project.kube.all("jobs") == []


def test_a_way_to_wait_is_for_helm_4(project: Project) -> None:
    project.template("migrate", job("echo migrated"))
    project.configure(release='helm_args = ["--wait=legacy", "--wait-for-jobs"]')
    deployed = project.deploy("v1")
    if "helm4" in project.helm.name:
        assert deployed.exit_code == 0, deployed.told
    else:
        assert (deployed.exit_code, deployed.log) == (2, []), deployed.told
        assert "--wait=legacy needs helm 4" in deployed.error["message"]
