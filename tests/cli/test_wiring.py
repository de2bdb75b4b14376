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
cat "$KUBECONFIG" > "$FAKE_FOLDER/helms-kubeconfig"
printf '%s\\n' "$@" > "$FAKE_FOLDER/args"
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
    assert not Path(environ["KUBECONFIG"]).exists(), "it is gone with the command"
    helms, original = (json.loads((folder / name).read_text()) for name in ("helms-kubeconfig", "kubeconfig"))
    assert {key: helms[key] for key in ("contexts", "clusters", "users")} == {
        key: original[key] for key in ("contexts", "clusters", "users")
    }
    assert helms["current-context"] == "here"


def test_what_leads_helm_elsewhere_leads_shipit_there_and_reaches_helm_in_one_way_only(
    folder: Path, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"KUBECONTEXT": "here", "KUBEAPISERVER": api.address, "KUBEASUSER": "jane", "NAMESPACE": "shop2"}
    for name, value in said.items():
        monkeypatch.setenv(f"HELM_{name}", value)
    monkeypatch.setenv("HELM_CACHE_HOME", "/cache")
    path = folder / "kubeconfig"
    path.write_text(path.read_text().replace(api.address, "http://127.0.0.1:1"))

    args, environ = ask_helm(Common(kubeconfig=Path("kubeconfig")), folder)

    assert [name for name in environ if name.startswith("HELM_")] == ["HELM_CACHE_HOME"]
    assert "--namespace=shop2" in args
    helms = json.loads((folder / "helms-kubeconfig").read_text())
    assert helms["clusters"][0]["cluster"]["server"] == api.address
    assert helms["users"][0]["user"]["as"] == "jane"
    assert {request.headers["Impersonate-User"] for request in api.asked} == {"jane"}


def test_whom_helm_args_act_as_is_whom_shipit_acts_as(folder: Path, api: Api) -> None:
    configured(folder, 'helm_args = ["--kube-as-user", "jane", "--kube-as-group=developers"]')

    args, _ = ask_helm(Common(kubeconfig=Path("kubeconfig")), folder)

    assert [word for word in args if "kube-as" in word or word == "jane"] == []
    helms = json.loads((folder / "helms-kubeconfig").read_text())
    assert helms["users"][0]["user"] == {"token": "sesame-opens", "as": "jane", "as-groups": ["developers"]}
    assert {r.headers["Impersonate-Group"] for r in api.asked} == {"developers"}


def test_helm_args_that_name_another_cluster_are_bad_configuration(folder: Path) -> None:
    configured(folder, 'helm_args = ["--kube-apiserver=https://elsewhere"]')

    with pytest.raises(Usage, match="--kube-apiserver would apply to helm but not to shipit"):
        ask_helm(Common(kubeconfig=Path("kubeconfig")), folder)
