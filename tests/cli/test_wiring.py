"""From the command line to the cluster and helm: both are the same one, whatever the environment says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shipit.cli.clock import SystemClock
from shipit.cli.options import Common, OutputKind
from shipit.cli.session import Session
from shipit.cli.wiring import configure, deploying
from shipit.config import Flags
from shipit.errors import Usage
from shipit.output import open_output
from shipit.output.mask import Mask
from tests.scripted_api import Api, kubeconfig, says, serving

HELM = """\
#!/bin/sh
[ "$1" = version ] && { printf v4.1.0; exit; }
env > "$FAKE_FOLDER/environment"
printf '%s\\n' "$@" > "$FAKE_FOLDER/args"
cat "$KUBECONFIG" > /dev/null || exit 1
echo '[]'
"""


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as found:
        found.on("GET", says({"gitVersion": "v1.34.4"}))
        yield found


@pytest.fixture
def folder(tmp_path: Path, api: Api, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose configuration is in deploy/, typed at from above it, with a kubeconfig beside that."""
    for name in [name for name in os.environ if name.startswith(("SHIPIT_", "HELM_", "KUBE"))]:
        monkeypatch.delenv(name)
    helm = tmp_path / "helm"
    helm.write_text(HELM)
    helm.chmod(0o755)
    monkeypatch.setenv("SHIPIT_HELM", str(helm))
    monkeypatch.setenv("FAKE_FOLDER", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "deploy" / "chart").mkdir(parents=True)
    (tmp_path / "deploy" / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    configured(tmp_path)
    kubeconfig(tmp_path, api.address)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configured(folder: Path, more: str = "") -> None:
    (folder / "deploy" / "shipit.toml").write_text(f'[release]\nname = "shop"\nchart = "chart"\n{more}')


def ask_helm(common: Common, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Ask helm for the history, somebody having switched contexts since shipit started: its arguments, its environment."""
    common = replace(common, config=Path("deploy/shipit.toml"), output=OutputKind.JSON)
    with (folder / "out").open("w") as out:
        clock = SystemClock()
        output = open_output("json", stdout=out, stderr=out, environ={}, clock=clock, run="r")
        session = Session(common, output, "r", clock, Mask(output.emit))
        with deploying(session, configure(session), "v1", Flags()) as (_, world):
            path = folder / "kubeconfig"
            path.write_text(json.dumps(json.loads(path.read_text()) | {"current-context": "staging"}))
            assert world.helm.history() == ()
    lines = (folder / "environment").read_text().splitlines()
    return (folder / "args").read_text().splitlines(), dict(line.partition("=")[::2] for line in lines)


@pytest.mark.parametrize("how", ["flag", "variable", "home"])
def test_helm_talks_to_the_cluster_that_shipit_talks_to(
    folder: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    common = Common(kubeconfig=Path("~/kubeconfig") if how == "home" else Path("kubeconfig"))
    if how == "variable":
        common = Common()
        monkeypatch.setenv("KUBECONFIG", "absent:kubeconfig")

    args, environ = ask_helm(common, folder)

    assert "--kube-context=here" in args
    assert environ["KUBECONFIG"] == str(folder / "kubeconfig")


def test_what_would_lead_helm_elsewhere_does_not_reach_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KUBECONTEXT", "KUBEAPISERVER", "KUBETOKEN", "KUBECAFILE", "KUBEASUSER", "NAMESPACE"):
        monkeypatch.setenv(f"HELM_{name}", "elsewhere")
    monkeypatch.setenv("HELM_CACHE_HOME", "/cache")

    _, environ = ask_helm(Common(kubeconfig=Path("kubeconfig")), folder)

    assert [name for name in environ if name.startswith("HELM_")] == ["HELM_CACHE_HOME"]


def test_helm_args_that_name_another_cluster_are_bad_configuration(folder: Path) -> None:
    configured(folder, 'helm_args = ["--kube-apiserver=https://elsewhere"]')

    with pytest.raises(Usage, match="--kube-apiserver would apply to helm but not to shipit"):
        ask_helm(Common(kubeconfig=Path("kubeconfig")), folder)
