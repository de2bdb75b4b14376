"""The frozen chart with real helm: Helm renders, stores, upgrades and rolls back what the app's own chart said."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

import pytest

from sandbox import Sandbox
from shipit.chart import freeze, freeze_live, stored_size
from shipit.chart.manifest import Document, split, without
from shipit.chart.yaml import load_yaml
from shipit.helm import HelmCli
from shipit.model import Ref, Rendered, Values
from tests.e2e.kit import Kube
from tests.e2e.real_helm import CHART, bare, config_map, helm_in, kubectl, stored, succeeded, write_chart

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

NONE = Values()
SOURCE = re.compile(r"^# Source: .*$", re.MULTILINE)


@pytest.fixture(params=["3", "3.13", "4"])
def helm(request: pytest.FixtureRequest, sandbox: Sandbox, kube: Kube, tmp_path: Path) -> HelmCli:
    """Helm for release `shop` in a namespace that is there only for this test."""
    return helm_in(sandbox, request.param, kube.namespace, tmp_path)


def apply(helm: HelmCli, rendered: Rendered, chart: Path, target: Path, values: Values = NONE) -> Path:
    """Freeze a rendering and upgrade to it."""
    frozen = freeze(chart, split(rendered.manifest), rendered.hooks, target, notes=rendered.notes)
    succeeded(helm.upgrade(frozen, values, timeout=60, wait=False))
    return frozen


def bodies(manifest: str) -> str:
    """A manifest without the names of its templates."""
    return SOURCE.sub("# Source:", manifest)


def without_empty(manifest: str) -> str:
    """shipit drops documents that hold nothing; Helm keeps those with a comment in them, or only their `---`."""
    comments = re.sub(r"^---\n# Source: .*\n(#.*\n|\n)+(?=---|\Z)", "", manifest, flags=re.MULTILINE)
    return re.sub(r"^(---\n# Source: .*\n)---\n", r"\1", comments, flags=re.MULTILINE)


def stripped_hooks(rendered: Rendered) -> list[object]:
    return [
        (each.name, each.kind, each.manifest, each.events, each.weight, each.delete_policies)
        for each in rendered.hooks
    ]


def chart_label(chart: Path) -> str:
    """As `helm history` writes it."""
    metadata = load_yaml((chart / "Chart.yaml").read_text())
    return f"{metadata['name']}-{metadata['version']}"


LAYOUTS: dict[str, dict[str, str | bytes]] = {
    "defines and tpl": {
        "values.yaml": "who: '{{ .Release.Name }}'\n",
        "templates/_names.tpl": '{{ define "name" }}{{ .Release.Name }}-x{{ end }}',
        "templates/a.yaml": config_map('{{ include "name" . }}', "{{ tpl .Values.who . | quote }}"),
    },
    "several documents and empty ones in a file": {
        "templates/a.yaml": f"---\n\n---\n{config_map('a')}\n---\n# nothing\n---\n{config_map('b')}---\n",
        "templates/b.yaml": "{{ if false }}no{{ end }}\n",
    },
    "kinds in Helm's order, not the files'": {
        "templates/1.yaml": f"{config_map('z')}---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: s}}\n",
        "templates/2.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: p}\nstringData: {a: b}\n",
        "templates/deep/er.yaml": config_map("a"),
    },
    "a list": {
        "templates/list.yaml": "apiVersion: v1\nkind: List\nitems:\n"
        + "".join(
            f"- apiVersion: v1\n  kind: ConfigMap\n  metadata: {{name: in-list-{n}}}\n" for n in range(3)
        ),
    },
    "CRLF": {"templates/a.yaml": config_map("crlf").replace("\n", "\r\n").encode()},
    "braces and dashes in text": {
        "files/alert.txt": "{{ $labels.pod }} \u00e9\u4e16\n--- no document\n{{- if }}\n",
        "templates/a.yaml": config_map("braces", "'{{ `{{ $value }} {{/* x */}}` }}'")
        + '  alert: |\n{{ .Files.Get "files/alert.txt" | indent 4 }}\n',
    },
    "random and dated": {
        "templates/a.yaml": config_map("random", "{{ randAlphaNum 20 | quote }}")
        + '  now: {{ now | date "150405.000000" | quote }}\n  ca: {{ (genCA "x" 9).Cert | b64enc }}\n',
    },
    "trailing lines that count": {
        "templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: keep}\ndata:\n  a: |+\n    one\n\n\n",
    },
    "hooks beside objects": {
        "templates/a.yaml": config_map("plain")
        + "---\n"
        + config_map(
            "both", annotations='"helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-weight": "-5"'
        )
        + "---\n"
        + config_map(
            "test", annotations='"helm.sh/hook": test, "helm.sh/hook-delete-policy": hook-succeeded'
        ),
    },
    "notes": {
        "templates/NOTES.txt": "Hello {{ .Release.Name }}, revision {{ .Release.Revision }}\n\n{{ `{{ x }}` }}\n",
        "templates/a.yaml": config_map("a"),
    },
    "a subchart in a folder, with conditions": {
        "Chart.yaml": CHART
        + "dependencies:\n- {name: db, version: 0.1.0, condition: db.active}\n- {name: opt, version: 0.1.0, condition: opt.active}\n",
        "values.yaml": "db: {active: true, size: 2}\nopt: {active: false}\n",
        "charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 0.1.0\n",
        "charts/db/values.yaml": "size: 1\nother: 3\n",
        "charts/db/templates/a.yaml": config_map("db", '"{{ .Values.size }}{{ .Values.other }}"'),
        "charts/opt/Chart.yaml": "apiVersion: v2\nname: opt\nversion: 0.1.0\n",
        "charts/opt/templates/a.yaml": config_map("opt"),
        "templates/a.yaml": config_map("a", '"{{ .Values.db.size }}"'),
    },
    "apiVersion v1 with requirements.yaml": {
        "Chart.yaml": "apiVersion: v1\nname: shop\nversion: 1.0.0\n",
        "requirements.yaml": "dependencies:\n- {name: db, version: 0.1.0, repository: ''}\n",
        "charts/db/Chart.yaml": "apiVersion: v1\nname: db\nversion: 0.1.0\n",
        "charts/db/templates/a.yaml": config_map("db"),
    },
    "a .helmignore that would hide what is frozen": {
        ".helmignore": "shipit/\n*.orig\ncharts/dev/\n[0-9]*\n",
        "crds/ignored.yaml.orig": "no yaml: [",
        "charts/dev/Chart.yaml": "no chart",
        "templates/a.yaml": config_map("a"),
    },
    "kubeVersion and a schema": {
        "Chart.yaml": CHART + "kubeVersion: '>=1.20.0-0'\n",
        "values.schema.json": '{"type": "object", "required": ["a"]}',
        "values.yaml": "a: 1\n",
        "templates/a.yaml": config_map("a"),
    },
    "a megabyte in one document": {
        "templates/a.yaml": config_map("big", "{{ repeat 40000 `abcdefghijkl ` | trim | quote }}"),
    },
    "nothing at all": {"templates/NOTES.txt": "nothing here\n"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_helm_stores_what_the_real_chart_rendered(helm: HelmCli, tmp_path: Path, layout: str) -> None:
    chart = write_chart(tmp_path / "chart", LAYOUTS[layout])
    rendered = helm.render(str(chart), Values())

    frozen = freeze(
        chart, split(rendered.manifest), rendered.hooks, tmp_path / "frozen", notes=rendered.notes
    )
    again = helm.render(str(frozen), Values())
    succeeded(helm.upgrade(frozen, Values(), timeout=60, wait=False))

    assert bodies(again.manifest) == bodies(without_empty(rendered.manifest))
    assert bodies(helm.manifest(1)) == bodies(again.manifest)
    assert stripped_hooks(again) == stripped_hooks(rendered)
    assert again.notes == rendered.notes
    assert [each.text for each in split(helm.hooks(1))] == [each.manifest for each in rendered.hooks]
    assert (again.revision, again.install) == (1, True)
    assert helm.history()[-1].chart == chart_label(chart)


def test_the_frozen_chart_holds_the_crds_of_the_original_and_helm_does_not_install_them(
    helm: HelmCli, sandbox: Sandbox, tmp_path: Path
) -> None:
    group = f"{uuid.uuid4().hex[:8]}.example"
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        },
    }  # fmt: skip
    chart = write_chart(
        tmp_path / "chart", {"crds/widget.yaml": json.dumps(crd), "templates/a.yaml": config_map("a")}
    )

    frozen = apply(helm, helm.render(str(chart), Values()), chart, tmp_path / "frozen")

    assert f"widgets.{group}" in helm.definitions(frozen, Values())
    assert kubectl(sandbox, "get", "crd", f"widgets.{group}", "-o", "name", "--ignore-not-found") == ""


def test_a_subchart_that_is_an_archive_keeps_its_values(helm: HelmCli, tmp_path: Path) -> None:
    db = write_chart(
        tmp_path / "db",
        {
            "Chart.yaml": "apiVersion: v2\nname: db\nversion: 0.1.0\n",
            "values.yaml": "size: 5\n",
            "templates/a.yaml": config_map("db", '"{{ .Values.size }}"'),
        },
    )
    chart = write_chart(
        tmp_path / "chart",
        {"Chart.yaml": CHART + "dependencies: [{name: db, version: 0.1.0, alias: store}]\n"},
    )
    (chart / "charts").mkdir()
    bare(helm, "package", str(db), "-d", str(chart / "charts"))
    rendered = helm.render(str(chart), Values())

    frozen = apply(helm, rendered, chart, tmp_path / "frozen")

    assert 'key: "5"' in helm.manifest(1)
    assert bodies(helm.manifest(1)) == bodies(rendered.manifest)
    assert (frozen / "charts/db-0.1.0/values.yaml").read_text() == "size: 5\n"
    assert json.loads(bare(helm, "get", "values", "shop", "--all", "-o", "json"))["store"]["size"] == 5


def test_a_packaged_chart_is_frozen_like_its_folder(helm: HelmCli, tmp_path: Path) -> None:
    chart = write_chart(
        tmp_path / "chart",
        {"values.yaml": "a: 1\n", "templates/a.yaml": config_map("a", '"{{ .Values.a }}"')},
    )
    bare(helm, "package", str(chart), "-d", str(tmp_path))
    packaged = tmp_path / "shop-1.4.2-rc.1.tgz"
    rendered = helm.render(str(packaged), Values())

    apply(helm, rendered, packaged, tmp_path / "frozen")

    assert bodies(helm.manifest(1)) == bodies(rendered.manifest)
    assert helm.history()[-1].chart == "shop-1.4.2-rc.1"


@pytest.mark.parametrize("version", ["3", "3.13"])
def test_a_post_renderer_does_its_work_once(
    sandbox: Sandbox, kube: Kube, tmp_path: Path, version: str
) -> None:
    """Helm 4's are plugins. A relative path starts in the folder that helm runs in."""
    script = tmp_path / "render"
    script.write_text("#!/bin/sh\nsed 's/key: x/key: x-rendered/'\n")
    script.chmod(0o700)
    chart = write_chart(tmp_path / "chart", {"templates/a.yaml": config_map("a")})
    helm = helm_in(sandbox, version, kube.namespace, tmp_path, "--post-renderer", "./render")

    apply(helm, helm.render(str(chart), Values()), chart, tmp_path / "frozen")

    assert "key: x-rendered\n" in helm.manifest(1)


