"""The doctor at set-ups that are broken: everything is looked at, and each failure names its fix."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shipit import cli
from tests.cli.test_app import folder, signals

__all__ = ["folder", "signals"]

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: there, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: there, context: {cluster: there, user: me}}]
users: [{name: me, user: {token: x}}]
current-context: there
"""
GOOD = '[release]\nname = "shop"\nchart = "chart"\n'
EVERY = [
    *("configuration", "helm", "cluster", "namespace", "permissions", "lock"),
    *("chart", "migration", "references", "dry run"),
]
Spoil = Callable[[Path, pytest.MonkeyPatch], object]


def helm(version: str) -> Spoil:
    def put(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program = folder / "helm"
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv("SHIPIT_HELM", str(program))

    return put


def config(text: str) -> Spoil:
    return lambda folder, _: (folder / "shipit.toml").write_text(text)


def no_config(folder: Path, _: pytest.MonkeyPatch) -> None:
    (folder / "shipit.toml").unlink()


def no_helm(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHIPIT_HELM")
    monkeypatch.setenv("PATH", "/nowhere")


def variable(name: str, value: str) -> Spoil:
    return lambda _, monkeypatch: monkeypatch.setenv(name, value)


def kubeconfig(text: str) -> Spoil:
    return lambda folder, _: (folder / "kubeconfig").write_text(text)


BROKEN: dict[str, tuple[Spoil, tuple[str, ...], str, str, str]] = {
    # what is broken, more flags, the check that fails, what it says, the fix
    "no file": (no_config, (), "configuration", "no shipit.toml in", "shipit init"),
    "no such chart": (config(GOOD.replace('"chart"', '"x"')), (), "configuration", "no such folder", ""),
    "a variable": (config(GOOD + 'namespace = "${NO_SUCH}"'), (), "configuration", "NO_SUCH is not set", ""),
    "two typos": (config(GOOD + "nmspace = 1\ntimout = 2"), (), "configuration", "has 2 mistakes", "shipit schema"),
    "an environment": (config(GOOD), ("-e", "prod"), "configuration", "no such environment", ""),
    "no helm": (no_helm, (), "helm", "helm is not on PATH", "install helm"),
    "an old helm": (helm("v3.10.0+g1"), (), "helm", "3.10", ""),
    "no helm at all": (helm("hello"), (), "helm", "hello", ""),
    "a storage": (variable("HELM_DRIVER", "sql"), (), "helm", "HELM_DRIVER is sql", ""),
    "no such context": (config(GOOD), ("--context", "nope"), "cluster", "no context nope", "there"),
    "no kubeconfig": (variable("KUBECONFIG", "/no/such"), (), "cluster", "kubeconfig", ""),
    "a broken kubeconfig": (kubeconfig("{"), (), "cluster", "kubeconfig", ""),
    "a cluster that is down": (config(GOOD), (), "cluster", "127.0.0.1", ""),
}  # fmt: skip


@pytest.fixture
def told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, dict[str, Any]]]:
    """What the doctor says of each check."""
    (folder / "kubeconfig").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(folder / "kubeconfig"))
    helm("v4.0.1+g1")(folder, monkeypatch)
    monkeypatch.setattr("shipit.cluster.client.CHECK_WITHIN", 0.3)

    def run(*flags: str) -> dict[str, dict[str, Any]]:
        code = cli.run(["doctor", "-o", "json", *flags])
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert code in (2, 3)
        assert events[-1]["type"] == "result"
        return {event["name"]: event for event in events if event["type"] == "check"}

    return run


@pytest.mark.parametrize("name", BROKEN)
def test_every_check_has_a_line_and_the_broken_one_names_its_fix(
    folder: Path,
    told: Callable[..., dict[str, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    spoil, flags, check, words, fix = BROKEN[name]
    spoil(folder, monkeypatch)
    found = told(*flags)
    assert list(found) == EVERY
    assert found[check]["state"] == "failed"
    assert words in found[check]["message"]
    assert fix in found[check]["hint"]
    others = {each for each, event in found.items() if event["state"] == "failed"} - {check}
    assert others <= {"cluster"}, "the cause once: this one's cluster is down anyway"
    assert {found[each]["state"] for each in ("chart", "migration", "references", "dry run")} == {"skipped"}


def test_no_role_without_a_cluster(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert os.environ["KUBECONFIG"].endswith("no-kubeconfig")
    assert cli.run(["doctor", "--role"]) in (2, 3)
    assert "Role" not in capsys.readouterr().out
