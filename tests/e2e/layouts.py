"""Charts as people lay them out, for `shipit init`: their files, and what of each shipit.toml has to come out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.e2e.kit import VALUES, deployment, hook, job

CHART = "apiVersion: v2\nname: shop\nversion: 1.0.0\nappVersion: '7'\n"
APP = deployment('["sh", "-c", "sleep 100000"]')
OWN_IMAGE = '"{{ .Values.image.repository }}:{{ .Values.image.tag }}"'
NO_VALUES = "image: {repository: registry.sandbox/busybox}\n"
BOTH = "pre-install,pre-upgrade"


@dataclass(frozen=True)
class Layout:
    """`files` lie in the project, the chart in `chart/`; `tag` and `migration` are what init must find."""

    files: dict[str, str]
    tag: str | list[str] | None = "image.tag"
    migration: dict[str, Any] | list[dict[str, Any]] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    chart: str = "chart"
    says: str = ""
    deploys: bool = True  # doctor has nothing against it


def layout(
    templates: dict[str, str], *, values: str = VALUES, more: dict[str, str] | None = None, **rest: Any
) -> Layout:
    files = {f"chart/templates/{name}.yaml": text for name, text in templates.items()}
    return Layout({"chart/Chart.yaml": CHART, "chart/values.yaml": values, **files, **(more or {})}, **rest)


def image(text: str, template: str) -> str:
    """The template with another image."""
    return template.replace(OWN_IMAGE, f'"{text}"')


def only_if(condition: str, template: str) -> str:
    return f"{{{{- if {condition} }}}}\n{template}{{{{- end }}}}\n"


INITS = "".join(
    f"        - {{name: {name}, image: {OWN_IMAGE}, command: [sh, -c, {command}]}}\n"
    for name, command in (("wait-for-migrations", "sleep 1"), ("prepare", "alembic upgrade head"))
)
RANDOM = job("true").replace("  name: migrate\n", "  name: migrate-{{ randAlphaNum 5 | lower }}\n")
SEED = job("echo seed").replace("  name: migrate\n", "  name: seed-{{ randAlphaNum 5 | lower }}\n")
ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: migrate}\nrules: []\n"
POD = f"""\
apiVersion: v1
kind: Pod
metadata: {{name: migrate}}
spec:
  restartPolicy: Never
  containers: [{{name: migrate, image: {OWN_IMAGE}, command: ["true"]}}]
"""
NEEDS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: red}
---
apiVersion: v1
kind: Secret
metadata: {name: credentials}
stringData: {password: correct-horse}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: migrator}
"""
NEEDING = """\
          envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: credentials}}]
      serviceAccountName: migrator
"""
SUBCHART = {
    "chart/Chart.yaml": CHART
    + "dependencies:\n  - {name: web, version: 1.0.0, alias: front, condition: front.enabled}\n",
    "chart/charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/charts/web/values.yaml": "image: {repository: registry.sandbox/busybox, tag: none}\nenabled: true\n",
    "chart/charts/web/templates/app.yaml": APP,
    "chart/charts/web/templates/migrate.yaml": job("true"),
}