def test_upgrade_rollback_and_bare_helm_go_on_from_a_frozen_chart(helm: HelmCli, tmp_path: Path) -> None:
    """The values are stored as they were given, so a bare `--reuse-values` with the real chart renders the same."""
    chart = write_chart(
        tmp_path / "chart",
        {
            "values.yaml": "image: {tag: none, name: app}\n",
            "templates/a.yaml": config_map("a", '"{{ .Values.image.name }}:{{ .Values.image.tag }}"'),
        },
    )
    first, second = (Values(set_string=(f"image.tag={tag}",)) for tag in "12")
    apply(helm, helm.render(str(chart), first), chart, tmp_path / "one", first)

    rendered = helm.render(str(chart), second)
    assert (rendered.revision, rendered.install) == (2, False)
    apply(helm, rendered, chart, tmp_path / "two", second)
    assert "app:2" in helm.manifest(2)

    succeeded(helm.rollback(1, timeout=60))
    assert "app:1" in helm.manifest(3)
    assert json.loads(bare(helm, "get", "values", "shop", "-o", "json")) == {"image": {"tag": "1"}}

    bare(helm, "upgrade", "shop", str(chart), "--reuse-values", "--set", "image.name=other")
    assert "other:1" in helm.manifest(4)
    assert [each.status for each in helm.history()] == ["superseded"] * 3 + ["deployed"]
    bare(helm, "rollback", "shop", "2")
    assert "app:2" in helm.manifest(5)
    bare(helm, "uninstall", "shop")
    assert helm.history() == ()


