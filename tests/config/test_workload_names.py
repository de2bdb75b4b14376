"""A workload as `from` names it, and what a table with `from` is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipit.config import Flags, MigrationSpec, load_config, workload_name


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("deployment/shop", "Deployment shop"),
        ("deploy/shop", "Deployment shop"),
        ("deployments/shop", "Deployment shop"),
        ("Deployment/shop", "Deployment shop"),
        ("deployment.apps/shop", "Deployment shop"),
        ("deployments.v1.apps/shop", "Deployment shop"),
        ("sts/shop-db.v1", "StatefulSet shop-db.v1"),
        ("ds/agent", "DaemonSet agent"),
        ("cj/nightly", "CronJob nightly"),
        ("cronjobs.batch/nightly", "CronJob nightly"),
        ("po/shell", "Pod shell"),
    ],
)
def test_a_kind_is_spelt_as_for_kubectl(text: str, named: str) -> None:
    assert str(workload_name(text)) == named


@pytest.mark.parametrize(
    "text",
    ["shop", "deployment", "deployment/", "/shop", "deployment/Shop", "deployment/a/b", "service/shop",
     "deployment.batch/shop", "pod.apps/shop", "deployment./shop", "deployment/shop-"],
)  # fmt: skip
def test_what_names_no_workload_is_none(text: str) -> None:
    assert workload_name(text) is None


def migration(folder: Path, table: str) -> MigrationSpec:
    (folder / "chart").mkdir(exist_ok=True)
    (folder / "shipit.toml").write_text(f'[release]\nname = "shop"\nchart = "chart"\n[migration]\n{table}\n')
    return load_config(None, None, folder, {}, Flags()).migrations[0]


def test_a_table_with_from_has_a_name_and_says_what_is_meant(tmp_path: Path) -> None:
    found = migration(
        tmp_path, 'from = "deploy/shop"\nargs = ["--message", ""]\nresources = { limits = { cpu = 1 } }'
    )
    assert (found.name, found.workload, found.picks, found.named) == ("migrate", "deploy/shop", True, True)
    assert (found.args, found.resources) == (("--message", ""), {"limits": {"cpu": 1}})
    assert migration(tmp_path, 'from = "deploy/shop"\nname = "schema"').name == "schema"