LAYOUTS = {
    "a plain Job": layout(
        {"app": APP, "migrate": job("true")}, migration={"template": "templates/migrate.yaml"}
    ),
    "the only Job, whatever it is called": layout(
        {"app": APP, "prepare": job("true", name="prepare")}, migration={"template": "templates/prepare.yaml"}
    ),
    "a plain Job among others": layout(
        {"app": APP, "aaa": job("true", name="warm-up"), "migrate": job("true")},
        migration={"template": "templates/migrate.yaml"},
        says="there is also Job warm-up of templates/aaa.yaml",
    ),
    "two Jobs of random names beside a Role": layout(
        {"app": APP, "jobs": f"{ROLE}---\n{SEED}---\n{RANDOM}"},
        migration={"template": "templates/jobs.yaml", "job": "migrate-*"},
    ),
    "two migrations in a row": layout(
        {"app": APP, "a": job("true", name="expand-schema"), "b": job("true", name="migrate-data")},
        migration=[
            {"name": "expand-schema", "template": "templates/a.yaml"},
            {"name": "migrate-data", "template": "templates/b.yaml"},
        ],
    ),
    "a database of its own": layout(
        {
            "app": APP,
            "db": APP.replace("name: {{ .Release.Name }}", "name: db").replace("app: {{ .Release.Name }}", "app: db").replace(".Values.image", ".Values.db"),
            "migrate": job("true"),
        },
        values=VALUES + "db: {repository: registry.sandbox/postgres, tag: '15'}\n",
        migration={"template": "templates/migrate.yaml", "first_install": "during"},
    ),
    "a hook": layout(
        {"app": APP, "migrate": hook("true", BOTH, name="migrate")},
        migration={"template": "templates/migrate.yaml"},
    ),
    "a hook that only upgrades render": layout(
        {"app": APP, "migrate": only_if(".Release.IsUpgrade", hook("true", "pre-upgrade", name="migrate"))},
        migration={"template": "templates/migrate.yaml"},
    ),
    "hooks in a row": layout(
        {
            "app": APP,
            "check": hook("true", BOTH, name="db-check", weight=-2),
            "init": hook("true", BOTH, name="db-init", weight=-1),
            "migrate": hook("true", BOTH, name="migrate"),
        },
    ),
    "a hook that waits, with an image of its own": layout(
        {
            "app": APP,
            "migrate": hook("true", BOTH, name="migrate"),
            "wait": image("registry.sandbox/busybox:v1", hook("true", BOTH, name="wait", weight=-1)),
        },
        migration={"template": "templates/migrate.yaml"},
    ),
    "a Job behind a value": layout(
        {"app": APP, "migrate": only_if(".Values.migration.enabled", job("true"))},
        values=VALUES + "migration: {enabled: false}\n",
        migration={"template": "templates/migrate.yaml", "set": {"migration": {"enabled": True}}},
    ),
    "a Job behind two values": layout(
        {"app": APP, "migrate": only_if("and .Values.db.enabled .Values.db.migrate", job("true"))},
        values=VALUES + "db: {enabled: false}\n",
        migration={"template": "templates/migrate.yaml", "set": {"db": {"enabled": True, "migrate": True}}},
    ),
    "a tag that defaults to the chart's": layout(
        {
            "app": APP.replace(".Values.image.tag", ".Values.image.tag | default .Chart.AppVersion"),
            "migrate": job("true").replace(".Values.image.tag", ".Values.image.tag | default .Chart.AppVersion"),
        },
        values=NO_VALUES,
        migration={"template": "templates/migrate.yaml"},
    ),
    "a tag that is required": layout(
        {"app": APP.replace(".Values.image.tag", 'required "say which" .Values.image.tag'), "migrate": job("true")},
        values=NO_VALUES,
        migration={"template": "templates/migrate.yaml"},
    ),
    "a tag by another name": layout(
        {"app": image("{{ .Values.app }}:{{ .Values.release }}", APP), "migrate": image("{{ .Values.app }}:{{ .Values.release }}", job("true"))},
        values="app: registry.sandbox/busybox\nrelease: v1\n",
        tag="release",
        migration={"template": "templates/migrate.yaml"},
    ),
    "a global tag that the images' own replace": layout(
        {
            "app": APP.replace(".Values.image.tag", ".Values.image.tag | default .Values.global.tag"),
            "migrate": job("true").replace(".Values.image.tag", ".Values.migrate.tag | default .Values.global.tag"),
        },
        values="image: {repository: registry.sandbox/busybox}\nmigrate: {}\nglobal: {tag: none}\n",
        tag="global.tag",
        migration={"template": "templates/migrate.yaml"},
    ),
    "a tag for each of two images": layout(
        {
            "app": image("acme.example/shop:{{ .Values.web.tag }}", APP),
            "migrate": image("acme.example/shop-tools:{{ .Values.tools.tag }}", job("true")),
            "cache": image("acme.example/redis:{{ .Values.redis.tag }}", APP.replace("name: {{ .Release.Name }}", "name: cache")),
        },
        values="web: {tag: v1}\ntools: {tag: v1}\nredis: {tag: '7.2'}\n",
        tag=["tools.tag", "web.tag"],
        migration={"template": "templates/migrate.yaml"},
    ),
    "a migration with an image of its own": layout(
        {"app": APP, "migrate": image("registry.sandbox/alpine:v1", job("true"))},
        migration={"template": "templates/migrate.yaml", "require_tag": False},
        deploys=False,  # nobody has that image
    ),
    "a chart of migrations beside the app's": Layout(
        {
            "charts/migrations/Chart.yaml": "apiVersion: v2\nname: shop-migrations\nversion: 1.0.0\n",
            "charts/migrations/values.yaml": VALUES,
            "charts/migrations/templates/job.yaml": job("true", name="shop-schema"),
            "charts/shop/Chart.yaml": CHART,
            "charts/shop/values.yaml": VALUES,
            "charts/shop/templates/app.yaml": APP,
        },
        migration={"chart": "charts/migrations", "template": "templates/job.yaml"},
        chart="charts/shop",
    ),
    "an init container that migrates, behind one that waits": layout(
        {"app": APP.replace("      containers:\n", f"      initContainers:\n{INITS}      containers:\n")},
        migration={"from": "deployment/shop", "container": "prepare", "lift": True},
    ),
    "a subchart under an alias": layout(
        {}, values="", more=SUBCHART, tag="front.image.tag", migration={"template": "charts/front/templates/migrate.yaml"}
    ),
    "a bare Pod": layout(
        {"app": APP, "migrate": POD}, migration={"template": "templates/migrate.yaml"}, says="Pod migrate of templates/migrate.yaml"
    ),
    "a Job that needs the chart's own objects": layout(
        {"app": APP, "needs": NEEDS, "migrate": job("true") + NEEDING},
        migration={"template": "templates/migrate.yaml", "prerequisites": "auto"},
    ),
    "a tag in a list of a values file": layout(
        {"app": image("{{ (first .Values.images).name }}:{{ (first .Values.images).tag }}", APP), "migrate": image("{{ (first .Values.images).name }}:{{ (first .Values.images).tag }}", job("true"))},
        values="images: [{name: registry.sandbox/busybox, tag: none}]\n",
        more={"prod.yaml": "images: [{name: registry.sandbox/busybox, tag: none}]\n"},
        args=("-f", "prod.yaml"),
        tag="images[0].tag",
        migration={"template": "templates/migrate.yaml"},
    ),
    "a tag in a list that only the chart holds": layout(
        {"app": image("{{ (first .Values.images).name }}:{{ (first .Values.images).tag }}", APP), "migrate": image("{{ (first .Values.images).name }}:{{ (first .Values.images).tag }}", job("true"))},
        values="images: [{name: registry.sandbox/busybox, tag: none}]\n",
        tag=None,
        migration={"template": "templates/migrate.yaml"},
        says="no value of the chart reaches the tag of an image",
        deploys=False,
    ),
    "an image that no value reaches": layout(
        {"app": image("registry.sandbox/busybox:v1", APP), "migrate": image("registry.sandbox/busybox:v1", job("true"))},
        tag=None,
        migration={"template": "templates/migrate.yaml"},
        says="no value of the chart reaches the tag of an image",
        deploys=False,
    ),
    "values that it asks for": layout(
        {"app": APP.replace("command:", 'env: [{name: DB, value: {{ required "db is required" .Values.db | quote }}}]\n          command:'), "migrate": job("true")},
        more={"prod.yaml": "db: postgres\n"},
        args=("-f", "prod.yaml"),
        migration={"template": "templates/migrate.yaml"},
    ),
    "nothing that migrates, Django by its files": layout(
        {"app": APP}, more={"manage.py": "import django\n"}, says="the chart holds no Job or hook that migrates a database", deploys=False
    ),
    "a chart among others": Layout(
        {
            **{f"deploy/shop/{name}": text for name, text in {"Chart.yaml": CHART, "values.yaml": VALUES, "templates/app.yaml": APP, "templates/migrate.yaml": job("true")}.items()},
            "vendor/other/Chart.yaml": "apiVersion: v2\nname: other\nversion: 1.0.0\n",
            "zoo/Chart.yaml": "apiVersion: v2\nname: zoo\nversion: 1.0.0\n",
            "lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 1.0.0\ntype: library\n",
        },
        migration={"template": "templates/migrate.yaml"},
        chart="deploy/shop",
        says="Which chart: took deploy/shop (shop); there is also zoo (zoo)",
    ),
    "a chart that is the folder itself": Layout(
        {"Chart.yaml": CHART, "values.yaml": VALUES, "templates/app.yaml": APP, "templates/migrate.yaml": job("true")},
        migration={"template": "templates/migrate.yaml"},
        chart=".",
    ),
}  # fmt: skip