def test_the_handover_keeps_all_but_the_job(helm: HelmCli, sandbox: Sandbox, tmp_path: Path) -> None:
    """From bare Helm: the live manifest, hooks and values stay, and so does the name of the chart."""
    job = (
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/resource-policy: keep}\n"
        "spec:\n  suspend: true\n  template:\n    spec:\n      restartPolicy: Never\n"
        "      containers: [{name: m, image: none}]\n"
    )
    chart = write_chart(
        tmp_path / "chart",
        {
            "values.yaml": "a: {b: chart}\n",
            "templates/a.yaml": config_map("a", '"{{ .Values.a.b }} {{ randAlphaNum 9 }}"') + "---\n" + job,
            "templates/h.yaml": config_map("h", annotations='"helm.sh/hook": test'),
        },
    )
    bare(helm, "install", "shop", str(chart), "--set", "a.b=mine")
    live = split(helm.manifest(1), helm._target.namespace)
    ref = Ref("batch/v1", "Job", helm._target.namespace, "migrate")

    rest = (*without(live, {ref}), *split(helm.hooks(1)))
    frozen = freeze_live(rest, tmp_path / "handover", chart=helm.history()[-1].chart, app_version="7")
    succeeded(helm.upgrade(frozen, None, timeout=60, wait=True, description="handover"))

    assert texts(split(helm.manifest(2))) == texts(without(live, {ref}))
    assert texts(split(helm.hooks(2))) == texts(split(helm.hooks(1)))
    newest = helm.history()[-1]
    assert (newest.chart, newest.app_version, newest.description) == ("shop-1.4.2-rc.1", "7", "handover")
    assert json.loads(bare(helm, "get", "values", "shop", "-o", "json")) == {"a": {"b": "mine"}}
    assert json.loads(bare(helm, "get", "values", "shop", "--all", "-o", "json")) == {"a": {"b": "mine"}}
    assert "migrate" in kubectl(sandbox, "get", "job", "-n", helm._target.namespace, "-o", "name")


