"""Where a chart may keep its migration: the files of each layout, and what bare Helm makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.e2e.kit import APP, VALUES, Project, hook, job

IMAGE = '"{{ .Values.image.repository }}:{{ .Values.image.tag }}"'
SCRIPT = "echo migrated"
BAD_TAG = "v3"
"""The tag whose app can't become ready; its migration is as good as any."""

ON_BAD_TAG = f"""\
{{{{- if eq .Values.image.tag "{BAD_TAG}" }}}}
        - {{name: broken, image: ":::"}}
{{{{- end }}}}
"""
NAMED = 'template = "templates/migrate.yaml"'
INIT = f"""\
      initContainers:
        - {{name: migrate, image: {IMAGE}, command: [sh, -c, "{SCRIPT}"]}}
      containers:
"""
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {COLOUR: red}\n"
READS = "          envFrom: [{configMapRef: {name: settings}}]\n"
CHART_OF_JOBS = "apiVersion: v2\nname: db\nversion: 1.0.0\n"
CHART_WITH_DB = "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n  - {name: db, version: 1.0.0}\n"


def pod(annotations: Mapping[str, str]) -> str:
    return f"""\
apiVersion: v1
kind: Pod
metadata: {{name: migrate, annotations: {json.dumps(dict(annotations))}}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
    - {{name: migrate, image: {IMAGE}, command: [sh, -c, "{SCRIPT}"]}}
"""


@dataclass(frozen=True, slots=True)
class Bare:
    """What bare `helm upgrade` does after shipit: how many pods migrate, whether it goes well."""

    pods: int = 0
    well: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """`files` lie in the project, `migration` are lines of shipit.toml; bare Helm upgrades with the same tag, and a new one."""

    title: str
    files: Mapping[str, str]
    migration: str = ""
    tag_keys: tuple[str, ...] = ("image.tag",)
    same: Bare = field(default_factory=Bare)
    new: Bare = field(default_factory=Bare)
    note: str = ""

    def lay_out(self, project: Project) -> None:
        """Write the chart and the shipit.toml."""
        project.template("app", APP + ON_BAD_TAG)
        for name, text in self.files.items():
            project.write(name, text)
        keys = json.dumps(self.tag_keys)
        project.configure(self.migration, release=f"rollback_on_failure = true\ntag_key = {keys}")


def template(text: str) -> dict[str, str]:
    return {"chart/templates/migrate.yaml": text}


HOOK = Bare(pods=1)
STUCK = Bare(well=False)
LIKE_ALWAYS = "A Job is immutable: bare Helm fails with a new tag, as it does without shipit, and upgrades with the tag that shipit deployed."

LAYOUTS = (
    Layout(
        "pre-install, pre-upgrade hook Job",
        template(hook(SCRIPT, "pre-install,pre-upgrade", name="migrate")),
        same=HOOK,
        new=HOOK,
        note="Bare Helm runs hooks itself, in each upgrade.",
    ),
    Layout(
        "post-install, post-upgrade hook Job",
        template(hook(SCRIPT, "post-install,post-upgrade", name="migrate")),
        same=HOOK,
        new=HOOK,
        note="Likewise.",
    ),
    Layout("plain Job", template(job(SCRIPT)), new=STUCK, note=LIKE_ALWAYS),
    Layout(
        "plain Job behind a value",
        {
            "chart/values.yaml": f"{VALUES}migrate: false\n",
            **template("{{ if .Values.migrate }}\n" + job(SCRIPT) + "{{ end }}\n"),
        },
        "set = { migrate = true }",
        note="The value stays off for bare Helm: it migrates nothing.",
    ),
    Layout(
        "hook Pod",
        template(pod({"helm.sh/hook": "pre-install,pre-upgrade"})),
        same=HOOK,
        new=HOOK,
        note="As a hook Job.",
    ),
    Layout(
        "plain Pod, named",
        template(pod({})),
        NAMED,
        note="A Pod's image may be changed: it has ended, and nothing runs again.",
    ),
    Layout(
        "Job in a subchart",
        {
            "chart/Chart.yaml": CHART_WITH_DB,
            "chart/charts/db/Chart.yaml": CHART_OF_JOBS,
            "chart/charts/db/values.yaml": VALUES,
            "chart/charts/db/templates/migrate.yaml": job(SCRIPT),
        },
        tag_keys=("image.tag", "db.image.tag"),
        new=STUCK,
        note="As a plain Job.",
    ),
    Layout(
        "Job in a chart of its own",
        {
            "db/Chart.yaml": CHART_OF_JOBS,
            "db/values.yaml": VALUES,
            "db/templates/migrate.yaml": job(SCRIPT),
        },
        'chart = "db"',
        note="Bare Helm knows the app's chart only: it migrates nothing.",
    ),
    Layout(
        "nothing in the chart, `from`",
        {},
        f'from = "deployment/shop"\ncommand = ["sh", "-c", "{SCRIPT}"]',
        note="Bare Helm migrates nothing.",
    ),
    Layout(
        "init container, `lift`",
        {
            "chart/templates/app.yaml": APP.replace("      containers:\n", INIT) + ON_BAD_TAG,
        },
        'from = "deployment/shop"\ncontainer = "migrate"\nlift = true',
        same=HOOK,
        new=HOOK,
        note="Bare Helm puts the init container back: it migrates in each pod of the app, of which there is one here.",
    ),
    Layout(
        'plain Job, `prerequisites = "auto"`',
        {"chart/templates/settings.yaml": SETTINGS, **template(job(SCRIPT) + READS)},
        'prerequisites = "auto"',
        new=STUCK,
        note="As a plain Job.",
    ),
)
