"""Values reach the migration and the app as helm itself would hand them over, and in the order of the contract."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.e2e.chart_servers import PASSWORD, USER, files_served
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


WORDS = "{{ .Values.words | values | sortAlpha | join ` ` }}"
WORDS_SEEN = f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: seen}}
data: {{words: "{WORDS}"}}
"""
PLUGIN = """\
name: secrets
version: 1.0.0
usage: reads secrets
description: reads secrets
command: "true"
downloaders:
  - command: get.sh
    protocols: [secrets]
"""


@pytest.fixture
def wordy(project: Project) -> Project:
    """A migration and an app that both say all the words that they were given."""
    project.template("seen", WORDS_SEEN)
    project.template("migrate", job(f"echo {WORDS}"))
    project.write(
        "chart/values.yaml", (project.folder / "chart/values.yaml").read_text() + "words: {a: chart}\n"
    )
    return project


def with_stdin(project: Project, text: str, *words: str) -> list[str]:
    """The log of a deploy that is given this on stdin."""
    argv, environ = project.command("deploy", *words)
    ran = subprocess.run(
        argv,
        cwd=project.folder,
        env=environ,
        input=text,
        text=True,
        capture_output=True,
        check=False,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    return [event["line"] for event in events if event["type"] == "log"]


def test_values_from_stdin_pipes_urls_and_plugins(wordy: Project) -> None:
    wordy.write("served/words.yaml", "words: {c: url}\n")
    wordy.write("plugins/secrets/plugin.yaml", PLUGIN)
    wordy.write("plugins/secrets/get.sh", "#!/bin/sh\necho 'words: {d: \"'$4'\"}'\n")
    (wordy.folder / "plugins/secrets/get.sh").chmod(0o755)
    wordy.environ["HELM_PLUGINS"] = str(wordy.folder / "plugins")
    wordy.write("file.txt", "set-file")
    wordy.write("pipe.sh", 'exec "$@" -f <(echo "words: {h: pipe}")\n')
    helm_args = ["--set-file=words.e=file.txt", '--set-json=words.f="set-json"', "--set-string=words.g=007"]
    with files_served(wordy.folder / "served") as server:
        url = server.url.replace("//", f"//{USER}:{PASSWORD}@")
        wordy.configure(
            'set = { words = { i = "migration" } }',
            release=f'values = ["secrets://s.yaml", "{url}/private/words.yaml"]\nhelm_args = {json.dumps(helm_args)}\n',
        )
        said = with_stdin(wordy, "words: {b: stdin}\n", "--tag", "v1", "-f", "-")
        assert said == ["007 chart migration secrets://s.yaml set-file set-json stdin url"]
        assert seen(wordy) == {"words": "007 chart secrets://s.yaml set-file set-json stdin url"}
        assert server.asked == ["/private/words.yaml"]

        argv, environ = wordy.command("deploy", "--tag", "v2", "-o", "plain")
        piped = subprocess.run(
            ["bash", "pipe.sh", *argv],
            cwd=wordy.folder,
            env=environ,
            text=True,
            capture_output=True,
            check=False,
            timeout=200,
        )
        assert piped.returncode == 0, piped.stdout + piped.stderr
        assert seen(wordy) == {"words": "007 chart pipe secrets://s.yaml set-file set-json url"}
        gone = wordy.deploy("v3", "-f", f"{url}/private/gone.yaml")
    assert gone.exit_code == 3, gone.told
    assert (
        gone.error["message"]
        == f"the values at {server.url}/private/gone.yaml can't be fetched: the server answers 404 Not Found"
    )
    assert PASSWORD not in gone.told


def test_values_of_the_live_release_are_used_again(wordy: Project) -> None:
    """`--reuse-values` keeps the chart's old values as well; `--reset-then-reuse-values` takes its new ones."""
    wordy.write("migrations/Chart.yaml", "apiVersion: v2\nname: migrations\nversion: 1.0.0\n")
    wordy.write(
        "migrations/values.yaml",
        "words: {own: own-chart}\nimage: {repository: registry.sandbox/busybox, tag: none}\n",
    )
    wordy.write("migrations/templates/migrate.yaml", job(f"echo {WORDS}", name="migrate-own"))
    assert with_stdin(wordy, "words: {b: live}\n", "--tag", "v1", "-f", "-") == ["chart live"]
    chart = wordy.folder / "chart/values.yaml"
    chart.write_text(chart.read_text() + "later: {x: 1}\n")
    wordy.configure(release='helm_args = ["--reuse-values"]')
    second = wordy.deploy("v2", "--set", "words.c=typed")
    assert (second.exit_code, second.log) == (0, ["chart live typed"]), second.told
    assert seen(wordy) == {"words": "chart live typed"}
    wordy.configure(release='helm_args = ["--reset-then-reuse-values"]')
    chart.write_text(chart.read_text().replace("{a: chart}", "{a: new-chart}"))
    third = wordy.deploy("v3")
    assert (third.exit_code, third.log) == (0, ["live new-chart typed"]), third.told
    assert seen(wordy) == {"words": "live new-chart typed"}

    wordy.without_template("migrate")
    wordy.configure('chart = "migrations"', release='helm_args = ["--reuse-values"]')
    fourth = wordy.deploy("v4")
    assert (fourth.exit_code, fourth.log) == (0, ["live own-chart typed"]), fourth.told


BITNAMI = """\
{{ define "image" }}{{ $i := .Values.image }}{{ if $i.digest }}{{ printf "%s@%s" $i.repository $i.digest }}
{{- else }}{{ printf "%s:%s" $i.repository $i.tag }}{{ end }}{{ end }}
"""


def test_a_tag_with_a_digest_is_split_where_the_chart_has_a_key_for_each(project: Project) -> None:
    crane = [str(project.kube.sandbox.crane), "digest", f"{project.kube.sandbox.push_registry}/busybox:v1"]
    digest = subprocess.run(crane, capture_output=True, text=True, check=True).stdout.strip()
    project.template("migrate", job("echo migrated"))
    ordinary = project.deploy(f"v1@{digest}")
    assert (ordinary.exit_code, ordinary.log) == (0, ["migrated"]), ordinary.told
    assert image(project) == f"registry.sandbox/busybox:v1@{digest}"

    project.write("chart/templates/_image.tpl", BITNAMI)
    for name in ("app", "migrate"):
        path = project.folder / f"chart/templates/{name}.yaml"
        path.write_text(
            path.read_text().replace(
                "{{ .Values.image.repository }}:{{ .Values.image.tag }}", "{{ include `image` . }}"
            )
        )
    old = f"sha256:{'0' * 64}"
    values = project.folder / "chart/values.yaml"
    values.write_text(values.read_text().replace("tag: none}", f"tag: none, digest: '{old}'}}"))
    held = project.deploy("v2")
    assert held.exit_code == 3, held.told
    by_digest = project.deploy(f"v2@{digest}")
    assert (by_digest.exit_code, by_digest.log) == (0, ["migrated"]), by_digest.told
    assert image(project) == f"registry.sandbox/busybox@{digest}"


def image(project: Project) -> str:
    found = project.kube.get("deployment", "shop")
    assert found is not None
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])