def texts(documents: tuple[Document, ...]) -> list[str]:
    return [each.text for each in documents]


@pytest.mark.parametrize("helm", ["3", "4"], indirect=True)
@pytest.mark.parametrize("shape", ["500 templates", "a loop"])
def test_the_size_is_known_before_helm_stores_it(
    helm: HelmCli, sandbox: Sandbox, tmp_path: Path, shape: str
) -> None:
    loop = (
        "{{ range until 500 }}---\n" + config_map("a-{{ . }}", "{{ sha256sum (toString .) }}") + "{{ end }}"
    )
    many = {f"templates/{n}.yaml": settings(n) for n in range(500)}
    chart = write_chart(
        tmp_path / "chart", {"templates/loop.yaml": loop} if shape == "a loop" else dict(many)
    )

    frozen = apply(helm, helm.render(str(chart), Values()), chart, tmp_path / "frozen")

    really = stored(sandbox, helm, 1)
    assert really <= stored_size(frozen, Values(), helm.version) < 1.06 * really


def settings(number: int) -> str:
    """As different from one another as the objects of a real chart are."""
    noise = "".join(f"  KEY_{n}: {uuid.uuid5(uuid.NAMESPACE_DNS, f'{number}{n}')}\n" for n in range(3))
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{{{ .Release.Name }}}}-{number}\n  labels:\n"
        "    app.kubernetes.io/name: {{ .Chart.Name }}\n    app.kubernetes.io/instance: {{ .Release.Name }}\n"
        f"    app.kubernetes.io/version: {{{{ .Chart.AppVersion | quote }}}}\ndata:\n{noise}"
    )
